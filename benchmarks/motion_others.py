"""Other programs for motion correction: each runs in an interpreter of its own, on a file."""

import json
import subprocess
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from benchmarks.motion_scenes import mean_shifts, moved_apart, shifts_at
from pipeline.simulate import SimulatedMovie

SUITE2P_SCRIPT = """
import json, sys, time
import numpy as np, tifffile, torch
import suite2p
from suite2p.registration import nonrigid, register
if not hasattr(suite2p, "default_settings"):
    sys.exit("this suite2p has no default_settings; use version 1 or later")
torch.set_num_threads(int(sys.argv[3]))
is_piecewise = sys.argv[2] == "piecewise"
movie = tifffile.imread(sys.argv[1]).astype(np.int16)
settings = suite2p.default_settings()["registration"]
settings |= {"nonrigid": is_piecewise, "block_size": (64, 64)}
frames = movie.copy()  # they are registered in place, in memory
started = time.perf_counter()
found = register.registration_wrapper(frames, settings=settings, device=torch.device("cpu"))
seconds = time.perf_counter() - started
shifts = np.stack([found["yoff"], found["xoff"]], axis=1).astype(float)
answer = {"version": suite2p.version, "seconds": seconds}
if is_piecewise:
    rows, cols, counts = nonrigid.make_blocks(*movie.shape[1:], block_size=(64, 64))[:3]
    patches = np.stack([found["yoff1"], found["xoff1"]], axis=-1).reshape(-1, *counts, 2)
    patches = patches + shifts[:, None, None]
    middles = [np.unique([np.mean(limits) - 0.5 for limits in axis]) for axis in (rows, cols)]
    answer |= {"middles": [m.tolist() for m in middles], "patches": patches.tolist()}
    shifts = patches.mean(axis=(1, 2))
print(json.dumps(answer | {"shifts": shifts.tolist()}))
"""

CAIMAN_SCRIPT = """
import json, sys, time
try:
    import caiman
    import caiman.source_extraction
except ImportError:
    sys.exit("this interpreter has no CaImAn (what PyPI calls caiman is something else)")
import numpy as np
from caiman.motion_correction import MotionCorrect
is_piecewise = sys.argv[2] == "piecewise"
correct = MotionCorrect(
    sys.argv[1], dview=None, pw_rigid=is_piecewise, max_shifts=(12, 12),
    strides=(48, 48), overlaps=(16, 16), max_deviation_rigid=3, nonneg_movie=True,
)
started = time.perf_counter()
correct.motion_correct(save_movie=True)
seconds = time.perf_counter() - started
if is_piecewise:
    shifts = [np.mean(each, axis=1) for each in (correct.x_shifts_els, correct.y_shifts_els)]
    shifts = np.stack(shifts, 1)
else:
    shifts = np.asarray(correct.shifts_rig)
print(json.dumps({"version": caiman.__version__, "seconds": seconds, "shifts": shifts.tolist()}))
"""

SCRIPTS = {"suite2p": SUITE2P_SCRIPT, "CaImAn": CAIMAN_SCRIPT}


class Other(NamedTuple):
    """What another program took, and what motion it left."""

    version: str
    """Of the program."""

    seconds: float
    """What it took, in seconds; for suite2p neither reading nor writing a file is counted."""

    left_px: float
    """Rms of what differs from the planted shifts, averaged over each frame."""

    left_patches_px: float | None
    """The same of its patches, where it tells them."""


def measure_other(
    name: str, interpreter: Path, file: Path, mode: str, simulated: SimulatedMovie, threads: int
) -> Other | str:
    """Run another program; its failure is returned as the last sentence that it said."""
    command = [str(interpreter), "-c", SCRIPTS[name], str(file), mode, str(threads)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError as error:
        return f"{name}: {interpreter} cannot be run: {error.strerror}."
    if done.returncode:
        return f"{name} failed: {(done.stderr.strip() or 'it said nothing').splitlines()[-1]}"
    answer = json.loads(done.stdout.strip().splitlines()[-1])
    patches = None
    if "patches" in answer:
        middles = [np.array(middle) for middle in answer["middles"]]
        patches = _left(answer["patches"], shifts_at(simulated, middles))
    return Other(
        version=answer["version"],
        seconds=answer["seconds"],
        left_px=_left(answer["shifts"], mean_shifts(simulated)),
        left_patches_px=patches,
    )


def _left(found: Any, truth: NDArray[np.float64]) -> float:
    """Return what is left; the sign of a shift is taken from the data."""
    return min(moved_apart(sign * np.array(found), truth) for sign in (1, -1))
