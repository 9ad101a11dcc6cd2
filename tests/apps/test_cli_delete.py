"""Deleting, as somebody types it."""

import io
import shutil
import sys

import pytest

pytestmark = pytest.mark.db


class Terminal(io.StringIO):
    """A terminal at which somebody types."""

    def isatty(self):
        return True


@pytest.fixture
def corrected(embedded, monkeypatch, simulated, mesmerize):
    """Be in the folder of a project with a corrected movie and its ROIs."""
    monkeypatch.chdir(embedded.settings.folder)
    shutil.copy(simulated[1], "data/cells.tif")
    where = ("--animal", "m1", "--session", "2026-11-22", "--trial", "t1")
    mesmerize("ingest", "data/cells.tif", *where, "--rate-hz", 30)
    mesmerize("submit", "motion")
    mesmerize("submit", "segmentation")
    assert mesmerize("work", "--until-done")[0] == 0
    return embedded


ALL = ("--animal", "m1", "--params", "default")


def test_without_a_terminal_it_must_be_said(corrected, mesmerize):
    code, out, err = mesmerize("delete", "motion", *ALL)

    assert code == 1
    assert err.startswith("Error: nothing was deleted")
    assert len(err.splitlines()) == 1
    assert "motion.MotionCorrection            1 rows" in out
    assert "roi.Segmentation.Roi" in out
    assert "MB" in out
    assert len(corrected.motion.MotionTask()) == 1


def test_yes_deletes_and_tells_what_is_free(corrected, mesmerize):
    code, out, _ = mesmerize("delete", "motion", *ALL, "--session", "2026-11-22", "--yes")

    assert code == 0
    assert "MB are free again" in out
    assert not corrected.motion.MotionTask()
    assert not corrected.roi.Segmentation()
    assert mesmerize("params", "delete", "motion", "default")[0] == 0
    assert not corrected.motion.MotionParams()


@pytest.mark.parametrize(("answer", "left"), [("n\n", 1), ("\n", 1), ("y\n", 0)])
def test_a_person_is_asked(corrected, mesmerize, monkeypatch, answer, left):
    monkeypatch.setattr(sys, "stdin", Terminal(answer))

    code, out, _ = mesmerize("delete", "segmentation", *ALL)

    assert code == 0
    assert "Delete all this? [y/N]" in out
    assert len(corrected.roi.SegmentationTask()) == left
    assert len(corrected.motion.MotionCorrection()) == 1


def test_what_cannot_be_deleted_gets_one_sentence(corrected, mesmerize):
    mesmerize("params", "add", "motion", "rigid", "mode=rigid")

    for words, sentence in (
        (("delete", "motion", "--animal", "m1", "--params", "rigid"), "nothing was asked for"),
        (("delete", "motion", "--animal", "m2", "--params", "default"), "no recording of"),
        (("delete", "motion", "--animal", "m1", "--params", "bogus"), "no parameter set 'bogus'"),
        (("params", "delete", "motion", "default"), "'default' has 1 tasks and stays"),
    ):
        code, _, err = mesmerize(*words)
        assert code == 1
        assert sentence in err
        assert len(err.splitlines()) == 1
    assert len(corrected.motion.MotionTask()) == 1
