"""Flowcharts: read, checked, named by content, computed once."""

import shutil
from dataclasses import replace

import numpy as np
import pytest

from pipeline.flow import (
    Flow,
    FlowchartError,
    Results,
    Source,
    Wire,
    computing,
    from_json,
    plan,
    require,
    siblings,
    stored,
    to_json,
)
from pipeline.flow.difference import difference
from pipeline.nodes import NODES, schema_of
from tests.pipeline.node_tables import noise, run, table_of

KINDS = {name: node.params for name, node in NODES.items()}


@pytest.fixture
def table():
    """Traces of 40 cells in two groups."""
    return table_of(noise(40, 200).astype("f4"), group=["odd", "even"] * 20)


def two_branches(table):
    """Return a flow with two branches that meet again."""
    flow = Flow("two branches")
    raw = flow.load(table)
    low = flow.butterworth(raw, cutoff_hz=0.5, id="low")
    high = flow.butterworth(raw, cutoff_hz=2.0, id="high")
    flow.merge([low, high], id="both")
    return flow


def plan_of(flow):
    sources = {n: Source(t.checksum()[:32], schema_of(t)) for n, t in flow.tables.items()}
    return plan(flow.chart, sources)


def test_a_flowchart_is_the_same_after_its_text(table):
    chart = two_branches(table).chart

    again = from_json(to_json(chart))

    assert again == chart
    assert to_json(again) == to_json(chart)
    assert again.steps["both"].inputs == chart.steps["both"].inputs


GOOD = '{"schema": 1, "name": "x", "nodes": %s, "edges": %s}'
RAW = '{"id": "raw", "node": "load"}'


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "no JSON: .* in line 1"),
        ("[]", "an object with a list of"),
        ("null", "an object with a list of"),
        ('{"schema": 2, "nodes": []}', "of schema 2; this version reads 1"),
        (GOOD % (f"[{RAW}, {RAW}]", "[]"), "two nodes have the id 'raw'"),
        (GOOD % ('[{"id": "a.b", "node": "load"}]', "[]"), "begins with a letter"),
        (GOOD % ('[{"node": "load"}]', "[]"), "begins with a letter .* got None"),
        (GOOD % ('["raw"]', "[]"), 'needs an "id" and a "node"'),
        (GOOD % ('[{"id": "a", "node": "load", "params": []}]', "[]"), "is an object of names"),
        (GOOD % (f"[{RAW}]", '[["raw", "gone"]]'), "ends at 'gone': no such node"),
        (GOOD % (f"[{RAW}]", '[["gone", "raw"]]'), "what leaves 'gone': no such node"),
        (GOOD % (f"[{RAW}]", '[["raw", "raw"]]'), "flows into it again, among: raw"),
        (GOOD % (f"[{RAW}]", '[["raw"]]'), "a wire is a pair .* got"),
        (GOOD % (f"[{RAW}]", "{}"), "a list of pairs"),
    ],
)
def test_a_text_that_is_no_flowchart_is_refused_in_one_sentence(text, sentence):
    with pytest.raises(FlowchartError, match=sentence) as refused:
        from_json(text)

    assert "\n" not in str(refused.value)


def test_what_is_wrong_is_said_of_the_node_where_it_is_wrong(table):
    flow = Flow()
    raw = flow.load(table)
    spectrum = flow.power_spectral_density(raw)
    filtered = flow.butterworth(spectrum, cutoff_hz=1.0)
    flow.normalize(filtered)
    flow.butterworth(raw, data_column="_GONE", id="gone")
    flow.normalize(id="alone")

    problems = {problem.step: problem.sentence for problem in plan_of(flow).problems}

    assert set(problems) == {"butterworth", "gone", "alone"}
    assert "along frequency" in problems["butterworth"]
    assert "there is no column '_GONE'" in problems["gone"]
    assert "needs something at its input" in problems["alone"]
    with pytest.raises(FlowchartError, match=r"\[butterworth\] .* \[gone\] .* \[alone\] "):
        require(plan_of(flow))


