"""Measure the extraction of cells: accuracy, speed and memory, over scenes and seeds.

Run it with nothing else running on the machine::

    python -m benchmarks.extraction --suite2p /envs/suite2p/bin/python
    python -m benchmarks.extraction growth

Other programs are measured only if their interpreter is named; they read the same file. Seconds are
those of motion correction and extraction of a TIFF, memory is the peak of a process of its own.
"""

import argparse
import datetime
import json
import os
import platform
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from benchmarks.extraction_scenes import GROWTH, SCENES, Scene, Simulated
from pipeline.simulate import match_rois, trace_correlations
from pipeline.versions import software_versions

OURS_SCRIPT = """
import json, re, sys, time
from dataclasses import replace
from pathlib import Path
import numpy as np
from pipeline.extraction.methods import find_method
from pipeline.motion import MotionParams, correct_motion, missing_planes
from pipeline.readers import open_movie
from scipy import sparse

file, out, method = sys.argv[1], Path(sys.argv[2]), find_method(sys.argv[3])
threads = int(sys.argv[4])
params = method.params(**json.loads(sys.argv[5]))
motion, rate_hz = json.loads(sys.argv[6]), float(sys.argv[7])
if motion is not None:
    motion = {k: tuple(v) if isinstance(v, list) else v for k, v in motion.items()}
seconds = []
for part in (slice(0, 200), slice(None)):  # the first compiles
    movie = open_movie(file, rate_hz=rate_hz)
    if part.stop:
        movie = replace(movie, source=movie[part])
    started = time.perf_counter()
    if motion is not None:
        corrected = out / f"corrected-{part.stop}.zarr"
        moved = correct_motion(movie, MotionParams(**motion), out=corrected, threads=threads)
        params = replace(params, border_px=moved.quality.border_px)
        if method.of_volumes:
            params = replace(params, border_planes=missing_planes(moved.shifts_px))
        movie = open_movie(corrected, rate_hz=rate_hz)
    between = time.perf_counter()
    sources = method.extract(movie, params, threads=threads)
    seconds = [between - started, time.perf_counter() - between]
kept = sources.accepted
sparse.save_npz(out / "footprints.npz", sparse.csc_array(sources.footprints[:, kept]))
np.savez(out / "traces.npz", raw=sources.raw[kept], denoised=sources.denoised[kept])
# unlike the maximum of getrusage, it does not count what the parent process had
peak_kb = re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]
motion_s, extraction_s = seconds
print(json.dumps(dict(motion_s=motion_s, extraction_s=extraction_s, peak_mb=int(peak_kb) / 1e3)))
"""

SUITE2P_SCRIPT = """
import json, re, sys, time
from pathlib import Path
import numpy as np
from suite2p import default_settings, run_s2p
file, out = Path(sys.argv[1]), Path(sys.argv[2])
settings = default_settings()
settings.update(fs=30.0, tau=0.7, torch_device="cpu", diameter=[11.0, 11.0])
started = time.perf_counter()
run_s2p(
    db={"data_path": [str(file.parent)], "file_list": [file.name], "save_path0": str(out)},
    settings=settings,
)
seconds = time.perf_counter() - started
plane = out / "suite2p" / "plane0"
stat = np.load(plane / "stat.npy", allow_pickle=True)
cells = np.load(plane / "iscell.npy")[:, 0] > 0
raw = np.load(plane / "F.npy") - 0.7 * np.load(plane / "Fneu.npy")
np.savez(
    out / "found.npz",
    rows=np.concatenate([s["ypix"] for s in stat[cells]]),
    cols=np.concatenate([s["xpix"] for s in stat[cells]]),
    weights=np.concatenate([s["lam"] for s in stat[cells]]),
    sizes=[s["ypix"].size for s in stat[cells]],
    raw=raw[cells],
)
peak_kb = re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]
print(json.dumps({"motion_s": 0.0, "extraction_s": seconds, "peak_mb": int(peak_kb) / 1e3}))
"""

