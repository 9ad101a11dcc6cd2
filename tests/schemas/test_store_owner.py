"""A store elsewhere: a folder of the project's own, on any disk, and of no other project."""

import os
import shutil
import subprocess

import numpy as np
import pytest

from schemas import server
from schemas.connection import connect
from schemas.ingest import Trial, ingest
from schemas.motion import submit_motion
from schemas.orphans import clean, find_orphans
from schemas.settings import SETTINGS_FILE, ProjectError, load_settings
from schemas.setup import create_project
from schemas.store_owner import OWNER_FILE, check_place, claim, said_owner
from tests.conftest import _drop_schemas


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "lab"


def test_store_that_is_a_file_or_would_hold_the_project_is_refused(tmp_path, folder):
    (tmp_path / "file").touch()
    with pytest.raises(ProjectError, match="is a file; name a folder"):
        check_place(tmp_path / "file", folder)
    for store in (folder, tmp_path):
        with pytest.raises(ProjectError, match="would hold the project"):
            check_place(store, folder)


def test_store_in_another_project_or_its_store_is_refused(tmp_path, folder):
    other = tmp_path / "other"
    (other / "store").mkdir(parents=True)
    (other / SETTINGS_FILE).touch()
    with pytest.raises(ProjectError, match=f"lies in another project, {other}; name a folder out"):
        check_place(other / "store" / "deep", folder)
    big = tmp_path / "big"
    big.mkdir()
    (big / OWNER_FILE).write_text('{"project": "other"}')
    with pytest.raises(ProjectError, match="which is the store of another project"):
        check_place(big / "deep", folder)
    check_place(folder / "big", folder)  # inside its own project: as the default one


def test_store_with_files_of_somebody_is_refused(tmp_path, folder):
    disk = tmp_path / "disk"
    (disk / "lost+found").mkdir(parents=True)
    (disk / ".snapshot").mkdir()
    check_place(disk, folder)
    (disk / "thesis.doc").touch()
    with pytest.raises(ProjectError, match="holds files already.*; name an empty folder"):
        check_place(disk, folder)


def test_looking_at_a_place_leaves_it_as_it_was(tmp_path, folder):
    check_place(tmp_path / "a" / "b" / "store", folder)
    assert list(tmp_path.iterdir()) == []


def test_store_that_cannot_be_written_is_refused(tmp_path, folder):
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "ro", "tmpfs", str(disk)]
    if subprocess.run(mount, capture_output=True, check=False).returncode != 0:
        if os.geteuid() == 0:
            pytest.skip("no file system can be mounted here")
        disk.chmod(0o500)
    try:
        for store in (disk, disk / "deep"):
            with pytest.raises(ProjectError, match="cannot be used: .*; check its disk and its"):
                check_place(store, folder)
    finally:
        subprocess.run(["umount", "-l", str(disk)], capture_output=True, check=False)


@pytest.mark.db
def test_project_with_its_store_elsewhere(tmp_path, address, mesmerize, run_all):
    prefix, store = f"t{os.getpid()}_big_", tmp_path / "große Platte" / "store"
    words = [] if address is None else ["--server", f"mysql://{address.user}@{address.host}"]
    words = [*words[:-1], f"{words[-1]}:{address.port}"] if words else []
    options = [*words, "--prefix", prefix, "--store", store]

    code, out, _ = mesmerize("init", tmp_path / "lab", *options)

    assert code == 0
    assert f"large arrays are kept in {store}" in out
    settings = load_settings(tmp_path / "lab")
    assert settings.store == store
    refused = mesmerize("init", tmp_path / "other", "--store", store)
    assert "is that of another project, 'lab'" in refused[2]
    assert not (tmp_path / "other").exists()
    code, *_ = mesmerize("init", tmp_path / "again", *options)
    assert code == (1 if address is None else 0)  # a second folder of the same project on a server
    shutil.rmtree(tmp_path / "again", ignore_errors=True)
    _is_used(tmp_path / "lab", run_all)
    if address is None:
        server.leave(settings)
    else:
        _drop_schemas(settings)


def _is_used(folder, run_all):
    """See that what is computed lies in the store, and nothing of it seems left over."""
    database = connect(load_settings(folder))
    movie = np.random.default_rng(0).poisson(100, (50, 80, 80)).astype(np.uint16)
    np.save(folder / "data" / "noise.npy", movie)
    new = Trial(animal="m", session="2026-11-22", trial="t", rate_hz=10.0)
    ingest(new, [folder / "data" / "noise.npy"])
    submit_motion(database.session.Recording())
    assert {outcome.error for outcome in run_all(database)} == {None}
    movies = list(database.settings.store.rglob("*.zarr"))
    assert len(movies) == 1
    assert not (folder / "store").exists()
    assert find_orphans(database, older_than_s=0) == []


@pytest.mark.db
def test_nothing_is_cleaned_in_the_store_of_another_project(embedded):
    store = embedded.settings.store
    assert said_owner(store)["project"] == embedded.settings.folder.name
    (store / OWNER_FILE).write_text('{"project": "other"}')
    with pytest.raises(ProjectError, match="is that of another project, 'other'"):
        clean(embedded, [])
    claim(embedded.settings, embedded.connection)
    assert clean(embedded, []) == 0


@pytest.mark.db
def test_variable_that_wins_over_the_store_is_told(tmp_path, monkeypatch):
    stores = '{"main": {"protocol": "file", "location": "/elsewhere"}}'
    monkeypatch.setenv("DJ_STORES", stores)
    with pytest.raises(ProjectError, match="DJ_STORES names another store, /elsewhere; unset it"):
        create_project(tmp_path / "lab", store=tmp_path / "big")
    assert list(tmp_path.iterdir()) == []
