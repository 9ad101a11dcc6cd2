"""Stimulus periods: read from tables, and placed in a recording."""

import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pipeline.stimuli import choose_columns, place_periods, read_stimulus_table

RATE_HZ = 20.0
N_FRAMES = 1000


def place(*rows, unit="s", n_frames=N_FRAMES):
    table = pd.DataFrame(rows, columns=["name", "start", "end"])
    return place_periods(table, unit=unit, rate_hz=RATE_HZ, n_frames=n_frames)


def test_seconds_become_frames_and_back():
    (period,) = place(("odour", 1.0, 2.5)).periods
    assert period == ("odour", 1.0, 2.5, 20, 50, "")

    (again,) = place(("odour", period.start_frame, period.stop_frame), unit="frames").periods
    assert again == period


@pytest.mark.parametrize(
    ("start", "end", "frames"),
    [
        (0.0, 50.0, (0, 1000)),  # the whole recording
        (1.02, 1.03, (20, 21)),  # each end is at the nearest border of frames
        (1.026, 1.074, (21, 21)),
    ],
)
def test_ends_are_at_the_nearest_borders_of_frames(start, end, frames):
    if frames[0] == frames[1]:
        with pytest.raises(ValueError, match="row 1: the period is shorter than half a frame"):
            place(("a", start, end))
        return
    (period,) = place(("a", start, end)).periods
    assert (period.start_frame, period.stop_frame) == frames


def test_any_period_comes_back_from_its_frames():
    rng = np.random.default_rng(0)
    for rate_hz in rng.uniform(0.5, 500, 200):
        start = int(rng.integers(0, 900))
        stop = int(rng.integers(start + 1, 1001))
        table = pd.DataFrame({"name": ["a"], "start": [start], "end": [stop]})
        placed = place_periods(table, unit="frames", rate_hz=rate_hz, n_frames=1000)
        (period,) = placed.periods
        seconds = pd.DataFrame({"name": ["a"], "start": [period.start_s], "end": [period.end_s]})
        again = place_periods(seconds, unit="s", rate_hz=rate_hz, n_frames=1000)
        assert again.periods == [period]
        assert (period.start_frame, period.stop_frame) == (start, stop)


def test_what_reaches_out_of_the_recording_is_counted_and_left_out():
    placed = place(("in", 1, 2), ("over the end", 49, 51), ("beyond", 60, 61), ("before", -1, 1))
    assert [period.name for period in placed.periods] == ["in"]
    assert placed.n_outside == 3


def test_overlaps_are_told_also_with_a_long_one_before():
    placed = place(("long", 0, 20), ("b", 5, 6), ("c", 10, 11), ("d", 20, 21))
    assert [(a.name, b.name) for a, b in placed.overlaps] == [("long", "b"), ("long", "c")]


def test_periods_come_in_the_order_of_time_and_empty_rows_do_not():
    placed = place(("b", 5, 6), ("", "", ""), ("a", 1, 2), (None, None, None))
    assert [period.name for period in placed.periods] == ["a", "b"]


def test_nothing_is_nothing():
    assert place() == ([], 0, [])


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (("a", 2, 1), r"row 1: a period ends after it begins; got start 2, end 1\."),
        (("a", 1, 1), "row 1: a period ends after it begins"),
        (("a", "x", 1), r"row 1: start must be a number; got 'x'\."),
        (("a", 1, "nan"), "row 1: end must be a number; got 'nan'"),
        (("a", "inf", 2), "row 1: start must be a number; got 'inf'"),
        (("a", "", 2), "row 1: start must be a number; got ''"),
        (("", 1, 2), r"row 1 has no name\."),
        (("a" * 65, 1, 2), "row 1: a name has at most 64 letters; got 65"),
    ],
)
def test_what_is_no_period_is_refused_with_its_row(row, message):
    with pytest.raises(ValueError, match=message):
        place(row)


@pytest.mark.parametrize("color", ["red", "#12345", "#12345g", "1234567"])
def test_what_is_no_colour_is_refused(color):
    table = pd.DataFrame({"name": ["a"], "start": [0], "end": [1], "color": [color]})
    with pytest.raises(ValueError, match="row 1: a colour is written as #1f77b4; got"):
        place_periods(table, unit="s", rate_hz=10, n_frames=100)


def test_colours_are_kept_in_one_form():
    table = pd.DataFrame({"name": ["a"], "start": [0], "end": [1], "color": ["1F77B4"]})
    placed = place_periods(table, unit="s", rate_hz=10, n_frames=100)
    assert placed.periods[0].color == "#1f77b4"


def test_unit_and_rate_are_checked():
    with pytest.raises(ValueError, match="the unit must be one of 's', 'frames'; got 'ms'"):
        place(("a", 1, 2), unit="ms")
    with pytest.raises(ValueError, match="rate_hz"):
        place_periods(
            pd.DataFrame(columns=["name", "start", "end"]), unit="s", rate_hz=0, n_frames=1
        )


@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".txt", ".xlsx"])
def test_tables_are_read_as_they_are_written(tmp_path, suffix):
    table = pd.DataFrame({"ori": ["0", "090", ""], "start": ["1", "2.50", "3"]})
    path = tmp_path / f"periods{suffix}"
    if suffix == ".xlsx":
        table.to_excel(path, index=False)
    else:
        table.to_csv(path, index=False, sep="," if suffix == ".csv" else "\t", encoding="utf-8-sig")

    pd.testing.assert_frame_equal(read_stimulus_table(path), table, check_dtype=False)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.xlsx", b"PK\x03\x04 not a workbook"),
        ("b.csv", b""),
        ("c.csv", b"a,b\n1,2,3\n4,5,6,7\n"),
        ("d.csv", b"\xff\xfe\x00\x80 binary \x00"),
        ("e.csv", b'a,b\n"unclosed,1\n'),
    ],
)
def test_what_is_no_table_is_refused(tmp_path, name, content):
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(ValueError, match="cannot be read as a table: .+") as refused:
        read_stimulus_table(path)
    assert "\n" not in str(refused.value)


def test_other_kinds_of_files_are_refused(tmp_path):
    with pytest.raises(ValueError, match="the end of the file's name must be one of '.csv'"):
        read_stimulus_table(tmp_path / "a.mat")


def test_columns_are_chosen_by_name():
    table = pd.DataFrame({"ori": [90], "on": [1], "off": [2], "color": [""]})
    chosen = choose_columns(table, "ori", start="on", end="off")
    assert chosen.to_dict("list") == {"name": [90], "start": [1], "end": [2], "color": [""]}
    with pytest.raises(ValueError, match="no column 'sf'; the columns are: ori, on, off, color"):
        choose_columns(table, "sf", start="on", end="off")


@pytest.mark.skipif("MESMERIZE_REAL_DATA" not in os.environ, reason="MESMERIZE_REAL_DATA not set")
def test_the_periods_of_pvc7():
    table = read_stimulus_table(Path(os.environ["MESMERIZE_REAL_DATA"]) / "stimulus_pvc7.csv")
    n_frames = 100_000
    inside = table["end"].astype(int) <= n_frames

    for column, names in {"ori": 8, "sf": 5, "tf": 5}.items():
        chosen = choose_columns(table, column)
        placed = place_periods(chosen, unit="frames", rate_hz=30.0, n_frames=n_frames)
        assert placed.n_outside == (~inside).sum() > 0
        assert len(placed.periods) == inside.sum() > 0
        assert len({period.name for period in placed.periods}) == names
        assert placed.overlaps == []
