"""How rows are named."""

from typing import Any

Key = dict[str, Any]
"""Values of the columns of a key, by name."""

RECORDING = ("animal_id", "session", "trial")
"""Columns of the key of a recording."""
