"""Backups: what is restored is what was saved, bit by bit, on either server."""

import hashlib
import io
import os
import signal
import subprocess
import sys
import tarfile
from pathlib import Path

import numpy as np
import pytest

from pipeline.motion import MotionParams
from populate_workers.populate import populate
from schemas import backup
from schemas.backup import project_tables, remove_old_backups, save_backup
from schemas.check import check_recordings, check_store
from schemas.connection import connect, connect_session
from schemas.custom_columns import add_custom_column
from schemas.dump import columns_of, lines_of, snapshot
from schemas.ingest import Trial, ingest
from schemas.motion import submit_motion
from schemas.params import add_params
from schemas.restore import read_manifest, restore_backup
from schemas.roi import submit_segmentation
from schemas.samples import add_sample
from schemas.settings import ProjectError
from schemas.setup import parse_server
from schemas.store_owner import OWNER_FILE, said_owner

pytestmark = pytest.mark.db
ODD = 'a \\ back\'slash, "quotes", 100 %s %% \n\t\0 müller 雪 😀'


@pytest.fixture(scope="module")
def filled(make_project, address):
    """A project with a row in about every table, and awkward text."""
    database = make_project(address)
    data = database.settings.roots["data"]
    for seed, trial in enumerate(("t1", "t2")):
        np.save(
            data / f"{trial}.npy",
            np.random.default_rng(seed).poisson(100, (60, 48, 48)).astype(np.uint16),
        )
        key = Trial(animal="m1", session="2026-11-22", trial=trial, rate_hz=30.1)
        ingest(key, [data / f"{trial}.npy"])
    for kind, default in (("str", "none"), ("int", 7), ("float", 0.1), ("bool", False)):
        add_custom_column(database, f"a {kind}", kind, default)
    add_sample(database, key.key, values={"a bool": True, "a float": 1e-300})
    text = ODD.replace("\0", "") if database.settings.embedded else ODD
    database.animal.Animal.update1(
        {"animal_id": "m1", "comments": text, "date_of_birth": "2026-01-31"}
    )
    add_params(database.motion.MotionParams, "rigid", MotionParams(mode="rigid"))
    submit_motion(database.session.Recording & {"trial": "t1"}, "rigid")
    submit_segmentation(database.session.Recording & {"trial": "t1"})
    submit_motion(database.session.Recording & {"trial": "t2"})  # fails: too small for patches
    populate(database, watch=lambda outcome: None)
    jobs = database.roi.Segmentation().jobs
    key = {"animal_id": "m1", "session": "2026-11-22", "trial": "t2", "segmentation_id": "0" * 32}
    jobs.insert1({**key, "status": "reserved", "priority": 5})
    # the classes of `schemas` follow the project that was connected last; a session stays
    return connect_session(database.settings)


def content(database):
    """Return all lines of all tables; those of JSON and bytes with their values."""
    prefix = database.settings.schema_prefix
    found = {}
    with snapshot(database.connection):
        for module, table in project_tables(database):
            columns = columns_of(database.connection, f"{prefix}{module}", table)
            lines = lines_of(database.connection, f"{prefix}{module}", table, columns)
            found[module, table] = sorted(
                line.replace(": true", ": 1").replace(" true", " 1").replace(" false", " 0")
                for _, line in lines
                if '"reserved"' not in line
            )
    return found


def files_of(database):
    store = database.settings.store
    return {
        path.relative_to(store): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in store.rglob("*")
        if path.is_file() and path.name != OWNER_FILE
    }


def copy_recordings(source, target):
    for file in source.settings.roots["data"].iterdir():
        (target.settings.roots["data"] / file.name).write_bytes(file.read_bytes())


