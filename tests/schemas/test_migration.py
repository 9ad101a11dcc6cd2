"""A project of an earlier version gets the columns that have come since."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from schemas import accounts
from schemas.access import Account
from schemas.connection import connect, connect_session
from schemas.motion import submit_motion
from schemas.roi import submit_segmentation
from schemas.roi_index import NAME, has_index
from schemas.roi_table import roi_table
from schemas.settings import ProjectError

pytestmark = pytest.mark.db

PASSWORD = "correct horse"
LATER = {
    ("session", "Recording"): ["channel"],
    ("motion", "MotionCorrection"): ["border_planes", "unusable", "template", "verdict"],
    ("roi", "SegmentationTask"): ["seeded_by", "seeds_id"],
    ("roi", "Segmentation.Roi"): ["raw_min", "raw_max"],
    ("roi", "Trace.Roi"): ["background", "neuropil"],
    ("worker", "RunLog"): ["phase_rate_hz", "traceback", "reason"],
}
"""Columns of all kinds: numbers, json, arrays in the row and in the store, enumeration, text."""


def tables(database):
    """Yield the tables above and their later columns."""
    for (module, name), columns in LATER.items():
        table = getattr(database, module)
        for part in name.split("."):
            table = getattr(table, part)
        yield table, columns


def described(database):
    """Return what the server says of all columns."""
    fields = ("name", "type", "original_type", "nullable", "default", "comment", "codec")
    return {
        (table.__name__, column): [
            str(getattr(table().heading[column], field, "")) for field in fields
        ]
        for table, columns in tables(database)
        for column in columns
    }


def make_older(database):
    """Take the later columns away."""
    for table, columns in tables(database):
        for column in columns:
            database.connection.query(f"ALTER TABLE {table().full_table_name} DROP COLUMN {column}")


@pytest.fixture
def older(database, take_in, run_all):
    """A project with a recording, and what the server said of its columns before they went."""
    take_in(database)
    run_all(database)
    before = described(database)
    make_older(database)
    return database, before


def test_columns_come_and_rows_stay(older, run_all):
    database, before = older
    attempts = len(database.worker.RunLog())

    again = connect(database.settings)

    assert described(again) == before
    assert again.session.Recording().fetch1("channel") is None
    assert list(again.worker.RunLog().to_arrays("reason")) == [""] * attempts
    submit_motion(again.session.Recording())
    submit_segmentation(again.session.Recording())
    assert [outcome.error for outcome in run_all(again)] == [None] * 5
    assert again.motion.MotionCorrection().fetch1("verdict") == "improved"


def test_nothing_else_changes(older):
    database, _ = older
    name = database.session.Recording().full_table_name
    database.connection.query(f"ALTER TABLE {name} ADD COLUMN ours varchar(10)")

    again = connect(database.settings)
    columns = again.session.Recording().heading.names
    connect(database.settings)

    assert "ours" in columns
    assert "channel" in columns
    assert again.session.Recording().heading.names == columns


def test_who_may_not_change_tables_is_told_who_may(older, address):
    database, _ = older
    name = f"viewer.{database.settings.schema_prefix}"
    again = connect(database.settings)
    accounts.add_member(again, name, "viewer", PASSWORD)
    make_older(again)
    try:
        with pytest.raises(ProjectError, match="an admin .* by calling once: mesmerize status"):
            connect(database.settings, Account(name, PASSWORD))
        with pytest.raises(ProjectError, match="an earlier version; an admin gives them"):
            connect_session(database.settings, Account(name, PASSWORD))
        owner = connect(database.settings)
        connect_session(database.settings, Account(name, PASSWORD)).connection.close()
    finally:
        owner = connect(database.settings)
        accounts.remove_member(owner, name)
        if address is not None:
            for role in ("viewer", "analyst", "operator", "admin"):
                owner.connection.query(f"DROP ROLE `{owner.settings.schema_prefix}{role}`")


def test_the_index_of_numbers_comes_with_the_next_connection(database, address):
    if address is None:
        pytest.skip("the embedded server needs none")
    rois = database.roi.Segmentation.Roi()
    assert has_index(rois)
    database.connection.query(f"ALTER TABLE {rois.full_table_name} DROP INDEX {NAME}")
    assert not has_index(rois)
    assert len(roi_table(database).query) == 0

    assert has_index(connect(database.settings).roi.Segmentation.Roi())


def test_a_table_that_has_come_since_is_missed_and_made(database):
    name = database.worker.Limit().full_table_name
    database.connection.query(f"DROP TABLE {name}")

    with pytest.raises(ProjectError, match="an earlier version; an admin gives them"):
        connect_session(database.settings)
    connect(database.settings)

    session = connect_session(database.settings)
    assert session.worker.Limit().heading.names == ["step", "most", "account", "since"]
    session.connection.close()


SESSION_OF_A_NEW_PROCESS = """
import sys
from pathlib import Path
from schemas.connection import connect_session
from schemas.settings import load_settings
print(len(connect_session(load_settings(Path(sys.argv[1]))).session.Recording()))
"""


def test_a_process_that_never_made_tables_finds_nothing_missing(database):
    command = [sys.executable, "-W", "ignore", "-c", SESSION_OF_A_NEW_PROCESS]
    environment = {**os.environ, "PYTHONPATH": str(Path.cwd())}

    ended = subprocess.run(
        [*command, database.settings.folder],
        check=False,
        env=environment,
        capture_output=True,
        text=True,
    )

    assert (ended.stdout, ended.stderr, ended.returncode) == ("0\n", "", 0)
