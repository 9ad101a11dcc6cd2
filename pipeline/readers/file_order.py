"""The files that a recording was cut in: in the order of time, none of them missing."""

import re
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

from pipeline.readers.registry import ZARR_MARKERS, is_readable, readable, split_item

DIGITS = re.compile(r"(\d+)")


def natural(path: Path) -> list[tuple[int, str]]:
    """Return a key that sorts names as people do: 2 before 10.

    Parameters
    ----------
    path : Path
        A file.

    Examples
    --------
    >>> [path.name for path in sorted(map(Path, ["10.avi", "2.avi"]), key=natural)]
    ['2.avi', '10.avi']
    """
    parts = DIGITS.split(path.name.lower())
    return [(int(part) if n % 2 else 0, part) for n, part in enumerate(parts)]


def movie_files(paths: Sequence[Path]) -> list[Path]:
    """Return the files of a recording, with the files of each folder in its place.

    Parameters
    ----------
    paths : sequence of Path
        Files, Zarr folders, and folders of numbered files; ``::item`` may follow each.

    Returns
    -------
    list of Path
        In the order of time.

    Raises
    ------
    ValueError
        If a folder holds no movie, files of several kinds, or not all of its numbers; or if files
        are given in the order of the alphabet, 10 before 2.
    """
    _check_order([path for path in paths if not path.is_dir()])
    found = [[path] if _is_movie(path) else _files_in(path) for path in paths]
    return [path for files in found for path in files]


def _is_movie(path: Path) -> bool:
    """Tell a file, or a folder that is one movie, from a folder of movies."""
    folder, item = split_item(path)
    is_zarr = any((folder / marker).exists() for marker in ZARR_MARKERS)
    return not folder.is_dir() or is_zarr or item is not None


def _files_in(folder: Path) -> list[Path]:
    """Return the movies of a folder in natural order."""
    files = sorted((p for p in folder.iterdir() if p.is_file() and is_readable(p)), key=natural)
    suffixes = sorted({path.suffix.lower() for path in files})
    if len(suffixes) != 1:
        holds = f"movies of several kinds ({', '.join(suffixes)})" if files else "no movie"
        raise ValueError(
            f"the folder {folder.name} holds {holds}; give the files of the recording in the order "
            f"of time (the suffixes of movies are {readable()})."
        )
    _check_numbers(folder, files)
    return files


def _check_numbers(folder: Path, files: Sequence[Path]) -> None:
    """Refuse files whose names differ in more than one number, or skip one."""
    if len(files) == 1:
        return
    names = [DIGITS.split(path.name.lower()) for path in files]
    differing = {
        n
        for one, two in pairwise(names)
        for n, (a, b) in enumerate(zip(one, two, strict=False))
        if a != b
    }
    if len({len(name) for name in names}) > 1 or len(differing) != 1 or not max(differing) % 2:
        raise ValueError(
            f"the files in {folder.name} are not numbered parts of one recording "
            f"({files[0].name}, {files[-1].name}); give the files in the order of time."
        )
    place = differing.pop()
    for one, two in pairwise(int(name[place]) for name in names):
        if two != one + 1:
            raise ValueError(
                f"a file is missing in {folder.name}: after number {one} comes number {two}; copy "
                "the missing file, or give the files in the order of time."
            )


def _check_order(files: Sequence[Path]) -> None:
    """Refuse the order in which a shell lists ``*.avi``, which is not that of time."""
    names = [path.name for path in files]
    if names != sorted(names) or files == sorted(files, key=natural):
        return
    texts = {tuple(DIGITS.split(name)[::2]) for name in names}
    if len(texts) == 1 and len({path.parent for path in files}) == 1:
        one, two = next((a, b) for a, b in pairwise(files) if natural(a) > natural(b))
        raise ValueError(
            f"the files are in the order of the alphabet, {one.name} before {two.name}; give them "
            "in the order of time, or give their folder."
        )
