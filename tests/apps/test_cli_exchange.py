"""ROIs of other programs, and NWB, from the command line."""

from pathlib import PurePosixPath

import numpy as np
import pandas as pd
import pytest

from apps import queries
from pipeline.exporters.caiman import write_caiman
from pipeline.exporters.suite2p import write_suite2p
from pipeline.importers.batch import COLUMNS
from pipeline.importers.registry import import_rois
from schemas.connection import connect
from schemas.settings import PROJECT_VARIABLE
from tests.exchange_scene import N_FRAMES, some_rois, suite2p_rois
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


def test_a_batch_goes_in_whole(here, mesmerize, tmp_path):
    movie = PurePosixPath(str(here.session.Recording.File().to_arrays("path")[0])).name
    row = dict.fromkeys(COLUMNS) | {"algo": "cnmf", "item_name": "fine", "uuid": "abc"}
    row |= {"input_movie_path": movie, "outputs": {"cnmf-hdf5-path": "abc.hdf5"}}
    pd.DataFrame([row]).astype(object).to_pickle(tmp_path / "batch.pickle")
    write_caiman(as_long(some_rois(FRAME)), tmp_path / "abc.hdf5")
    command = "import", "batch", tmp_path / "batch.pickle"

    shown = mesmerize(*command, "--dry-run")[1].splitlines()
    code, out, complaint = mesmerize(*command)

    assert (code, complaint) == (0, "")
    assert shown[0] == f"abc  cnmf 'fine' of {movie}"
    assert shown[1].strip() == "m1 / 2026-11-22 / t1: would be taken in"
    assert "m1 / 2026-11-22 / t1: 5 ROIs" in out
    assert out.splitlines()[-1] == "Make the segmentations with: mesmerize work"


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
