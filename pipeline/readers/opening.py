"""Open a recording, whatever its format and in however many files."""

import os
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pipeline.checks import check_in_range
from pipeline.movie import MAX_RATE_HZ, Movie
from pipeline.readers.axes import choose_channel, name_axes, parse_axes
from pipeline.readers.datasets import NUMBERS, is_positive
from pipeline.readers.file_order import movie_files
from pipeline.readers.lazy import JoinedFrames, OrderedFrames
from pipeline.readers.metadata import UNKNOWN, MetadataReader, find_metadata, read_metadata
from pipeline.readers.registry import read_stacks, split_item
from pipeline.readers.stack import Stack

MIN_RATE_HZ = 1e-6
SAME_RATE = 0.01
"""Part by which the rates of two files of a recording may differ."""

Location = str | os.PathLike[str]


def open_movie(
    path: Location | Sequence[Location],
    *,
    axes: str | None = None,
    channel: int | None = None,
    rate_hz: float | None = None,
    metadata: Location | None = None,
    metadata_format: str | MetadataReader | None = None,
) -> Movie:
    """Open a recording; its frames are read when they are asked for.

    Parameters
    ----------
    path : path or sequence of paths
        A file of any format in `READERS` or a Zarr folder, or the files that a recording was cut
        in, in their order in time, or the folder of these files, which are numbered.
        ``file::item`` chooses a data set, a unit, or the number of a series.
    axes : str, optional
        Order of the axes in the file, such as ``"TYX"`` or ``"TZCYX"``; by default as the file
        says, else time first.
    channel : int, optional
        The channel to read, from 0, where the file has several.
    rate_hz : float, optional
        Frames (of a volume movie: volumes) per second; wins over metadata and file.
    metadata : path, optional
        A metadata file; its rate wins over that of the movie file.
    metadata_format : str or callable, optional
        Name of its format, or a function ``path -> dict`` with at least ``fps``. Without
        ``metadata``, the file beside the movie is taken.

    Returns
    -------
    Movie
        ``(n_frames[, n_planes], n_rows, n_cols)`` in native byte order. Its ``metadata`` has
        ``origin``, ``date`` and ``orig_meta`` of the metadata file (else of the movie file), and
        ``fps``, which is the rate of the movie.

    Raises
    ------
    FileNotFoundError
        If a file is missing.
    ValueError
        If a file is damaged or holds no movie, the files or the axes do not fit together, a file
        has several channels and none is named, or the rate makes no sense.

    Notes
    -----
    Files are open only while frames are read, and memory is needed for those frames alone; of TIFF
    files whose pages do not lie together, also the places of the pages are kept.
    An axis of planes of length 1 is left out unless ``axes`` names it.
    """
    _check_rate(rate_hz)
    asked = None if axes is None else parse_axes(axes)
    paths = movie_files(_paths(path))
    stacks = [stack for location in paths for stack in read_stacks(location)]
    _check_repeats(paths, stacks)
    letters = [name_axes(stack, asked, alone=len(stacks) == 1) for stack in stacks]
    parts = [
        OrderedFrames(stack.array, found, channel=choose_channel(stack, found, channel))
        for stack, found in zip(stacks, letters, strict=True)
    ]
    _check_parts(stacks, parts)
    told = _read_told(split_item(paths[0])[0], metadata, metadata_format)
    rate_hz = rate_hz or told.get("fps") or _own_rate_hz(stacks)
    if told and rate_hz is None:
        raise ValueError(
            f"the metadata of {stacks[0].name} give no frame rate (a single time point?); "
            "give rate_hz."
        )
    return Movie(
        source=parts[0] if len(parts) == 1 else JoinedFrames(parts),
        rate_hz=rate_hz,
        pixel_size_um=_told_size_um(told, parts[0]) or _pixel_size_um(stacks[0], letters[0]),
        name=_name(paths),
        metadata=_metadata(stacks[0], told, rate_hz),
        files=_files(paths, stacks),
    )


def _check_rate(rate_hz: float | None) -> None:
    if rate_hz is not None:
        check_in_range("rate_hz", rate_hz, MIN_RATE_HZ, MAX_RATE_HZ)


def _paths(path: Location | Sequence[Location]) -> list[Path]:
    """Return the files of a recording."""
    paths = [Path(path)] if isinstance(path, str | os.PathLike) else [Path(p) for p in path]
    if not paths:
        raise ValueError("a recording needs at least one file; got an empty list.")
    return paths


