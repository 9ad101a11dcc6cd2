"""Measure motion correction: speed, accuracy, memory, and how they grow with the movie.

Run it with nothing else running on the machine::

    python benchmarks/motion.py --suite2p /envs/suite2p/bin/python --caiman /envs/caiman/bin/python

Other programs are measured only if their interpreter is named; they read the same file.
"""

import argparse
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import fft

from pipeline.motion import MotionParams, MotionResult, correct_motion
from pipeline.movie import Movie
from pipeline.readers import open_movie
from pipeline.simulate import SimulatedMovie, TwoPhotonParams, simulate_two_photon
from pipeline.versions import software_versions

FLOOR_FRAMES = 64
PARAMS = {
    "rigid": MotionParams(mode="rigid"),
    "piecewise": MotionParams(stride_px=(48, 48), overlap_px=(16, 16)),
}
STILL = {"max_shift_px": 0.0, "max_deviation_px": 0.0, "jump_rate_hz": 0.0}
DIM = {
    "cell_photons": 1.5,
    "background_photons": 1.0,
    "neuropil_photons": 0.5,
    "read_noise": 2.0,
}
SCENES: dict[str, dict[str, float]] = {
    "moving": {},
    "rigid only": {"max_deviation_px": 0.0},
    "still": STILL,
    "2 photons": DIM,
}
MEMORY_BYTES = 1_000_000_000

MEMORY_SCRIPT = """
import re, sys
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
correct_motion(movie, MotionParams(), out=out, memory_bytes=budget)
print(before, peak_kb())
"""

SUITE2P_SCRIPT = """
import json, sys, time
import numpy as np, tifffile
from suite2p.registration import register
try:
    from suite2p import default_ops
except ImportError:
    sys.exit("this suite2p has no default_ops; use one below version 1")
movie = tifffile.imread(sys.argv[1]).astype(np.int16)
ops = {**default_ops(), "nonrigid": sys.argv[2] == "piecewise", "block_size": [64, 64]}
started = time.perf_counter()
found = register.registration_wrapper(np.empty_like(movie), f_raw=movie, ops=ops)
seconds = time.perf_counter() - started
rows, cols = found[4][:2]
print(json.dumps({"seconds": seconds, "shifts_px": np.stack([rows, cols], 1).tolist()}))
"""

CAIMAN_SCRIPT = """
import json, sys, time
import numpy as np
from caiman.motion_correction import MotionCorrect
started = time.perf_counter()
correct = MotionCorrect(
    sys.argv[1], dview=None, pw_rigid=sys.argv[2] == "piecewise", max_shifts=(12, 12),
    strides=(48, 48), overlaps=(16, 16), max_deviation_rigid=3, nonneg_movie=True,
)
correct.motion_correct(save_movie=True)
seconds = time.perf_counter() - started
if sys.argv[2] == "piecewise":
    shifts = [np.mean(each, axis=1) for each in (correct.x_shifts_els, correct.y_shifts_els)]
    shifts = np.stack(shifts, 1)
else:
    shifts = np.asarray(correct.shifts_rig)
print(json.dumps({"seconds": seconds, "shifts_px": np.asarray(shifts).tolist()}))
"""


def main() -> None:
    """Print every figure that was asked for."""
    options = _options()
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        print(f"{platform.platform()}, {os.cpu_count()} cores, {options.threads} threads")
        print(json.dumps(software_versions()))
        speed(Path(folder), options)
        accuracy(Path(folder), options)
        growth(Path(folder))


def _options() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--frames", type=int, default=2000, help="length of the timed movie")
    parser.add_argument("--runs", type=int, default=5, help="how often each is timed")
    parser.add_argument("--seeds", type=int, default=5, help="movies for the accuracy")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--folder", type=Path, help="where movies are written")
    parser.add_argument("--suite2p", type=Path, help="interpreter that has suite2p")
    parser.add_argument("--caiman", type=Path, help="interpreter that has CaImAn")
    return parser.parse_args()


def speed(folder: Path, options: argparse.Namespace) -> None:
    """Print times relative to transforming each frame forth and back, median of several runs."""
    file = folder / "speed.tif"
    simulated = simulate(0, options.frames, {}, out=file)
    movie = Movie(source=open_movie(file, rate_hz=30.0)[:], rate_hz=30.0)
    for mode in PARAMS:
        correct(movie, mode, folder, options.threads)  # compiles
        floors, times = [], []
        for _ in range(options.runs):
            floors.append(floor_s(movie, options.threads))
            times.append(timed(movie, mode, folder, options.threads))
        ratio = statistics.median(t / f for t, f in zip(times, floors, strict=True))
        print(
            f"speed, {mode}: {statistics.median(times):.2f} s, floor "
            f"{statistics.median(floors):.2f} s, ratio {ratio:.2f}"
        )
        for name, script in (("suite2p", SUITE2P_SCRIPT), ("caiman", CAIMAN_SCRIPT)):
            interpreter = getattr(options, name)
            if interpreter is not None:
                measure_other(name, [str(interpreter), "-c", script, str(file), mode], simulated)


