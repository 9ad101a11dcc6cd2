"""What every step of the extraction from a volume needs."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

from scipy import sparse

from pipeline.blocks import Progress
from pipeline.extraction.stream import Stream
from pipeline.extraction.suitability import check_fit
from pipeline.extraction.survey import Survey
from pipeline.extraction.volume.params import Cnmf3dParams
from pipeline.extraction.volume.window import Part, pixels_of, window_of
from pipeline.movie import Movie

PIXEL_BYTES = 500
"""Memory that the work on all planes takes for each pixel of a volume, whatever its length."""


@dataclass(frozen=True, kw_only=True)
class Task:
    """A volume, or a part of one, and the means to work on it."""

    movie: Movie
    """What is read."""

    params: Cnmf3dParams
    """Settings."""

    threads: int
    """Blocks worked on at once."""

    memory_bytes: int
    """Memory for blocks and binned copies."""

    progress: Progress
    """Told the phase and how far it is; may raise to cancel."""

    seeds: sparse.csc_array | None = None
    """Footprints on the pixels of the movie to begin with; None: cells are sought."""

    def stream(self, survey: Survey) -> Stream:
        """Return how every pass after the first reads the movie."""
        return Stream(
            movie=self.movie,
            fill=survey.mean,
            kept=survey.kept,
            threads=self.threads,
            memory_bytes=self.memory_bytes,
            progress=self.progress,
        )

    def parts(
        self, name: str, parts: list[Part], *, drops_planes: bool = False
    ) -> Iterator["Task"]:
        """Yield the task of each part, whose progress says which it is."""
        for number, part in enumerate(parts, start=1):
            suffix = f", {name} {number} of {len(parts)}" if len(parts) > 1 else ""
            yield replace(
                self,
                movie=window_of(self.movie, part, drops_planes=drops_planes),
                progress=_named(self.progress, suffix),
                seeds=self._seeds_in(part),
            )

    def _seeds_in(self, part: Part) -> sparse.csc_array | None:
        """Return the part of the footprints that lies in a part of the volume."""
        if self.seeds is None:
            return None
        pixels = pixels_of(part, self.movie.frame_shape)
        return sparse.csc_array(sparse.csr_array(self.seeds)[pixels])


def check_volume(movie: Movie, params: Cnmf3dParams, *, memory_bytes: int) -> None:
    """Refuse a movie that CNMF of volumes cannot work on with these settings.

    Raises
    ------
    ValueError
        If the movie has no planes, no rate, too few frames, is smaller than a cell, or the memory
        does not hold the work on it.
    """
    if not movie.is_volume:
        raise ValueError(
            f"the method cnmf3d works on volumes, (n_frames, n_planes, n_rows, n_cols); "
            f"{movie.name} has shape {movie.shape}: use cnmf, or cnmfe for one photon."
        )
    check_fit(movie, params)
    n_planes, n_rows, n_cols = movie.frame_shape
    if 2 * params.border_planes >= n_planes:
        raise ValueError(
            f"border_planes must be below {math.ceil(n_planes / 2)}, half of the {n_planes} planes "
            f"of {movie.name}; got {params.border_planes}."
        )
    if params.planes == "together" and params.half_sizes_px[0] > n_planes:
        raise ValueError(
            f"gsig_px along planes must be at most {n_planes}, the planes of {movie.name}; got "
            f"{params.half_sizes_px[0]!r}: give three numbers, planes first, in planes and pixels."
        )
    needed = PIXEL_BYTES * n_rows * n_cols * (n_planes if params.planes == "together" else 1)
    if memory_bytes < needed:
        raise ValueError(
            f"memory_bytes must be at least {needed} for volumes of {n_planes} planes of {n_rows} "
            f"x {n_cols} pixels; got {memory_bytes}: give more, or planes='each'."
        )


def _named(progress: Progress, suffix: str) -> Progress:
    """Return a progress that says which part is worked on."""

    def tell(phase: str, done: int, total: int) -> None:
        progress(f"{phase}{suffix}", done, total)

    return tell
