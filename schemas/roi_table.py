"""The table of all ROIs of samples: what may be asked of it, and the rows that fulfil it."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import datajoint as dj
import pandas as pd

from pipeline.filters import All, Column, Columns, Filter, Kind, parse_filter
from schemas.connection import Database
from schemas.custom_columns import default_of, value_of
from schemas.filter_sql import Source, restriction, sql_literal
from schemas.labels import CUSTOM_COLUMN, STIMULUS_TYPE, labelled_rows

KEY = ("animal_id", "session", "trial", "segmentation_id", "roi_id")
"""What names a ROI."""

RECORDING = KEY[:3]
OWN: Mapping[str, tuple[Kind, str]] = {
    "sample_id": ("text", "AnimalID-_-TrialID"),
    "animal_id": ("text", "the animal"),
    "session": ("text", "the day, with a letter where it has several"),
    "trial": ("text", "the recording of the session"),
    "session_date": ("date", "the day"),
    "species": ("text", "of the animal"),
    "genotype": ("text", "of the animal"),
    "sex": ("text", "of the animal: female, male or unknown"),
    "comments": ("text", "of the sample"),
    "roi_id": ("number", "number of the ROI in its segmentation"),
    "accepted": ("flag", "whether the ROI is taken for a cell"),
    "reason": ("text", "why it was rejected"),
    "area_px": ("number", "pixels of the footprint"),
    "snr": ("number", "highest transient over noise"),
    "rval": ("number", "correlation of footprint and active frames, -1 to 1"),
    "solidity": ("number", "area over that of the convex hull, 0 to 1"),
    "noise": ("number", "of the trace, in grey levels"),
    "baseline": ("number", "of the trace, in grey levels"),
    "decay_time_s": ("number", "of the transients, in seconds"),
    "rise_time_s": ("number", "of the transients, in seconds"),
    "centroid_row_px": ("number", "place of the centre, down"),
    "centroid_col_px": ("number", "place of the centre, to the right"),
    "centroid_plane_px": ("number", "plane of the centre, of a volume"),
}
"""The columns that every project has."""

WHOLE = ("roi_id", "area_px")
CUSTOM, STIMULUS = "custom.", "stimulus."
TYPES = {"str": "str", "int": "Int64", "float": "float64", "bool": "boolean"}
KINDS: Mapping[str, Kind] = {"str": "text", "int": "number", "float": "number", "bool": "flag"}


class RoiTable(NamedTuple):
    """What the table of ROIs of a project consists of at a moment."""

    database: Database
    """The connected tables."""

    columns: Columns
    """What may be asked for."""

    sources: Mapping[str, Source]
    """Where the server finds it."""

    query: Any
    """All ROIs of samples, with the columns of `OWN`."""

    def parse(self, text: str) -> Filter:
        """Read a filter of these columns; see `pipeline.filters.parse_filter`."""
        return parse_filter(text, self.columns)

    def chosen(self, tree: Filter) -> Any:
        """Return the query of the ROIs that a filter chooses."""
        if tree == All():
            return self.query
        backend = self.database.connection.adapter.backend
        return self.query & restriction(tree, self.sources, backend)


class Count(NamedTuple):
    """How much was found."""

    rois: int
    samples: int
    animals: int


class Page(NamedTuple):
    """Which of the rows that were found."""

    limit: int | None = None
    """How many; None: all."""

    offset: int = 0
    """How many come before."""

    order_by: str = ""
    """A column of `OWN`; empty: by sample and ROI."""

    descending: bool = False
    """Whether the largest comes first; rows without a value come last in any case."""


EVERY = Page()


def roi_table(database: Database) -> RoiTable:
    """Return the table of ROIs of a project, with what people have added to it until now.

    Parameters
    ----------
    database : Database
        The connected tables.
    """
    found = {**_own_columns(database), **_custom_columns(database), **_stimuli(database)}
    columns = Columns(column for column, _ in found.values())
    sources = {name: source for name, (_, source) in found.items()}
    return RoiTable(database, columns, sources, _query(database))


def count_rois(table: RoiTable, query: Any) -> Count:
    """Count the ROIs of a query, their samples and their animals.

    Parameters
    ----------
    table : RoiTable
        Where it is from.
    query : query
        From `RoiTable.chosen`, perhaps restricted further.
    """
    quote = database_quote(table.database)
    names = [f"COUNT(DISTINCT {quote(name)})" for name in ("sample_id", "animal_id")]
    inner = query.make_sql([*KEY, "sample_id"])
    statement = f"SELECT COUNT(*), {', '.join(names)} FROM ({inner}) AS found"
    (row,) = table.database.connection.query(statement).fetchall()
    return Count(*map(int, row))


def fetch_rois(table: RoiTable, query: Any, page: Page = EVERY) -> pd.DataFrame:
    """Return the rows of a query with all columns.

    Parameters
    ----------
    table : RoiTable
        Where it is from.
    query : query
        From `RoiTable.chosen`, perhaps restricted further.
    page : Page
        Which of the rows.

    Returns
    -------
    DataFrame
        A column of each full name, first those of `OWN`, and ``segmentation_id``.
    """
    names = [*OWN, "segmentation_id"]
    quote = database_quote(table.database)
    order = [quote(name) for name in KEY]
    if page.order_by:
        wanted = quote(page.order_by)
        order = [f"{wanted} IS NULL", f"{wanted}{' DESC' * page.descending}", *order]
    statement = (
        f"SELECT {', '.join(map(quote, names))} FROM ({query.make_sql(names)}) AS found"
        f" ORDER BY {', '.join(order)}"
    )
    if page.limit is not None:
        statement += f" LIMIT {page.limit:d} OFFSET {page.offset:d}"
    rows = table.database.connection.query(statement).fetchall()
    found = pd.DataFrame(list(rows), columns=names).astype(_types())
    found["session_date"] = pd.to_datetime(found["session_date"])
    return _with_stimuli(table, _with_custom(table, found))


def database_quote(database: Database) -> Any:
    """Return what quotes the name of a column for the server."""
    return database.connection.adapter.quote_identifier


def _types() -> dict[str, Any]:
    """Return the types of the columns in a table of pandas."""
    types: dict[str, Any] = {name: float for name, (kind, _) in OWN.items() if kind == "number"}
    return types | dict.fromkeys(WHOLE, int) | {"accepted": bool}


def _query(database: Database) -> Any:
    """Return the query of all ROIs of samples."""
    of_roi = [name for name in OWN if name in database.roi.Segmentation.Roi().heading.names]
    about = database.animal.Animal.proj("species", "genotype", "sex")
    about = about * database.session.Session.proj("session_date")
    samples = about * database.sample.Sample.proj("sample_id", "segmentation_id", "comments")
    return samples * database.roi.Segmentation.Roi.proj(*[n for n in of_roi if n not in KEY])


def _own_columns(database: Database) -> dict[str, tuple[Column, Source]]:
    """Return the columns that every project has."""
    quote = database_quote(database)
    heading = database.roi.Segmentation.Roi().heading
    found = {}
    for name, (kind, words) in OWN.items():
        is_enum = name == "sex" and database.connection.adapter.backend == "postgresql"
        value = f"CAST({quote(name)} AS TEXT)" if is_enum else quote(name)
        is_float32 = kind == "number" and name not in WHOLE and name in heading.names
        source = Source(kind, value, is_float32=is_float32)
        found[name] = (Column(name, kind, words), source)
    return found


def _custom_columns(database: Database) -> dict[str, tuple[Column, Source]]:
    """Return the custom columns of samples."""
    quote, backend = database_quote(database), database.connection.adapter.backend
    found = {}
    for row in labelled_rows(database, CUSTOM_COLUMN):
        kind, name = KINDS[row["kind"]], f"{CUSTOM}{row['label']}"
        default = default_of(row)
        source = Source(
            kind,
            quote(f"{row['kind']}_value"),
            rows=database.sample.SampleValue() & _only(row, "custom_column_id"),
            default="" if default is None else sql_literal(default, backend),
        )
        found[name] = (Column(name, kind, "of the sample"), source)
    return found


def _stimuli(database: Database) -> dict[str, tuple[Column, Source]]:
    """Return a column for each stimulus type: the names of its stimuli in the recording."""
    quote = database_quote(database)
    found = {}
    for row in labelled_rows(database, STIMULUS_TYPE):
        name = f"{STIMULUS}{row['label']}"
        rows = _newest_periods(database) & _only(row, "stimulus_type_id")
        source = Source("list", quote("name"), rows=rows)
        found[name] = (Column(name, "list", "stimuli in the recording"), source)
    return found


def _newest_periods(database: Database) -> Any:
    """Return the query of the stimulus periods that count."""
    maps = database.stimulus.StimulusMap
    newest = dj.U(*RECORDING, "stimulus_type_id").aggr(maps(), version="MAX(version)")
    # the largest version is a number of no lineage
    return maps.Period.proj("name").restrict(newest, semantic_check=False)


def _only(row: Mapping[str, Any], name: str) -> dict[str, Any]:
    """Return a part of a row."""
    return {name: row[name]}


def _with_custom(table: RoiTable, found: pd.DataFrame) -> pd.DataFrame:
    """Add the values of the custom columns."""
    database = table.database
    by_number = {row["custom_column_id"]: row for row in labelled_rows(database, CUSTOM_COLUMN)}
    values = {
        (*(row[name] for name in RECORDING), row["custom_column_id"]): value_of(
            row, by_number[row["custom_column_id"]]["kind"]
        )
        for row in database.sample.SampleValue().to_dicts()
        if row["custom_column_id"] in by_number
    }
    keys = _recordings(found)
    for number, row in by_number.items():
        held = [values.get((*key, number), default_of(row)) for key in keys]
        found[f"{CUSTOM}{row['label']}"] = pd.Series(held, found.index, dtype=TYPES[row["kind"]])
    return found


def _with_stimuli(table: RoiTable, found: pd.DataFrame) -> pd.DataFrame:
    """Add the names of the stimuli of each type."""
    database = table.database
    types = {
        row["stimulus_type_id"]: row["label"] for row in labelled_rows(database, STIMULUS_TYPE)
    }
    names: dict[Any, list[str]] = {}
    for row in _newest_periods(database).to_dicts() if types else ():
        key = (*(row[name] for name in RECORDING), row["stimulus_type_id"])
        names.setdefault(key, []).append(row["name"])
    sets = {key: sorted(set(held)) for key, held in names.items()}
    keys = _recordings(found)
    return found.assign(
        **{
            f"{STIMULUS}{label}": [sets.get((*k, n), []) for k in keys]
            for n, label in types.items()
        }
    )


def _recordings(found: pd.DataFrame) -> list[tuple[str, ...]]:
    """Return the recording of each row."""
    return list(found[list(RECORDING)].itertuples(index=False, name=None))
