"""Nodes that sum up one value a row by group, and join columns of two branches."""

import numpy as np
import pytest
from scipy import stats

from pipeline.flow.building import Flow
from pipeline.nodes import find_node, run_node
from tests.pipeline.node_tables import noise, run, run_many, table_of

PEAKS = table_of(
    noise(7, 4),
    animal=["m2", "m1", "m1", "m1", "m2", None, "m3"],
    cell=["d", "a", "a", "b", "d", "e", "f"],
    height=[2.0, 1, 3, 8, np.nan, 99, 5],
)


def summary(**params):
    """Return the columns of a summary of heights, without the prefix."""
    made = run("group_summary", PEAKS, data_column="height", **params)
    names = [name for name in made.columns() if name.startswith("height_")]
    return {name.removeprefix("height_"): made.scalar(name).tolist() for name in names}, made


def test_groups_have_mean_standard_error_and_number():
    found, made = summary(group_by="animal")
    assert made.scalar("animal").tolist() == ["m1", "m2", "m3"]
    assert found["N"] == [3, 1, 1]
    assert found["MEAN"] == [4, 2, 5] and found["MEDIAN"] == [3, 2, 5]
    assert found["SEM"][0] == pytest.approx(stats.sem([1, 3, 8]))
    assert found["SD"][0] == pytest.approx(np.std([1, 3, 8], ddof=1))
    assert np.isnan(found["SEM"][1:]).all()
    assert made.last_output == "height_MEAN"


def test_peaks_of_one_cell_can_count_as_one():
    found, _ = summary(group_by="animal", unit_column="cell")
    assert found["N"] == [2, 1, 1]
    assert found["MEAN"][0] == pytest.approx((2 + 8) / 2)
    assert found["SEM"][0] == pytest.approx(stats.sem([2, 8]))


def test_without_a_group_all_rows_are_one_and_empty_groups_have_no_mean():
    found, made = summary()
    assert made.row_ids.tolist() == ["all"] and found["N"] == [6]
    empty = table_of(noise(2, 3), tag=["a", "b"], size=[np.nan, np.inf])
    made = run("group_summary", empty, data_column="size", group_by="tag")
    assert made.scalar("size_N").tolist() == [0, 0] and np.isnan(made.scalar("size_MEAN")).all()
    with pytest.raises(ValueError, match="name group_by first"):
        summary(group_by_second="cell")


def test_columns_of_another_branch_come_to_their_rows_whatever_their_order():
    table = table_of(noise(4, 30), size=[1.0, 2, 3, 4])
    other = run("derivative", table).take(np.array([3, 0, 2]))
    made = run_many("join_columns", {"data": table, "other": other}, columns=("_DERIVATIVE",))[
        "out"
    ]
    assert made.row_ids.tolist() == ["roi0", "roi2", "roi3"]
    for row, place in enumerate([1, 2, 0]):
        np.testing.assert_array_equal(
            made.array("_DERIVATIVE").row(row), other.array("_DERIVATIVE").row(place)
        )
    assert made.scalar("size").tolist() == [1, 3, 4]
    done = {block.operation for block in made.history.blocks.values()}
    assert {"derivative", "join_columns"} <= done
    assert made.provenance(0)[-1].notes == {"rows_in": 4, "rows_out": 3}


def test_none_named_joins_all_that_the_first_table_lacks():
    table = table_of(noise(3, 30), size=[1.0, 2, 3])
    other = run("sigmamad", run("derivative", table), data_column="_RAW_CURVE")
    made = run_many("join_columns", {"data": table, "other": other})["out"]
    assert set(made.columns()) == set(other.columns())
    np.testing.assert_array_equal(made.scalar("_SIGMAMAD"), other.scalar("_SIGMAMAD"))


def test_joins_that_would_mix_up_rows_or_columns_are_refused():
    table = table_of(noise(3, 30))
    derived = run("derivative", table)
    both = {"data": table, "other": derived}
    with pytest.raises(ValueError, match="'_RAW_CURVE' is in both tables"):
        run_many("join_columns", both, columns=("_RAW_CURVE",))
    with pytest.raises(ValueError, match="there is no column '_X' at 'other'"):
        run_many("join_columns", both, columns=("_X",))
    twice = derived.take(np.array([0, 0, 1]))
    with pytest.raises(ValueError, match="'roi0' comes several times"):
        run_many("join_columns", {"data": table, "other": twice})
    foreign = run("derivative", table_of(noise(3, 30), ids=["x", "y", "z"]))
    with pytest.raises(ValueError, match="no row is in both tables"):
        run_many("join_columns", {"data": table, "other": foreign})


def test_peaks_are_found_with_the_derivative_and_the_heights_of_other_branches(tmp_path):
    table = table_of(noise(3, 400))
    flow = Flow("three branches")
    raw = flow.load(table)
    smooth = flow.butterworth(raw, cutoff_hz=1.0)
    derived = flow.derivative(smooth)
    scaled = flow.normalize(smooth)
    joined = flow.join_columns(derived, scaled, columns=["_NORMALIZE"])
    flow.peak_detect(
        joined,
        data_column="_RAW_CURVE",
        derivative_column="_DERIVATIVE",
        amplitude_column="_NORMALIZE",
        min_amplitude_abs=0.5,
    )
    made = flow.run(tmp_path).table("peak_detect")

    one = run("butterworth", table, cutoff_hz=1.0)
    one = run("normalize", run("derivative", one), data_column="_BUTTERWORTH")
    node = find_node("peak_detect")
    params = node.params(
        data_column="_RAW_CURVE",
        derivative_column="_DERIVATIVE",
        amplitude_column="_NORMALIZE",
        min_amplitude_abs=0.5,
    )
    expected = run_node(node, params, {"data": one})["out"]
    assert expected.array("_PB_IX").values.size > 20
    np.testing.assert_array_equal(made.array("_PB_IX").values, expected.array("_PB_IX").values)
