"""Statistics: how the values of one column are divided among those of another."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from pipeline.nodes.declaration import Node, Output, Result, check_fields, column
from pipeline.nodes.grouping import LABEL, groups
from pipeline.nodes.registry import register
from pipeline.transmission import ROW_ID, ColumnInfo, Transmission

NORMAL_95 = 1.959963984540054


@dataclass(frozen=True, kw_only=True)
class ProportionsParams:
    """Settings of the proportions."""

    x_column: str = column(None, kinds=LABEL)
    """Each value of it is a whole, as a cell type."""

    y_column: str = column(None, kinds=LABEL)
    """Its values are the parts, as a cluster."""

    per_column: str = column(None, kinds=LABEL, optional=True)
    """Counts apart for each value of it, as for each animal; "": all rows together."""

    def __post_init__(self) -> None:
        check_fields(self)
        if self.x_column and self.x_column == self.y_column:
            raise ValueError(f"x_column and y_column must differ; got {self.x_column!r} twice.")


def proportions(params: ProportionsParams, *, data: Transmission) -> Transmission:
    """Return a row for each pair of values that occurs: its number, and its part of the x value.

    Parameters
    ----------
    params : ProportionsParams
        Settings.
    data : Transmission
        Rows of which a value is missing are left out.

    Notes
    -----
    ``_LOW`` and ``_HIGH`` bound the part with 95 % confidence (Wilson), rows taken as independent.
    ``_P`` is the probability that the parts differ so much between x values by chance (chi square);
    it is NaN where there are fewer than 2 of either, and little is worth where numbers are small.

    References
    ----------
    Wilson 1927, https://doi.org/10.1080/01621459.1927.10502953
    """
    names = [name for name in (params.per_column, params.x_column, params.y_column) if name]
    counted = [(key, len(rows)) for key, rows in groups(data, names)]
    whole: dict[tuple[Any, ...], int] = {}
    for key, count in counted:
        whole[key[:-1]] = whole.get(key[:-1], 0) + count
    counts = np.array([count for _, count in counted], np.int64)
    totals = np.array([whole[key[:-1]] for key, _ in counted], np.int64)
    chance = {key[:-2]: _chance(counted, key[:-2]) for key, _ in counted}
    low, high = wilson(counts, totals)
    percent = ColumnInfo("numeric", "%")
    scalars: dict[str, tuple[Any, ColumnInfo]] = {
        ROW_ID: (
            np.array(["/".join(map(str, key)) for key, _ in counted], object),
            ColumnInfo("identifier"),
        )
    }
    for place, name in enumerate(names):
        values = np.array([key[place] for key, _ in counted], object)
        scalars[name] = (values, ColumnInfo("categorical"))
    scalars |= {
        "_COUNT": (counts, ColumnInfo()),
        "_PERCENT": (100 * counts / np.maximum(totals, 1), percent),
        "_LOW": (100 * low, percent),
        "_HIGH": (100 * high, percent),
        "_P": (np.array([chance[key[:-2]] for key, _ in counted], np.float64), ColumnInfo()),
    }
    return data.derived(scalars=scalars)


def wilson(
    counts: NDArray[np.int64], totals: NDArray[np.int64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the bounds of parts of a whole with 95 % confidence.

    Parameters
    ----------
    counts, totals : array, (n,)
        Part and whole.
    """
    n = np.maximum(totals, 1).astype(np.float64)
    part, z2 = counts / n, NORMAL_95**2
    middle = (part + z2 / (2 * n)) / (1 + z2 / n)
    half = NORMAL_95 / (1 + z2 / n) * np.sqrt(part * (1 - part) / n + z2 / (4 * n**2))
    return np.clip(middle - half, 0, 1), np.clip(middle + half, 0, 1)


def _chance(counted: list[tuple[tuple[Any, ...], int]], per: tuple[Any, ...]) -> float:
    """Return the probability of such a table where x and y have nothing to do with each other."""
    mine = {key[-2:]: count for key, count in counted if key[:-2] == per}
    xs, ys = (sorted({key[place] for key in mine}) for place in range(2))
    if len(xs) < 2 or len(ys) < 2:  # noqa: PLR2004
        return np.nan
    table = np.array([[mine.get((x, y), 0) for y in ys] for x in xs])
    return float(stats.chi2_contingency(table).pvalue)


register(
    Node(
        name="proportions",
        title="Proportions",
        group="Statistics",
        params=ProportionsParams,
        compute=proportions,
        results=(
            Result(
                columns=(
                    Output("_PERCENT", "%"),
                    Output("_LOW", "%"),
                    Output("_HIGH", "%"),
                    Output("_COUNT"),
                    Output("_P"),
                    Output("{per_column}", kind="categorical"),
                    Output("{x_column}", kind="categorical"),
                    Output("{y_column}", kind="categorical"),
                ),
                rows="new",
            ),
        ),
        nan="ignore",
    ),
)
