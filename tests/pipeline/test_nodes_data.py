"""Nodes that choose rows and columns, cut and pad arrays, and read and write tables."""

import numpy as np
import pandas as pd
import pytest

from pipeline.nodes import find_node, run_node
from pipeline.transmission import ArrayColumn, ColumnInfo, history_text
from tests.pipeline.node_tables import noise, run, run_many, table_of

WORDS = table_of(noise(3, 4), gene=["aten", "pr", "palp"], size=[48.0, 60, 72])


def rows(name="select_rows", table=WORDS, **params):
    """Return the numbers of the rows that stay."""
    chosen = run(name, table, **params).row_ids
    return [table.row_ids.tolist().index(row) for row in chosen]


@pytest.mark.parametrize(
    ("column", "operator", "values", "n_rows"),
    [
        ("gene", "contains", ("mn", "palp", "pr"), 2),
        ("gene", "matches", ("mn|palp|pr",), 2),
        ("gene", "equals", ("pr",), 1),
        ("gene", "not_contains", ("p",), 1),
        ("size", ">=", (60,), 2),
        ("size", "equals", (48, 72), 2),
        ("size", "not_equals", (48, 72), 1),
    ],
)
def test_reference_12_filters(column, operator, values, n_rows):
    assert len(rows(column=column, operator=operator, values=values)) == n_rows


def test_reference_12_a_comparison_with_two_numbers_is_refused():
    with pytest.raises(ValueError, match=r"> needs 1 value\(s\); got 2"):
        rows(column="size", operator=">", values=(48, 60))


@pytest.mark.parametrize(
    ("column", "operator", "values", "expected"),
    [
        ("gene", "contains", (".",), []),  # a dot is a dot
        ("gene", "matches", ("^p",), [1, 2]),
        ("gene", "not_matches", ("^p",), [0]),
        ("gene", "not_equals", ("pr", "aten"), [2]),
        ("size", "<", (60,), [0]),
        ("size", "<=", ("60",), [0, 1]),
        ("size", "between", (50, 72), [1, 2]),
        ("row_id", "equals", ("roi1",), [1]),
        ("gene", "is_present", (), [0, 1, 2]),
    ],
)
def test_rows_are_chosen_by_words_and_numbers(column, operator, values, expected):
    assert rows(column=column, operator=operator, values=values) == expected


def test_a_missing_value_fits_nothing_but_is_missing():
    table = table_of(noise(3, 4), tag=["a", None, "b"], size=[1, np.nan, 3])
    assert rows(table=table, column="tag", operator="not_equals", values=("a",)) == [2]
    assert rows(table=table, column="size", operator="not_equals", values=(1,)) == [2]
    assert rows(table=table, column="size", operator="is_missing") == [1]
    assert rows("text_filter", table, column="tag", text="a", exclude=True) == [1, 2]


def test_letters_of_any_case_and_odd_comparisons():
    assert rows(column="gene", operator="equals", values=("PR",), ignore_case=True) == [1]
    with pytest.raises(ValueError, match="gene holds text, for which < means nothing"):
        rows(column="gene", operator="<", values=("a",))
    with pytest.raises(ValueError, match="size holds numbers, for which contains means nothing"):
        rows(column="size", operator="contains", values=(1,))
    with pytest.raises(ValueError, match="cannot be compared with"):
        rows(column="size", operator=">", values=("many",))
    with pytest.raises(ValueError, match="is no regular expression"):
        rows(column="gene", operator="matches", values=("(",))


def test_the_text_filter_takes_whole_text_alone():
    assert rows("text_filter", column="gene", text="pr") == [1]
    assert rows("text_filter", column="gene", text="p") == []


def test_rows_that_lack_something_are_dropped():
    table = table_of([[1, 2], [np.nan, 1], [], [np.nan, np.nan], [3, 4]], size=[1, 2, 3, 4, np.nan])
    assert rows("dropna", table) == [0]
    assert rows("dropna", table, columns=("_RAW_CURVE",)) == [0, 4]
    assert rows("dropna", table, columns=("_RAW_CURVE",), partial=False) == [0, 1, 4]
    assert rows("dropna", table, columns=("_RAW_CURVE", "size"), how="all") == [0, 1, 2, 3, 4]
    left = run("dropna_columns", table)
    assert set(left.columns()) == {"row_id", "recording_id"}
    assert "_RAW_CURVE" in run("dropna_columns", table, how="all").columns()


def test_a_range_of_rows_is_a_table():
    assert rows("iloc", start=1) == [1, 2]
    assert rows("iloc", start=-1) == [2]
    assert rows("iloc", start=5) == []


def test_columns_are_chosen_and_rows_keep_their_names():
    left = run("select_columns", WORDS, columns=("size",))
    assert set(left.columns()) == {"row_id", "recording_id", "size"}
    assert left.last_output is None


