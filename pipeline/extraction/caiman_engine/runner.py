"""What is run inside the interpreter that has CaImAn: a file in, a file out.

Nothing of ours is there: it imports numpy, h5py and caiman alone, and says how far it is in lines
that begin with `MARK`. It ends when the process that started it is gone, whatever ended that.
"""

import json
import logging
import os
import platform
import signal
import sys
import threading
import traceback
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

MARK = "@mesmerize "
PACKAGES = ("caiman", "numpy", "scipy", "scikit-learn", "h5py")


def say(**message: Any) -> None:
    """Write a line for the process that started this one."""
    # a new line first: a library may have left one unfinished
    os.write(1, f"\n{MARK}{json.dumps(message)}\n".encode())


def fitness() -> dict[str, Any]:
    """Return what this interpreter has: versions, or what is wrong with its CaImAn."""
    try:
        import h5py  # noqa: F401
        import numpy  # noqa: F401
    except ImportError as error:
        return {"unfit": "broken", "detail": str(error)}
    try:
        import caiman
    except ModuleNotFoundError as error:
        is_caiman = error.name == "caiman"
        return {"unfit": "missing" if is_caiman else "broken", "detail": str(error)}
    except Exception as error:  # noqa: BLE001 an installation may be broken in any way
        return {"unfit": "broken", "detail": f"{type(error).__name__}: {error}"}
    try:
        from caiman.source_extraction.cnmf import cnmf, params  # noqa: F401
    except Exception as error:  # noqa: BLE001
        is_other = getattr(error, "name", "") == "caiman.source_extraction"
        place = str(getattr(caiman, "__file__", None))
        detail = place if is_other else f"{type(error).__name__}: {error}"
        return {"unfit": "wrong" if is_other else "broken", "detail": detail}
    return {"versions": {"caiman's python": platform.python_version(), **_versions()}}


def _versions() -> dict[str, str]:
    """Return the versions of what can change a number."""
    found = {}
    for name in PACKAGES:
        try:
            found[name if name == "caiman" else f"caiman's {name}"] = version(name)
        except PackageNotFoundError:
            continue
    return found


def end_with_parent() -> None:
    """Wait until the other end of our input is closed, and end with all that we started."""
    sys.stdin.read()
    if os.getpgrp() == os.getpid():  # else the group is not ours
        os.killpg(os.getpgrp(), signal.SIGKILL)
    os.kill(os.getpid(), signal.SIGKILL)


def main() -> None:
    """Import, wait for the name of the file that says what to do, and do it."""
    found = fitness()
    say(**found)
    job = sys.stdin.readline().strip()
    if not job:
        return
    threading.Thread(target=end_with_parent, daemon=True).start()
    logging.basicConfig(stream=sys.stdout, level=logging.WARNING)
    logging.getLogger("caiman").setLevel(logging.INFO)
    try:
        run(Path(job))
    except Exception as error:  # noqa: BLE001 it is told, whatever it is
        traceback.print_exc()
        say(failed=f"{type(error).__name__}: {error}")
        sys.stdout.flush()
        os._exit(1)
    say(done=True)
    sys.stdout.flush()
    os._exit(0)  # what a library leaves running is nobody's


def run(job: Path) -> None:
    """Extract the sources of the movie of a job, and write them beside it."""
    import caiman
    import h5py
    import numpy as np
    from caiman.source_extraction.cnmf import cnmf, params

    np.random.seed(0)  # noqa: NPY002 CaImAn draws from the global generator
    with h5py.File(job, "r") as file:
        settings = json.loads(file.attrs["settings"])
        seeds = _dense(file["seeds"]) if "seeds" in file else None
    say(phase="CaImAn: mapping the movie", done=0, total=1)
    name = caiman.save_memmap([str(job)], base_name="corrected", order="C", var_name_hdf5="movie")
    pixels, dims, n_frames = caiman.load_memmap(name)
    images = np.reshape(pixels.T, [n_frames, *dims], order="F")
    options = params.CNMFParams(params_dict=settings["caiman"])
    say(phase="CaImAn: fitting", done=0, total=1)
    model = cnmf.CNMF(n_processes=1, params=options, dview=None, Ain=seeds)
    model = model.fit(images) or model  # some versions return it
    if settings["refit"] and _count(model):
        say(phase="CaImAn: fitting again", done=0, total=1)
        model = model.refit(images) or model
    if _count(model):
        say(phase="CaImAn: evaluating", done=0, total=1)
        model.estimates.evaluate_components(images, model.params)
    say(phase="CaImAn: writing", done=0, total=1)
    write(job.with_name("found.h5"), model.estimates, n_frames)


def _count(model: Any) -> int:
    """Return how many components there are."""
    footprints = model.estimates.A
    return 0 if footprints is None else int(footprints.shape[1])


def _dense(group: Any) -> Any:
    """Return the masks of seeds, ``(n_pixels, n_rois)``, pixels in CaImAn's order."""
    import numpy as np

    indptr, indices = group["indptr"][:], group["indices"][:]
    masks = np.zeros((group.attrs["n_pixels"], len(indptr) - 1), bool)
    for column, start in enumerate(indptr[:-1]):
        masks[indices[start : indptr[column + 1]], column] = True
    return masks


def write(path: Path, estimates: Any, n_frames: int) -> None:
    """Write what was found, pixels in CaImAn's order."""
    import h5py
    import numpy as np

    n_rois = 0 if estimates.A is None else estimates.A.shape[1]
    with h5py.File(path, "w") as file:
        file.attrs["n_rois"] = n_rois
        if n_rois == 0:
            return
        footprints = estimates.A.tocsc() if hasattr(estimates.A, "tocsc") else None
        if footprints is None:
            raise TypeError(f"the footprints are {type(estimates.A).__name__}, not sparse")
        for part in ("data", "indices", "indptr"):
            file[f"footprints/{part}"] = getattr(footprints, part)
        shape = n_rois, n_frames
        for name, traces in (("C", estimates.C), ("YrA", estimates.YrA), ("S", estimates.S)):
            file[name] = np.zeros(shape) if traces is None else np.asarray(traces).reshape(shape)
        file["baseline"] = _numbers(estimates.bl, n_rois)
        coefficients = [_pair(pair) for pair in (estimates.g if estimates.g is not None else [])]
        file["coefficients"] = np.array(coefficients or np.full((n_rois, 2), np.nan))
        file["snr"] = _numbers(estimates.SNR_comp, n_rois)
        file["rval"] = _numbers(estimates.r_values, n_rois)
        accepted = np.zeros(n_rois, bool)
        accepted[np.asarray(estimates.idx_components, int)] = True
        file["accepted"] = accepted
        if getattr(estimates, "f", None) is not None and np.size(estimates.f):
            spatial = estimates.b.toarray() if hasattr(estimates.b, "toarray") else estimates.b
            file["b"], file["f"] = np.asarray(spatial), np.asarray(estimates.f)


def _numbers(values: Any, n_rois: int) -> Any:
    """Return one number for each component, NaN where there is none."""
    import numpy as np

    given = [np.nan] * n_rois if values is None else list(values)
    return np.array([np.nan if value is None else float(value) for value in given])


def _pair(values: Any) -> tuple[float, float]:
    """Return the two coefficients of an autoregression; the second is 0 for order 1."""
    found = [] if values is None else [float(value) for value in values]
    return (found[0], found[1] if len(found) > 1 else 0.0) if found else (float("nan"),) * 2


if __name__ == "__main__":
    main()
