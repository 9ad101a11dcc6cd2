"""The table of all ROIs of samples: filtered by the server, counted, and fetched."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import datajoint as dj
import pandas as pd

from pipeline.filters import All, Columns, Filter, parse_filter
from schemas.added_columns import with_custom, with_stimuli, with_tags, with_verdicts
from schemas.connection import Database
from schemas.filter_sql import Source, restriction
from schemas.numbered_rows import OF_ROI, appended, numbered_samples
from schemas.roi_columns import OWN, WHOLE, quoting, roi_columns
from schemas.roi_index import read_by_index
from schemas.roi_states import RECORDING, ROI

COMMENTS = "comments"
SAMPLE = ("sample_id", *RECORDING, "session_date", "segmentation_id", COMMENTS)
"""What is told of a sample in a line."""

MOST_SAMPLES = 10**9


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
        return appended(self.query, restriction(tree, self.sources, backend))


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
    """A column of `OWN` as it was computed; empty: by sample and ROI."""

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
    found = list(roi_columns(database))
    sources = {column.name: source for column, source in found}
    return RoiTable(database, Columns(f.column for f in found), sources, _query(database))


def count_rois(table: RoiTable, query: Any) -> Count:
    """Count the ROIs of a query, their samples and their animals.

    Parameters
    ----------
    table : RoiTable
        Where it is from.
    query : query
        From `RoiTable.chosen`, perhaps restricted further.
    """
    statement = (
        "SELECT COALESCE(SUM(n), 0), COUNT(*), COUNT(DISTINCT animal_id) FROM "
        f"{_counted(query)} JOIN {_told(table)} USING (sample_no)"
    )
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
    names = [*(name for name in OWN if name != "state"), "segmentation_id"]
    statement = _page_statement(table, query, page, names)
    rows = table.database.connection.query(statement).fetchall()
    found = pd.DataFrame(list(rows), columns=names).astype(_types())
    found["session_date"] = pd.to_datetime(found["session_date"])
    for add in (with_verdicts, with_custom, with_tags, with_stimuli):
        found = add(table.database, found)
    return found


def _page_statement(table: RoiTable, query: Any, page: Page, names: Sequence[str]) -> str:
    """Return SQL of a page: which ROIs are on it is found first, then their rows are read."""
    quote, wanted = quoting(table.database), page.order_by
    chosen = query.make_sql(list(dict.fromkeys([*OF_ROI, *filter(None, [wanted])])))
    found = [*OF_ROI, *([f"{quote(wanted)} AS order_value"] if wanted else [])]
    limit = "" if page.limit is None else f" LIMIT {page.limit:d} OFFSET {page.offset:d}"
    rois = table.database.roi.Segmentation.Roi().full_table_name
    return (
        f"SELECT {', '.join(map(quote, names))} FROM (SELECT {', '.join(found)} "
        f"FROM ({chosen}) AS found{_ordered(page, quote(wanted))}{limit}) AS page "
        f"JOIN {_told(table)} USING (sample_no) JOIN {rois} USING ({', '.join(map(quote, ROI))})"
        f"{_ordered(page, 'order_value')}"
    )


def _counted(query: Any) -> str:
    """Return SQL of how many ROIs of each sample a query has."""
    return (
        f"(SELECT sample_no, COUNT(*) AS n FROM ({query.make_sql(['sample_no'])}) AS found "
        "GROUP BY sample_no) AS counted"
    )


def _told(table: RoiTable) -> str:
    """Return SQL of what is told of all samples: their texts are joined after ROIs are chosen."""
    return f"({_samples(table.database).make_sql()}) AS samples"


def _ordered(page: Page, value: str) -> str:
    """Return SQL that puts rows in the order of a page, by a value or by sample and ROI alone."""
    by = f"{value} IS NULL, {value}{' DESC' * page.descending}, " if page.order_by else ""
    return f" ORDER BY {by}sample_no, roi_id"


def fetch_samples(table: RoiTable, query: Any) -> pd.DataFrame:
    """Return the samples of the ROIs of a query.

    Parameters
    ----------
    table : RoiTable
        Where it is from.
    query : query
        From `RoiTable.chosen`, perhaps restricted further.

    Returns
    -------
    DataFrame
        `SAMPLE`, ``n_rois`` of the query, the ``version`` of the sample, and the columns that
        people have added.
    """
    names = ", ".join(map(quoting(table.database), SAMPLE))
    statement = (
        f"SELECT {names}, n FROM {_counted(query)} JOIN {_told(table)} USING (sample_no) ORDER BY 1"
    )
    rows = table.database.connection.query(statement).fetchall()
    found = pd.DataFrame(list(rows), columns=[*SAMPLE, "n_rois"])
    versions = table.database.sample.Sample.proj("sample_id", "version").to_dicts()
    by_sample = {row["sample_id"]: row["version"] for row in versions}
    found["version"] = found["sample_id"].map(by_sample)
    found["session_date"] = pd.to_datetime(found["session_date"])
    return with_stimuli(table.database, with_custom(table.database, found))


def values_of(table: RoiTable, name: str, limit: int) -> list[str]:
    """Return texts that a column holds, the most frequent first.

    Parameters
    ----------
    table : RoiTable
        The table of all ROIs.
    name : str
        Full name of a column of texts or of lists.
    limit : int
        How many at most.
    """
    source, found = table.sources[name], []
    if source.rows is not None:
        found += _frequent(table, source.rows, source.value, limit)
    if source.rows is None or name in OWN:
        found += _frequent(table, table.query, source.default or source.value, limit)
    return list(dict.fromkeys(found))[:limit]


def _frequent(table: RoiTable, query: Any, value: str, limit: int) -> list[str]:
    """Return the texts of a query that are most frequent; to the server, letters must differ."""
    if table.database.connection.adapter.backend == "mysql":
        value = f"CONVERT({value} USING utf8mb4) COLLATE utf8mb4_0900_bin"
    statement = (
        f"SELECT {value}, COUNT(*) FROM ({query.make_sql()}) AS found "
        f"GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT {limit:d}"
    )
    rows = table.database.connection.query(statement).fetchall()
    return [str(text) for text, _ in rows if text]


def _types() -> dict[str, Any]:
    """Return the types of the columns in a table of pandas."""
    types: dict[str, Any] = {name: float for name, (kind, _) in OWN.items() if kind == "number"}
    return types | dict.fromkeys(WHOLE, int) | {"accepted": bool}


def _samples(database: Database) -> Any:
    """Return the query of all samples, numbered, with what is known of their animals."""
    about = database.animal.Animal.proj("species", "genotype", "sex")
    about = about * database.session.Session.proj("session_date")
    # a limit, which none reaches: few samples are joined once, instead of again for each ROI
    return about * numbered_samples(database) & dj.Top(limit=MOST_SAMPLES, order_by="KEY")


def _query(database: Database) -> Any:
    """Return the query of all ROIs of samples."""
    rois = read_by_index(database.roi.Segmentation.Roi())
    of_roi = [name for name in OWN if name in rois.heading.names and name not in ROI]
    return _samples(database) * rois.proj(*of_roi)
