"""CaImAn's names for the settings of CNMF-E, and what they are called here."""

import warnings
from collections.abc import Mapping
from typing import Any

GROUPS = ("cnmfe_kwargs", "cnmf_kwargs", "eval_kwargs")
"""Under which a dictionary of the original Mesmerize holds them; others are flat."""

SAME_MEANING = {
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

SHAPES = ("gSig", "gSiz", "ring_size_factor", "ssub_B")

NOT_NEEDED = {
    *("rf", "stride", "stride_cnmf", "ssub", "tsub", "nb_patch", "n_processes", "dview"),
    *("method_init", "center_psf", "normalize_init", "only_init", "only_init_patch"),
    *("update_background_components", "del_duplicates", "init_iter", "memory_fact", "rolling_sum"),
    *("item_name", "do_cnmfe", "do_corr_pnr", "corr_pnr_kwargs", "fr", "Ain", "refit"),
    *("nb", "gnb", "use_cnn", "min_cnn_thr", "cnn_lowest", "bas_nonneg", "keep_memmap"),
}
"""How CaImAn does its work, or what the movie knows itself."""

NO_COUNTERPART = {
    "K": "the number of cells is found",
    "low_rank_background": "the background is the ring's",
    "method_deconvolution": "OASIS with a noise constraint is used",
}


def translate(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return settings under the names of `CnmfeParams`.

    Parameters
    ----------
    values : mapping
        CaImAn's names, flat or grouped as the original Mesmerize keeps them.

    Returns
    -------
    dict
        What has a meaning here; a warning names what acts on CaImAn's results and has none.

    Raises
    ------
    ValueError
        If a name is unknown, a seed is given, or deconvolution is switched off.
    """
    flat = _flat(values)
    unknown = sorted(
        set(flat) - SAME_MEANING.keys() - set(SHAPES) - NOT_NEEDED - NO_COUNTERPART.keys()
    )
    if unknown:
        raise ValueError(
            f"{unknown[0]!r} is no setting of CNMF-E in CaImAn that is known here; leave it out."
        )
    _refuse(flat)
    dropped = [
        f"{name} ({why})"
        for name, why in NO_COUNTERPART.items()
        if flat.get(name) not in (None, False, 0, "oasis")
    ]
    if dropped:
        warnings.warn(f"without effect here: {', '.join(dropped)}.", stacklevel=3)
    same = {ours: flat[name] for name, ours in SAME_MEANING.items() if name in flat}
    return same | _shapes(flat)


def _flat(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings of all groups in one dictionary."""
    flat = {name: value for name, value in values.items() if name not in GROUPS}
    for group in GROUPS:
        flat |= values.get(group) or {}
    return flat


def _refuse(flat: Mapping[str, Any]) -> None:
    """Refuse what would give other results than were asked for."""
    if flat.get("p") == 0 or str(flat.get("method_deconvolution")).upper() == "SKIP":
        raise ValueError(
            "p = 0 or method_deconvolution = 'SKIP' leaves deconvolution out, which is not "
            "possible here; give p = 1 and use the raw traces."
        )
    if flat.get("Ain") not in (None, False, ""):
        raise ValueError("Ain is no setting here; give the footprints as seeds of the extraction.")


def _shapes(flat: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings that are relative to the size of a cell."""
    ours: dict[str, Any] = {}
    if flat.get("gSig") is not None:
        ours["gsig_px"] = _pair(flat["gSig"])
    if flat.get("ring_size_factor") is not None:
        rows, cols = ours.get("gsig_px", (None, None))
        if rows is None:
            raise ValueError("ring_size_factor is relative to gSig and gSiz; give gSig as well.")
        size = _pair(flat["gSiz"]) if flat.get("gSiz") else (4 * rows + 1, 4 * cols + 1)
        ours["ring_radius_factor"] = float(flat["ring_size_factor"]) * size[0] / (4 * rows)
    if flat.get("ssub_B") is not None:
        ours["background_bin_px"] = int(flat["ssub_B"])
    return ours


def _pair(value: Any) -> tuple[float, float]:
    """Return one number for both axes, or one each."""
    values = [value, value] if isinstance(value, (int, float)) else list(value)
    if len(values) != 2:  # noqa: PLR2004 - rows and columns
        raise ValueError(f"gSig and gSiz must be one or two numbers; got {value!r}.")
    return float(values[0]), float(values[1])
