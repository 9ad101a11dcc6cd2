"""Choose the movie among the data sets of a file that holds several arrays."""

from collections.abc import Mapping
from typing import Any, TypeGuard, TypeVar

import numpy as np

from pipeline.readers.axes import USUAL_AXES
from pipeline.readers.stack import StoredArray

MOVIE_NAMES = ("mov", "movie", "data", "images")
"""Names that stand for the movie."""

RATE_NAMES = ("rate_hz", "fr", "fps")
"""Attributes that tell the rate, the surest first."""

NUMBERS = "uif"

Dataset = TypeVar("Dataset", bound=StoredArray)


def choose_dataset(datasets: Mapping[str, Dataset], item: str | None, *, name: str) -> Dataset:
    """Return the data set asked for, or the only one that can be a movie.

    Parameters
    ----------
    datasets : mapping
        Every data set of the file by its path in it.
    item : str or None
        Path of the data set asked for.
    name : str
        Name of the file, for messages.

    Returns
    -------
    Dataset
        The data set.

    Raises
    ------
    ValueError
        If it is not there, or no data set or more than one can be a movie.
    """
    if item is not None:
        if item.strip("/") not in datasets:
            raise ValueError(f"{name} has no data set {item!r}; it has {_listed(datasets)}.")
        return datasets[item.strip("/")]
    movies = {path: dataset for path, dataset in datasets.items() if _may_be_movie(dataset)}
    named = {path: d for path, d in movies.items() if path.rpartition("/")[2] in MOVIE_NAMES}
    chosen = named or movies
    if not chosen:
        raise ValueError(
            f"{name} holds no movie: none of its data sets has three or four axes of numbers; it "
            f"has {_listed(datasets)}."
        )
    if len(chosen) > 1:
        raise ValueError(
            f"{name} has several data sets that may be the movie; choose one by "
            f"'{name}::PATH' from {_listed(chosen)}."
        )
    return next(iter(chosen.values()))


def told_by_attributes(attributes: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the attributes of a data set tell about its movie, as fields of a stack.

    Parameters
    ----------
    attributes : mapping
        ``rate_hz`` (or ``fr``, ``fps``), ``axes``, ``pixel_size_um``; others are ignored.

    Returns
    -------
    dict
        ``axes``, ``rate_hz`` and ``pixel_size_um`` where they make sense.
    """
    rates = [attributes[name] for name in RATE_NAMES if is_positive(attributes.get(name))]
    sizes = attributes.get("pixel_size_um")
    told: dict[str, Any] = {"rate_hz": float(rates[0])} if rates else {}
    if isinstance(attributes.get("axes"), str):
        told["axes"] = attributes["axes"]
    if isinstance(sizes, list | tuple) and all(map(is_positive, sizes)):
        told["pixel_size_um"] = dict(zip("XYZ", map(float, reversed(sizes)), strict=False))
    return told


def is_positive(value: object) -> TypeGuard[float]:
    """Tell whether a value of a file is a finite number above zero."""
    return (
        isinstance(value, int | float | np.number)
        and not isinstance(value, bool)
        and bool(0 < value < np.inf)
    )


def _may_be_movie(dataset: StoredArray) -> bool:
    return len(dataset.shape) in USUAL_AXES and np.dtype(dataset.dtype).kind in NUMBERS


def _listed(datasets: Mapping[str, StoredArray]) -> str:
    """List data sets with their shapes."""
    listed = [f"{path} {tuple(dataset.shape)}" for path, dataset in datasets.items()]
    return ", ".join(listed) or "none"
