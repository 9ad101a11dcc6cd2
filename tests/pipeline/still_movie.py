"""The small movie without motion in which several tests of CNMF seek planted cells."""

import numpy as np

from pipeline.simulate import TwoPhotonParams, simulate_two_photon


def still_movie():
    """Return 600 frames with 20 cells."""
    params = TwoPhotonParams(
        n_frames=600,
        n_rows=96,
        n_cols=112,
        n_cells=20,
        max_shift_px=0,
        max_deviation_px=0,
        jump_rate_hz=0,
    )
    return simulate_two_photon(params, rng=np.random.default_rng(0))
