"""Data: choice of rows and columns, and tables brought together."""

from collections.abc import Sequence
from dataclasses import dataclass

from pipeline.nodes.declaration import (
    Node,
    Port,
    Result,
)
from pipeline.nodes.registry import register
from pipeline.transmission import BLOCK, ROW_ID, Transmission, concatenate


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


register(
    Node(
        name="merge",
        title="Merge",
        group="Data",
        params=MergeParams,
        compute=merge,
        ports=(Port(many=True),),
        results=(Result(rows="same"),),
        picks=True,
    ),
)
