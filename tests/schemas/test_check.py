"""Rows against files: every difference is found, and only what nobody needs is removed."""

import json
import os
import shutil
import time

import numpy as np
import pytest

from pipeline.motion import MotionParams
from schemas import orphans
from schemas.check import check_recordings, check_store
from schemas.ingest import Trial, ingest
from schemas.motion import submit_motion
from schemas.orphans import clean, find_orphans
from schemas.params import add_params
from schemas.settings import ProjectError
from schemas.store import INCOMING, stored_path

pytestmark = pytest.mark.db
TWO_DAYS_S = 2 * orphans.DAY_S


@pytest.fixture
def filled(database, run_all):
    """A recording with a corrected movie; all of its files are two days old."""
    file = database.settings.roots["data"] / "t1.npy"
    np.save(file, np.random.default_rng(0).poisson(100, (40, 32, 32)).astype(np.uint16))
    ingest(Trial(animal="m1", session="2026-11-22", trial="t1", rate_hz=30.0), [file])
    add_params(database.motion.MotionParams, "rigid", MotionParams(mode="rigid"))
    submit_motion(database.session.Recording(), "rigid")
    assert not [outcome.error for outcome in run_all(database) if outcome.error]
    age(database.settings.store)
    return database


def age(path, seconds=TWO_DAYS_S):
    """Let a folder, with all that is in it, be older."""
    for one in (path, *path.rglob("*")):
        os.utime(one, (time.time() - seconds,) * 2, follow_symlinks=False)


def faults(database, **options):
    found = [*check_recordings(database, **options), *check_store(database, **options)]
    return [(fault.table.partition("_")[2] or fault.table, fault.what) for fault in found]


def blob_of(database, column="mean_image"):
    """Return the file of an array of the recording."""
    row = next(database.session.RecordingInfo.proj(column).cursor(as_dict=True))
    said = row[column]
    said = json.loads(said) if isinstance(said, str) else said
    return database.settings.store / said["path"]


def test_nothing_is_wrong_with_a_good_project(filled):
    assert faults(filled, checksums=True) == []
    assert find_orphans(filled, older_than_s=0) == []


def test_a_recording_that_is_missing_or_changed_is_named(filled):
    file = filled.settings.roots["data"] / "t1.npy"
    content = file.read_bytes()

    file.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    assert faults(filled) == []
    assert faults(filled, checksums=True) == [
        ("session.Recording.File", "has another content than when it was ingested")
    ]
    file.write_bytes(content + b"\0")
    assert faults(filled) == [
        ("session.Recording.File", f"has {len(content) + 1} bytes instead of {len(content)}")
    ]
    file.unlink()
    (fault,) = check_recordings(filled)
    assert (fault.what, fault.path) == ("is missing", str(file))
    assert fault.key["trial"] == "t1"


def test_a_data_root_that_is_not_here_is_a_fault(filled, monkeypatch):
    monkeypatch.setitem(filled.settings.roots, "data", None)
    monkeypatch.delitem(filled.settings.roots, "data")

    (fault,) = check_recordings(filled)

    assert "the data root 'data' is not configured on this machine" in fault.what


@pytest.mark.parametrize(
    ("damage", "seen_without_reading", "what"),
    [
        (lambda file: file.unlink(), True, "is missing"),
        (lambda file: file.write_bytes(b"short"), True, "has 5 bytes instead of"),
        (
            lambda file: file.write_bytes(file.read_bytes()[:-1] + b"!"),
            False,
            "has another content than was stored",
        ),
    ],
)
def test_a_damaged_array_is_found(filled, damage, seen_without_reading, what):
    damage(blob_of(filled))

    assert bool(faults(filled)) == seen_without_reading
    (fault,) = faults(filled, checksums=True)
    assert fault[1].startswith(what)


def test_a_movie_that_lost_a_block_is_found(filled):
    movie = stored_path(filled.settings, filled.motion.MotionCorrection.fetch1("movie"))
    block = next(path for path in movie.rglob("c/*/*/*") if path.is_file())
    block.unlink()

    ((_, what),) = faults(filled)

    assert "bytes instead of" in what
    shutil.rmtree(movie)
    assert [what for _, what in faults(filled)] == ["is missing"]


def test_a_row_that_leads_out_of_the_store_is_never_followed(filled, tmp_path):
    secret = tmp_path / "secret"
    secret.write_bytes(b"x" * 10)
    table = filled.motion.MotionCorrection.full_table_name
    said = json.dumps({"path": os.path.relpath(secret, filled.settings.store), "store": "main"})
    filled.connection.query(f"UPDATE {table} SET movie = %s", args=(said,))

    assert [what for _, what in faults(filled)] == ["lies outside the store"]
    for orphan in find_orphans(filled):
        assert orphan.path.is_relative_to(filled.settings.store)


