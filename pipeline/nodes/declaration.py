"""What a node says of itself: ports, parameters, the columns that it needs and makes."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, NamedTuple

from pipeline.checks import check_in_range, check_one_of
from pipeline.transmission import ColumnInfo, Transmission

GROUPS = (
    "Data", "Signal", "Math", "Biology", "Clustering", "Hierarchical", "Transform", "Neighbours",
    "Statistics",
)  # fmt: skip
ROWS = ("same", "fewer", "more", "new")
NAN_RULES = ("mark", "pass", "ignore", "refuse")
DATA = "data"


class ColumnNeed(NamedTuple):
    """What a column must be that a parameter names."""

    axes: tuple[str | None, ...] | None = ("time",)
    """Allowed axes of its arrays, None among them: one value a row; None: any column."""

    kinds: tuple[str, ...] = ("numeric",)
    """Allowed kinds."""

    port: str = DATA
    """The input whose column it is."""

    optional: bool = False
    """Whether "" means no column; otherwise it means the last output."""


@dataclass(frozen=True, kw_only=True)
class Port:
    """An input of a node."""

    name: str = DATA
    """What it is called."""

    holds: str = "rows"
    """What comes in: ``rows`` of any kind, or what only some nodes make, as ``linkage``."""

    needs: tuple[str, ...] = ()
    """Columns that must be there."""

    many: bool = False
    """Whether several tables may come in."""

    optional: bool = False
    """Whether nothing may come in."""


class Output(NamedTuple):
    """A column that a node makes.

    Words in braces are replaced by parameters, and a name that comes out empty is not made.
    ``{unit}`` is the unit of the column that the parameter ``data_column`` names.
    """

    name: str
    """As ``_BUTTERWORTH``."""

    unit: str = ""
    """Of its values."""

    axis: str | None = None
    """What its arrays follow; None: one value a row; ``same``: what the data column follows."""

    kind: str = "numeric"
    """``numeric``, ``categorical`` or ``identifier``; ``same``: that of the data column."""


class Result(NamedTuple):
    """A table that a node makes."""

    name: str = "out"
    """Of the port where it leaves."""

    columns: tuple[Output, ...] = ()
    """Columns that are made."""

    holds: str = "rows"
    """What leaves, see `Port.holds`."""

    rows: str = "same"
    """Whether the rows of the first input stay the ``same``, or are ``fewer``, ``more`` (a row
    several times), or others that are ``new``."""


Compute = Callable[..., Any]


@dataclass(frozen=True, kw_only=True)
class Node:
    """A step of an analysis: a function and what there is to know of it."""

    name: str
    """As flowcharts and histories call it."""

    title: str
    """As people know it."""

    group: str
    """One of `GROUPS`."""

    params: type[Any]
    """Its settings, a frozen dataclass."""

    compute: Compute
    """``compute(params, **inputs)`` is given tables, and returns a `Transmission`, or one for each
    result by name; where ``on_traces``, it is ``compute(traces, *, rate_hz, params)``, see
    `pipeline.nodes.rowwise.compute_rows`."""

    ports: tuple[Port, ...] = (Port(),)
    """Its inputs; the rows of the first go on."""

    results: tuple[Result, ...] = (Result(),)
    """What it makes."""

    on_traces: bool = False
    """Whether it computes each trace by itself, and so is given arrays in place of tables."""

    by_row: bool = False
    """Whether each row is computed from itself alone, so that blocks of rows give the same."""

    nan: str = "mark"
    """What values do that are NaN or infinite: ``mark`` makes the result of that row NaN or empty,
    ``pass`` keeps them where they are, ``ignore`` computes from the others, ``refuse`` is an
    error."""

    min_samples: Callable[[Any], int] | int = 1
    """Samples that a trace must have; where it is shorter, the result is NaN or empty."""

    version: int = 1
    """Another number means other results."""

    fingerprint: Callable[[Any], str] | None = None
    """For a node that reads a file: a checksum of what it reads."""

    opens: Callable[[Any], "Schema"] | None = None
    """For a node that reads a file: what is known of the table in it."""

    leaves: Callable[[Any, Mapping[str, ColumnInfo]], Mapping[str, ColumnInfo]] | None = None
    """For a node that drops columns: which are left."""

    adds: Callable[[Any, Mapping[str, Sequence["Schema"]]], Mapping[str, ColumnInfo]] | None = None
    """For a node that passes on columns of other inputs: which, given what comes in by port."""

    drops_by_value: bool = False
    """Whether columns may be missing for what is in them, which nobody knows before."""

    picks: bool = False
    """Whether it passes on a choice of what comes in: all columns concern it, and the last output
    stays the last output."""

    keeps_last_output: bool = False
    """Whether the last output stays the last output, though columns are made."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "keeps_last_output", self.keeps_last_output or self.picks)
        object.__setattr__(self, "by_row", self.by_row or self.on_traces)
        check_one_of("the group", self.group, GROUPS)
        check_one_of("the rule for NaN", self.nan, NAN_RULES)
        for result in self.results:
            check_one_of("the rows", result.rows, ROWS)


