"""CNMF and CNMF-E as CaImAn computes them, with results like those of our own engines.

The movie and the settings go to a file, a runner in CaImAn's interpreter works on it, and what it
found comes back in a file. CaImAn holds the whole movie several times in memory, see `COPIES`.

References
----------
Giovannucci et al. (2019), doi:10.7554/eLife.38173.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from scipy import sparse

from pipeline.blocks import DEFAULT_MEMORY_BYTES, DEFAULT_THREADS, Progress, no_progress
from pipeline.extraction.caiman_engine.collect import collect_sources
from pipeline.extraction.caiman_engine.exchange import read_found, write_movie
from pipeline.extraction.caiman_engine.guest import INSTALL, Guest, GuestError, find_interpreter
from pipeline.extraction.caiman_engine.params import CaimanParams
from pipeline.extraction.caiman_engine.settings import to_caiman_names
from pipeline.extraction.cell_size import for_movie
from pipeline.extraction.sources import Sources
from pipeline.extraction.stream import Stream
from pipeline.extraction.suitability import MIN_FRAMES, check_movie
from pipeline.extraction.survey import Survey, plan_grid, survey_movie
from pipeline.movie import Movie

COPIES = 4.0
"""Float32 copies of a movie that CaImAn holds, at most; about 3 were measured."""

UNFIT = {
    "missing": "has no CaImAn",
    "wrong": "has another package of the name caiman, as PyPI does,",
    "broken": "has a CaImAn that cannot be imported",
}


class Host(NamedTuple):
    """Where another engine runs."""

    interpreter: Path | None
    """The Python that has it; None: none is named."""

    scratch: Path
    """A folder for files, which take twice the movie as float32."""


def extract_with_caiman(  # noqa: PLR0913 - as every method is called, and where it runs
    movie: Movie,
    params: CaimanParams,
    *,
    host: Host,
    seeds: sparse.csc_array | None = None,
    threads: int = DEFAULT_THREADS,
    memory_bytes: int = DEFAULT_MEMORY_BYTES,
    progress: Progress = no_progress,
) -> Sources:
    """Let CaImAn find the cells of a movie of one plane.

    Parameters
    ----------
    movie : Movie
        Motion-corrected, ``(n_frames, n_rows, n_cols)``, with a known rate.
    params : CaimanParams
        Settings.
    host : Host
        The interpreter that has CaImAn, and a folder for the files between us.
    seeds : sparse array, (n_pixels, n_cells), optional
        Footprints or masks to begin with, pixels in C order (CaImAn's ``Ain``).
    threads : int
        Threads of its linear algebra; CaImAn's own processes are not used.
    memory_bytes : int
        Memory for our own reading of the movie; CaImAn takes what it takes.
    progress : callable
        Told the phase; may raise to cancel, which ends CaImAn at once.

    Returns
    -------
    Sources
        All components, accepted or not, as our engines return them. The ratio of signal to noise,
        the correlation in space and the verdict are CaImAn's; see `collect_sources`.

    Raises
    ------
    ValueError
        If the movie does not fit the settings, or CaImAn cannot be had or fails.
    """
    python = find_interpreter(host.interpreter)
    params = for_movie(params, movie)
    check_movie(movie, params.shared, memory_bytes=memory_bytes)
    phases = [("CaImAn: starting", 0, 1)]
    with Guest(python, host.scratch, threads=threads) as guest:
        messages = guest.messages(lambda: progress(*phases[-1]))
        versions = _fit_for_use(next(messages), python)
        survey, stream = _surveyed(
            movie, params, threads=threads, memory_bytes=memory_bytes // 2, progress=progress
        )
        told = to_caiman_names(params, rate_hz=movie.require_rate_hz(), is_seeded=seeds is not None)
        settings = {"caiman": told, "refit": params.is_refitted and params.model == "cnmf"}
        guest.tell(str(write_movie(stream, host.scratch, settings, seeds)))
        for phase in _phases(messages):
            phases.append(phase)
            progress(*phase)
    found = read_found(host.scratch, movie.frame_shape, int(survey.kept.sum()))
    return collect_sources(found, stream, survey, params, versions)


def _fit_for_use(message: dict[str, Any], python: Path) -> dict[str, str]:
    """Return the versions that the interpreter has, or refuse it."""
    if "unfit" in message:
        detail = "" if message["unfit"] == "missing" else f" ({message['detail']})"
        raise GuestError(f"{python} {UNFIT[message['unfit']]}{detail}: {INSTALL}.")
    return dict(message["versions"])


def _surveyed(
    movie: Movie, params: CaimanParams, *, threads: int, memory_bytes: int, progress: Progress
) -> tuple[Survey, Stream]:
    """Return what is known of the pixels, and the movie as it is read: without gaps."""
    shared = params.shared
    grid = plan_grid(movie, shared, memory_bytes=memory_bytes)._replace(keeps_pixels=False)
    survey = survey_movie(
        movie, grid, threads=threads, memory_bytes=memory_bytes, progress=progress
    ).without_border(shared.border_by_axis_px, movie.frame_shape)
    if survey.kept.sum() < MIN_FRAMES:
        raise ValueError(
            f"{movie.name} has {survey.kept.sum()} frames with a finite value and needs at least "
            f"{MIN_FRAMES}; check how it was motion-corrected."
        )
    stream = Stream(
        movie=movie,
        fill=survey.mean,
        kept=survey.kept,
        threads=threads,
        memory_bytes=memory_bytes,
        progress=progress,
    )
    return survey, stream


def _phases(messages: Iterator[dict[str, Any]]) -> Iterator[tuple[str, int, int]]:
    """Yield what it is at, until it is done."""
    for message in messages:
        if "failed" in message:
            raise GuestError(
                f"CaImAn failed: {message['failed']}; the log of the job has the whole story."
            )
        if message.get("done") is True:
            return
        if "phase" in message:
            yield message["phase"], message["done"], message["total"]