def measure_other(name: str, command: list[str], simulated: SimulatedMovie) -> None:
    """Print what another program takes and finds; its sign of a shift is taken from the data."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        print(f"{name} failed: {done.stderr.strip().splitlines()[-1:]}")
        return
    found = json.loads(done.stdout.strip().splitlines()[-1])
    shifts, truth = np.array(found["shifts_px"]), mean_shifts(simulated)
    left = min(moved_apart(sign * shifts, truth) for sign in (1, -1))
    print(f"{name}, {command[-1]}: {found['seconds']:.2f} s, {left:.3f} px rms")


def accuracy(folder: Path, options: argparse.Namespace) -> None:
    """Print what motion is left, mean and worst over the seeds."""
    for scene, settings in SCENES.items():
        left = {mode: [] for mode in PARAMS} | {"patches": []}
        for seed in range(options.seeds):
            simulated = simulate(seed, 300, settings)
            for mode in PARAMS:
                found = correct(simulated.movie, mode, folder, options.threads)
                left[mode].append(moved_apart(found.shifts_px, mean_shifts(simulated)))
                if found.patch_shifts_px is not None:
                    truth = patch_shifts(simulated)
                    left["patches"].append(moved_apart(found.patch_shifts_px, truth))
        for what, values in left.items():
            print(f"{scene}, {what}: {np.mean(values):.3f} px rms, worst {max(values):.3f}")


def growth(folder: Path) -> None:
    """Print the peak memory of a process at several lengths of 512 x 512 pixels (Linux)."""
    for n_frames in (1000, 10_000):
        out = folder / f"{n_frames}.zarr"
        command = [sys.executable, "-c", MEMORY_SCRIPT, str(n_frames), str(MEMORY_BYTES), str(out)]
        started = time.perf_counter()
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        before, peak = (int(word) / 1e3 for word in done.stdout.split())
        seconds = time.perf_counter() - started
        shutil.rmtree(out)
        print(
            f"memory, 512 x 512 x {n_frames}: peak {peak:.0f} MB ({before:.0f} MB before), "
            f"budget {MEMORY_BYTES / 1e6:.0f} MB; {seconds:.1f} s"
        )


def simulate(
    seed: int, n_frames: int, settings: dict[str, float], out: Path | None = None
) -> SimulatedMovie:
    """Simulate a movie of 256 x 256 pixels."""
    params = TwoPhotonParams(n_frames=n_frames, **settings)  # type: ignore[arg-type]
    return simulate_two_photon(params, rng=np.random.default_rng(seed), out=out)


def correct(movie: Movie, mode: str, folder: Path, threads: int) -> MotionResult:
    """Correct a movie, and throw away the frames."""
    out = folder / "corrected.zarr"
    result = correct_motion(movie, PARAMS[mode], out=out, threads=threads)
    shutil.rmtree(out)
    return result


def timed(movie: Movie, mode: str, folder: Path, threads: int) -> float:
    """Return how long a correction takes."""
    started = time.perf_counter()
    correct(movie, mode, folder, threads)
    return time.perf_counter() - started


def floor_s(movie: Movie, threads: int) -> float:
    """Return how long it takes to transform each frame forth and back."""
    seconds = 0.0
    for start in range(0, movie.n_frames, FLOOR_FRAMES):
        frames = movie[start : start + FLOOR_FRAMES].astype(np.float32)
        started = time.perf_counter()
        spectra = fft.rfft2(frames, workers=threads)
        fft.irfft2(spectra, frames.shape[1:], workers=threads)
        seconds += time.perf_counter() - started
    return seconds


def mean_shifts(simulated: SimulatedMovie) -> NDArray[np.float64]:
    """Return the planted shift of each frame, averaged over its pixels."""
    n_frames = simulated.movie.n_frames
    return np.stack([simulated.displacement.field_px(t).mean((0, 1)) for t in range(n_frames)])


def patch_shifts(simulated: SimulatedMovie) -> NDArray[np.float64]:
    """Return the planted shifts at the middle of the patches."""
    firsts = np.append(np.arange(0, 256 - 64, 48), 256 - 64)
    places = np.meshgrid(firsts + 31.5, firsts + 31.5, indexing="ij")
    n_frames = simulated.movie.n_frames
    return np.stack([simulated.displacement.at(t, *places) for t in range(n_frames)])


def moved_apart(found: NDArray[Any], truth: NDArray[Any]) -> float:
    """Return the rms of what differs between frames: the place of the template is free."""
    error = found - truth
    return float(np.sqrt(np.mean(np.square(error - error.mean(axis=0)))))


if __name__ == "__main__":
    main()
