"""How rows are named."""

from typing import Any

from schemas.roi_states import RECORDING

Key = dict[str, Any]
"""Values of the columns of a key, by name."""

__all__ = ["RECORDING", "Key"]
