"""Flowcharts from the command line."""

import json
import shutil

import numpy as np
import pandas as pd
import pytest

from pipeline.transmission import read_table
from populate_workers.populate import populate
from schemas.datasets import make_dataset
from schemas.ingest import Trial, ingest
from schemas.roi import submit_segmentation
from schemas.samples import add_sample
from schemas.settings import PROJECT_VARIABLE

pytestmark = pytest.mark.db


@pytest.fixture(scope="module")
def project(make_project, simulated):
    """A project with a sample, whose cells are the dataset ``cells``."""
    database = make_project()
    file = database.settings.roots["data"] / "t1.tif"
    shutil.copy(simulated[1], file)
    ingest(Trial(animal="m1", session="2026-11-22", trial="t1", rate_hz=30.0), [file])
    submit_segmentation(database.session.Recording())
    populate(database, watch=lambda _: None)
    row = database.roi.Segmentation.proj().fetch1()
    add_sample(database, row, segmentation_id=row["segmentation_id"])
    make_dataset(database, "cells", "accepted")
    return database


@pytest.fixture
def here(project, monkeypatch):
    monkeypatch.setenv(PROJECT_VARIABLE, str(project.settings.folder))
    return project


def test_from_a_template_to_a_table(here, mesmerize, tmp_path):
    chart = tmp_path / "mine.json"

    code, out, _ = mesmerize("flow", "new", "zscore_heatmap", chart, "--dataset", "cells")
    assert code == 0
    assert "load -> butterworth -> zscore" in out
    assert mesmerize("flow", "check", chart)[:2] == (0, "Nothing is wrong.\n")
    code, out, _ = mesmerize("flow", "run", chart)
    assert "zscore_heatmap@1: 3 results, 3 of them new" in out
    assert "waiting" in mesmerize("flow", "status", "zscore_heatmap")[1]
    assert mesmerize("work", "--until-done")[0] == 0
    code, out, _ = mesmerize("flow", "status", "zscore_heatmap")
    assert out.count("done") == 3

    path = tmp_path / "zscores.parquet"
    code, out, _ = mesmerize("flow", "export", "zscore_heatmap", "zscore", path)
    table = read_table(path)
    assert f"Wrote {table.n_rows} rows" in out
    assert table.n_rows == len(here.roi.Segmentation.Roi() & "accepted")
    assert np.allclose(table.array("_ZSCORE").stacked().mean(axis=1), 0, atol=1e-4)
    code, out, _ = mesmerize("flow", "history", "zscore_heatmap", "zscore")
    assert [line.split("(")[0].split()[-1] for line in out.splitlines()] == [
        "load",
        "butterworth",
        "zscore",
    ]


def test_a_difference_is_told_and_siblings_are_exported_below_each_other(here, mesmerize, tmp_path):
    chart, other = tmp_path / "a.json", tmp_path / "b.json"
    mesmerize("flow", "new", "zscore_heatmap", chart, "--dataset", "cells")
    said = json.loads(chart.read_text())
    said["name"] = "sweep"
    said["nodes"][1]["params"]["cutoff_hz"] = [0.5, 2.0]
    other.write_text(json.dumps(said))

    code, out, _ = mesmerize("flow", "diff", chart, other)
    for cutoff_hz in (0.5, 2.0):
        assert f"[butterworth.cutoff_hz = {cutoff_hz}]\n~ butterworth: cutoff_hz 1.0" in out
        assert f"-> {cutoff_hz}\nto be computed: butterworth, zscore" in out
    assert (
        "[butterworth.cutoff_hz = 2.0] is there no more"
        in mesmerize("flow", "diff", other, chart)[1]
    )

    assert mesmerize("flow", "run", other)[0] == 0
    assert mesmerize("work", "--until-done")[0] == 0
    path = tmp_path / "both.csv"
    code, out, _ = mesmerize("flow", "export", "sweep", "zscore", path)
    assert code == 0
    assert "Left out, because only .parquet holds arrays: " in out
    table = pd.read_csv(path)
    n_cells = len(here.roi.Segmentation.Roi() & "accepted")
    assert dict(table["butterworth.cutoff_hz"].value_counts()) == {0.5: n_cells, 2.0: n_cells}
    assert mesmerize("flow", "export", "sweep", "zscore", tmp_path / "both.Parquet")[0] == 0
    whole = read_table(tmp_path / "both.Parquet")
    assert whole.array("_ZSCORE").n_rows == 2 * n_cells
    assert set(whole.scalar("butterworth.cutoff_hz")) == {0.5, 2.0}
    assert "sweep" in mesmerize("flow", "list")[1]

    code, out, _ = mesmerize("flow", "forget", "sweep")
    assert code == 0
    assert "are free again" in out
    assert "was not submitted yet" in mesmerize("flow", "status", "sweep")[2]


