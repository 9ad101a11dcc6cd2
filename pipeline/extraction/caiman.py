"""CaImAn's names for the settings of CNMF, and what they are called here."""

from collections.abc import Mapping
from typing import Any

GROUPS = (
    *("cnmf_kwargs", "eval_kwargs"),
    *("data", "init", "patch", "preprocess", "spatial", "temporal", "merging", "quality"),
)
"""Under which CaImAn and the original Mesmerize hold them; others are flat."""

SAME_MEANING = {
    "gSig": "gsig_px",
    "decay_time": "decay_time_s",
    "min_corr": "min_corr",
    "min_pnr": "min_pnr",
    "p": "p",
    "merge_thr": "merge_corr",
    "merge_thresh": "merge_corr",
    "min_SNR": "min_snr",
    "rval_thr": "min_rval",
    "border_pix": "border_px",
}

PROCESSES = "sparse_nmf"

IGNORED = {
    "K": "the number of cells is found",
    **dict.fromkeys(("nb", "gnb", "nb_patch"), "the background of each place is its own"),
    **dict.fromkeys(
        ("rf", "stride", "stride_cnmf", "use_patches"), "patches follow from the memory, if needed"
    ),
    **dict.fromkeys(("ssub", "tsub"), "the bins follow from the size and the decay time"),
    **dict.fromkeys(("gSiz", "only_init", "init_iter"), "cells are found in rounds"),
    **dict.fromkeys(("use_cnn", "min_cnn_thr", "cnn_lowest"), "there is no network"),
    **dict.fromkeys(("fr", "dims", "is3D"), "the movie knows"),
    **dict.fromkeys(("n_processes", "dview", "memory_fact", "keep_memmap"), "how work is shared"),
    **dict.fromkeys(
        ("refit", "item_name", "use_memmap", "memmap_uuid"), "no setting of the method"
    ),
}
"""What has no effect here, and why."""


def translate_cnmf(values: Mapping[str, Any], *, n_axes: int = 2) -> dict[str, Any]:
    """Return settings under the names of `CnmfParams`.

    Parameters
    ----------
    values : mapping
        CaImAn's names, flat or in groups.
    n_axes : int
        Axes of a frame; a single number of ``gSig`` stands for all of them.

    Returns
    -------
    dict
        What has a meaning here; what is in `IGNORED` is left out.

    Raises
    ------
    ValueError
        If a name is unknown, or seeds are given as a setting.

    Examples
    --------
    >>> translate_cnmf({"cnmf_kwargs": {"gSig": [6, 6], "K": 10}, "eval_kwargs": {"min_SNR": 3}})
    {'gsig_px': (6.0, 6.0), 'min_snr': 3}
    """
    flat = _flat(values)
    if flat.pop("Ain", None) is not None:
        raise ValueError("Ain is no setting here; give the footprints as seeds of the extraction.")
    init = flat.pop("method_init", None)
    unknown = sorted(set(flat) - SAME_MEANING.keys() - IGNORED.keys())
    if unknown:
        raise ValueError(
            f"{unknown[0]!r} is no setting of CNMF in CaImAn that is known here; leave it out. "
            f"These have a meaning: {', '.join(SAME_MEANING)}."
        )
    ours = {SAME_MEANING[name]: flat[name] for name in SAME_MEANING if flat.get(name) is not None}
    if "gsig_px" in ours:
        ours["gsig_px"] = _each_axis(ours["gsig_px"], n_axes)
    if init == PROCESSES:  # other names are other ways to find cells
        ours["method_init"] = init
    return ours


def _flat(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings of all groups in one dictionary."""
    flat = {name: value for name, value in values.items() if name not in GROUPS}
    for group in GROUPS:
        flat |= values.get(group) or {}
    return flat


def _each_axis(gsig: Any, n_axes: int) -> tuple[float, ...]:
    """Return one number an axis."""
    if isinstance(gsig, int | float):
        return (float(gsig),) * n_axes
    return tuple(float(number) for number in gsig)