def test_a_value_that_cannot_be_is_said_before_anything_runs(table, tmp_path):
    flow = Flow()
    flow.butterworth(flow.load(table), cutoff_hz=-1.0)

    with pytest.raises(FlowchartError, match=r"\[butterworth\] cutoff_hz must be between"):
        flow.run(tmp_path)

    assert [path.name for path in tmp_path.iterdir()] == [table.checksum()[:32]]


def test_results_are_those_of_the_nodes_run_by_hand(table, tmp_path):
    flow = Flow()
    low = flow.butterworth(flow.load(table), cutoff_hz=1.0)
    flow.normalize(low)

    ran = flow.run(tmp_path)

    expected = run("normalize", run("butterworth", table, cutoff_hz=1.0))
    assert ran.table("normalize").checksum() == expected.checksum()
    assert [block.operation for block in ran.table("normalize").provenance(3)] == [
        "simulated",
        "butterworth",
        "normalize",
    ]


def test_defect_6_nothing_is_computed_twice_and_a_change_only_what_depends_on_it(table, tmp_path):
    flow = two_branches(table)
    first = flow.run(tmp_path)

    assert len(first.computed) == 3
    assert flow.run(tmp_path).computed == []

    changed = Flow("other name")
    raw = changed.load(table)
    low = changed.butterworth(raw, cutoff_hz=0.5, id="renamed")
    high = changed.butterworth(raw, cutoff_hz=3.0)
    changed.merge([low, high])
    again = changed.run(tmp_path)
    assert again.keys["renamed"] == first.keys["low"]
    assert set(again.computed) == {again.keys["butterworth"], again.keys["merge"]}


def test_a_result_that_was_deleted_comes_back_the_same(table, tmp_path):
    flow = two_branches(table)
    before = {name: flow.run(tmp_path).table(name).checksum() for name in flow.chart.steps}
    shutil.rmtree(tmp_path / plan_of(flow).keys["low"])

    ran = flow.run(tmp_path)

    assert ran.computed == [ran.keys["low"]]
    assert {name: ran.table(name).checksum() for name in before} == before


def test_a_branch_and_its_merge_keep_both_histories(table, tmp_path):
    both = two_branches(table).run(tmp_path).table("both")

    cutoffs = [both.provenance(row)[1].parameters["cutoff_hz"] for row in (0, 40)]

    assert both.n_rows == 80
    assert set(both.arrays) == {"_RAW_CURVE", "_BUTTERWORTH"}
    assert cutoffs == [0.5, 2.0]


def test_threads_change_no_bit(table, tmp_path):
    one, two = (
        two_branches(table).run(tmp_path / str(threads), threads=threads) for threads in (1, 2)
    )

    assert one.keys == two.keys
    for name in one.keys:
        assert one.table(name).checksum() == two.table(name).checksum()


def test_blocks_of_rows_change_no_bit(table, tmp_path, monkeypatch):
    flow = two_branches(table)
    whole = flow.run(tmp_path / "whole")
    monkeypatch.setattr(stored, "BLOCK_BYTES", 3000)
    blocks = flow.run(tmp_path / "blocks")

    with stored.open_stored(blocks.results.layers(Wire(blocks.keys["low"], ""))) as opened:
        assert len(list(opened.blocks())) > 10
    for name in whole.keys:
        assert whole.table(name).checksum() == blocks.table(name).checksum()


def test_a_result_holds_only_what_its_node_made(table, tmp_path):
    flow = Flow()
    flow.normalize(flow.butterworth(flow.load(table)))
    ran = flow.run(tmp_path)

    newest, *older = ran.results.layers(Wire(ran.keys["normalize"], ""))

    assert len(older) == 2
    with stored.open_stored([newest]) as alone:
        assert set(alone.columns()) == {"row_id", "_NORMALIZE"}
    assert set(ran.table("normalize").arrays) == {"_RAW_CURVE", "_BUTTERWORTH", "_NORMALIZE"}


