"""Data: choice of rows and columns, and tables brought together."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.nodes.declaration import (
    Node,
    Port,
    Result,
    check_fields,
    choice,
    columns,
    whole,
)
from pipeline.nodes.registry import register
from pipeline.transmission import BLOCK, ROW_ID, ColumnInfo, Transmission, concatenate

FAR = 1_000_000_000


@dataclass(frozen=True, kw_only=True)
class MergeParams:
    """Merging has no settings."""


def merge(params: MergeParams, *, data: Sequence[Transmission]) -> Transmission:
    """Return the rows of several tables below each other.

    Parameters
    ----------
    params : MergeParams
        None.
    data : sequence of Transmission
        One column must mean the same in all of them.

    Raises
    ------
    ValueError
        If a row comes twice with the same history: it would count twice from here on.
    """
    del params
    table = concatenate([data] if isinstance(data, Transmission) else data)
    twice = table.frame.duplicated([ROW_ID, BLOCK])
    if twice.any():
        raise ValueError(
            f"row {table.row_ids[twice.to_numpy().argmax()]!r} comes twice with the same history, "
            f"as do {int(twice.sum()) - 1} others; connect each table once."
        )
    return table


@dataclass(frozen=True, kw_only=True)
class DropNaParams:
    """Settings of dropping rows that lack something."""

    columns: tuple[str, ...] = columns(kinds=("numeric", "categorical", "identifier"))
    """What must be there; none named: every column."""

    how: str = choice("any", ("any", "all"))
    """Whether a row goes where one of them is missing, or only where all are."""

    partial: bool = True
    """Whether an array counts as missing already when one of its values is NaN."""

    def __post_init__(self) -> None:
        check_fields(self)


def drop_na(params: DropNaParams, *, data: Transmission) -> Transmission:
    """Return the rows in which nothing is missing.

    Parameters
    ----------
    params : DropNaParams
        Settings.
    data : Transmission
        An empty array and one in which all is NaN are missing.
    """
    names = params.columns or tuple(data.columns())
    lacking = np.array([missing(data, name, partial=params.partial) for name in names])
    judge = np.any if params.how == "any" else np.all
    return data.take(~np.asarray(judge(lacking, axis=0)))


@dataclass(frozen=True, kw_only=True)
class DropNaColumnsParams:
    """Settings of dropping columns that lack something."""

    how: str = choice("any", ("any", "all"))
    """Whether a column goes where one row has nothing in it, or only where none has."""

    partial: bool = True
    """Whether an array counts as missing already when one of its values is NaN."""

    def __post_init__(self) -> None:
        check_fields(self)


def drop_na_columns(params: DropNaColumnsParams, *, data: Transmission) -> Transmission:
    """Return the columns in which nothing is missing.

    Parameters
    ----------
    params : DropNaColumnsParams
        Settings.
    data : Transmission
        The names of the rows stay in any case.
    """
    gone = []
    for name in data.columns():
        lacking = missing(data, name, partial=params.partial)
        is_gone = lacking.any() if params.how == "any" else lacking.size and lacking.all()
        gone += [name] if is_gone and name != ROW_ID else []
    return data.without(*gone)


def missing(data: Transmission, name: str, *, partial: bool) -> NDArray[np.bool_]:
    """Return in which rows a column has nothing.

    Parameters
    ----------
    data : Transmission
        The table.
    name : str
        Of the column.
    partial : bool
        Whether one NaN in an array is enough.
    """
    if name not in data.arrays:
        return np.asarray(data.frame[name].isna())
    values, offsets = data.arrays[name].values, data.arrays[name].offsets
    if values.dtype.kind != "f":
        return np.asarray(np.diff(offsets) == 0)
    count = np.concatenate([[0], np.cumsum(np.isnan(values))])
    n_nan = count[offsets[1:]] - count[offsets[:-1]]
    lengths = np.diff(offsets)
    return np.asarray((n_nan == lengths) | (partial & (n_nan > 0)))


@dataclass(frozen=True, kw_only=True)
class SelectColumnsParams:
    """Settings of a choice of columns."""

    columns: tuple[str, ...] = columns(kinds=("numeric", "categorical", "identifier"))
    """Which stay; the names of rows and recordings stay in any case."""

    def __post_init__(self) -> None:
        check_fields(self)


def select_columns(params: SelectColumnsParams, *, data: Transmission) -> Transmission:
    """Return the table with some of its columns.

    Parameters
    ----------
    params : SelectColumnsParams
        Settings.
    data : Transmission
        The table.
    """
    left = _left(params, data.columns())
    return data.without(*(name for name in data.columns() if name not in left))


def _left(params: SelectColumnsParams, there: Mapping[str, ColumnInfo]) -> Mapping[str, ColumnInfo]:
    """Return the columns that stay."""
    kept = {*params.columns, ROW_ID, "recording_id"}
    return {name: info for name, info in there.items() if name in kept}


@dataclass(frozen=True, kw_only=True)
class IlocParams:
    """Settings of a range of rows."""

    start: int = whole(0, -FAR, FAR)
    """The first row, from 0; negative ones count from the end."""

    stop: int | None = whole(None, -FAR, FAR)
    """The first row that is left out; None: all that follow."""

    def __post_init__(self) -> None:
        check_fields(self)


def iloc(params: IlocParams, *, data: Transmission) -> Transmission:
    """Return a range of rows as a table.

    Parameters
    ----------
    params : IlocParams
        Settings.
    data : Transmission
        The table.
    """
    return data.take(slice(params.start, params.stop))


register(
    Node(
        name="merge",
        title="Merge",
        group="Data",
        params=MergeParams,
        compute=merge,
        ports=(Port(many=True),),
        results=(Result(rows="more"),),
        picks=True,
    ),
    Node(
        name="dropna",
        title="DropNa",
        group="Data",
        params=DropNaParams,
        compute=drop_na,
        results=(Result(rows="fewer"),),
        by_row=True,
        nan="ignore",
        picks=True,
    ),
    Node(
        name="dropna_columns",
        title="DropNa (columns)",
        group="Data",
        params=DropNaColumnsParams,
        compute=drop_na_columns,
        nan="ignore",
        picks=True,
        drops_by_value=True,
    ),
    Node(
        name="select_columns",
        title="SelectColumns",
        group="Data",
        params=SelectColumnsParams,
        compute=select_columns,
        by_row=True,
        nan="pass",
        picks=True,
        leaves=_left,
    ),
    Node(
        name="iloc",
        title="iloc",
        group="Data",
        params=IlocParams,
        compute=iloc,
        results=(Result(rows="fewer"),),
        nan="pass",
        picks=True,
    ),
)
