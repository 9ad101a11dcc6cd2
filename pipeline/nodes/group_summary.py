"""Math: mean and spread of one value a row, for each group of rows."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipeline.nodes.declaration import Node, Output, Result, check_fields, column
from pipeline.nodes.grouping import LABEL, groups
from pipeline.nodes.registry import register
from pipeline.transmission import ROW_ID, ColumnInfo, Transmission

SUMMARIES = ("MEAN", "SEM", "SD", "MEDIAN", "N")


@dataclass(frozen=True, kw_only=True)
class GroupSummaryParams:
    """Settings of mean and spread by group."""

    data_column: str = column(None)
    """Values that are summed up, as ``_pf_ampl_rel_b_mean``."""

    group_by: str = column(None, kinds=LABEL, optional=True)
    """Rows with one value of it are a group, as ``animal_id``; "": all rows are one."""

    group_by_second: str = column(None, kinds=LABEL, optional=True)
    """Divides the groups further."""

    unit_column: str = column(None, kinds=LABEL, optional=True)
    """Rows with one value of it count as one, by their mean, as ``parent_id`` where peaks of one
    cell are no independent observations; "": each row counts."""

    def __post_init__(self) -> None:
        check_fields(self)
        if self.group_by_second and not self.group_by:
            raise ValueError("group_by_second divides groups; name group_by first.")


def group_summary(params: GroupSummaryParams, *, data: Transmission) -> Transmission:
    """Return a row for each group: mean, standard error, standard deviation, median and number.

    Parameters
    ----------
    params : GroupSummaryParams
        Settings.
    data : Transmission
        Rows whose group or unit is missing, and values that are NaN or infinite, are left out.

    Returns
    -------
    Transmission
        The groups in the order of their names. ``…_N`` is the number of values, or of units, that
        entered. The standard deviation has n - 1 below, the standard error is it over √n; both
        are NaN of a single value.
    """
    values = np.asarray(data.scalar(params.data_column), np.float64)
    names = [name for name in (params.group_by, params.group_by_second) if name]
    units = data.scalar(params.unit_column) if params.unit_column else None
    keys, made = [], []
    for key, rows in groups(data, names):
        keys.append(key)
        made.append(_summary(_observations(values, rows, units)))
    unit = data.infos[params.data_column].unit
    ids = np.array(["/".join(map(str, key)) or "all" for key in keys], object)
    scalars: dict[str, tuple[Any, ColumnInfo]] = {ROW_ID: (ids, ColumnInfo("identifier"))}
    for place, name in enumerate(names):
        labels = np.array([key[place] for key in keys], object)
        scalars[name] = (labels, ColumnInfo("categorical"))
    table = np.array(made, np.float64).reshape(-1, len(SUMMARIES))
    for what, found in zip(SUMMARIES, table.T, strict=True):
        is_count = what == "N"
        info = ColumnInfo("numeric", "" if is_count else unit)
        scalars[f"{params.data_column}_{what}"] = (found.astype(int) if is_count else found, info)
    return data.derived(scalars=scalars)


def _observations(
    values: NDArray[np.float64], rows: NDArray[np.int64], units: NDArray[Any] | None
) -> NDArray[np.float64]:
    """Return the values that count: those of rows, or the means of units."""
    rows = rows[np.isfinite(values[rows])]
    if units is None:
        return values[rows]
    # as text, in their order: the same sum whatever the type of the labels
    labels = pd.Series(units[rows], dtype=object)
    there = labels.notna()
    of_unit = pd.Series(values[rows])[there].groupby(labels[there].astype(str), sort=True)
    return np.asarray(of_unit.mean(), np.float64)


def _summary(values: NDArray[np.float64]) -> tuple[float, ...]:
    """Return the numbers of `SUMMARIES`."""
    n_values = values.size
    if not n_values:
        return np.nan, np.nan, np.nan, np.nan, 0
    sd = float(values.std(ddof=1)) if n_values > 1 else np.nan
    median = float(np.median(values))
    return float(values.mean()), float(sd / np.sqrt(n_values)), sd, median, n_values


register(
    Node(
        name="group_summary",
        title="Summary by group",
        group="Math",
        params=GroupSummaryParams,
        compute=group_summary,
        results=(
            Result(
                columns=(
                    *(Output(f"{{data_column}}_{what}", "{unit}") for what in SUMMARIES[:-1]),
                    Output("{data_column}_N"),
                    Output("{group_by}", kind="categorical"),
                    Output("{group_by_second}", kind="categorical"),
                ),
                rows="new",
            ),
        ),
        nan="ignore",
    ),
)