CAIMAN_SCRIPT = """
import json, re, sys, time
from pathlib import Path
import caiman as cm, numpy as np
from caiman.motion_correction import MotionCorrect
from caiman.source_extraction.cnmf import cnmf, params as cnmf_params
file, out = sys.argv[1], Path(sys.argv[2])
started = time.perf_counter()
correct = MotionCorrect(
    file, pw_rigid=True, max_shifts=(12, 12), strides=(48, 48), overlaps=(16, 16),
    border_nan="copy",
)
correct.motion_correct(save_movie=True)
name = cm.save_memmap(correct.mmap_file, base_name="memmap_", order="C")
between = time.perf_counter()
yr, dims, n_frames = cm.load_memmap(name)
images = np.reshape(yr.T, [n_frames, *dims], order="F")
options = cnmf_params.CNMFParams(
    params_dict=dict(
        fr=30.0, decay_time=0.7, p=1, nb=2, K=8, rf=25, stride=10, gSig=(5, 5), merge_thr=0.8,
        min_SNR=2.0, rval_thr=0.8, use_cnn=False,
    )
)
model = cnmf.CNMF(n_processes=1, params=options, dview=None)
model = model.fit(images) or model  # some versions return it
model = model.refit(images) or model
model.estimates.evaluate_components(images, options)
seconds = time.perf_counter() - between
good = model.estimates.idx_components
footprints = model.estimates.A[:, good].tocsc()
order = np.arange(int(np.prod(dims))).reshape(dims, order="F").ravel()
footprints = footprints[order]  # pixels in C order
coo = footprints.tocoo()
by_cell = np.argsort(coo.col, kind="stable")
np.savez(
    out / "found.npz", rows=coo.row[by_cell] // dims[1], cols=coo.row[by_cell] % dims[1],
    weights=coo.data[by_cell], sizes=np.bincount(coo.col, minlength=len(good)),
    raw=(model.estimates.C + model.estimates.YrA)[good], denoised=model.estimates.C[good],
)
peak_kb = re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]
motion_s, peak_mb = between - started, int(peak_kb) / 1e3
print(json.dumps(dict(motion_s=motion_s, extraction_s=seconds, peak_mb=peak_mb)))
"""


ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
"""What CaImAn advises for the libraries below it, whose threads get into each other's way."""

FIGURES = ("motion_s", "extraction_s", "peak_mb", "f1", "cosine", "r_raw", "r_denoised")
LOW_IS_BAD = ("f1", "cosine", "r_raw", "r_denoised")


def main() -> None:
    """Print a line for each program and scene: mean and worst over the seeds."""
    options = _options()
    print(f"{platform.platform()}, {os.cpu_count()} cores, {options.threads} threads")
    print(f"{datetime.datetime.now(datetime.UTC):%Y-%m-%d}, {json.dumps(software_versions())}")
    if options.scenes == ["growth"]:
        measure_growth(options)
        return
    for name in options.scenes:
        for program, rows in _over_seeds(SCENES[name], options).items():
            print(f"{name}, {program}, {len(rows)} seeds: {_summary(rows)}", flush=True)


def measure_growth(options: argparse.Namespace) -> None:
    """Print time for each value and memory for movies of more and more frames and pixels."""
    for name, (scene, n_values) in GROWTH.items():
        for program, rows in _over_seeds(scene, options).items():
            for figure in ("motion_s", "extraction_s"):
                nanoseconds = 1e9 * float(np.mean([row[figure] for row in rows])) / n_values
                print(f"{name}, {program}: {figure[:-2]} {nanoseconds:.1f} ns a value", end=", ")
            print(_summary(rows), flush=True)


def _over_seeds(scene: Scene, options: argparse.Namespace) -> dict[str, list[dict[str, float]]]:
    """Return the figures of each program, one for each seed."""
    found: dict[str, list[dict[str, float]]] = {}
    for seed in range(options.first_seed, options.first_seed + options.seeds):
        with tempfile.TemporaryDirectory(dir=options.folder) as folder:
            for program, figures in measure_scene(scene, seed, Path(folder), options):
                found.setdefault(program, []).append(figures)
    return found