def test_what_is_restored_is_what_was_saved(filled, make_project, address, tmp_path):
    before, files = content(filled), files_of(filled)
    saved = save_backup(filled, tmp_path / "lab.tar")
    target = make_project(address)

    restored = restore_backup(target, saved.path)

    assert content(target) == before
    assert sum(len(lines) for lines in before.values()) == restored.rows == saved.rows - 1
    assert len(before["motion", "~~motion_correction"]) == 1
    assert files_of(target) == files
    assert restored.files == len(files)
    assert said_owner(target.settings.store) == said_owner(filled.settings.store)
    copy_recordings(filled, target)
    assert list(check_recordings(target, checksums=True)) == []
    assert list(check_store(target, checksums=True)) == []
    old = filled.motion.MotionCorrection.fetch1()
    new = target.motion.MotionCorrection.fetch1()
    assert new["template"].tobytes() == old["template"].tobytes()
    assert new["mean_correlation_after"] == old["mean_correlation_after"]
    with tarfile.open(saved.path) as tar:
        assert tar.getnames()[-1] == "manifest.json"  # what is cut off, is known to be


def test_a_laptop_s_project_moves_to_the_lab_server_and_back(
    filled, make_project, tmp_path, address
):
    if "MESMERIZE_TEST_MYSQL" not in os.environ:
        pytest.skip("no MySQL server: MESMERIZE_TEST_MYSQL is not set")
    other = parse_server(os.environ["MESMERIZE_TEST_MYSQL"]) if address is None else None
    text = ODD.replace("\0", "")
    filled.animal.Animal.update1({"animal_id": "m1", "comments": text})
    saved = save_backup(filled, tmp_path / "lab.tar")
    target = make_project(other)

    restore_backup(target, saved.path)

    def facts(database):
        rois = database.roi.Segmentation.Roi.to_dicts(order_by="KEY")
        return (
            database.animal.Animal.to_dicts(),
            [(roi["roi_id"], roi["weights"].tobytes(), roi["accepted"]) for roi in rois],
            database.motion.MotionParams.to_dicts(order_by="motion_hash"),
            # MySQL shows six digits of a float32, whatever it holds
            pytest.approx(database.motion.MotionCorrection.fetch1("crispness_after"), rel=1e-5),
            database.session.RecordingInfo.to_arrays("rate_hz", "mean_image")[0].tolist(),
            database.session.Recording.proj("rate_hz", "axes").to_dicts(order_by="trial"),
        )

    assert facts(target) == facts(filled)


def test_only_an_empty_project_is_filled(filled, tmp_path):
    saved = save_backup(filled, tmp_path / "lab.tar", store=False)
    before = content(filled)

    with pytest.raises(ProjectError, match=r"the project is not empty \(\w+\.\w+ has rows\)"):
        restore_backup(filled, saved.path)

    assert content(filled) == before


