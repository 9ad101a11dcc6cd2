"""Our names for CaImAn's settings, and what it is told."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from pipeline.extraction.caiman import GROUPS

if TYPE_CHECKING:
    from pipeline.extraction.caiman_engine.params import CaimanParams

OURS = {
    "decay_time": "decay_time_s",
    "K": "cells_per_patch",
    "rf": "patch_half_px",
    "stride": "overlap_px",
    "gnb": "gnb",
    "nb": "gnb",
    "p": "p",
    "merge_thr": "merge_corr",
    "merge_thresh": "merge_corr",
    "ssub": "bin_px",
    "tsub": "bin_frames",
    "min_corr": "min_corr",
    "min_pnr": "min_pnr",
    "ring_size_factor": "ring_size_factor",
    "min_SNR": "min_snr",
    "rval_thr": "min_rval",
    "border_pix": "border_px",
    "refit": "is_refitted",
}
MAY_BE_NONE = ("K", "rf", "stride")
OF_THE_MODEL = {
    *("gSiz", "center_psf", "normalize_init", "only_init", "only_init_patch", "nb_patch"),
    *("low_rank_background", "del_duplicates", "update_background_components", "ssub_B"),
    "method_deconvolution",
}
"""What follows from the model and the size of a cell."""

OF_THE_RUN = {
    *("fr", "dims", "n_processes", "dview", "memory_fact", "keep_memmap", "use_memmap"),
    *("memmap_uuid", "item_name", "use_cnn", "min_cnn_thr", "cnn_lowest", "do_cnmfe"),
    *("do_corr_pnr", "corr_pnr_kwargs", "use_patches", "stride_cnmf", "rolling_sum", "init_iter"),
}
"""What the movie knows, or is about how and where it runs; its network is not used."""

ALL_GROUPS = (*GROUPS, "cnmfe_kwargs")


def from_caiman_names(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return settings under the names of `CaimanParams`.

    Parameters
    ----------
    values : mapping
        CaImAn's names, flat or in groups.

    Returns
    -------
    dict
        What has a name here.

    Raises
    ------
    ValueError
        If a name is unknown, or seeds are given as a setting.
    """
    flat = {name: value for name, value in values.items() if name not in ALL_GROUPS}
    for group in ALL_GROUPS:
        flat |= values.get(group) or {}
    if flat.pop("Ain", None) not in (None, False, ""):
        raise ValueError("Ain is no setting here; give the footprints as seeds of the extraction.")
    known = OURS.keys() | OF_THE_MODEL | OF_THE_RUN | {"gSig", "method_init"}
    unknown = sorted(set(flat) - known)
    if unknown:
        raise ValueError(
            f"{unknown[0]!r} is no setting of CaImAn that is known here; leave it out. "
            f"These are: {', '.join(OURS)}."
        )
    given = {k: v for k, v in flat.items() if v is not None or k in MAY_BE_NONE}
    ours = {OURS[name]: given[name] for name in OURS if name in given}
    if flat.get("method_init") == "corr_pnr" or "cnmfe_kwargs" in values:
        ours |= {"model": "cnmfe", "gnb": max(1, ours.get("gnb", 1))}
    if flat.get("gSig") is not None:
        gsig = flat["gSig"]
        pair = (gsig, gsig) if isinstance(gsig, int | float) else gsig
        ours["gsig_px"] = tuple(float(number) for number in pair)
    return ours


def to_caiman_names(params: "CaimanParams", *, rate_hz: float, is_seeded: bool) -> dict[str, Any]:
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
    gsig = [max(1, round(gsig_px)) for gsig_px in params.gsig_px]
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


def _two_photon(params: "CaimanParams") -> dict[str, Any]:
    """Return what makes it CNMF."""
    return {
        "method_init": "greedy_roi",
        "K": params.cells_per_patch or 8,
        "nb": params.gnb,
        "nb_patch": 1,
    }


def _one_photon(params: "CaimanParams") -> dict[str, Any]:
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
