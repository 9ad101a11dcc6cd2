"""Files and folders that are there as a whole or not at all."""

import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def written_whole(path: Path) -> Iterator[Path]:
    """Yield a place beside a path to write to, which becomes the path at the end.

    Parameters
    ----------
    path : Path
        A file or folder that is not there yet.

    Yields
    ------
    Path
        Where to write; it goes, if that fails.

    Raises
    ------
    ValueError
        If the path is there, or its folder is not.
    """
    if path.exists():
        raise ValueError(f"{path} is there already; give another name, or move it away.")
    if not path.parent.is_dir():
        raise ValueError(f"there is no folder {path.parent}; make it first.")
    beside = path.parent / f".{path.stem}-{uuid.uuid4().hex[:8]}{path.suffix}"
    try:
        yield beside
        beside.rename(path)
    finally:
        if beside.is_dir():
            shutil.rmtree(beside)
        beside.unlink(missing_ok=True)