def damaged(path, how, tmp_path):
    """Return a copy of a backup that something has happened to."""
    whole = path.read_bytes()
    copy = tmp_path / "damaged.tar"
    if how == "cut":
        copy.write_bytes(whole[: len(whole) // 2])
    elif how == "flipped":
        with tarfile.open(path) as tar:
            at = tar.getmember("tables/motion/#motion_params").offset_data + 12
        copy.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
    elif how == "empty":
        copy.write_bytes(b"")
    elif how == "text":
        copy.write_text("not a backup " * 1000)
    else:
        copy.write_bytes(whole)
        with tarfile.open(copy, "a") as tar:
            info = tarfile.TarInfo("store/../../escaped" if how == "escape" else "store/more")
            info.size = 3
            tar.addfile(info, io.BytesIO(b"bad"))
    return copy


@pytest.mark.parametrize("how", ["cut", "flipped", "empty", "text", "escape", "more"])
def test_a_broken_archive_is_refused_and_nothing_is_changed(
    filled, make_project, address, tmp_path, how
):
    saved = save_backup(filled, tmp_path / "lab.tar")
    target = make_project(address)
    before = content(target)

    with pytest.raises(ProjectError, match="damaged|not whole|no backup does"):
        restore_backup(target, damaged(saved.path, how, tmp_path))

    assert content(target) == before
    assert files_of(target) == {}
    assert not (target.settings.store.parent / "escaped").exists()


def test_a_restore_that_fails_leaves_an_empty_project(
    filled, make_project, address, monkeypatch, tmp_path
):
    saved = save_backup(filled, tmp_path / "lab.tar")
    target = make_project(address)
    before = content(target)
    query = type(target.connection).query

    def fail(self, statement, *args, **options):
        if "__roi" in statement and statement.startswith("INSERT"):
            raise OSError("the cable was pulled")
        return query(self, statement, *args, **options)

    monkeypatch.setattr(type(target.connection), "query", fail)
    if filled.roi.Segmentation.fetch1("n_rois") == 0:
        monkeypatch.setattr("schemas.restore._insert", lambda *args: 1 / 0)
    with pytest.raises((OSError, ZeroDivisionError)):
        restore_backup(target, saved.path)
    monkeypatch.undo()

    assert content(connect(target.settings)) == before
    assert files_of(target) == {}


def test_an_interrupted_backup_leaves_no_file(filled, monkeypatch, tmp_path):
    monkeypatch.setattr(backup, "_save_settings", lambda *args: 1 / 0)

    with pytest.raises(ZeroDivisionError):
        save_backup(filled, tmp_path / "lab.tar")

    assert list(tmp_path.iterdir()) == []


KILLED = """
import sys, time
from pathlib import Path
from schemas import backup
from schemas.connection import connect, connect_session
from schemas.settings import load_settings
def wait(*args):
    print("now", flush=True)
    time.sleep(60)
backup._save_settings = wait
backup.save_backup(connect(load_settings(Path(sys.argv[1]))), Path(sys.argv[2]))
"""


def test_a_killed_backup_has_no_name(filled, tmp_path):
    target = tmp_path / "lab.tar"
    process = subprocess.Popen(
        [sys.executable, "-W", "ignore", "-c", KILLED, filled.settings.folder, target],
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[2],
    )
    while process.stdout.readline() != "now\n":
        pass
    process.send_signal(signal.SIGKILL)
    process.communicate()

    assert not target.exists()
    assert all(path.name.endswith(".unfinished") for path in tmp_path.iterdir())
    assert save_backup(filled, target).path == target


def test_what_cannot_be_saved_is_said(filled, tmp_path):
    (tmp_path / "taken.tar").write_text("precious")
    with pytest.raises(ProjectError, match="exists already; give the backup another name"):
        save_backup(filled, tmp_path / "taken.tar")
    with pytest.raises(ProjectError, match="does not exist; make it first"):
        save_backup(filled, tmp_path / "no" / "such.tar")
    assert (tmp_path / "taken.tar").read_text() == "precious"


def test_a_folder_keeps_the_newest_and_nothing_else_is_removed(filled, tmp_path):
    name = filled.settings.folder.name
    for day in range(1, 5):
        (tmp_path / f"{name}-2025010{day}-120000.mesmerize.tar").touch()
    (tmp_path / "other-20250101-120000.mesmerize.tar").touch()
    (tmp_path / f"{name}-of-mine.mesmerize.tar").touch()
    saved = save_backup(filled, tmp_path, store=False)

    removed = remove_old_backups(filled, tmp_path, 2)

    assert [path.name[-27:-24] for path in removed] == ["101", "102", "103"] or len(removed) == 3
    assert saved.path.exists()
    assert len(list(tmp_path.iterdir())) == 4


def test_no_password_is_saved(filled, tmp_path):
    configuration = filled.settings.folder / "datajoint.json"
    text = configuration.read_text()
    configuration.write_text(text.replace('"user"', '"password": "deep blue sea", "user"', 1))
    try:
        saved = save_backup(filled, tmp_path / "lab.tar", store=False)
    finally:
        configuration.write_text(text)

    with tarfile.open(saved.path) as tar:
        for member in tar:
            assert b"deep blue" not in tar.extractfile(member).read()
    manifest = read_manifest(saved.path)
    assert manifest["versions"]["python"]
    assert not manifest["store"]