def test_cut_arrays_keep_their_place_in_time():
    table = table_of(noise(2, 50), rate_hz=[10, 20], start_s=[0, 0.5])
    part = run("splice_arrays", table, start=1.0, stop=2.0).array("_SPLICE_ARRAYS")
    assert part.lengths.tolist() == [10, 20]
    np.testing.assert_allclose(part.start_s, 1.0)
    np.testing.assert_array_equal(part.row(1), table.array("_RAW_CURVE").row(1)[10:30])
    again = run("splice_arrays", run("splice_arrays", table, start=1.0), start=1.5, stop=1.7)
    np.testing.assert_allclose(again.array("_SPLICE_ARRAYS").start_s, 1.5)


@pytest.mark.parametrize(
    ("start", "stop"), [(0, None), (2, 5), (-4, -1), (0, -1), (45, 90), (-90, 3), (5, 2)]
)
def test_cuts_by_samples_are_those_of_python(start, stop):
    traces = noise(2, 50)
    part = run("splice_arrays", table_of(traces), start=start, stop=stop, unit="samples")
    column = part.array("_SPLICE_ARRAYS")
    np.testing.assert_array_equal(column.row(1), traces[1][start:stop])


def test_every_frame_time_falls_on_its_own_sample():
    table = table_of(np.arange(3000.0)[np.newaxis], rate_hz=30.0)
    for frame in (1, 7, 299, 1003, 2999):
        part = run("splice_arrays", table, start=frame / 30, stop=(frame + 1) / 30)
        assert part.array("_SPLICE_ARRAYS").row(0).tolist() == [frame]


@pytest.mark.parametrize(
    "mode", ["minimum", "maximum", "mean", "median", "edge", "reflect", "symmetric", "wrap"]
)
def test_arrays_are_padded_as_numpy_does(mode):
    ragged = [np.array([3.0, 1, 2]), noise(1, 8)[0], np.array([4.0])]
    padded = run("pad_arrays", table_of(ragged), mode=mode).array("_PADDED").stacked()
    assert padded.shape == (3, 8)
    np.testing.assert_array_equal(padded[0], np.pad(ragged[0], (0, 5), mode=mode))
    np.testing.assert_array_equal(padded[2], np.full(8, 4.0))


def test_random_padding_is_the_same_for_a_seed_and_keeps_time():
    ragged = [np.arange(5.0), np.arange(20.0), np.arange(9.0)]
    one, again, other = (
        run("pad_arrays", table_of(ragged), method="random", mode="nan", seed=seed)
        for seed in (1, 1, 2)
    )
    assert one.checksum() == again.checksum() != other.checksum()
    column = one.array("_PADDED")
    first = np.flatnonzero(~np.isnan(column.row(0)))[0]
    assert column.positions(0)[first] == pytest.approx(0)


def test_grey_levels_come_back():
    item = ColumnInfo("numeric", "", "item")
    table = table_of([[0.0, 1, 2], [5, 5, 5], [0, 1, 2], [0, 1, 2]])
    low = ArrayColumn.of([np.arange(6.0)] * 3 + [[]], item)
    high = ArrayColumn.of([np.full(6, 11.0), np.full(6, 11.0), np.zeros(6), []], item)
    table = table.with_array("_RAW_LOW", low).with_array("_RAW_HIGH", high)
    made = run("normrawminmax", table, data_column="_RAW_CURVE", option="top_10")
    np.testing.assert_allclose(made.array("_NORMRAW").row(0), [1, 6, 11])
    assert all(np.isnan(made.array("_NORMRAW").row(row)).all() for row in (1, 2, 3))
    assert made.provenance(0)[-1].notes == {"invalid_rows": 3}


def test_a_table_is_saved_and_loaded_with_its_history(tmp_path):
    table = run("normalize", table_of(noise(3, 10)))
    path = str(tmp_path / "t.parquet")
    run("save", table, path=path)
    with pytest.raises(FileExistsError, match="choose another name"):
        run("save", table, path=path)
    loaded = run_many("load_file", {}, path=path)["out"]
    np.testing.assert_array_equal(
        loaded.array("_NORMALIZE").stacked(), table.array("_NORMALIZE").stacked()
    )
    assert "normalize" in history_text(loaded.history)
    first = loaded.provenance(0)[-1].key
    run("save", run("zscore", table), path=path, overwrite=True)
    assert run_many("load_file", {}, path=path)["out"].provenance(0)[-1].key != first


def test_a_file_that_is_not_there_is_named(tmp_path):
    node = find_node("load_file")
    with pytest.raises(FileNotFoundError, match="there is no file"):
        run_node(node, node.params(path=str(tmp_path / "x.parquet")), {})


def test_merged_rows_keep_their_values_and_stimuli_once():
    one, other = table_of(noise(2, 5)), table_of(noise(3, 5, seed=1), ids=list("xyz"))
    both = run("merge", [one, other])
    assert both.row_ids.tolist() == ["roi0", "roi1", "x", "y", "z"]
    assert isinstance(both.frame.index, pd.RangeIndex) and both.last_output == "_RAW_CURVE"