def _options() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    help_ = "growth, or " + ", ".join(SCENES)
    parser.add_argument("scenes", nargs="*", default=["easy", "dense-dim"], help=help_)
    parser.add_argument("--seeds", type=int, default=5, help="movies of each scene")
    parser.add_argument("--first-seed", type=int, default=0, help="seed of the first of them")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--folder", type=Path, help="where movies are written")
    parser.add_argument("--suite2p", type=Path, help="interpreter that has suite2p 1.x")
    parser.add_argument("--caiman", type=Path, help="interpreter that has CaImAn")
    return parser.parse_args()


def measure_scene(
    scene: Scene, seed: int, folder: Path, options: argparse.Namespace
) -> list[tuple[str, dict[str, float]]]:
    """Run every program that was named on one movie of a scene."""
    (folder / "movie").mkdir()
    file = folder / "movie" / "movie.tif"
    truth = scene.simulate(np.random.default_rng(seed), file)
    arguments = [scene.method, str(options.threads), scene.settings]
    arguments += [scene.motion, str(scene.rate_hz)]
    programs = [("ours", sys.executable, OURS_SCRIPT, arguments)]
    for name, script in (("suite2p", SUITE2P_SCRIPT), ("caiman", CAIMAN_SCRIPT)):
        interpreter = getattr(options, name)
        if interpreter is not None and scene.method == "cnmf":  # their settings are for it
            programs.append((name, str(interpreter), script, []))
    figures = []
    for name, interpreter, script, more in programs:
        out = folder / name
        out.mkdir()
        command = [interpreter, "-c", script, str(file), str(out), *more]
        measured = _run(command, name, ONE_THREAD if name == "caiman" else {})
        if measured is not None:
            figures.append((name, measured | _accuracy(truth, out)))
    return figures


def _run(command: list[str], name: str, variables: dict[str, str]) -> dict[str, float] | None:
    """Run a program in a process of its own; None and a line if it fails."""
    environment = os.environ | variables
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    if done.returncode:
        print(f"{name} failed: {done.stderr.strip().splitlines()[-1:]}")
        return None
    return dict(json.loads(done.stdout.strip().splitlines()[-1]))


def _accuracy(truth: Simulated, out: Path) -> dict[str, float]:
    """Compare what a program found with the truth."""
    footprints, traces = _found(out, truth.movie.frame_shape)
    matches = match_rois(truth.footprints, footprints)
    figures = {"f1": matches.f1, "cosine": float(np.median(matches.cosines))}
    for kind, values in traces.items():
        figures[f"r_{kind}"] = float(np.median(trace_correlations(matches, truth.traces, values)))
    return figures


def _found(
    out: Path, frame_shape: tuple[int, ...]
) -> tuple[sparse.csc_array, dict[str, NDArray[Any]]]:
    """Read the footprints and traces that a program left."""
    if (out / "footprints.npz").exists():
        traces = np.load(out / "traces.npz")
        return sparse.csc_array(sparse.load_npz(out / "footprints.npz")), dict(traces)
    found = np.load(out / "found.npz")
    pixels = np.ravel_multi_index((found["rows"], found["cols"]), frame_shape)
    cell = np.repeat(np.arange(len(found["sizes"])), found["sizes"])
    weights = np.maximum(found["weights"], 0)
    shape = int(np.prod(frame_shape)), len(found["sizes"])
    kinds = {kind: found[kind] for kind in ("raw", "denoised") if kind in found}
    return sparse.csc_array((weights, (pixels, cell)), shape=shape), kinds


def _summary(rows: list[dict[str, float]]) -> str:
    """Return mean and worst of each figure."""
    parts = []
    for name in FIGURES:
        values = [row[name] for row in rows if name in row]
        if values:
            worst = min(values) if name in LOW_IS_BAD else max(values)
            parts.append(f"{name} {np.mean(values):.4g} (worst {worst:.4g})")
    return ", ".join(parts)


if __name__ == "__main__":
    main()
