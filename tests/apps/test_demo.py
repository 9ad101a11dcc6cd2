"""The demonstration, small: from a simulated movie to a flowchart, and on from there."""

from functools import partial

import numpy as np
import pytest

from apps import demo
from pipeline.simulate import TwoPhotonParams
from pipeline.transmission import read_table
from schemas import server
from schemas.connection import connect
from schemas.settings import PROJECT_VARIABLE, load_settings

pytestmark = pytest.mark.db
SMALL = partial(TwoPhotonParams, n_frames=300, n_rows=96, n_cols=80, n_cells=8, max_shift_px=3)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The project of a demonstration that has run."""
    folder = tmp_path_factory.mktemp("demo")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(demo, "TwoPhotonParams", SMALL)
        demo.run_demo(folder)
    yield folder
    server.leave(load_settings(folder))


@pytest.fixture
def here(folder, monkeypatch):
    monkeypatch.setenv(PROJECT_VARIABLE, str(folder))
    return connect(load_settings(folder))


def test_the_demonstration_computes_its_flowchart(here, mesmerize, tmp_path):
    n_cells = len(here.roi.Segmentation.Roi() & "accepted")
    code, out, _ = mesmerize("flow", "status", demo.FLOWCHART)
    assert code == 0
    assert [line.split("│")[1:4] for line in out.splitlines() if "done" in line] == [
        [f" {step:<12}", " done  ", f" {n_cells:<5}"] for step in ("load", "butterworth", "zscore")
    ]
    path = tmp_path / "zscores.parquet"
    assert mesmerize("flow", "export", demo.FLOWCHART, "zscore", path)[0] == 0
    scores = read_table(path).array("_ZSCORE").stacked()
    assert scores.shape == (n_cells, 300)
    np.testing.assert_allclose(scores.std(axis=1), 1, atol=1e-4)


def test_a_second_demonstration_computes_nothing_again(here, capsys):
    before = len(here.worker.RunLog())
    demo.run_demo(here.settings.folder)
    assert len(here.worker.RunLog()) == before
    assert len(here.analysis.FlowTask()) == 1
    assert capsys.readouterr().out.count("done before") >= 9


def test_a_template_runs_on_the_demonstration_from_the_command_line(here, mesmerize, tmp_path):
    chart = tmp_path / "peaks.json"
    assert mesmerize("flow", "new", "peak_features", chart, "--dataset", demo.DATASET)[0] == 0
    assert mesmerize("flow", "check", chart)[:2] == (0, "Nothing is wrong.\n")
    assert "7 results, 6 of them new" in mesmerize("flow", "run", chart)[1]

    assert mesmerize("work", "--until-done", "--processes", "2")[0] == 0

    code, out, _ = mesmerize("flow", "status", "peak_features")
    assert out.count("done") == 7
    path = tmp_path / "summary.parquet"
    assert mesmerize("flow", "export", "peak_features", "group_summary", path)[0] == 0
    summary = read_table(path)
    assert summary.scalar("animal_id").tolist() == ["demo"]
    n_cells = len(here.roi.Segmentation.Roi() & "accepted")
    assert summary.scalar("_pf_ampl_rel_b_mean_N").tolist() == [n_cells]
    code, out, _ = mesmerize("flow", "history", "peak_features", "group_summary")
    assert "load" in out.splitlines()[0]
