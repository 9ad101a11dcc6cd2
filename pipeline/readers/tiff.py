"""TIFF files of any kind: plain pages, ImageJ, OME, BigTIFF, with one series or many."""

import itertools
import math
import re
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tifffile import TiffFile, TiffFrame, TiffPage, TiffPageSeries

from pipeline.readers.json_values import json_values
from pipeline.readers.lazy import MappedArray
from pipeline.readers.registry import register_reader
from pipeline.readers.scanimage import (
    ScanImagePages,
    read_date,
    read_layout,
    read_pixel_size_um,
    read_rate_hz,
    read_settings,
)
from pipeline.readers.stack import Stack, StoredArray
from pipeline.readers.tiff_damage import check_chain, check_complete, refuse_damage
from pipeline.readers.tiff_header import read_header, tiff_date


class PagedArray:
    """Pages that are decoded one by one, while their file is open."""

    def __init__(self, series: TiffPageSeries, name: str) -> None:
        """Keep where the pages of a series lie."""
        self.shape: tuple[int, ...] = tuple(series.get_shape(squeeze=False))
        self.dtype: np.dtype[Any] = np.dtype(series.dtype)
        self._pages: Sequence[Any] = series[:]
        self._name = name
        self._lock = threading.Lock()
        n_leading = _leading_axes(self.shape, series.keyframe.size)
        self._leading, self._page_shape = self.shape[:n_leading], self.shape[n_leading:]

    def __getitem__(self, index: tuple[slice, ...]) -> NDArray[Any]:
        lengths = [len(range(*s.indices(n))) for s, n in zip(index, self.shape, strict=True)]
        n_leading = len(self._leading)
        within = index[n_leading:]
        wanted = [
            range(*s.indices(n)) for s, n in zip(index[:n_leading], self._leading, strict=True)
        ]
        places = itertools.product(*map(range, lengths[:n_leading]))
        with self._lock, refuse_damage(self._name):
            block = np.empty(lengths, self.dtype)
            for place, page in zip(places, itertools.product(*wanted), strict=True):
                block[place] = self._read_page(page)[within]
        return block

    def _read_page(self, place: tuple[int, ...]) -> NDArray[Any]:
        number = int(np.ravel_multi_index(place, self._leading)) if place else 0
        page = self._pages[number]
        handle = page.parent.filehandle
        handle.open()
        try:
            pixels: NDArray[Any] = page.asarray(maxworkers=1)
        finally:
            handle.close()
        return pixels.reshape(self._page_shape)


@register_reader(".tif", ".tiff", ".btf", ".tf8", ".tf2")
def read_tiff(path: Path, item: str | None) -> list[Stack]:
    """Read every series of a TIFF file that is part of its movie.

    Parameters
    ----------
    path : Path
        The file; other files that its OME header names are read with it.
    item : str or None
        Number of a series, from 0, where the file has several.

    Returns
    -------
    list of Stack
        Series of one frame shape follow each other in time, as do single images.

    Raises
    ------
    ValueError
        If the file is no TIFF, damaged or cut short, or its series are not one movie.
    """
    check_chain(path)
    with refuse_damage(path.name), TiffFile(path) as tif:
        settings = read_settings(tif) if tif.is_scanimage else None
    if settings:
        return _read_scanimage(path, item, settings)
    with refuse_damage(path.name), TiffFile(path, is_shaped=_is_shaped(path)) as tif:
        series = [s for s in tif.series if math.prod(s.shape)]
        n_pages = len(tif.pages)
        header = read_header(tif)
    if not series:
        raise ValueError(f"{path.name} holds no image; copy or export it again.")
    chosen = _choose_series(series, item, path.name)
    return [
        Stack(
            name=path.name if len(series) == 1 else f"{path.name} (series {s.index})",
            array=_stored_array(s, path, n_pages),
            axes=s.get_axes(squeeze=False),
            files=frozenset(_files(s, path)),
            **header,
        )
        for s in chosen
    ]


