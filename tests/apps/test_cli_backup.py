"""Backups, as somebody types it."""

import re

import numpy as np
import pytest

from populate_workers.populate import populate
from schemas.connection import connect

pytestmark = pytest.mark.db


def test_a_project_is_saved_and_restored(embedded, mesmerize, monkeypatch, tmp_path):
    monkeypatch.chdir(embedded.settings.folder)
    np.save("data/t1.npy", np.random.default_rng(0).poisson(9, (20, 32, 32)).astype(np.uint16))
    where = ("--animal", "m1", "--session", "2026-11-22", "--trial", "t1")
    mesmerize("ingest", "data/t1.npy", *where, "--rate-hz", 30)
    populate(connect(embedded.settings), watch=lambda outcome: None)

    for _ in range(2):
        code, out, _ = mesmerize("backup", tmp_path, "--keep", "1")
        assert code == 0
        (saved,) = tmp_path.glob("*.mesmerize.tar")
        assert re.search(rf"Saved \d+ rows in {re.escape(str(saved))} \([\d.]+ MB\)", out)
        if "Removed" not in out:
            saved.rename(saved.with_name(re.sub(r"-\d{8}-", "-20200101-", saved.name)))
    assert mesmerize("init", tmp_path / "again", "--data", tmp_path)[0] == 0
    monkeypatch.chdir(tmp_path / "again")

    code, out, _ = mesmerize("restore", saved)

    assert code == 0
    assert re.search(r"Restored \d+ rows and 4 files of the store", out)
    assert f"Movies of the data root 'data' were in {embedded.settings.roots['data']}" in out
    assert "t1" in mesmerize("show", "recording")[1]
    code, _, err = mesmerize("restore", saved)
    assert code == 1
    assert "the project is not empty" in err


def test_keeping_some_needs_a_folder(embedded, mesmerize, monkeypatch, tmp_path):
    monkeypatch.chdir(embedded.settings.folder)

    code, _, err = mesmerize("backup", tmp_path / "one.tar", "--keep", "3")

    assert code == 1
    assert "--keep needs a folder" in err
