"""Movies in NWB: linked or copied, in blocks, time first."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from hdmf.backends.hdf5.h5_utils import H5DataIO
from hdmf.data_utils import GenericDataChunkIterator
from numpy.typing import NDArray
from pynwb import TimeSeries
from pynwb.image import ImageSeries
from pynwb.ophys import (
    CorrectedImageStack,
    ImagingPlane,
    MotionCorrection,
    OnePhotonSeries,
    TwoPhotonSeries,
)

from pipeline.movie import Movie

CHUNK_BYTES = 4_000_000
BUFFER_BYTES = 64_000_000
SERIES = {"two-photon": TwoPhotonSeries, "one-photon": OnePhotonSeries}
GREY = "grey levels of the camera or the photomultiplier"


class MovieFile(NamedTuple):
    """A file of a recorded movie, to which a link is made."""

    path: Path
    """Where it lies."""

    first_frame: int
    """Of the movie, that the file begins with."""


class Corrected(NamedTuple):
    """A corrected movie."""

    movie: Movie | None
    """None: only its shifts are written."""

    shifts_px: NDArray[np.floating]
    """How far frames lay from the template, ``(n_frames, [n_planes,] 2 or 3)``, rows first."""

    about: str
    """How it was corrected."""


def as_nwb(array: NDArray[Any]) -> NDArray[Any]:
    """Return frames with the axes as NWB has them.

    Parameters
    ----------
    array : array, (n, [n_planes,] n_rows, n_cols)
        Frames, images or masks.

    Returns
    -------
    array, (n, n_cols, n_rows[, n_planes])
        A view.
    """
    return array.transpose(0, *range(array.ndim - 1, 0, -1))


class FrameChunks(GenericDataChunkIterator):  # type: ignore[misc]
    """Frames of a movie for the writer, which asks for some at once."""

    def __init__(self, movie: Movie) -> None:
        """Cut a movie into blocks of whole frames."""
        self.movie = movie
        size = as_nwb(np.empty((1, *movie.frame_shape), np.bool_)).shape[1:]
        chunk = max(1, min(movie.n_frames, CHUNK_BYTES // movie.frame_bytes))
        buffer = chunk * max(1, BUFFER_BYTES // (chunk * movie.frame_bytes))
        super().__init__(
            chunk_shape=(chunk, *size), buffer_shape=(min(buffer, movie.n_frames), *size)
        )

    def _get_data(self, selection: tuple[slice, ...]) -> NDArray[Any]:
        return as_nwb(self.movie[selection[0]])[(slice(None), *selection[1:])]

    def _get_maxshape(self) -> tuple[int, ...]:
        return (self.movie.n_frames, *self.movie.frame_shape[::-1])

    def _get_dtype(self) -> np.dtype[Any]:
        return self.movie.dtype


def compressed(data: Any) -> H5DataIO:
    """Return data that is written with compression.

    Parameters
    ----------
    data : array or iterator
        What is written.
    """
    return H5DataIO(data, compression="gzip", compression_opts=1)


def photon_series(
    imaging: str,
    plane: ImagingPlane,
    movie: Movie,
    *,
    files: Sequence[MovieFile] | None,
    beside: Path,
) -> TwoPhotonSeries | OnePhotonSeries:
    """Return the recorded movie.

    Parameters
    ----------
    imaging : str
        ``two-photon`` or ``one-photon``.
    plane : pynwb.ophys.ImagingPlane
        Where it was taken.
    movie : Movie
        With its rate.
    files : sequence of MovieFile or None
        Where a link leads; None: the movie is copied.
    beside : Path
        The folder of the NWB file, from which links are told.
    """
    timing = {"rate": float(movie.require_rate_hz()), "starting_time": 0.0, "unit": "n.a."}
    kind = SERIES[imaging]
    about = {"name": kind.__name__, "imaging_plane": plane, "description": f"{GREY}, as recorded"}
    if files is None:
        return kind(**about, **timing, data=compressed(FrameChunks(movie)))
    return kind(
        **about,
        **timing,
        format="external",
        external_file=[os.path.relpath(file.path, beside) for file in files],
        starting_frame=[file.first_frame for file in files],
        dimension=list(movie.frame_shape[::-1]),
        num_samples=movie.n_frames,
    )


def motion_correction(
    corrected: Corrected, original: TwoPhotonSeries | OnePhotonSeries
) -> MotionCorrection | TimeSeries:
    """Return a corrected movie with its shifts, or the shifts alone.

    Parameters
    ----------
    corrected : Corrected
        The movie.
    original : pynwb.ophys.TwoPhotonSeries or OnePhotonSeries
        As it was recorded.

    Notes
    -----
    NWB asks for the way that a frame has to go; ours is how far it lies from the template.
    """
    timing = {"rate": original.rate, "starting_time": 0.0}
    shifts = TimeSeries(
        name="xy_translation",
        data=compressed(np.ascontiguousarray(-corrected.shifts_px[..., ::-1])),
        unit="pixels",
        description="x, y[, z] by which a frame was moved to fit the template",
        comments=corrected.about,
        **timing,
    )
    if corrected.movie is None:
        return shifts
    images = ImageSeries(
        name="corrected",
        data=compressed(FrameChunks(corrected.movie)),
        unit="n.a.",
        description=f"{GREY}, corrected for motion",
        comments=corrected.about,
        **timing,
    )
    stack = CorrectedImageStack(corrected=images, original=original, xy_translation=shifts)
    return MotionCorrection(corrected_image_stacks=[stack])
