"""Datasets from the command line."""

import json

import numpy as np
import pandas as pd
import pytest

from benchmarks.planted_rois import plant_rois, plant_samples
from schemas.settings import PROJECT_VARIABLE

pytestmark = pytest.mark.db


@pytest.fixture
def here(embedded, monkeypatch):
    """A project with 2 samples of 20 ROIs."""
    keys = plant_samples(embedded, n_animals=2, n_trials=1)
    plant_rois(embedded, keys, n_rois=20, rng=np.random.default_rng(0))
    monkeypatch.setenv(PROJECT_VARIABLE, str(embedded.settings.folder))
    return embedded


@pytest.mark.usefixtures("here")
def test_rois_are_filtered_and_kept(mesmerize, tmp_path):
    code, out, _ = mesmerize("datasets", "filter", "animal_id = m0 and roi_id < 5")
    assert code == 0
    assert out.splitlines()[0].split()[:3] == ["sample_id", "roi_id", "accepted"]
    assert out.splitlines()[-1] == "5 ROIs of 1 sample of 1 animal"

    assert mesmerize("datasets", "new", "few", "roi_id < 5")[1].endswith("holds 10 ROIs.\n")
    assert mesmerize("datasets", "new", "one", "animal_id = m1", "--from", "few")[0] == 0
    assert "holds 5 ROIs" in mesmerize("datasets", "new", "all of few", "", "--from", "one")[1]
    out = mesmerize("datasets", "list")[1]
    assert [line.split()[0] for line in out.splitlines()] == ["name", "few", "one", "all"]

    shown = json.loads(mesmerize("datasets", "show", "one", "--json")[1])
    assert [step["name"] for step in shown["history"]] == ["few", "one"]
    assert 'df[(df["animal_id"].isin(["m1"]))]' in mesmerize("datasets", "show", "one")[1]

    path = tmp_path / "rois.parquet"
    words = mesmerize("datasets", "filter", "", "--from", "few", "--out", path)
    assert words[1] == f"Wrote 10 ROIs into {path}.\n"
    assert sorted(pd.read_parquet(path)["roi_id"]) == sorted([*range(5)] * 2)


@pytest.mark.usefixtures("here")
def test_datasets_are_renamed_and_deleted(mesmerize):
    mesmerize("datasets", "new", "few", "roi_id < 5")
    assert mesmerize("datasets", "rename", "few", "some")[1] == "'few' is called 'some' now.\n"
    assert mesmerize("datasets", "delete", "some", "--yes")[0] == 0
    assert mesmerize("datasets", "list")[1] == "There are no datasets yet.\n"


@pytest.mark.usefixtures("here")
def test_mistakes_are_told_with_their_place(mesmerize):
    code, _, err = mesmerize("datasets", "filter", "snrr > 5")
    assert code == 1
    assert err == ("Error: there is no column 'snrr'; did you mean snr?\n  snrr > 5\n  ^^^^\n")
    assert mesmerize("datasets", "show", "none")[0] == 1
    assert mesmerize("datasets", "new", "none", "snr > 1000")[0] == 1


@pytest.mark.usefixtures("here")
def test_columns_are_listed(mesmerize):
    out = mesmerize("datasets", "columns")[1]
    assert "snr                     a number          highest transient over noise" in out


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize("ending", [".csv", ".xlsx", ".parquet"])
def test_any_table_is_written_into_a_file(mesmerize, tmp_path, ending):
    path = tmp_path / f"rois{ending}"
    words = ("--where", "roi_id<3", "--where", "animal_id=m0")
    code, out, err = mesmerize("export", "table", "Segmentation.Roi", path, *words)
    assert (code, out) == (0, f"Wrote 3 rows into {path}.\n"), err
    read = {".csv": pd.read_csv, ".xlsx": pd.read_excel, ".parquet": pd.read_parquet}[ending]
    assert list(read(path)["roi_id"]) == [0, 1, 2]
    code, _, err = mesmerize("export", "table", "sample.Sample", tmp_path / "samples.csv")
    assert code == 0, err
