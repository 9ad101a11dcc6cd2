"""Rows that are parts of other rows: they have names of their own, and no copy of the arrays."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from pipeline.transmission import ROW_ID, ColumnInfo, Transmission

PARENT_ID = "parent_id"


def scalars_only(_: object, there: Mapping[str, ColumnInfo]) -> Mapping[str, ColumnInfo]:
    """Return the columns with one value a row: arrays are not repeated for each part of a row.

    Parameters
    ----------
    _ : object
        Settings; have no effect.
    there : mapping
        All columns.
    """
    return {name: info for name, info in there.items() if not info.axis}


def rows_without_arrays(data: Transmission, rows: NDArray[np.int64]) -> Transmission:
    """Return rows, each as often as asked for, with their single values and the name of the old.

    Parameters
    ----------
    data : Transmission
        The table.
    rows : array, (n_new,)
        Which row each new one is of.
    """
    bare = data.without(*data.arrays).take(rows)
    return bare.with_scalar(PARENT_ID, bare.row_ids, ColumnInfo("identifier"))


def repeat_rows(
    data: Transmission, rows: NDArray[np.int64], ending: NDArray[np.object_]
) -> Transmission:
    """Return rows, each as often as asked for, with names of their own and no arrays.

    Parameters
    ----------
    data : Transmission
        The table.
    rows : array, (n_new,)
        Which row each new one is of.
    ending : array of str, (n_new,)
        What the name of a new row has more than that of the old.
    """
    bare = rows_without_arrays(data, rows)
    names = bare.row_ids + ending
    return bare.with_scalar(ROW_ID, names, ColumnInfo("identifier"))
