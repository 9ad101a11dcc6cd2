"""Named parameter sets: a frozen dataclass of `pipeline`, stored under the hash of its values."""

from typing import Any

from pipeline.extraction.methods import method_name
from pipeline.params import params_hash, params_to_dict
from schemas.settings import ProjectError

DEFAULT = "default"
ONE_PHOTON = "one-photon"
VOLUME = "volume"
"""Names of the parameter sets that every project has."""


def add_params(table: Any, name: str, params: Any) -> str:
    """Store a parameter set under a name.

    Parameters
    ----------
    table : datajoint.Lookup
        ``MotionParams`` or ``SegmentationParams``: a hash, a name and the values.
    name : str
        Unique in its table; a stored set never changes.
    params : dataclass instance
        The checked values.

    Returns
    -------
    str
        The hash.

    Raises
    ------
    ProjectError
        If the name is taken by other values, or the values are stored under another name.
    """
    (hash_name,) = table.primary_key
    key = {hash_name: params_hash(params)}
    same_name = (table & {"name": name}).keys()
    if same_name and same_name[0] != key:
        raise ProjectError(
            f"the parameter set {name!r} exists with other values and never changes, because "
            "results refer to it; choose another name."
        )
    same_values = (table & key).to_dicts()
    if same_values and same_values[0]["name"] != name:
        raise ProjectError(
            f"these values are stored already, under {same_values[0]['name']!r}; use that."
        )
    if not same_values:
        row = {**key, "name": name, "params": params_to_dict(params)}
        if "method" in table.heading.names:
            row["method"] = method_name(params)
        table.insert1(row)
    return key[hash_name]


def find_params(table: Any, name: str) -> dict[str, str]:
    """Return the key of a named parameter set.

    Raises
    ------
    ProjectError
        If there is none of that name.
    """
    found = (table & {"name": name}).keys()
    if not found:
        names = ", ".join(sorted(table.to_arrays("name"))) or "none"
        raise ProjectError(f"there is no parameter set {name!r}; there are: {names}.")
    return dict(found[0])
