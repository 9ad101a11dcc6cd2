"""Parameter sets: frozen dataclasses, their JSON, and the hash that names them."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, fields
from typing import Any, TypeVar

Params = TypeVar("Params")
ADDED_LATER = {"added_later": True}
"""Metadata of a field that came when sets without it were stored: by default it has no part in the
hash, so that these keep their names."""


def params_to_dict(params: Any) -> dict[str, Any]:
    """Return the values of a parameter set as plain JSON values (tuples become lists).

    Parameters
    ----------
    params : dataclass instance
        A frozen parameter set, such as ``MotionParams()``.

    Returns
    -------
    dict
        One entry a field.
    """
    return dict(json.loads(json.dumps(asdict(params), allow_nan=False)))


def params_from_dict(kind: type[Params], values: Mapping[str, Any]) -> Params:
    """Build a parameter set from JSON values; what is missing takes its default.

    Parameters
    ----------
    kind : type
        The dataclass, such as ``MotionParams``.
    values : mapping
        Field names and values; lists become tuples.

    Returns
    -------
    dataclass instance
        The checked parameter set.

    Raises
    ------
    ValueError
        If a name is not a field of ``kind``, or a value is refused by it.
    """
    known = [field.name for field in fields(kind)]  # type: ignore[arg-type]
    unknown = sorted(set(values) - set(known))
    if unknown:
        raise ValueError(
            f"unknown parameter {unknown[0]!r} for {kind.__name__}; "
            f"the parameters are: {', '.join(known)}."
        )
    frozen = {k: tuple(v) if isinstance(v, list) else v for k, v in values.items()}
    try:
        return kind(**frozen)
    except TypeError as error:
        raise ValueError(f"a value for {kind.__name__} has the wrong type: {error}.") from error


def params_hash(params: Any) -> str:
    """Return 32 hexadecimal digits that are equal for equal parameter sets and only for them.

    Parameters
    ----------
    params : dataclass instance
        A frozen parameter set.

    Returns
    -------
    str
        The hash of the class name and all values, but for those of `ADDED_LATER`.
    """
    values = params_to_dict(params)
    for field in fields(params):
        if field.metadata == ADDED_LATER and getattr(params, field.name) == field.default:
            del values[field.name]
    text = json.dumps([type(params).__name__, values], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:32]
