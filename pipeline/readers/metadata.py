"""Metadata formats: what is known about a recording, from a file beside it."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.readers.datasets import is_positive
from pipeline.readers.json_values import json_values
from pipeline.readers.plugins import METADATA_GROUP, load_plugin, plugin_names

MetadataReader = Callable[[Path], Mapping[str, Any]]
"""``reader(path)`` returns at least ``fps``; ``origin``, ``date``, ``orig_meta`` are usual."""

UNKNOWN = "unknown"


@dataclass(frozen=True)
class MetadataFormat:
    """A way to write metadata."""

    read: MetadataReader
    """The function that reads a file."""

    suffixes: tuple[str, ...]
    """Suffixes of its files, in lower case."""

    keys: tuple[str, ...] = ()
    """Keys that a JSON file of this format must have."""

    files: tuple[str, ...] = ()
    """Names that its files have, where they are not named after the movie."""


METADATA_FORMATS: dict[str, MetadataFormat] = {}
"""Every format by its name."""


def register_metadata_format(
    name: str,
    *,
    suffixes: tuple[str, ...] = (".json",),
    keys: tuple[str, ...] = (),
    files: tuple[str, ...] = (),
) -> Callable[[MetadataReader], MetadataReader]:
    """Return a decorator that makes a function a metadata format.

    Parameters
    ----------
    name : str
        How users call it.
    suffixes : tuple of str
        Suffixes of its files, with the dot.
    keys : tuple of str
        Keys that its JSON files must have, by which they are recognised.
    files : tuple of str
        Names that its files have, where they are not named after the movie.

    Returns
    -------
    callable
        The decorator; it returns the function unchanged.

    Raises
    ------
    ValueError
        If the name is taken.
    """
    if name in METADATA_FORMATS:
        raise ValueError(f"there is a metadata format {name!r} already; choose another name.")

    def register(reader: MetadataReader) -> MetadataReader:
        lower = tuple(map(str.lower, suffixes))
        METADATA_FORMATS[name] = MetadataFormat(reader, lower, keys, files)
        return reader

    return register


def read_metadata(
    path: str | Path, metadata_format: str | MetadataReader | None = None
) -> dict[str, Any]:
    """Read a metadata file.

    Parameters
    ----------
    path : str or Path
        The file.
    metadata_format : str or callable, optional
        Name of a format, or a function ``path -> dict`` with at least ``fps``; by default it is
        found from the suffix and the keys of the file.

    Returns
    -------
    dict
        JSON values: ``origin``, ``date``, ``orig_meta``, and ``fps`` in Hz (None where the file
        does not tell); other keys as the format gives them.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If the format is unknown or not clear, a key is missing, or the rate makes no sense.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"there is no metadata file {str(path)!r}; check its name.")
    values = json_values(_reader(path, metadata_format)(path))
    if not isinstance(values, dict) or "fps" not in values:
        raise ValueError(
            f"the metadata format of {path.name} must return a dict with the key 'fps'; "
            f"got {_got(values)}."
        )
    return {
        "origin": UNKNOWN,
        "date": UNKNOWN,
        "orig_meta": None,
        **values,
        "fps": _known_rate(values["fps"], path.name),
    }


def find_metadata(movie: Path, metadata_format: str) -> Path:
    """Return the metadata file of a format beside a movie, or the movie itself if it is one.

    Parameters
    ----------
    movie : Path
        The file of the movie.
    metadata_format : str
        Name of a format.

    Returns
    -------
    Path
        The file with a name of the format, or of the movie's name with a suffix of the format.

    Raises
    ------
    FileNotFoundError
        If there is none.
    ValueError
        If the format is unknown.
    """
    found = _named(metadata_format)
    suffixes = found.suffixes
    named = map(movie.with_name, found.files)
    for path in (movie, *named, *map(movie.with_suffix, suffixes)):
        if path.suffix.lower() in suffixes and path.is_file():
            return path
    raise FileNotFoundError(
        f"there is no {' or '.join(found.files or suffixes)} file beside {movie.name} for the "
        "metadata format "
        f"{metadata_format!r}; give its path as metadata."
    )


def read_json(path: Path, keys: tuple[str, ...] = ()) -> dict[str, Any]:
    """Read a JSON object that has all of some keys.

    Parameters
    ----------
    path : Path
        The file.
    keys : tuple of str
        Keys that it must have.

    Returns
    -------
    dict
        The whole object.

    Raises
    ------
    ValueError
        If it is not a JSON object, or lacks a key.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path.name} is not valid JSON: {error}.") from error
    if not isinstance(content, dict):
        kind = type(content).__name__
        raise ValueError(f"{path.name} must hold a JSON object; got {kind}.")  # noqa: TRY004
    missing = [key for key in keys if key not in content]
    if missing:
        raise ValueError(
            f"{path.name} lacks {', '.join(map(repr, missing))}; this metadata format needs "
            f"{', '.join(map(repr, keys))}."
        )
    return content


def _named(name: str) -> MetadataFormat:
    if name in METADATA_FORMATS:
        return METADATA_FORMATS[name]
    read = load_plugin(METADATA_GROUP, name)
    if read is None:
        names = ", ".join([*METADATA_FORMATS, *plugin_names(METADATA_GROUP)])
        raise ValueError(
            f"metadata_format must be one of {names}, or a function path -> dict; got {name!r}."
        )
    return MetadataFormat(read, tuple(getattr(read, "suffixes", (".json",))))


def _reader(path: Path, metadata_format: str | MetadataReader | None) -> MetadataReader:
    """Return the function for a format, finding the format if it is not given."""
    if callable(metadata_format):
        return metadata_format
    if metadata_format is not None:
        return _named(metadata_format).read
    suffix = path.suffix.lower()
    fitting = {name: f for name, f in METADATA_FORMATS.items() if suffix in f.suffixes}
    if suffix == ".json":
        content = read_json(path)
        fitting = {name: f for name, f in fitting.items() if f.keys and set(f.keys) <= set(content)}
    if len(fitting) != 1:
        raise ValueError(
            f"the metadata format of {path.name} is not clear "
            f"({', '.join(fitting) or 'none fits'}); give metadata_format, one of "
            f"{', '.join(METADATA_FORMATS)}."
        )
    return next(iter(fitting.values())).read


def _known_rate(fps: Any, name: str) -> float | None:
    """Return the rate, None for what stands for an unknown one; refuse anything else."""
    if fps is None or fps == 0:
        return None
    if not is_positive(fps):
        raise ValueError(
            f"the frame rate (fps) in {name} must be a number above 0, in Hz; got {fps!r}."
        )
    return float(fps)


def _got(values: Any) -> str:
    return f"the keys {', '.join(values)}" if isinstance(values, dict) else type(values).__name__
