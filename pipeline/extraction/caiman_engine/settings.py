"""Our settings as CaImAn is told them."""

from typing import Any

from pipeline.extraction.caiman_engine.params import CaimanParams


def to_caiman_names(params: CaimanParams, *, rate_hz: float, is_seeded: bool) -> dict[str, Any]:
    """Return what CaImAn is told, under its own names.

    Parameters
    ----------
    params : CaimanParams
        Settings.
    rate_hz : float
        Of the movie, in frames per second.
    is_seeded : bool
        Whether it begins with footprints; then the frame is not cut into patches.

    Returns
    -------
    dict
        Flat, as JSON values.
    """
    gsig = [max(1, round(gsig_px)) for gsig_px in params.shared.half_sizes_px]
    patch_px = None if is_seeded else params.patch_half_px
    overlap_px = params.overlap_px if params.overlap_px is not None else 2 * max(gsig)
    told = {
        "fr": rate_hz,
        "decay_time": params.decay_time_s,
        "gSig": gsig,
        "gSiz": [4 * number + 1 for number in gsig],
        "p": params.p,
        "merge_thr": params.merge_corr,
        "rf": patch_px,
        "stride": None if patch_px is None else overlap_px,
        "only_init": patch_px is not None,
        "ssub": params.bin_px,
        "tsub": params.bin_frames,
        "border_pix": params.border_px,
        "min_SNR": params.min_snr,
        "rval_thr": params.min_rval,
        "use_cnn": False,
    }
    return told | (_one_photon(params) if params.model == "cnmfe" else _two_photon(params))


def _two_photon(params: CaimanParams) -> dict[str, Any]:
    """Return what makes it CNMF."""
    return {
        "method_init": "greedy_roi",
        "K": params.cells_per_patch or 8,
        "nb": params.gnb,
        "nb_patch": 1,
    }


def _one_photon(params: CaimanParams) -> dict[str, Any]:
    """Return what makes it CNMF-E."""
    return {
        "method_init": "corr_pnr",
        "K": params.cells_per_patch,
        "nb": 0,
        "nb_patch": 0,
        "center_psf": True,
        "normalize_init": False,
        "low_rank_background": None,
        "update_background_components": True,
        "del_duplicates": True,
        "ssub_B": 2,
        "min_corr": params.min_corr,
        "min_pnr": params.min_pnr,
        "ring_size_factor": params.ring_size_factor,
    }
