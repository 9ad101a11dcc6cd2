"""Math: statistics of arrays and of groups of rows."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.nodes.declaration import Node, Output, Result, check_fields, choice, column
from pipeline.nodes.registry import register
from pipeline.nodes.scaling import ANY_ARRAY
from pipeline.transmission import ROW_ID, ArrayColumn, ColumnInfo, Transmission

NAN_FUNCTIONS = ("nanmin", "nanmax", "nanmedian", "nanmean", "nanstd", "nanvar")
FUNCTIONS = ("amin", "amax", "ptp", "median", "mean", "std", "var", *NAN_FUNCTIONS)
LABEL = ("categorical", "identifier")


@dataclass(frozen=True, kw_only=True)
class ArrayStatsParams:
    """Settings of a statistic of each array."""

    data_column: str = column(*ANY_ARRAY)
    """Arrays that are summed up."""

    function: str = choice("mean", FUNCTIONS)
    """Which statistic; those with nan leave NaN out, the others make NaN of it."""

    output_column: str = "_ARRAY_STATS"
    """Name of the new column; begins with an underscore."""

    def __post_init__(self) -> None:
        check_fields(self)
        check_new_name(self.output_column)


def array_stats(
    traces: NDArray[np.float64], *, rate_hz: float, params: ArrayStatsParams
) -> NDArray[np.float64]:
    """Return one number of each array.

    Parameters
    ----------
    traces : array, (n_rows, n_samples)
        What NaN does, the name of the function says.
    rate_hz : float
        Samples per second; has no effect.
    params : ArrayStatsParams
        Settings.
    """
    del rate_hz
    return statistic(traces, params.function, axis=1)


def check_new_name(name: str) -> None:
    """Refuse a name that a numeric column must not have.

    Raises
    ------
    ValueError
        If it does not begin with an underscore, has no more than that, or braces.
    """
    if not name.startswith("_") or len(name.strip("_")) == 0 or set(name) & set("{}"):
        raise ValueError(f"a new column must be named like _MEAN; got {name!r}.")


def statistic(values: NDArray[np.float64], function: str, *, axis: int) -> NDArray[np.float64]:
    """Return a statistic along an axis.

    Parameters
    ----------
    values : array
        Where all is NaN, the result is NaN.
    function : str
        One of `FUNCTIONS`.
    axis : int
        Which goes away.
    """
    if function not in NAN_FUNCTIONS:
        return np.asarray(getattr(np, function)(values, axis=axis))
    empty = np.isnan(values).all(axis=axis)
    # of what is all NaN, numpy warns; here it is NaN by what is documented
    filled = np.where(np.expand_dims(empty, axis), 0.0, values)
    return np.where(empty, np.nan, getattr(np, function)(filled, axis=axis))


@dataclass(frozen=True, kw_only=True)
class GroupStatsParams:
    """Settings of a statistic over the arrays of each group of rows."""

    data_column: str = column(*ANY_ARRAY)
    """Arrays of one length."""

    function: str = choice("mean", FUNCTIONS)
    """Which statistic; those with nan leave NaN out, the others make NaN of it."""

    group_by: str = column(None, kinds=LABEL, optional=True)
    """Rows with one value of it are a group; "": all rows are one."""

    group_by_second: str = column(None, kinds=LABEL, optional=True)
    """Divides the groups further."""

    output_column: str = "_GROUP_STATS"
    """Name of the new column; begins with an underscore."""

    def __post_init__(self) -> None:
        check_fields(self)
        check_new_name(self.output_column)
        if self.group_by_second and not self.group_by:
            raise ValueError("group_by_second divides groups; name group_by first.")


def group_stats(params: GroupStatsParams, *, data: Transmission) -> Transmission:
    """Return one array for each group, sample by sample over its rows.

    Parameters
    ----------
    params : GroupStatsParams
        Settings.
    data : Transmission
        Rows whose group is missing are left out.

    Returns
    -------
    Transmission
        A row for each group that has rows, in the order of their names: what divides it, its
        number of rows, and the array.
    """
    source = data.array(params.data_column)
    names = [name for name in (params.group_by, params.group_by_second) if name]
    arrays, keys, counts = [], [], []
    for key, rows in groups(data, names):
        stack = np.asarray(source.take(rows).stacked(), np.float64)
        one_rate(source, rows)
        arrays.append(statistic(stack, params.function, axis=0))
        keys.append(key)
        counts.append(len(rows))
    first = np.flatnonzero(source.lengths)[:1]
    column = ArrayColumn.of(
        arrays,
        source.info,
        rate=source.rate[first[0]] if first.size else np.nan,
        start=source.start[first[0]] if first.size else 0.0,
    )
    scalars: dict[str, tuple[Any, ColumnInfo]] = {
        name: (np.array([key[place] for key in keys], object), ColumnInfo("categorical"))
        for place, name in enumerate(names)
    }
    ids = np.array(["/".join(map(str, key)) or "all" for key in keys], object)
    scalars[ROW_ID] = (ids, ColumnInfo("identifier"))
    scalars["N_ROWS"] = (np.array(counts, np.int64), ColumnInfo())
    return data.derived(scalars=scalars).with_array(params.output_column, column)


def groups(
    data: Transmission, names: list[str]
) -> Iterator[tuple[tuple[Any, ...], NDArray[np.int64]]]:
    """Yield the values of each group of rows, in their order, and the rows.

    Parameters
    ----------
    data : Transmission
        Rows of which a value is missing belong to no group.
    names : list of str
        The columns that divide the rows; none: all rows are one group.
    """
    if not names:
        if data.n_rows:
            yield (), np.arange(data.n_rows)
        return
    frame = data.frame[names].astype(object)
    there = np.flatnonzero(frame.notna().all(axis=1))
    labels = frame.iloc[there].astype(str)
    order: dict[tuple[str, ...], list[int]] = {}
    for row, key in zip(there, labels.itertuples(index=False, name=None), strict=True):
        order.setdefault(key, []).append(int(row))
    for key in sorted(order):
        yield key, np.array(order[key], np.int64)


def one_rate(source: ArrayColumn, rows: NDArray[np.int64]) -> None:
    """Refuse arrays of one length but of several rates, of which samples do not match.

    Parameters
    ----------
    source : ArrayColumn
        The arrays.
    rows : array
        Those that are brought together.

    Raises
    ------
    ValueError
        If rates differ by more than 1 %.
    """
    rates = source.rate[rows]
    if rates.size and np.nanmax(rates, initial=0) > 1.01 * np.nanmin(rates, initial=np.inf):
        raise ValueError(
            f"samples of one place must belong together; the rates go from {np.nanmin(rates):g} to "
            f"{np.nanmax(rates):g} Hz. Resample the traces first."
        )


@dataclass(frozen=True, kw_only=True)
class ArgGroupStatParams:
    """Settings of the row with the smallest or largest value of each group."""

    data_column: str = column(None)
    """Values that are compared."""

    group_by: str = column(None, kinds=LABEL, optional=True)
    """Rows with one value of it are a group; "": all rows are one."""

    stat: str = choice("max", ("min", "max"))
    """Which row of a group is kept; the first, if several have that value."""

    def __post_init__(self) -> None:
        check_fields(self)


def arg_group_stat(params: ArgGroupStatParams, *, data: Transmission) -> Transmission:
    """Return of each group the row with its smallest or largest value.

    Parameters
    ----------
    params : ArgGroupStatParams
        Settings.
    data : Transmission
        NaN is left out; a group that has nothing else vanishes.
    """
    values = np.asarray(data.scalar(params.data_column), np.float64)
    sign = 1 if params.stat == "max" else -1
    found = []
    for _, rows in groups(data, [params.group_by] if params.group_by else []):
        there = rows[~np.isnan(values[rows])]
        if there.size:
            found.append(there[np.argmax(sign * values[there])])
    return data.take(np.array(found, np.int64))


register(
    Node(
        name="array_stats",
        title="ArrayStats",
        group="Math",
        params=ArrayStatsParams,
        compute=array_stats,
        on_traces=True,
        keeps_last_output=True,
        results=(Result(columns=(Output("{output_column}", "{unit}"),)),),
        nan="pass",
    ),
    Node(
        name="group_stats",
        title="ArrayStats by group",
        group="Math",
        params=GroupStatsParams,
        compute=group_stats,
        results=(
            Result(
                columns=(
                    Output("{output_column}", "{unit}", "same"),
                    Output("{group_by}", kind="categorical"),
                    Output("{group_by_second}", kind="categorical"),
                    Output("N_ROWS"),
                ),
                rows="new",
            ),
        ),
        nan="pass",
    ),
    Node(
        name="arg_group_stat",
        title="ArgGroupStat",
        group="Math",
        params=ArgGroupStatParams,
        compute=arg_group_stat,
        results=(Result(rows="fewer"),),
        nan="ignore",
        picks=True,
    ),
)
