"""What every step of a one-photon extraction needs, and how it reads the movie."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from pipeline.blocks import Progress
from pipeline.extraction.cell_size import for_movie
from pipeline.extraction.field import Field
from pipeline.extraction.long_traces import mean_of_rows, on_all_frames
from pipeline.extraction.onephoton.cells import Cells
from pipeline.extraction.onephoton.params import CnmfeParams
from pipeline.extraction.onephoton.ring import RingBackground, RingStream
from pipeline.extraction.onephoton.seeding import one_block
from pipeline.extraction.onephoton.small import SmallMovie, prepare_small
from pipeline.extraction.temporal import Denoise, Traces, autoregressive, update_traces
from pipeline.movie import Movie
from pipeline.scratch import ScratchFrames


@dataclass(frozen=True, kw_only=True)
class Task:
    """What every step needs."""

    movie: Movie
    """The movie."""

    params: CnmfeParams
    """Settings."""

    small: SmallMovie
    """The movie in bins."""

    kept: NDArray[np.bool_]
    """Frames with at least one finite value."""

    field: Field
    """Its pixels."""

    threads: int
    """Blocks worked on at once."""

    memory_bytes: int
    """Memory for blocks."""

    progress: Progress
    """Told the frames done."""

    @property
    def frames_averaged(self) -> float:
        """Frames of the recording in a frame of the movie."""
        return self.small.survey.kept.size / self.movie.n_frames

    @property
    def noise(self) -> NDArray[np.float32]:
        """Noise of each pixel without the background, ``(n_pixels,)``."""
        return self.small.frame_noise / np.float32(np.sqrt(self.frames_averaged))

    @property
    def decay_frames(self) -> float:
        """Time in which a transient decays to 1/e."""
        return self.params.decay_time_s * self.movie.require_rate_hz()

    @property
    def denoise(self) -> Denoise:
        """How traces are taken apart."""
        if self.frames_averaged > 1:
            return autoregressive(order=1, decay_frames=self.decay_frames, fitted=False)
        return autoregressive(order=self.params.p, decay_frames=self.decay_frames)

    def in_bins(self) -> "Task":
        """Return the task on the movie in bins of frames, or itself where they are not kept."""
        binned = self.small.survey.binned
        if binned is None:
            return self
        movie = Movie(
            source=ScratchFrames(binned.reshape(-1, *self.movie.frame_shape)),
            rate_hz=self.movie.require_rate_hz() / self.small.grid.bin_frames,
        )
        return replace(self, movie=movie, kept=np.ones(movie.n_frames, np.bool_))

    def stream(self, background: RingBackground) -> RingStream:
        """Return the movie as it is read without its background."""
        return RingStream(
            movie=self.movie,
            fill=self.small.survey.mean,
            kept=self.kept,
            threads=self.threads,
            memory_bytes=self.memory_bytes,
            progress=self.progress,
            background=background,
        )

    def background(self, cells: Cells) -> RingBackground:
        """Fit the background, given the cells, whose traces are of the kept frames."""
        average = mean_of_rows(cells.calcium, np.float32)
        on_all = on_all_frames(cells.calcium, self.kept, missing=average)
        full = Cells(cells.footprints, on_all)
        fitted = self.small.background(self.small.shrunk(full))
        return self.small.enlarged(fitted, full, self.field)

    def traces(self, cells: Cells, stream: RingStream) -> Traces:
        """Read the movie once for the traces of the footprints."""
        return update_traces(
            stream, *cells, field=one_block(self.field), gnb=1, denoise=self.denoise
        )


def prepare_task(
    movie: Movie, params: CnmfeParams, *, threads: int, memory_bytes: int, progress: Progress
) -> Task:
    """Read the movie once for its statistics and its small copy."""
    params = for_movie(params, movie)
    small = prepare_small(
        movie, params, threads=threads, memory_bytes=memory_bytes, progress=progress
    )
    n_rows, n_cols = movie.frame_shape
    return Task(
        movie=movie,
        params=params,
        small=small,
        kept=small.survey.kept,
        field=Field((n_rows, n_cols), small.survey.usable, params.half_sizes_px),
        threads=threads,
        memory_bytes=memory_bytes // 2,
        progress=progress,
    )
