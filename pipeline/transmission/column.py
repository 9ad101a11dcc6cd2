"""What a column of a table is: its kind, its unit, and where its samples lie."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pipeline.checks import check_one_of

KINDS = ("numeric", "categorical", "identifier")
AXES = ("time", "frequency", "packed", "lag", "event", "item", "component")
"""What the samples of an array follow: seconds, Hz, Hz in the packed layout of a real spectrum,
seconds between two traces, events of a trace, things with names, dimensions of a space."""

Rows = slice | NDArray[np.integer] | NDArray[np.bool_]
"""A choice of rows."""


class ColumnInfo(NamedTuple):
    """What is known of a column without its values."""

    kind: str = "numeric"
    """``numeric``, ``categorical`` or ``identifier``."""

    unit: str = ""
    """Of the values, as ``s`` or ``1/min``; "": none, or not known."""

    axis: str | None = None
    """What the samples of its arrays follow, one of `AXES`; None: one value a row."""


@dataclass(frozen=True, kw_only=True, eq=False)
class ArrayColumn:
    """An array for each row: one after the other in memory, of equal or unequal lengths.

    An empty array stands for one that is missing.
    """

    values: NDArray[Any]
    """All arrays one after the other; read-only."""

    offsets: NDArray[np.int64]
    """Where each array begins, and where the last one ends, ``(n_rows + 1,)``."""

    rate: NDArray[np.float64]
    """Samples per unit of the axis, of each row: for time, the sampling rate in Hz; NaN: none."""

    start: NDArray[np.float64]
    """Where the first sample of each row lies on the axis: for time, in seconds."""

    info: ColumnInfo
    """Kind, unit and axis."""

    def __post_init__(self) -> None:
        check_one_of("the axis", str(self.info.axis), AXES)
        check_one_of("the kind", self.info.kind, KINDS)
        for name in ("values", "offsets", "rate", "start"):
            view = getattr(self, name).view()
            view.flags.writeable = False
            object.__setattr__(self, name, view)

    @classmethod
    def of(
        cls,
        rows: Sequence[ArrayLike | None] | NDArray[Any],
        info: ColumnInfo,
        *,
        rate: ArrayLike = np.nan,
        start: ArrayLike = 0.0,
    ) -> "ArrayColumn":
        """Return a column of some arrays.

        Parameters
        ----------
        rows : array (n_rows, n_samples), or sequence of 1-D arrays
            None in a sequence stands for a missing array.
        info : ColumnInfo
            With an axis.
        rate, start : float or array, (n_rows,)
            Samples per unit of the axis, and the place of the first sample.
        """
        if isinstance(rows, np.ndarray) and rows.ndim == 2:  # noqa: PLR2004
            values, lengths = rows.reshape(-1), np.full(len(rows), rows.shape[1])
        else:
            arrays = [np.asarray([] if row is None else row) for row in rows]
            if any(array.ndim != 1 for array in arrays):
                raise ValueError("each row of an array column must be a 1-D array.")
            filled = [array for array in arrays if array.size]
            values = np.concatenate(filled) if filled else np.empty(0)
            lengths = np.array([array.size for array in arrays], np.int64)
        return cls.flat(values, lengths, info, rate=rate, start=start)

    @classmethod
    def flat(
        cls,
        values: NDArray[Any],
        lengths: NDArray[np.integer],
        info: ColumnInfo,
        *,
        rate: ArrayLike = np.nan,
        start: ArrayLike = 0.0,
    ) -> "ArrayColumn":
        """Return a column of arrays that lie one after the other already.

        Parameters
        ----------
        values : array, (n_samples in all,)
            Is not copied.
        lengths : array, (n_rows,)
            Of the arrays.
        info : ColumnInfo
            With an axis.
        rate, start : float or array, (n_rows,)
            Samples per unit of the axis, and the place of the first sample.
        """
        offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
        if offsets[-1] != values.size:
            raise ValueError(f"the lengths add up to {offsets[-1]} samples; got {values.size}.")
        rates, starts = (
            np.array(np.broadcast_to(np.asarray(given, np.float64), (len(lengths),)))
            for given in (rate, start)
        )
        return cls(values=values, offsets=offsets, rate=rates, start=starts, info=info)

    @property
    def n_rows(self) -> int:
        """How many arrays there are."""
        return len(self.offsets) - 1

    @property
    def lengths(self) -> NDArray[np.int64]:
        """Samples of each array."""
        return np.diff(self.offsets)

    @property
    def rate_hz(self) -> NDArray[np.float64]:
        """Sampling rate of each row; refused where the axis is not time."""
        self._only("time")
        return self.rate

    @property
    def start_s(self) -> NDArray[np.float64]:
        """Time of the first sample of each row, in seconds; refused where the axis is not time."""
        self._only("time")
        return self.start

    def row(self, index: int) -> NDArray[Any]:
        """Return one array."""
        return self.values[self.offsets[index] : self.offsets[index + 1]]

    def rows(self) -> list[NDArray[Any]]:
        """Return all arrays, as views."""
        return np.split(self.values, self.offsets[1:-1])[: self.n_rows]

    def positions(self, index: int) -> NDArray[np.float64]:
        """Return where the samples of one array lie on the axis: seconds, Hz, or numbers."""
        steps = np.arange(self.offsets[index + 1] - self.offsets[index], dtype=np.float64)
        if self.info.axis == "packed":  # real and imaginary part lie at one frequency
            steps = np.ceil(steps / 2)
        rate = self.rate[index]
        places = self.start[index] + (steps if np.isnan(rate) else steps / rate)
        return np.asarray(places, np.float64)

    def stacked(self) -> NDArray[Any]:
        """Return all arrays as one, ``(n_rows, n_samples)``, without a copy.

        Raises
        ------
        ValueError
            If the lengths differ.
        """
        lengths = self.lengths
        if self.n_rows and np.ptp(lengths):
            common = np.bincount(lengths).argmax()
            odd = int(np.flatnonzero(lengths != common)[0])
            raise ValueError(
                f"all arrays must have one length; most have {common} samples, the one in row {odd}"
                f" has {lengths[odd]} (0: missing). Drop such rows, cut or pad the arrays first."
            )
        return self.values.reshape(self.n_rows, -1 if self.n_rows else 0)

    def take(self, rows: Rows) -> "ArrayColumn":
        """Return the column with some of its rows; a slice is a view."""
        index = np.arange(self.n_rows)[rows]
        lengths = self.lengths[index]
        if isinstance(rows, slice) and rows.step in (None, 1):
            first = self.offsets[index[0]] if index.size else 0
            values = self.values[first : first + lengths.sum()]
        elif not self.n_rows or not np.ptp(self.lengths):
            values = self.stacked()[index].reshape(-1)
        else:
            begin = np.repeat(self.offsets[index] - np.cumsum(lengths) + lengths, lengths)
            values = self.values[begin + np.arange(lengths.sum())]
        return ArrayColumn.flat(
            values, lengths, self.info, rate=self.rate[index], start=self.start[index]
        )

    def cut(
        self,
        rows: NDArray[np.integer],
        first: NDArray[np.integer],
        stop: NDArray[np.integer],
        *,
        fill: bool = False,
    ) -> "ArrayColumn":
        """Return a part of the array of each given row; a row may come several times.

        Parameters
        ----------
        rows : array, (n_parts,)
            Which row each part is of.
        first, stop : array, (n_parts,)
            Samples ``[first, stop)``.
        fill : bool
            Whether what lies outside of the array is NaN, in place of being left out.
        """
        if fill:
            return self._filled(rows, first, stop)
        first = np.clip(first, 0, self.lengths[rows])
        lengths = np.maximum(np.minimum(stop, self.lengths[rows]) - first, 0)
        begin = self.offsets[rows] + first - np.cumsum(lengths) + lengths
        values = self.values[np.repeat(begin, lengths) + np.arange(lengths.sum())]
        rate = self.rate[rows]
        start = self.start[rows] + first / np.where(np.isnan(rate), 1.0, rate)
        return ArrayColumn.flat(values, lengths, self.info, rate=rate, start=start)

    def _filled(
        self, rows: NDArray[np.integer], first: NDArray[np.integer], stop: NDArray[np.integer]
    ) -> "ArrayColumn":
        """Return parts of arrays, NaN where they reach beyond them."""
        inside = self.cut(rows, first, stop)
        lengths = np.maximum(stop - first, 0)
        begin = np.cumsum(lengths) - lengths + np.maximum(-first, 0)
        kind = np.float32 if self.values.dtype == np.float32 else np.float64
        values = np.full(lengths.sum(), np.nan, kind)
        kept = inside.lengths
        values[np.repeat(begin - np.cumsum(kept) + kept, kept) + np.arange(kept.sum())] = (
            inside.values
        )
        rate = self.rate[rows]
        start = self.start[rows] + first / np.where(np.isnan(rate), 1.0, rate)
        return ArrayColumn.flat(values, lengths, self.info, rate=rate, start=start)

    def described(self, **changes: Any) -> "ArrayColumn":
        """Return the column with another kind, unit or axis."""
        return replace(self, info=self.info._replace(**changes))

    def _only(self, axis: str) -> None:
        """Refuse a question that belongs to another axis."""
        if self.info.axis != axis:
            raise ValueError(f"these arrays lie along {self.info.axis}, not along {axis}.")


def join_arrays(columns: Sequence[ArrayColumn]) -> ArrayColumn:
    """Return the rows of several columns below each other.

    Parameters
    ----------
    columns : sequence of ArrayColumn
        With one kind, unit and axis; at least one.
    """
    if len(columns) == 1:
        return columns[0]
    return ArrayColumn.flat(
        np.concatenate(
            [column.values for column in columns if column.values.size] or [np.empty(0)]
        ),
        np.concatenate([column.lengths for column in columns]),
        columns[0].info,
        rate=np.concatenate([column.rate for column in columns]),
        start=np.concatenate([column.start for column in columns]),
    )