def _files(paths: Sequence[Path], stacks: Sequence[Stack]) -> tuple[Path, ...]:
    """Return the given files in their order, then those that they refer to."""
    given = dict.fromkeys(split_item(path)[0].resolve() for path in paths)
    referred = sorted({file for stack in stacks for file in stack.files})
    return tuple(dict.fromkeys([*given, *referred]))


def _name(paths: Sequence[Path]) -> str:
    more = f" and {len(paths) - 1} more" if len(paths) > 1 else ""
    return f"{paths[0].name}{more}"


def _check_repeats(paths: Sequence[Path], stacks: Sequence[Stack]) -> None:
    """Refuse frames that would come twice.

    A file given twice is one cause, another the further files of an OME recording, which its
    first file reads by itself.
    """
    given = {split_item(path)[0].resolve() for path in paths}
    for stack in stacks:
        if len(stack.files & given) > 1:
            names = ", ".join(sorted(file.name for file in stack.files))
            raise ValueError(f"{stack.name} reads {names} by itself; give only one of these files.")
    repeated = next((path for path, n in Counter(paths).items() if n > 1), None)
    if repeated is not None:
        raise ValueError(f"{repeated.name} is given twice; give each file of a recording once.")


def _check_parts(stacks: Sequence[Stack], parts: Sequence[OrderedFrames]) -> None:
    """Refuse pixels that are no numbers, and a part that differs from the first."""
    first = parts[0]
    for stack, part in zip(stacks, parts, strict=True):
        if part.dtype.kind not in NUMBERS:
            raise ValueError(
                f"the pixels of {stack.name} must be integers or real numbers; got {part.dtype}."
            )
        if (part.shape[1:], part.dtype) != (first.shape[1:], first.dtype):
            raise ValueError(
                f"{stack.name} has frames of {part.shape[1:]} {part.dtype}, but {stacks[0].name} "
                f"has {first.shape[1:]} {first.dtype}; the parts of a recording must agree."
            )


def _read_told(
    movie: Path, metadata: Location | None, metadata_format: str | MetadataReader | None
) -> dict[str, Any]:
    """Return what the metadata file tells; empty where there is none."""
    if metadata is not None:
        return read_metadata(Path(metadata), metadata_format)
    if metadata_format is None:
        return {}
    if callable(metadata_format):
        return read_metadata(movie, metadata_format)
    return read_metadata(find_metadata(movie, metadata_format), metadata_format)


def _own_rate_hz(stacks: Sequence[Stack]) -> float | None:
    """Return the rate that the files tell, refusing files that disagree."""
    told = {s.name: s.rate_hz for s in stacks if is_positive(s.rate_hz)}
    rates = [rate for rate in told.values() if rate is not None]
    if rates and max(rates) > min(rates) * (1 + SAME_RATE):
        listed = ", ".join(f"{rate:g} Hz in {name}" for name, rate in told.items())
        raise ValueError(
            f"the files of the recording tell different rates ({listed}); give rate_hz."
        )
    return rates[0] if rates else None


def _told_size_um(told: dict[str, Any], part: OrderedFrames) -> tuple[float, ...] | None:
    """Return the pixel size that metadata give, as one number or one an axis of a frame."""
    if told.get("pixel_size_um") is None:
        return None
    n_axes = len(part.shape) - 1
    given = told["pixel_size_um"]
    sizes = given if isinstance(given, list) else [given] * n_axes
    if len(sizes) != n_axes or not all(is_positive(size) for size in sizes):
        raise ValueError(
            f"pixel_size_um in the metadata must be a positive number, or {n_axes} of them "
            f"([plane,] row, column); got {given!r}."
        )
    return tuple(map(float, sizes))


def _pixel_size_um(stack: Stack, letters: str) -> tuple[float, ...] | None:
    """Return the pixel size along planes, rows and columns, if all are known."""
    stored = dict(zip(letters, stack.axes.upper() or letters, strict=True))
    sizes = [stack.pixel_size_um.get(stored[axis]) for axis in "ZYX" if axis in stored]
    known = tuple(size for size in sizes if size is not None)
    return known if len(known) == len(sizes) else None


def _metadata(stack: Stack, told: dict[str, Any], rate_hz: float | None) -> dict[str, Any]:
    unknown = {"origin": UNKNOWN, "date": UNKNOWN, "orig_meta": None}
    names = {"channel_names": list(stack.channel_names)} if stack.channel_names else {}
    return {**unknown, **names, **stack.metadata, **told, "fps": rate_hz}
