"""Files of recordings: where they are, how large they are, and the hash of their content."""

import hashlib
from pathlib import Path
from typing import Any

from pipeline.blocks import Progress
from schemas.settings import MEGABYTE, ProjectError, Settings

CHUNK_BYTES = 1 << 22


def describe(path: Path, settings: Settings, progress: Progress) -> dict[str, Any]:
    """Return what a row keeps of a file, or of a folder that is one movie (Zarr).

    Parameters
    ----------
    path : Path
        Where it is on this machine.
    settings : Settings
        The data roots.
    progress : callable
        Told the megabytes that were hashed.

    Returns
    -------
    dict
        ``root``, ``path``, ``size_bytes`` and ``checksum``, the SHA-256 of the content.

    Raises
    ------
    ProjectError
        If it is outside the data roots.
    """
    root, relative = settings.locate(path)
    return {
        "root": root,
        "path": relative,
        "size_bytes": size_bytes(path),
        "checksum": checksum(path, progress),
    }


def unchanged(row: dict[str, Any], settings: Settings) -> Path:
    """Return where a file of a row is on this machine, or refuse when it is not what it was.

    Raises
    ------
    ProjectError
        If it is missing or its size has changed.
    """
    path = settings.resolve(row["root"], row["path"])
    if not path.exists():
        raise ProjectError(f"the file {path} is missing; put it back, then: mesmerize jobs retry")
    size = size_bytes(path)
    if size != row["size_bytes"]:
        raise ProjectError(
            f"the file {path} has changed since it was ingested: it had {row['size_bytes']} bytes "
            f"and has {size}; restore it, or ingest it as another trial."
        )
    return path


def size_bytes(path: Path) -> int:
    """Return the size of a file, or of all files of a folder."""
    return sum(file.stat().st_size for file in _files(path))


def _files(path: Path) -> list[Path]:
    """Return the file itself, or the files of a folder in the order of their names."""
    if path.is_dir():
        return sorted(file for file in path.rglob("*") if file.is_file())
    return [path]


def checksum(path: Path, progress: Progress) -> str:
    """Return the SHA-256 of the content; of a folder, of all names and contents."""
    total, done = size_bytes(path), 0
    digest = hashlib.sha256()
    for file in _files(path):
        if path.is_dir():
            digest.update(f"{file.relative_to(path).as_posix()}\0{file.stat().st_size}\0".encode())
        with file.open("rb") as content:
            while chunk := content.read(CHUNK_BYTES):
                digest.update(chunk)
                done += len(chunk)
                progress(f"checksum of {path.name} (MB)", done // MEGABYTE, total // MEGABYTE)
    return digest.hexdigest()