def test_a_column_that_is_made_twice_is_the_newer_one(table, tmp_path):
    flow = Flow()
    once = flow.butterworth(flow.load(table), cutoff_hz=2.0)
    twice = flow.butterworth(once, cutoff_hz=1.0)

    found = flow.run(tmp_path).table(twice.step)

    by_hand = run("butterworth", run("butterworth", table, cutoff_hz=2.0), cutoff_hz=1.0)
    assert found.checksum() == by_hand.checksum()


def test_files_with_other_rows_are_not_put_together(table, tmp_path):
    flow = Flow()
    flow.butterworth(flow.load(table))
    ran = flow.run(tmp_path)
    newest, base = ran.results.layers(Wire(ran.keys["butterworth"], ""))
    other = Results(tmp_path / "other")
    other.folder.mkdir()
    shorter = other.layers(Wire(other.put(table.take(slice(0, 9))), ""))

    with (
        pytest.raises(ValueError, match="has 9 rows where 40 belong to it"),
        stored.open_stored([newest, *shorter]),
    ):
        pass
    assert base.exists()


def test_a_node_that_fails_is_named_and_the_others_are_computed(table, tmp_path):
    def fail(_traces, **_):
        raise ValueError("these data cannot be.")

    flow = two_branches(table)
    NODES["broken"] = replace(NODES["normalize"], name="broken", compute=fail)
    flow.broken(flow.load(table))
    with pytest.raises(FlowchartError, match=r"\[broken\] .*these data cannot be"):
        flow.run(tmp_path)

    results, keys = Results(tmp_path), plan_of(two_branches(table)).keys
    assert all(results.has(key) for key in keys.values())
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]


def test_another_version_of_a_node_is_another_result(table, tmp_path):
    flow = Flow()
    flow.butterworth(flow.load(table))
    (planned,) = require(plan_of(flow))

    node = NODES["butterworth"]
    NODES["butterworth"] = replace(node, version=node.version + 1)
    (later,) = require(plan_of(flow))
    with pytest.raises(ValueError, match="installed in version .*submit the flowchart again"):
        computing.compute_result(planned, {}, tmp_path / "x")

    assert later.key != planned.key


def test_lists_in_place_of_values_make_siblings(table):
    flow = Flow("sweep")
    low = flow.butterworth(flow.load(table), cutoff_hz=[0.5, 1.0, 2.0], order=[1, 2])
    flow.normalize(low)

    found = siblings(flow.chart, KINDS)

    assert len(found) == 6
    assert found[0].choice == {"butterworth.cutoff_hz": 0.5, "butterworth.order": 1}
    assert found[5].flowchart.steps["butterworth"].params == {"cutoff_hz": 2.0, "order": 2}
    assert siblings(found[0].flowchart, KINDS) == [({}, found[0].flowchart)]


def test_a_sweep_that_is_too_large_is_refused(table):
    flow = Flow("sweep")
    flow.butterworth(flow.load(table), cutoff_hz=list(np.linspace(0.1, 4, 1001)))

    with pytest.raises(ValueError, match="1001 flowcharts; at most 1000"):
        siblings(flow.chart, KINDS)


def test_a_difference_says_what_changed_and_what_is_computed(table):
    before = two_branches(table)
    after = Flow("after")
    raw = after.load(table)
    low = after.butterworth(raw, cutoff_hz=0.4, id="low")
    high = after.butterworth(raw, cutoff_hz=2.0, id="high")
    after.normalize(after.merge([low, high], id="both"))

    found = difference(before.chart, after.chart, plan_of(before), plan_of(after))

    assert (found.added, found.removed, found.rewired) == (["normalize"], [], [])
    assert found.changed == {"low": {"cutoff_hz": (0.5, 0.4)}}
    assert found.recomputed == ["low", "both", "normalize"]
    assert str(found).splitlines() == [
        "+ normalize",
        "~ low: cutoff_hz 0.5 -> 0.4",
        "to be computed: low, both, normalize",
    ]
    same = difference(before.chart, before.chart, plan_of(before), plan_of(before))
    assert str(same) == "no difference\nto be computed: nothing"
