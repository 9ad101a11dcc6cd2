"""Checking, as somebody types it."""

import json
import os

import numpy as np
import pytest

from populate_workers.populate import populate
from schemas.connection import connect

pytestmark = pytest.mark.db


@pytest.fixture
def ingested(embedded, monkeypatch, mesmerize):
    """Be in the folder of a project with a recording whose info is computed."""
    monkeypatch.chdir(embedded.settings.folder)
    np.save("data/t1.npy", np.random.default_rng(0).poisson(9, (20, 32, 32)).astype(np.uint16))
    where = ("--animal", "m1", "--session", "2026-11-22", "--trial", "t1")
    mesmerize("ingest", "data/t1.npy", *where, "--rate-hz", 30)
    populate(connect(embedded.settings), watch=lambda outcome: None)
    return embedded


@pytest.mark.usefixtures("ingested")
def test_a_good_project_ends_with_0(mesmerize):
    code, out, _ = mesmerize("check", "--checksums")

    assert code == 0
    assert out == (
        "0 files are missing or changed; 0 things in the store are left over (0.0 MB).\n"
    )


@pytest.mark.usefixtures("ingested")
def test_what_is_wrong_is_listed_and_ends_with_1(mesmerize):
    os.unlink("data/t1.npy")  # noqa: PTH108

    code, out, _ = mesmerize("check")
    as_json = json.loads(mesmerize("check", "--json")[1])

    assert code == 1
    assert out.startswith("session.Recording.File  m1 / 2026-11-22 / t1 / 0\n")
    assert "t1.npy is missing\n" in out
    assert "1 files are missing or changed; 0 things" in out
    assert as_json["faults"][0]["what"] == "is missing"


def test_cleaning_lists_first_and_needs_a_yes(ingested, mesmerize):
    left = ingested.settings.store / "_incoming" / "left"
    left.mkdir(parents=True)
    (left / "block").write_bytes(b"x" * 2_000_000)

    assert mesmerize("check")[0] == 0  # it is new: somebody may be at work
    code, out, err = mesmerize("check", "--clean", "--older-than", 0)
    assert code == 1
    assert f"no row refers to\n    {left} (2.0 MB, written 0.0 hours ago)" in out
    assert "there is no terminal to ask at; give --yes" in err
    assert left.exists()

    code, out, _ = mesmerize("check", "--clean", "--older-than", 0, "--yes")

    assert code == 0
    assert out.endswith("Removed; 2.0 MB are free again.\n")
    assert not left.exists()
    assert mesmerize("check", "--older-than", 0)[0] == 0