class Schema(NamedTuple):
    """What is known of a table before it is there."""

    columns: dict[str, ColumnInfo]
    """By name."""

    last_output: str | None = None
    """The column that was made last."""

    holds: str = "rows"
    """See `Port.holds`."""


def schema_of(table: Transmission) -> Schema:
    """Return what is known of a table.

    Parameters
    ----------
    table : Transmission
        A table.
    """
    return Schema(table.columns(), table.last_output, table.holds)


def column(
    *axes: str | None, kinds: tuple[str, ...] = ("numeric",), default: str = "", **options: Any
) -> Any:
    """Return a field of parameters that names a column.

    ``axes`` are what its arrays may follow, None among them one value a row; without any, every
    column will do. ``kinds`` is what it may be, ``options`` are the others of `ColumnNeed`. The
    default "" means the last output, or none where the column is optional.
    """
    return field(default=default, metadata={"column": ColumnNeed(axes or None, kinds, **options)})


def columns(*axes: str | None, kinds: tuple[str, ...] = ("numeric",), **options: Any) -> Any:
    """Return a field of parameters that names several columns, as a tuple; see `column`."""
    return field(default=(), metadata={"column": ColumnNeed(axes or None, kinds, **options)})


def number(default: float | None, low: float, high: float) -> Any:
    """Return a field of parameters that is a number between limits.

    Parameters
    ----------
    default : float or None
        None: it may be None.
    low, high : float
        The limits, both allowed.
    """
    return field(default=default, metadata={"range": (low, high), "optional": default is None})


def whole(default: int | None, low: int, high: int) -> Any:
    """Return a field for whole numbers, with ``default``, ``low`` and ``high`` as in `number`."""
    limits = {"range": (low, high), "whole": True, "optional": default is None}
    return field(default=default, metadata=limits)


def choice(default: str, allowed: tuple[str, ...]) -> Any:
    """Return a field of parameters that is one of the ``allowed`` words, as ``default`` is."""
    return field(default=default, metadata={"choices": allowed})


def path(use: str) -> Any:
    """Return a field of parameters that names a file; who lets others run nodes must check it.

    Parameters
    ----------
    use : str
        ``read`` or ``write``.
    """
    return field(default="", metadata={"path": use})


def check_fields(params: Any) -> None:
    """Refuse values that the fields of some parameters do not allow.

    Parameters
    ----------
    params : dataclass instance
        With fields made by `column`, `number`, `whole` and `choice`.

    Raises
    ------
    ValueError
        If a value is out of its range, no whole number, or none of the words.
    TypeError
        If a value is no number where there must be one.
    """
    for one in fields(params):
        value, meta = getattr(params, one.name), one.metadata
        if "choices" in meta:
            check_one_of(one.name, value, meta["choices"])
        elif "range" in meta and not (value is None and meta["optional"]):
            _check_number(one.name, value, meta)
        elif isinstance(one.default, bool) and not isinstance(value, bool):
            raise ValueError(f"{one.name} must be true or false; got {value!r}.")
        elif "column" in meta:
            _check_names(one.name, value, several=one.default == ())


def _check_number(name: str, value: Any, meta: Mapping[str, Any]) -> None:
    """Refuse what is no number between the limits."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"{name} must be a number; got {value!r}.")
    check_in_range(name, value, *meta["range"])
    if meta.get("whole") and value != int(value):
        raise ValueError(f"{name} must be a whole number; got {value!r}.")


def _check_names(name: str, value: Any, *, several: bool) -> None:
    """Refuse what is no name of a column, or no tuple of such."""
    names = value if several else (value,)
    if not isinstance(names, tuple) or not all(isinstance(one, str) for one in names):
        what = "names of columns" if several else "the name of a column"
        raise ValueError(f"{name} must be {what}; got {value!r}.")
