"""A package ``caiman`` that imitates the few calls of the runner, and an interpreter that has it.

It knows the footprints, and takes the traces from the movie that it is given: what comes back is
right only if pixels, frames and units arrive there and here as they should.
"""

import sys

import numpy as np

CAIMAN = """
import os
import numpy as np, h5py

def save_memmap(files, base_name, order, var_name_hdf5):
    (file,) = files
    assert order == "C" and os.environ["CAIMAN_TEMP"] == os.path.dirname(file)
    assert not [name for name in os.environ if name.startswith(("DJ_", "MESMERIZE_"))]
    with h5py.File(file) as opened:
        movie = opened[var_name_hdf5][:]
    assert movie.dtype == np.float32 and np.isfinite(movie).all()
    dims = movie.shape[1:]
    np.save(f"{base_name}.npy", movie.transpose(0, 2, 1).reshape(len(movie), -1).T)
    return f"{base_name}.npy,{dims[0]},{dims[1]}"

def load_memmap(name):
    file, *dims = name.split(",")
    pixels = np.load(file, mmap_mode="r")
    return pixels, tuple(map(int, dims)), pixels.shape[1]
"""

PARAMS = """
class CNMFParams:
    def __init__(self, params_dict):
        self.told = params_dict
"""

CNMF = """
import os, pathlib, subprocess, sys, time
import numpy as np
from scipy import sparse

TRUTH = np.load({truth!r})
BEHAVIOUR = {behaviour!r}

class Estimates:
    A = C = YrA = S = b = f = bl = g = SNR_comp = r_values = idx_components = None

    def evaluate_components(self, images, params):
        assert images.ndim == 3 and params.told["use_cnn"] is False
        self.SNR_comp = np.linspace(9, 0.4, self.A.shape[1])
        self.r_values = np.linspace(0.9, -0.5, self.A.shape[1])
        good = (self.SNR_comp > params.told["min_SNR"]) | (self.r_values >= params.told["rval_thr"])
        self.idx_components = np.flatnonzero(good & (self.SNR_comp > 0.5))

class CNMF:
    def __init__(self, n_processes, params, dview, Ain=None):
        self.params, self.seeds, self.estimates, self.fits = params, Ain, Estimates(), 0

    def fit(self, images):
        self.fits += 1
        print("not a line of ours", end="")
        if BEHAVIOUR == "hang":
            child = subprocess.Popen(["sleep", "600"])
            pathlib.Path("pids").write_text(f"{{os.getpid()}} {{child.pid}}")
            time.sleep(600)
        if BEHAVIOUR == "die":
            os.kill(os.getpid(), 9)
        if BEHAVIOUR == "fail":
            raise RuntimeError("the factors have the wrong size")
        if BEHAVIOUR == "nothing":
            return
        found = self.estimates
        spatial = np.asarray(TRUTH["footprints"], np.float64)
        if self.seeds is not None:
            assert self.seeds.dtype == bool and self.params.told["rf"] is None
            spatial = spatial * self.seeds  # by column: of the same cells
        pixels = images.transpose(0, 2, 1).reshape(len(images), -1).T.astype(np.float64)
        flat = np.column_stack([spatial, np.ones(len(spatial))])
        traces = np.linalg.lstsq(flat, pixels, rcond=None)[0]
        norm = np.linalg.norm(spatial, axis=0)
        found.A = sparse.csc_matrix(spatial / norm)
        raw = traces[:-1] * norm[:, None]
        kernel = np.ones(3) / 3
        found.C = np.array([np.convolve(trace, kernel, "same") for trace in raw])
        found.YrA, found.S = raw - found.C, np.maximum(np.diff(raw, prepend=0), 0)
        found.b, found.f = np.ones((len(spatial), 1)), traces[-1:]
        found.bl, found.g = np.median(raw, axis=1), [np.array([0.95])] * len(raw)

    def refit(self, images):
        self.fit(images)
        return self
"""

BROKEN = "raise OSError('libfancy.so.3 cannot be opened')\n"


def write_stand_in(folder, footprints=None, *, behaviour="find", package="whole"):
    """Write a stand-in; return the path of its interpreter.

    Parameters
    ----------
    folder : Path
        Where.
    footprints : sparse array, (n_pixels, n_rois), and frame shape
        What it finds; pixels in C order.
    behaviour : str
        ``find``, ``nothing``, ``fail``, ``hang`` or ``die``.
    package : str
        ``whole``, ``none``, ``other`` (that of another project) or ``broken``.
    """
    inner = folder / "site" / "caiman" / "source_extraction" / "cnmf"
    inner.mkdir(parents=True)
    if footprints is not None:
        matrix, frame_shape = footprints
        in_c_order = matrix.toarray().reshape(*frame_shape, -1)
        in_fortran_order = in_c_order.transpose(1, 0, 2).reshape(matrix.shape)
        np.savez(folder / "truth.npz", footprints=in_fortran_order)
    package_folder = inner.parents[1]
    told = {"truth": str(folder / "truth.npz"), "behaviour": behaviour}
    (package_folder / "__init__.py").write_text(BROKEN if package == "broken" else CAIMAN)
    (inner.parent / "__init__.py").touch()
    (inner / "__init__.py").touch()
    (inner / "cnmf.py").write_text(CNMF.format(**told))
    (inner / "params.py").write_text(PARAMS)
    if package == "other":
        (package_folder / "__init__.py").write_text("")
        inner.parent.rename(package_folder / "moved")
    if package == "none":
        package_folder.rename(folder / "site" / "moved")
    metadata = folder / "site" / "caiman-1.99.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: caiman\nVersion: 1.99\n")
    interpreter = folder / "python"
    interpreter.write_text(f'#!/bin/sh\nPYTHONPATH={folder}/site exec {sys.executable} "$@"\n')
    interpreter.chmod(0o755)
    return interpreter
