"""Stimuli from the command line."""

import os
from pathlib import Path

import pandas as pd
import pytest

from schemas.ingest import Trial, ingest
from schemas.settings import PROJECT_VARIABLE
from schemas.stimuli import stimulus_periods
from tests.recordings import pattern, write_mes

pytestmark = pytest.mark.db

KEY = {"animal": "m1", "session": "2026-11-22", "trial": "t1"}
WHERE = ("--animal", "m1", "--session", "2026-11-22", "--trial", "t1")


@pytest.fixture
def here(embedded, take_in, run_all, monkeypatch):
    take_in(embedded)
    run_all(embedded)
    monkeypatch.setenv(PROJECT_VARIABLE, str(embedded.settings.folder))
    return embedded


@pytest.mark.usefixtures("here")
def test_periods_go_in_and_out(mesmerize, tmp_path):
    table = tmp_path / "t1.csv"
    table.write_text("ori,sf,on,off\n0,0.02,30,60\n90,0.04,60,90\n90,0.02,50,70\n45,0.02,290,310\n")
    for label in ("orientation", "frequency"):
        assert mesmerize("stimuli", "types", "add", label)[0] == 0
    maps = ("--map", "orientation=ori", "--map", "frequency=sf")
    ends = ("--start", "on", "--end", "off", "--unit", "frames")

    code, out, _ = mesmerize("stimuli", "import", table, *WHERE, *maps, *ends)

    assert code == 0
    found = (
        "3 periods; 1 do not lie in the recording and are left out; "
        "2 overlap with one before, the first at 1.66667 s"
    )
    assert out.splitlines() == [
        f"orientation: {found} ('90' with '0')",
        f"frequency: {found} ('0.02' with '0.02')",
    ]
    written = tmp_path / "again.parquet"
    assert mesmerize("stimuli", "export", written, *WHERE)[0] == 0
    again = pd.read_parquet(written)
    assert list(again[again["type"] == "frequency"]["name"]) == ["0.02", "0.02", "0.04"]
    assert list(again[again["type"] == "orientation"]["start_frame"]) == [30, 50, 60]
    assert mesmerize("stimuli", "export", written, *WHERE)[0] != 0  # it is there already


@pytest.mark.usefixtures("here")
def test_types_are_listed_and_renamed(mesmerize):
    assert mesmerize("stimuli", "types", "list")[1] == "There are no stimulus types yet.\n"
    mesmerize("stimuli", "types", "add", "ori")
    mesmerize("stimuli", "types", "rename", "ori", "orientation")
    assert mesmerize("stimuli", "types", "list")[1] == "orientation\n"


@pytest.mark.usefixtures("here")
def test_undo_and_list(mesmerize, tmp_path):
    table = tmp_path / "t1.tsv"
    table.write_text("name\tstart\tend\nbanana\t1\t2\n")
    mesmerize("stimuli", "types", "add", "odour")
    options = (*WHERE, "--map", "odour=name", "--unit", "s")
    assert mesmerize("stimuli", "import", table, *options)[0] == 0
    assert "banana" in mesmerize("stimuli", "list", *WHERE)[1]
    assert mesmerize("stimuli", "undo", "odour", *WHERE)[0] == 0
    assert mesmerize("stimuli", "list", *WHERE)[1] == "There are no stimulus periods.\n"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--map", "odour", "--unit", "s"), "--map is written as TYPE=COLUMN; got 'odour'"),
        (("--map", "odour=name", "--unit", "ms"), "the unit must be one of 's', 'frames'"),
        (("--map", "odour=nam", "--unit", "s"), "there is no column 'nam'"),
        (("--map", "sound=name", "--unit", "s"), "no stimulus type 'sound'; there are: odour"),
    ],
)
def test_what_cannot_be_is_refused(here, mesmerize, tmp_path, words, message):
    table = tmp_path / "t1.csv"
    table.write_text("name,start,end\nbanana,1,2\n")
    mesmerize("stimuli", "types", "add", "odour")
    code, _, err = mesmerize("stimuli", "import", table, *WHERE, *words)
    assert code == 1
    assert message in err
    assert len(here.stimulus.StimulusMap()) == 0


@pytest.mark.skipif("MESMERIZE_REAL_DATA" not in os.environ, reason="MESMERIZE_REAL_DATA not set")
@pytest.mark.usefixtures("here")
def test_a_real_table_goes_in(mesmerize):
    table = Path(os.environ["MESMERIZE_REAL_DATA"]) / "stimulus_pvc7.csv"
    for label in ("ori", "sf", "tf"):
        mesmerize("stimuli", "types", "add", label)
    maps = [word for label in ("ori", "sf", "tf") for word in ("--map", f"{label}={label}")]
    code, out, _ = mesmerize("stimuli", "import", table, *WHERE, *maps, "--unit", "frames")
    assert code == 0
    assert out.count("do not lie in the recording and are left out") == 3


def test_periods_come_from_the_channels_of_a_mes_file(embedded, run_all, mesmerize, monkeypatch):
    path = embedded.settings.roots["data"] / "fish.mes"
    write_mes(path, pattern((36, 12, 16)))
    ingest(Trial(animal="m1", session="2026-11-22", trial="t1"), [path])
    run_all(embedded)
    monkeypatch.setenv(PROJECT_VARIABLE, str(embedded.settings.folder))
    mesmerize("stimuli", "types", "add", "odour")
    channels = "AUXo3: 4 steps between 0, 2.5, 5 V\nTrig: 1 steps between 3.3 V\n"
    assert mesmerize("stimuli", "channels", path)[1] == channels
    options = (*WHERE, "--map", "odour=AUXo3", "--volts", "5=food", "--volts", "2.5=light")

    code, out, _ = mesmerize("stimuli", "import", path, *options)

    assert (code, out) == (0, "odour: 2 periods\n")
    listed = mesmerize("stimuli", "list", *WHERE)[1].split()
    assert [word for word in listed if word in ("food", "light")] == ["food", "light"]
    (periods,) = stimulus_periods(embedded, dict(Trial(**KEY).key))
    assert periods.table[["start_frame", "stop_frame"]].to_numpy().tolist() == [[6, 16], [28, 36]]


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--map", "odour=AUXo1"), "no auxiliary channel 'AUXo1'; there are: AUXo3, Trig"),
        (("--map", "odour=AUXo3", "--volts", "x=y"), "--volts is written as 5.0=NAME; got 'x'"),
        (("--map", "odour=AUXo3", "--volts", "5"), "--volts is written as 5.0=NAME; got '5'"),
        (("--map", "odour=AUXo3", "--volts", "7=y"), "AUXo3 never has 7 V in this recording"),
    ],
)
def test_what_a_mes_file_does_not_tell_is_refused(mesmerize, tmp_path, options, said):
    write_mes(tmp_path / "fish.mes", pattern((36, 12, 16)))

    code, _, complaint = mesmerize("stimuli", "import", tmp_path / "fish.mes", *WHERE, *options)

    assert code == 1
    assert said in " ".join(complaint.split())


@pytest.mark.usefixtures("here")
def test_a_table_needs_its_unit(mesmerize, tmp_path):
    (tmp_path / "t1.csv").write_text("name,start,end\na,1,2\n")

    complaint = mesmerize("stimuli", "import", tmp_path / "t1.csv", *WHERE, "--map", "odour=name")[
        2
    ]

    assert "give --unit s or --unit frames" in " ".join(complaint.split())
