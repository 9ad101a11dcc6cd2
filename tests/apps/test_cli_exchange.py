"""ROIs of other programs, and NWB, from the command line."""

import numpy as np
import pytest

from apps import queries
from pipeline.exporters.suite2p import write_suite2p
from pipeline.importers.registry import import_rois
from schemas.connection import connect
from schemas.settings import PROJECT_VARIABLE
from tests.exchange_scene import N_FRAMES, suite2p_rois
from tests.pipeline.test_nwb import FACTS
from tests.schemas.test_exchange import FRAME, as_long

pytestmark = pytest.mark.db

WHERE = ("--animal", "m1", "--session", "2026-11-22", "--trial", "t1")


@pytest.fixture
def here(embedded, take_in, run_all, monkeypatch):
    take_in(embedded)
    run_all(embedded)
    monkeypatch.setenv(PROJECT_VARIABLE, str(embedded.settings.folder))
    return embedded


def test_rois_go_in_and_out(here, mesmerize, run_all, tmp_path):
    write_suite2p(as_long(suite2p_rois(FRAME)), tmp_path / "in", mean_image=np.zeros(FRAME))

    code, out, _ = mesmerize("import", "rois", tmp_path / "in", *WHERE)

    assert code == 0
    assert out.splitlines()[0] == "Took in 5 ROIs of suite2p, 3 accepted."
    run_all(connect(here.settings))  # a command connects anew
    for program, name in (("suite2p", "out"), ("caiman", "a.hdf5"), ("imagej", "a.zip")):
        code, out, complaint = mesmerize("export", program, tmp_path / name, *WHERE)
        assert (code, complaint) == (0, "")
        assert import_rois(tmp_path / name, FRAME).n_rois == 5
        code, _, complaint = mesmerize("export", program, tmp_path / name, *WHERE)
        assert "is there already" in complaint
    (here.settings.folder / "nwb.toml").write_text('species = "Mus musculus"\ndevice = "Scope"\n')
    code, _, complaint = mesmerize("export", "nwb", tmp_path / "a.nwb", *WHERE)
    assert "indicator (" in complaint
    assert "species (" not in complaint
    facts = [word for name in FACTS for word in ("--fact", f"{name}={FACTS[name]}")]
    assert mesmerize("export", "nwb", tmp_path / "a.nwb", *WHERE, *facts)[0] == 0
    assert import_rois(tmp_path / "a.nwb", FRAME).n_frames == 300
    (task,) = queries.segmentations(here, {"trial": "t1"})
    assert queries.where_from(here, task).startswith("ROIs of suite2p (in), entered by ")


@pytest.mark.usefixtures("here")
def test_what_cannot_be_is_told_in_one_sentence(mesmerize, tmp_path):
    write_suite2p(suite2p_rois(FRAME), tmp_path / "short", mean_image=np.zeros(FRAME))
    complaints = [
        mesmerize("import", "rois", tmp_path / "nothing", *WHERE)[2],
        mesmerize("import", "rois", tmp_path / "short", *WHERE)[2],
        mesmerize("export", "imagej", tmp_path / "a.zip", *WHERE)[2],
        mesmerize("export", "nwb", tmp_path / "a.nwb", *WHERE, "--no-rois", "--fact", "x")[2],
        mesmerize("export", "nwb", tmp_path / "a.nwb", *WHERE, "--no-rois", "--fact", "x=1")[2],
    ]
    expected = [
        "there is no file or folder",
        f"the traces have {N_FRAMES} frames",
        "has 0 such segmentations",
        "--fact is written as name=value",
        "NWB facts are",
    ]
    for complaint, words in zip(complaints, expected, strict=True):
        assert complaint.startswith("Error: ")
        assert words in complaint
        assert len(complaint.splitlines()) == 1
