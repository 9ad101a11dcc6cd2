"""Data: columns of another branch of a flowchart brought to the rows that they belong to."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipeline.nodes.declaration import Node, Port, Result, Schema, check_fields, columns
from pipeline.nodes.registry import register
from pipeline.transmission import BLOCK, ROW_ID, ColumnInfo, Transmission

DATA, OTHER = "data", "other"


@dataclass(frozen=True, kw_only=True)
class JoinColumnsParams:
    """Settings of bringing columns together."""

    columns: tuple[str, ...] = columns(kinds=("numeric", "categorical", "identifier"), port=OTHER)
    """What is taken of the other table; none named: all columns that the first one lacks."""

    def __post_init__(self) -> None:
        check_fields(self)


def join_columns(
    params: JoinColumnsParams, *, data: Transmission, other: Transmission
) -> Transmission:
    """Return the rows of a table with columns that another table has of the same rows.

    Parameters
    ----------
    params : JoinColumnsParams
        Settings.
    data : Transmission
        Rows that the other table lacks are left out, and the history counts them.
    other : Transmission
        Has each row once; the order of its rows has no effect.

    Raises
    ------
    ValueError
        If no row is in both tables, the other has a row twice, or a column is in both.
    """
    names = tuple(_added(params, data.columns(), other.columns()))
    places = _places(data, other)
    there = places >= 0
    found = other.take(places[there])
    table = data.take(there)
    for name in names:
        if name in found.arrays:
            table = table.with_array(name, found.arrays[name])
        else:
            table = table.with_scalar(name, found.frame[name], found.infos[name])
    return table


def _places(data: Transmission, other: Transmission) -> NDArray[np.int64]:
    """Return for each row its place in the other table; -1 where it is not there."""
    index = pd.Index(other.row_ids)
    twice = np.flatnonzero(index.duplicated())
    if twice.size:
        raise ValueError(
            f"the row {other.row_ids[twice[0]]!r} comes several times in the other table, so that "
            "nobody knows which of them is meant; choose one of them before."
        )
    places = np.asarray(index.get_indexer(pd.Index(data.row_ids)), np.int64)
    if data.n_rows and not (places >= 0).any():
        raise ValueError(
            f"no row is in both tables: the first begins with {data.row_ids[:1].tolist()}, the "
            f"other with {other.row_ids[:1].tolist()}. Join tables of the same ROIs."
        )
    return places


def _added(
    params: JoinColumnsParams, there: Mapping[str, ColumnInfo], other: Mapping[str, ColumnInfo]
) -> dict[str, ColumnInfo]:
    """Return the columns that are taken, or refuse one that would hide another."""
    names = params.columns or tuple(name for name in other if name not in there)
    twice = [name for name in names if name in there]
    if twice:
        raise ValueError(
            f"join_columns: the column {twice[0]!r} is in both tables; name only columns that the "
            "first one lacks."
        )
    return {name: other[name] for name in names if name not in (ROW_ID, BLOCK)}


def _schema(
    params: JoinColumnsParams, inputs: Mapping[str, Sequence[Schema]]
) -> Mapping[str, ColumnInfo]:
    """Return the columns that are taken, before the tables are there."""
    return _added(params, inputs[DATA][0].columns, inputs[OTHER][0].columns)


register(
    Node(
        name="join_columns",
        title="JoinColumns",
        group="Data",
        params=JoinColumnsParams,
        compute=join_columns,
        ports=(Port(), Port(name=OTHER)),
        results=(Result(rows="fewer"),),
        nan="pass",
        picks=True,
        adds=_schema,
    ),
)
