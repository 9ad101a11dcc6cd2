"""ROIs from the command line: drawn, judged, tagged, merged, undone."""

import json

import pytest

from schemas.connection import connect
from schemas.settings import PROJECT_VARIABLE

pytestmark = pytest.mark.db

WHERE = ("--animal", "m1", "--session", "2026-11-22", "--trial", "t1")
SHAPES = [
    {"name": "soma", "points_px": [[9.5, 9.5], [9.5, 15.5], [15.5, 15.5], [15.5, 9.5]]},
    {"name": "next", "points_px": [[9.5, 13.5], [9.5, 19.5], [15.5, 19.5], [15.5, 13.5]]},
    {"center_px": [40, 30], "radii_px": [5, 3], "angle_deg": 20},
]
HALVES = "name,row_px,col_px\n" + "".join(
    f"{name},{row},{col}\n"
    for name, low in (("up", 34.5), ("down", 39.5))
    for row, col in ((low, 20), (low, 40), (low + 5, 40), (low + 5, 20))
)


@pytest.fixture
def here(embedded, take_in, run_all, monkeypatch, tmp_path):
    """A project with a recording that was read, and files with shapes."""
    take_in(embedded)
    run_all(embedded)
    monkeypatch.setenv(PROJECT_VARIABLE, str(embedded.settings.folder))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "cells.json").write_text(json.dumps(SHAPES))
    (tmp_path / "halves.csv").write_text(HALVES)
    return embedded


@pytest.fixture
def done(mesmerize):
    """Run a command that succeeds, and return what it prints."""

    def run(*words):
        code, out, err = mesmerize(*words)
        assert code == 0, err
        return out

    return run


@pytest.fixture
def refused(mesmerize):
    """Run a command that fails, and return its sentence."""

    def run(*words):
        code, out, err = mesmerize(*words)
        assert code == 1, out
        return err

    return run


def test_rois_are_drawn_judged_tagged_merged_and_undone(here, done, refused, run_all):
    assert "no ROIs yet" in refused("rois", "list", *WHERE)
    assert "Entered 3 ROIs" in done("rois", "draw", "cells.json", *WHERE)
    run_all(connect(here.settings))
    assert "soma" in done("rois", "list", *WHERE)
    assert "Nothing was done" in done("rois", "history", *WHERE)

    assert "1 ROIs are rejected" in done("rois", "reject", "2", "--because", "vessel", *WHERE)
    done("rois", "exclude", "1", *WHERE)
    done("rois", "accept", "1", *WHERE)
    done("config", "tags", "add", "region")
    done("rois", "tag", "0", "1", "--set", "region=CA1", *WHERE)
    assert done("rois", "tags", "region") == "CA1\n"
    assert "New: ROI 3" in done("rois", "merge", "0", "1", *WHERE)
    assert "New: ROI 4, 5" in done("rois", "split", "2", "halves.csv", *WHERE)
    assert "Action 6 is undone" in done("rois", "undo", *WHERE)
    run_all(connect(here.settings))

    rows = json.loads(done("rois", "list", "--json", *WHERE))
    assert [row["state"] for row in rows] == [*["rejected"] * 3, "accepted", *["rejected"] * 2]
    assert rows[2]["reason"] == "vessel"
    assert [row["region"] for row in rows] == ["CA1", "CA1", "", "CA1", "", ""]
    kinds = [row["kind"] for row in json.loads(done("rois", "history", "--json", *WHERE))]
    assert kinds == ["undo", "split", "merge", "tag", "accept", "exclude", "reject"]


def test_what_cannot_be_done_to_rois_is_said(here, done, refused, run_all):
    done("rois", "draw", "cells.json", *WHERE)
    run_all(connect(here.settings))
    (here.settings.folder / "one.json").write_text(json.dumps(SHAPES[2:]))
    done("rois", "redraw", "2", here.settings.folder / "one.json", *WHERE)
    done("rois", "add", here.settings.folder / "one.json", *WHERE)
    assert "must hold one shape; it holds 3" in refused("rois", "redraw", "3", "cells.json", *WHERE)
    assert "no ROI 99" in refused("rois", "accept", "99", *WHERE)
    assert "written as TYPE=TAG" in refused("rois", "tag", "0", "--set", "CA1", *WHERE)
    assert "there is no recording" in refused("rois", "list", *WHERE[:-1], "t9")