def _read_scanimage(path: Path, item: str | None, settings: Mapping[str, Any]) -> list[Stack]:
    """Read a recording of ScanImage; a volume that is not whole at its end is left out."""
    if item not in (None, "0"):
        raise ValueError(f"{path.name} holds one recording; leave out '::{item}'.")
    with refuse_damage(path.name), TiffFile(path, is_scanimage=False, is_shaped=False) as tif:
        series, n_pages, date = tif.series, len(tif.pages), tiff_date(tif)
    if len(series) > 1:
        raise ValueError(f"{path.name} holds pages of several sizes; export the recording again.")
    pages = _stored_array(series[0], path, n_pages)
    layout = read_layout(settings, n_pages, path.name)
    return [
        Stack(
            name=path.name,
            array=ScanImagePages(pages, layout),
            axes="TZCYX",
            rate_hz=read_rate_hz(settings, layout),
            pixel_size_um=read_pixel_size_um(settings, pages.shape),
            channel_names=layout.channel_names,
            metadata={
                "origin": "ScanImage",
                "date": read_date(settings) or date,
                "orig_meta": json_values(settings),
                "flyback_frames": layout.n_flyback,
                "pages_left_out": n_pages % layout.pages_per_volume,
            },
            files=frozenset([path.resolve()]),
        )
    ]


def _is_shaped(path: Path) -> bool | None:
    """Tell tifffile to pass over its own notes in a file of images appended one by one.

    It would make a series of each, and compare every two of them; None leaves it to look.
    """
    with TiffFile(path) as tif:
        noted = tif.pages.first.shaped_description if tif.is_shaped else None
        if noted is None or len(tif.pages) == 1:
            return None
        shape = [int(length) for length in re.findall(r"\d+", noted.partition("]")[0])]
        return None if math.prod(shape) > tif.pages.first.size else False


def _choose_series(
    series: Sequence[TiffPageSeries], item: str | None, name: str
) -> Sequence[TiffPageSeries]:
    """Return the series asked for, or all if they can follow each other in time."""
    numbers = [str(number) for number in range(len(series))]
    shapes = ", ".join(f"{n}: {s.axes} {s.shape}" for n, s in zip(numbers, series, strict=True))
    if item is not None:
        if item not in numbers:
            raise ValueError(f"{name} has no series {item!r}; its series are {shapes}.")
        return [series[int(item)]]
    if len({(s.shape, s.axes, s.dtype) for s in series}) > 1:
        raise ValueError(
            f"{name} holds series that are not parts of one movie ({shapes}); choose one by its "
            f"number, such as '{name}::0'."
        )
    return series


def _stored_array(series: TiffPageSeries, path: Path, n_pages: int) -> StoredArray:
    """Map the pixels of a series where they lie together; else read page by page."""
    check_complete(series, path.name, n_pages)
    if series.dataoffset is None or series.is_multifile:
        array = PagedArray(series, path.name)
        array[(slice(0, 1),) * len(array.shape)]  # refuses a codec that is not installed
        return array
    stored = np.dtype(series.keyframe.parent.byteorder + series.dtype.char)
    return MappedArray(path, tuple(series.get_shape(squeeze=False)), stored, series.dataoffset)


def _leading_axes(shape: tuple[int, ...], page_size: int) -> int:
    """Return how many axes of a series count its pages."""
    for n_leading in range(len(shape) + 1):
        if math.prod(shape[n_leading:]) == page_size:
            return n_leading
    raise ValueError(f"pages of {page_size} pixels cannot be cut from a series of shape {shape}.")


def _files(series: TiffPageSeries, path: Path) -> set[Path]:
    """Return every file that a series is read from."""
    pages: list[TiffPage | TiffFrame | None] = series[:] if series.is_multifile else []
    parents = {page.parent.filehandle.path for page in pages if page is not None}
    return {file.resolve() for file in (path, *map(Path, parents))}
