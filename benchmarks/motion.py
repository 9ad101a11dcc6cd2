"""Measure motion correction: speed, accuracy, memory, and how they grow with the movie.

Run it with nothing else running on the machine::

    python benchmarks/motion.py --suite2p /envs/suite2p/bin/python --caiman /envs/caiman/bin/python

It prints tables in Markdown. Other programs are measured only if their interpreter is named; they
read the same file. Parts can be chosen: ``--only speed``.
"""

import argparse
import os
import platform
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from motion_others import SCRIPTS, Other, measure_other
from motion_scenes import (
    PARAMS,
    SCENES,
    Scene,
    Simulated,
    blobs,
    mean_shifts,
    moved_apart,
    patch_middles,
    shifts_at,
)
from scipy import fft

from pipeline.motion import MotionParams, MotionResult, correct_motion
from pipeline.movie import Movie
from pipeline.readers import open_movie
from pipeline.simulate import TwoPhotonParams, simulate_two_photon
from pipeline.versions import software_versions

FLOOR_FRAMES = 64
OTHER_RUNS = 3
SPEED_SCENE = {"max_shift_px": 10.0, "max_deviation_px": 2.0}
FRACTIONS_PX = np.arange(0, 1, 0.05)
FRACTION_NOISE = 40.0
MEMORY_BYTES = 1_000_000_000

MEMORY_SCRIPT = """
import re, sys, time
from pathlib import Path
import numpy as np
from pipeline.motion import MotionParams, correct_motion
from pipeline.movie import Movie

class Repeated:
    dtype = np.dtype(np.uint16)
    def __init__(self, frames, n_frames):
        self.frames, self.shape = frames, (n_frames, *frames.shape[1:])
    def __getitem__(self, frames):
        return self.frames[np.arange(self.shape[0])[frames] % len(self.frames)]

def peak_kb():
    # unlike the maximum of getrusage, it does not count what the parent process had
    return re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]

n_frames, budget, out = int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3])
rng = np.random.default_rng(0)
frames = rng.poisson(rng.uniform(5, 50, (1, 512, 512)), (16, 512, 512)).astype(np.uint16)
before = peak_kb()
movie = Movie(source=Repeated(frames, n_frames))
started = time.perf_counter()
correct_motion(movie, MotionParams(), out=out, memory_bytes=budget)
print(before, peak_kb(), time.perf_counter() - started)
"""


def main() -> None:
    """Print every table that was asked for."""
    options = _options()
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        print(f"{datetime.now(UTC):%Y-%m-%d}, {_processor()}, {options.threads} threads, ", end="")
        print(", ".join(" ".join(pair) for pair in software_versions().items()), end="\n\n")
        for part in PARTS:
            if options.only in (None, part):
                PARTS[part](Path(folder), options)


def _options() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", choices=list(PARTS), help="one part; without: all")
    parser.add_argument("--scene", choices=list(SCENES), help="one scene for the accuracy")
    parser.add_argument("--frames", type=int, default=2000, help="length of the timed movie")
    parser.add_argument("--runs", type=int, default=5, help="how often each is timed")
    parser.add_argument("--seeds", type=int, default=5, help="movies for the accuracy")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--folder", type=Path, help="where movies are written")
    parser.add_argument("--suite2p", type=Path, help="interpreter that has suite2p")
    parser.add_argument("--caiman", type=Path, help="interpreter that has CaImAn")
    return parser.parse_args()


def _processor() -> str:
    """Return the name of the processor, and how many cores it has."""
    file = Path("/proc/cpuinfo")
    found = re.search(r"model name\s*: (.*)", file.read_text()) if file.exists() else None
    name = found[1] if found else platform.processor() or platform.machine()
    return f"{name} with {os.cpu_count()} cores"


