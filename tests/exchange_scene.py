"""ROIs with all that is known of them, small enough to write into any file."""

import numpy as np
from scipy import sparse

from pipeline.extraction.sources import Background
from pipeline.roi_file import RoiFile
from pipeline.rois.given import GivenRois

N_FRAMES = 50


def some_rois(frame_shape=(20, 30), n_rois=5, *, background=True, seed=0, source="CaImAn 1.12.1"):
    """Return planted ROIs; no two axes are alike, no two ROIs, and some are rejected."""
    rng = np.random.default_rng(seed)
    *planes, n_rows, n_cols = frame_shape
    columns = []
    for roi in range(n_rois):
        image = np.zeros(frame_shape, np.float32)
        row, col = rng.integers(0, n_rows - 4), rng.integers(0, n_cols - 6)
        place = (slice(row, row + 3), slice(col, col + 5))
        plane = (roi % planes[0],) if planes else ()
        image[(*plane, *place)] = rng.uniform(0.2, 2, (3, 5))
        image[(*plane, row, col)] = 0  # no rectangle: a corner is missing
        columns.append(sparse.csc_array(image.reshape(-1, 1)))
    footprints = sparse.csc_array(sparse.hstack(columns), dtype=np.float32)
    total, squared = footprints.sum(axis=0), footprints.power(2).sum(axis=0)
    footprints = sparse.csc_array(footprints @ sparse.diags_array(total / squared)).astype("f4")
    shape = n_rois, N_FRAMES
    traces = {
        name: rng.normal(100, 10, shape).astype(np.float32)
        for name in ("raw", "denoised", "dff", "spikes", "neuropil")
    }
    courses = None
    if background:
        n_pixels = int(np.prod(frame_shape))
        spatial, temporal = rng.uniform(1, 2, (n_pixels, 2)), rng.uniform(1, 2, (2, N_FRAMES))
        courses = Background(spatial.astype(np.float32), temporal.astype(np.float32))
        under = np.asarray(footprints.T @ courses.spatial) @ courses.temporal
        mean = under / np.asarray(footprints.sum(axis=0))[:, np.newaxis]
        traces["background"] = mean.astype(np.float32)
    rois = GivenRois(
        footprints=footprints,
        frame_shape=frame_shape,
        names=tuple(f"cell {roi}" for roi in range(n_rois)),
        accepted=np.arange(n_rois) % 3 != 1,
        numbers={"snr": rng.uniform(1, 9, n_rois), "rval": rng.uniform(0, 1, n_rois)},
        traces=traces,
        source=source,
    )
    return RoiFile(rois=rois, rate_hz=12.5, background=courses)


def suite2p_rois(frame_shape=(20, 30), n_rois=5):
    """Return ROIs as suite2p has them: F, Fneu, spikes, and how likely each is a cell."""
    found = some_rois(frame_shape, n_rois, background=False, source="suite2p 1.1.0")
    traces = {name: found.rois.traces[name] for name in ("raw", "neuropil", "spikes")}
    rng = np.random.default_rng(1)
    numbers = {"iscell_probability": rng.random(n_rois), "skew": rng.random(n_rois)}
    rois = GivenRois(
        footprints=found.rois.footprints,
        frame_shape=frame_shape,
        accepted=found.rois.accepted,
        numbers=numbers,
        traces=traces,
        source="suite2p 1.1.0",
    )
    return RoiFile(rois=rois, rate_hz=12.5, neuropil_coefficient=0.6)
