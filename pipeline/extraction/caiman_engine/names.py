"""Our names for CaImAn's settings."""

from collections.abc import Mapping
from typing import Any

from pipeline.extraction.caiman import GROUPS

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
