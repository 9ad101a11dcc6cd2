"""What every step of the extraction from a movie, or from a part of it, needs."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Generic, TypeVar

from scipy import sparse

from pipeline.blocks import Progress, give_back_memory
from pipeline.extraction.params import CnmfParams
from pipeline.extraction.stream import Stream
from pipeline.extraction.survey import Survey
from pipeline.movie import Movie
from pipeline.window import Part, pixels_of, window_of

Params_co = TypeVar("Params_co", bound=CnmfParams, covariant=True)


@dataclass(frozen=True, kw_only=True)
class Task(Generic[Params_co]):
    """A movie, or a part of its frames, and the means to work on it."""

    movie: Movie
    """What is read."""

    params: Params_co
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
            in_slabs=True,
        )

    def parts(
        self, name: str, parts: list[Part], *, drops_planes: bool = False
    ) -> Iterator["Task[Params_co]"]:
        """Yield the task of each part, whose progress says which it is."""
        for number, part in enumerate(parts, start=1):
            give_back_memory()
            suffix = f", {name} {number} of {len(parts)}" if len(parts) > 1 else ""
            yield replace(
                self,
                movie=window_of(self.movie, part, drops_planes=drops_planes),
                progress=_named(self.progress, suffix),
                seeds=self._seeds_in(part),
            )

    def _seeds_in(self, part: Part) -> sparse.csc_array | None:
        """Return the part of the footprints that lies in a part of the frames."""
        if self.seeds is None:
            return None
        pixels = pixels_of(part, self.movie.frame_shape)
        return sparse.csc_array(sparse.csr_array(self.seeds)[pixels])


def _named(progress: Progress, suffix: str) -> Progress:
    """Return a progress that says which part is worked on."""

    def tell(phase: str, done: int, total: int) -> None:
        progress(f"{phase}{suffix}", done, total)

    return tell
