"""What a project folder says, and what wins over it."""

import json
import stat
from pathlib import Path

import pytest

from schemas.settings import (
    CAIMAN_VARIABLE,
    PROJECT_VARIABLE,
    SETTINGS_FILE,
    ProjectError,
    datajoint_config,
    find_project,
    load_settings,
    write_project,
)

SERVER = {"backend": "mysql", "host": "labserver", "port": 3307, "user": "anna"}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    for name in ("DJ_HOST", "DJ_USER", "DJ_PASS", "DJ_PORT", "DJ_BACKEND", "DJ_STORES"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.delenv(PROJECT_VARIABLE, raising=False)
    (tmp_path / "data").mkdir()
    write_project(tmp_path, database=SERVER, password="sea", roots={"data": "data"})
    return tmp_path


def test_what_is_written_is_read(folder):
    settings = load_settings(folder)

    assert settings.folder == folder
    assert not settings.embedded
    assert settings.schema_prefix == "mesmerize_"
    assert settings.store == folder / "store"
    assert settings.memory_bytes == 1_000_000_000
    assert settings.roots == {"data": folder / "data"}


def test_password_is_for_its_owner_alone(folder):
    assert stat.S_IMODE((folder / ".secrets").stat().st_mode) == 0o700
    assert stat.S_IMODE((folder / ".secrets" / "database.password").stat().st_mode) == 0o600
    assert "sea" not in (folder / "datajoint.json").read_text()


def test_connection_comes_from_the_file_and_the_secrets(folder):
    config = datajoint_config(load_settings(folder))

    assert (config.database.host, config.database.port) == ("labserver", 3307)
    assert config.database.password.get_secret_value() == "sea"
    assert config.stores["main"]["location"] == str(folder / "store")


def test_variables_win_over_files(folder, monkeypatch):
    monkeypatch.setenv("DJ_HOST", "elsewhere")
    monkeypatch.setenv("DJ_PASS", "lake")
    stores = {"main": {"protocol": "file", "location": "/big"}}
    monkeypatch.setenv("DJ_STORES", json.dumps(stores))

    config = datajoint_config(load_settings(folder))

    assert config.database.host == "elsewhere"
    assert config.database.user == "anna"
    assert config.database.password.get_secret_value() == "lake"
    assert config.stores["main"]["location"] == "/big"
    assert load_settings(folder).store == Path("/big")
    assert config.stores["default"] == "main"


def test_project_is_found_from_below_and_by_variable(folder, monkeypatch, tmp_path_factory):
    deep = folder / "data" / "2026"
    deep.mkdir()
    monkeypatch.chdir(deep)
    assert find_project() == folder

    monkeypatch.chdir(tmp_path_factory.mktemp("elsewhere"))
    with pytest.raises(ProjectError, match="make a project with: mesmerize init"):
        find_project()
    monkeypatch.setenv(PROJECT_VARIABLE, str(folder))
    assert find_project() == folder


@pytest.mark.parametrize(
    "text",
    [
        "no toml",
        "[compute]\nthreads = 0",
        "[compute]\nmemory_mb = 1",
        "[compute]\nthreads = 'two'",
        "[data]\nroots = 3",
    ],
)
def test_settings_that_cannot_be_used_are_named(folder, text):
    (folder / SETTINGS_FILE).write_text(text)

    with pytest.raises(ProjectError, match=f"{SETTINGS_FILE} cannot be used"):
        load_settings(folder)


def test_broken_connection_file_is_named(folder):
    (folder / "datajoint.json").write_text("{")

    with pytest.raises(ProjectError, match=r"datajoint.json cannot be used"):
        datajoint_config(load_settings(folder))


def test_store_that_is_no_folder_is_refused(folder, monkeypatch):
    monkeypatch.setenv("DJ_STORES", '{"main": {"protocol": "s3", "bucket": "b", "location": "x"}}')

    with pytest.raises(ProjectError, match="the store 'main' must be a folder"):
        load_settings(folder)


def test_paths_are_relative_to_their_root(folder):
    settings = load_settings(folder)
    file = folder / "data" / "a" / "b.tif"

    assert settings.locate(file) == ("data", "a/b.tif")
    assert settings.resolve("data", "a/b.tif") == file


@pytest.mark.parametrize(("root", "path"), [("data", "../x.tif"), ("data", "/etc/passwd")])
def test_path_that_leads_out_of_its_root_is_refused(folder, root, path):
    with pytest.raises(ProjectError, match="leads out of the data root 'data'"):
        load_settings(folder).resolve(root, path)


def test_root_of_another_machine_is_named(folder):
    with pytest.raises(ProjectError, match="the data root 'rig' is not configured"):
        load_settings(folder).resolve("rig", "x.tif")


def test_the_interpreter_of_caiman_is_of_the_machine_or_of_the_project(folder, monkeypatch):
    monkeypatch.delenv(CAIMAN_VARIABLE, raising=False)
    file = folder / SETTINGS_FILE
    assert load_settings(folder).caiman_python is None

    written = file.read_text().replace('# python = "/opt/conda', 'python = "/opt/conda')
    file.write_text(written)
    named = load_settings(folder).caiman_python
    file.write_text(written.replace("/opt/conda/envs", "envs"))
    beside = load_settings(folder).caiman_python
    monkeypatch.setenv(CAIMAN_VARIABLE, "/opt/caiman/bin/python")
    of_the_machine = load_settings(folder).caiman_python

    assert named == Path("/opt/conda/envs/caiman/bin/python")
    assert beside == folder / "envs/caiman/bin/python"
    assert of_the_machine == Path("/opt/caiman/bin/python")