@pytest.fixture
def littered(filled):
    """Leave over what killed jobs leave, and things that are none of ours."""
    store, prefix = filled.settings.store, filled.settings.schema_prefix
    litter = {
        "aside": store / INCOMING / "0123.zarr" / "c" / "0",
        "movie": store / f"_schema/{prefix}motion/MotionCorrection/animal_id=gone/movie_x.zarr/c",
        "twin": stored_path(filled.settings, filled.motion.MotionCorrection.fetch1("movie")).parent
        / "movie_12345678.zarr"
        / "c",
        "blob": store / f"_hash/{prefix}session" / ("a" * 26),
        "saving": store / f"_hash/{prefix}session" / f"{'b' * 26}.saving",
        "of another project": store / f"_hash/other{prefix}session" / ("c" * 26),
        "of a person": store / "notes.txt",
    }
    for file in litter.values():
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(b"left over")
    age(store)
    return filled, litter


def test_what_killed_jobs_left_over_is_found_and_removed_and_nothing_else(littered):
    database, litter = littered
    store = database.settings.store
    kept = {path for path in store.rglob("*") if path.is_file()} - {
        file for name, file in litter.items() if not name.startswith("of ")
    }

    found = find_orphans(database)
    paths = {orphan.path.relative_to(store).parts[0] for orphan in found}

    assert len(found) == 5
    assert paths == {INCOMING, "_schema", "_hash"}
    assert sum(orphan.size_bytes for orphan in found) == 5 * len(b"left over")
    assert all(file.exists() for file in litter.values())  # to look removes nothing
    assert clean(database, found) == 5 * len(b"left over")
    assert {path for path in store.rglob("*") if path.is_file()} == kept
    assert not [path for path in store.rglob("*gone*")]
    assert faults(database, checksums=True) == []
    assert find_orphans(database, older_than_s=0) == []


def test_what_was_just_written_stays(littered):
    database, litter = littered
    os.utime(litter["aside"])
    os.utime(litter["movie"])

    found = {orphan.path for orphan in find_orphans(database)}

    assert len(found) == 3
    assert not [path for path in found if litter["aside"].is_relative_to(path)]


def test_what_was_written_since_the_first_running_job_began_stays(littered):
    database, _ = littered
    jobs = database.motion.MotionCorrection().jobs
    key = database.motion.MotionTask.fetch1("KEY")
    jobs.insert1({**key, "status": "reserved", "priority": 5})
    table = jobs.full_table_name
    started = "INTERVAL '3' DAY"  # before the litter was written
    database.connection.query(
        f"UPDATE {table} SET reserved_time = CURRENT_TIMESTAMP(3) - {started}"
    )
    before = sorted(database.settings.store.rglob("*"))

    assert find_orphans(database) == []
    jobs.delete_quick()
    found = find_orphans(database)
    jobs.insert1({**key, "status": "reserved", "priority": 5})
    with pytest.raises(ProjectError, match="1 jobs are running, and nothing was removed"):
        clean(database, found)

    assert len(found) == 5
    assert sorted(database.settings.store.rglob("*")) == before


def test_an_array_that_got_its_row_back_meanwhile_stays(filled, run_all):
    """A job computes the same array again: DataJoint finds it in the store, and writes none."""
    (filled.session.RecordingInfo & True).delete(prompt=False)
    age(filled.settings.store)
    found = find_orphans(filled)
    run_all(filled)
    assert {orphan.path for orphan in found} >= {blob_of(filled).resolve()}

    clean(filled, found)

    assert faults(filled, checksums=True) == []
    assert filled.session.RecordingInfo.fetch1("mean_image").shape == (32, 32)


def test_a_link_is_removed_and_not_what_it_leads_to(filled, tmp_path):
    precious = tmp_path / "precious"
    precious.mkdir()
    (precious / "data").write_bytes(b"x" * 1000)
    age(precious)
    (filled.settings.store / INCOMING).mkdir(exist_ok=True)
    link = filled.settings.store / INCOMING / "link"
    link.symlink_to(precious)
    age(link, TWO_DAYS_S)

    found = find_orphans(filled)
    clean(filled, found)

    assert [orphan.path.name for orphan in found] == ["link"]
    assert not link.is_symlink()
    assert (precious / "data").stat().st_size == 1000


def test_without_a_store_there_is_nothing_left_over(database):
    assert find_orphans(database) == []
    assert faults(database) == []