@pytest.mark.usefixtures("here")
def test_what_is_wrong_is_said_in_one_sentence(mesmerize, tmp_path):
    wrong = tmp_path / "wrong.json"
    mesmerize("flow", "new", "zscore_heatmap", wrong, "--dataset", "gone")

    code, out, _ = mesmerize("flow", "check", wrong)
    assert code == 1
    assert "load: there is no dataset 'gone'; there are: cells." in out
    for words, sentence in [
        (("flow", "run", wrong), "there is no dataset 'gone'"),
        (("flow", "run", tmp_path / "no.json"), "there is no file"),
        (("flow", "status", "gone"), "there is no flowchart 'gone'"),
        (
            ("flow", "new", "gone", tmp_path / "x.json", "--dataset", "cells"),
            "there is no template",
        ),
        (("flow", "new", "zscore_heatmap", wrong, "--dataset", "cells"), "a new file that ends in"),
        (("flow", "nodes", "gone"), "there is no node 'gone'"),
    ]:
        code, _, complaint = mesmerize(*words)
        assert code == 1
        assert sentence in complaint
        assert len(complaint.splitlines()) == 1


def test_nodes_and_their_parameters_are_listed(mesmerize):
    assert "butterworth" in mesmerize("flow", "nodes")[1]
    _, out, _ = mesmerize("flow", "nodes", "butterworth")
    assert "cutoff_hz" in out
    assert "_BUTTERWORTH" in out
    assert "zscore_heatmap" in mesmerize("flow", "templates")[1]


def test_own_nodes_of_a_project_are_computed(here, mesmerize, tmp_path):
    folder = here.settings.folder / "nodes"
    folder.mkdir()
    (folder / "thrice.py").write_text(
        "from dataclasses import dataclass\n"
        "from pipeline.nodes import Node, Output, Result, column, register\n"
        "@dataclass(frozen=True, kw_only=True)\n"
        "class ThriceParams:\n"
        "    data_column: str = column('time')\n"
        "register(Node(name='thrice', title='Three times', group='Math', params=ThriceParams,\n"
        "    compute=lambda traces, rate_hz, params: 3 * traces, on_traces=True,\n"
        "    results=(Result(columns=(Output('_THRICE', '{unit}', 'same'),)),)))\n"
    )
    chart = tmp_path / "own.json"
    chart.write_text(
        '{"schema": 1, "name": "own", "nodes": [{"id": "raw", "node": "load", '
        '"params": {"dataset": "cells"}}, {"id": "thrice", "node": "thrice"}], '
        '"edges": [["raw", "thrice"]]}'
    )

    assert mesmerize("flow", "run", chart)[::2] == (0, "")
    assert mesmerize("work", "--until-done")[0] == 0

    path = tmp_path / "own.parquet"
    assert mesmerize("flow", "export", "own", "thrice", path)[0] == 0
    table = read_table(path)
    assert np.allclose(table.array("_THRICE").values, 3 * table.array("_RAW_CURVE").values)
