"""The columns of the table of all ROIs: what each means, and where the server finds it."""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from pipeline.filters import Column, Columns, Kind
from schemas.connection import Database
from schemas.custom_columns import default_of
from schemas.filter_sql import Source, sql_literal
from schemas.labels import CUSTOM_COLUMN, ROI_TAG_TYPE, STIMULUS_TYPE, Key, labelled_rows
from schemas.numbered_rows import (
    OF_ROI,
    OF_SAMPLE,
    newest_periods,
    numbered,
    tags_numbered,
    verdicts_numbered,
)

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
    "state": ("text", "accepted, rejected, or excluded: a cell, but left out of analysis"),
    "accepted": ("flag", "whether the ROI is taken for a cell now"),
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
TAG, CUSTOM, STIMULUS = "tag.", "custom.", "stimulus."
"""What the names of the columns begin with that people have added."""

KINDS: Mapping[str, Kind] = {"str": "text", "int": "number", "float": "number", "bool": "flag"}
"""What columns hold, by the kind of the custom column."""


class Found(NamedTuple):
    """A column, and where it is."""

    column: Column
    """What may be asked for."""

    source: Source
    """Where the server finds it."""


def roi_columns(database: Database) -> Iterator[Found]:
    """Yield the columns of all ROIs of samples, with what people have added until now.

    Parameters
    ----------
    database : Database
        The connected tables.
    """
    decided = _decided(database)
    for name, (kind, words) in OWN.items():
        yield Found(Column(name, kind, words), decided.get(name) or _own(database, name, kind))
    yield from _tags(database)
    yield from _custom(database)
    yield from _stimuli(database)


def shown_columns(database: Database, columns: Columns) -> list[str]:
    """Return the full names of the columns that tables of the app show.

    Parameters
    ----------
    database : Database
        The connected tables.
    columns : Columns
        All that there are.
    """
    added = {TAG: ROI_TAG_TYPE, CUSTOM: CUSTOM_COLUMN, STIMULUS: STIMULUS_TYPE}
    hidden = {
        f"{begin}{row['label']}"
        for begin, what in added.items()
        for row in labelled_rows(database, what)
        if not row["visible"]
    }
    return [name for name in columns.by_name if name not in hidden]


def quoting(database: Database) -> Any:
    """Return what quotes the name of a column for the server."""
    return database.connection.adapter.quote_identifier


def _own(database: Database, name: str, kind: Kind) -> Source:
    """Return where a column is that every project has."""
    quoted = quoting(database)(name)
    is_enum = name == "sex" and database.connection.adapter.backend == "postgresql"
    of_roi = name in database.roi.Segmentation.Roi().heading.names
    return Source(
        kind,
        f"CAST({quoted} AS TEXT)" if is_enum else quoted,
        is_float32=kind == "number" and of_roi and name not in WHOLE,
    )


def _decided(database: Database) -> dict[str, Source]:
    """Return where the columns are that people decide: with them, or else as it was computed."""
    quote, rows = quoting(database), verdicts_numbered(database)
    state, accepted, reason = map(quote, ("state", "accepted", "reason"))
    as_found = f"CASE WHEN {accepted} THEN 'accepted' ELSE 'rejected' END"
    return {
        "state": Source("text", state, rows, OF_ROI, as_found),
        "accepted": Source("flag", f"({state} = 'accepted')", rows, OF_ROI, accepted),
        "reason": Source("text", reason, rows, OF_ROI, reason),
    }


def _tags(database: Database) -> Iterator[Found]:
    """Yield a column for each type of tags."""
    for row in labelled_rows(database, ROI_TAG_TYPE):
        rows = tags_numbered(database, _number(row, ROI_TAG_TYPE.number))
        column = Column(f"{TAG}{row['label']}", "text", "tag of the ROI")
        yield Found(column, Source("text", quoting(database)("tag"), rows, OF_ROI))


def _custom(database: Database) -> Iterator[Found]:
    """Yield the custom columns of samples."""
    backend = database.connection.adapter.backend
    for row in labelled_rows(database, CUSTOM_COLUMN):
        kind, default = KINDS[row["kind"]], default_of(row)
        values = database.sample.SampleValue() & _number(row, CUSTOM_COLUMN.number)
        literal = "" if default is None else sql_literal(default, backend)
        value = quoting(database)(f"{row['kind']}_value")
        yield Found(
            Column(f"{CUSTOM}{row['label']}", kind, "of the sample"),
            Source(kind, value, numbered(database, values), OF_SAMPLE, literal),
        )


def _stimuli(database: Database) -> Iterator[Found]:
    """Yield a column for each stimulus type: the names of its stimuli in the recording."""
    for row in labelled_rows(database, STIMULUS_TYPE):
        rows = numbered(database, newest_periods(database) & _number(row, STIMULUS_TYPE.number))
        column = Column(f"{STIMULUS}{row['label']}", "list", "stimuli in the recording")
        yield Found(column, Source("list", quoting(database)("name"), rows, OF_SAMPLE))


def _number(row: Key, name: str) -> Key:
    """Return the key of a labelled row."""
    return {name: row[name]}