def print_table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print a table in Markdown."""
    for row in (columns, ["---"] * len(columns), *rows):
        print(f"| {' | '.join(row)} |", flush=True)
    print(flush=True)


def speed(folder: Path, options: argparse.Namespace) -> None:
    """Print times relative to transforming each frame forth and back, engine and floor in turn.

    The floor is what one thread takes; the last column holds the engine against a floor that has
    as many threads as the engine.
    """
    file = folder / "speed.tif"
    params = TwoPhotonParams(n_frames=options.frames, **SPEED_SCENE)
    simulated = simulate_two_photon(params, rng=np.random.default_rng(0), out=file)
    movie = Movie(source=open_movie(file, rate_hz=30.0)[:], rate_hz=30.0)
    rows, failures = [], []
    for mode in PARAMS:
        found = correct(movie, PARAMS[mode], folder, options.threads)  # compiles
        left = left_by_axis(found, simulated, PARAMS[mode])
        floors, times = timed_in_turn(movie, mode, folder, options)
        taken = Other("", statistics.median(times), left[""], left.get(", patches"))
        rows.append(_speed_row(f"ours, {mode}", taken, floors, times))
        for name in SCRIPTS:
            interpreter = getattr(options, name.lower())
            if interpreter is None:
                continue
            others, floors = [], []
            for _ in range(min(options.runs, OTHER_RUNS)):
                floors.append(floors_s(movie, options.threads))
                other = measure_other(name, interpreter, file, mode, simulated, options.threads)
                if isinstance(other, str):
                    failures.append(other)
                    break
                others.append(other)
            if others:
                times = [other.seconds for other in others]
                taken = others[0]._replace(seconds=statistics.median(times))
                rows.append(_speed_row(f"{name} {taken.version}, {mode}", taken, floors, times))
    print(f"256 x 256 x {options.frames}, medians of {options.runs} runs\n")
    print_table(
        (
            "engine",
            "time (s)",
            "floor (s)",
            "time / floor",
            f"floor, {options.threads} threads (s)",
            "time / that",
            "left (px)",
            "left in patches (px)",
        ),
        rows,
    )
    print("\n".join(dict.fromkeys(failures)))


def _speed_row(
    title: str, taken: Other, floors: list[tuple[float, float]], times: list[float]
) -> list[str]:
    """Return a row of the table of speed; a ratio is the median over runs next to each other."""
    numbers = [f"{taken.seconds:.2f}"]
    for each in zip(*floors, strict=True):
        ratio = statistics.median(time / floor for time, floor in zip(times, each, strict=True))
        numbers += [f"{statistics.median(each):.2f}", f"{ratio:.2f}"]
    patches = taken.left_patches_px
    left = [f"{taken.left_px:.3f}", "" if patches is None else f"{patches:.3f}"]
    return [title, *numbers, *left]


def timed_in_turn(
    movie: Movie, mode: str, folder: Path, options: argparse.Namespace
) -> tuple[list[tuple[float, float]], list[float]]:
    """Return the times of the floors and of the engine, measured in turn."""
    floors, times = [], []
    for _ in range(options.runs):
        floors.append(floors_s(movie, options.threads))
        started = time.perf_counter()
        correct(movie, PARAMS[mode], folder, options.threads)
        times.append(time.perf_counter() - started)
    return floors, times


def accuracy(folder: Path, options: argparse.Namespace) -> None:
    """Print what motion is left: mean and worst over the seeds, and what is wanted."""
    print(f"Motion that is left, rms in px, over {options.seeds} seeds\n")
    chosen = [name for name in SCENES if options.scene in (None, name)]
    rows = (row for name in chosen for row in _accuracy_rows(name, folder, options))
    print_table(("scene", "what", "mean", "worst", "wanted"), rows)


def _accuracy_rows(
    name: str, folder: Path, options: argparse.Namespace
) -> Iterator[tuple[str, ...]]:
    """Yield the rows of a scene."""
    for what, values in _left_by_row(SCENES[name], folder, options).items():
        goal = SCENES[name].goal_px.get(what)
        wanted = "" if goal is None else f"{goal:g}"
        yield name, what, f"{np.mean(values):.3f}", f"{max(values):.3f}", wanted


def _left_by_row(scene: Scene, folder: Path, options: argparse.Namespace) -> dict[str, list[float]]:
    """Return what is left for each seed, in frames and in patches."""
    left: dict[str, list[float]] = defaultdict(list)
    for seed in range(options.seeds):
        simulated = scene.simulate(seed)
        for mode, params in scene.params.items():
            found = correct(simulated.movie, params, folder, options.threads)
            for what, value in left_by_axis(found, simulated, params).items():
                left[mode + what].append(value)
    return left


def left_by_axis(
    found: MotionResult, simulated: Simulated, params: MotionParams
) -> dict[str, float]:
    """Return what is left in frames and patches; across planes it is told by itself."""
    pairs = {"": (found.shifts_px, mean_shifts(simulated))}
    if found.patch_shifts_px is not None:
        truth = shifts_at(simulated, patch_middles(params, simulated.movie.frame_shape))
        pairs[", patches"] = (found.patch_shifts_px, truth)
    left = {what: moved_apart(*(each[..., -2:] for each in pair)) for what, pair in pairs.items()}
    if simulated.movie.is_volume:
        left |= {
            f"{what}, across planes": moved_apart(*(each[..., 0] for each in pair))
            for what, pair in pairs.items()
        }
    return left


def fractions(folder: Path, options: argparse.Namespace) -> None:
    """Print how far from a planted fraction of a pixel the mean of what is found lies."""
    rows = []
    for noise in (0.0, FRACTION_NOISE):
        for mode, params in PARAMS.items():
            errors = []
            for seed in range(options.seeds):
                planted = np.random.default_rng(seed).integers(-3, 4, (FRACTIONS_PX.size, 2))
                planted = planted + FRACTIONS_PX[:, np.newaxis]
                movie = blobs(planted, seed=seed, noise=noise)
                error = correct(movie, params, folder, options.threads).shifts_px - planted
                errors.append(error - error.mean(axis=0))
            bias = np.mean(errors, axis=(0, 2))
            worst = f"{np.abs(bias).max():.4f}"
            rows.append([mode, f"{noise:g}", worst, f"{np.sqrt(np.mean(np.square(errors))):.4f}"])
    print(f"Planted fractions of a pixel, {FRACTIONS_PX.size} of them, {options.seeds} seeds\n")
    print_table(("mode", "noise (blobs: 50-150)", "largest bias (px)", "rms (px)"), rows)


def growth(folder: Path, _: argparse.Namespace) -> None:
    """Print the peak memory and the time of a process at two lengths of movie (Linux)."""
    rows = []
    for n_frames in (1000, 10_000):
        out = folder / f"{n_frames}.zarr"
        command = [sys.executable, "-c", MEMORY_SCRIPT, str(n_frames), str(MEMORY_BYTES), str(out)]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        before, peak, seconds = (float(word) for word in done.stdout.split())
        shutil.rmtree(out)
        numbers = [f"{peak / 1e3:.0f}", f"{before / 1e3:.0f}", f"{MEMORY_BYTES / 1e6:.0f}"]
        each = f"{1e6 * seconds / n_frames / 1e3:.2f}"
        rows.append([f"512 x 512 x {n_frames:,}", *numbers, f"{seconds:.1f}", each])
    columns = ("movie", "peak (MB)", "before (MB)", "budget (MB)", "time (s)", "a frame (ms)")
    print("Memory and growth, piecewise, in a process of its own\n")
    print_table(columns, rows)


PARTS = {"speed": speed, "accuracy": accuracy, "fractions": fractions, "growth": growth}


def correct(movie: Movie, params: MotionParams, folder: Path, threads: int) -> MotionResult:
    """Correct a movie, and throw away the frames."""
    out = folder / "corrected.zarr"
    result = correct_motion(movie, params, out=out, threads=threads)
    shutil.rmtree(out)
    return result


def floors_s(movie: Movie, threads: int) -> tuple[float, float]:
    """Return how long it takes to transform each frame forth and back, with one thread and more."""
    one, several = (_floor_s(movie, workers) for workers in (1, threads))
    return one, several


def _floor_s(movie: Movie, workers: int) -> float:
    """Return how long it takes with some threads."""
    seconds = 0.0
    for start in range(0, movie.n_frames, FLOOR_FRAMES):
        frames = movie[start : start + FLOOR_FRAMES].astype(np.float32)
        started = time.perf_counter()
        spectra = fft.rfft2(frames, workers=workers)
        fft.irfft2(spectra, frames.shape[1:], workers=workers)
        seconds += time.perf_counter() - started
    return seconds


if __name__ == "__main__":
    main()
