"""Flowcharts in tables: submitted, computed by jobs, found again; on both servers."""

import shutil
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from threading import Barrier

import numpy as np
import pandas as pd
import pytest
import zarr

from pipeline.flow import Flow, FlowchartError
from pipeline.flow.templates import TEMPLATES, template
from pipeline.nodes import NODES
from populate_workers.populate import populate
from schemas.connection import connect_session
from schemas.custom_columns import add_custom_column
from schemas.datasets import make_dataset
from schemas.flow_results import delete_results, flow_states, origin, result_table
from schemas.flows import (
    enter_flowchart,
    find_flowchart,
    flowcharts,
    plan_siblings,
    submit_flow,
)
from schemas.ingest import Trial, ingest
from schemas.motion import submit_motion
from schemas.peak_edits import edit_peaks
from schemas.roi import submit_segmentation
from schemas.samples import SampleChange, add_sample, modify_samples
from schemas.settings import ProjectError
from schemas.stimuli import add_stimulus_type, enter_periods, place
from schemas.store import stored_path

pytestmark = pytest.mark.db


@pytest.fixture(scope="module")
def lab(make_project, address, simulated):
    """A project with two samples, whose cells are the dataset ``cells``."""
    database = make_project(address)
    for trial in ("t1", "t2"):
        file = database.settings.roots["data"] / f"{trial}.tif"
        shutil.copy(simulated[1], file)
        ingest(Trial(animal="m1", session="2026-11-22", trial=trial, rate_hz=30.0), [file])
    submit_motion(database.session.Recording() & {"trial": "t2"})
    submit_segmentation(database.session.Recording())
    compute(database)
    add_stimulus_type(database, "odour")
    periods = pd.DataFrame([("banana", 1.0, 2.0)], columns=["name", "start", "end"])
    for row in database.roi.Segmentation.proj().to_dicts():
        key = {name: row[name] for name in ("animal_id", "session", "trial")}
        add_sample(database, row, segmentation_id=row["segmentation_id"])
        enter_periods(database, key, {"odour": place(database, key, periods, unit="s")})
    add_custom_column(database, "group", "str", "wild")
    make_dataset(database, "cells", "accepted")
    return database


def compute(database):
    outcomes = []
    populate(database, watch=outcomes.append)
    assert [outcome.error for outcome in outcomes if outcome.error] == []
    return [outcome.step for outcome in outcomes]


def smoothed(name="smoothed", cutoff_hz=1.0, dataset="cells"):
    flow = Flow(name)
    flow.zscore(flow.butterworth(flow.load(dataset), cutoff_hz=cutoff_hz))
    return flow.chart


def plan_of(database, chart):
    ((_, plan),), _ = plan_siblings(database, chart)
    return plan


def states(database, name):
    return {s.step: s.state for s in flow_states(database, find_flowchart(database, name))}


def table_of(database, name, step):
    entered = find_flowchart(database, name)
    (key,) = [s.result_key for s in flow_states(database, entered) if s.step == step]
    return result_table(database, key)


def test_a_flowchart_is_computed_by_jobs_from_a_dataset(lab):
    done = submit_flow(lab, enter_flowchart(lab, smoothed()))
    assert (done.n_results, done.n_new) == (3, 3)
    assert states(lab, "smoothed") == dict.fromkeys(("load", "butterworth", "zscore"), "waiting")

    steps = compute(lab)

    assert steps == ["node_result"] * 3
    assert states(lab, "smoothed") == dict.fromkeys(("load", "butterworth", "zscore"), "done")
    found = table_of(lab, "smoothed", "zscore")
    assert found.n_rows == len(lab.roi.Segmentation.Roi() & "accepted")
    assert {"_RAW_CURVE", "_DFOF", "_SPIKES", "_BUTTERWORTH", "_ZSCORE"} == set(found.arrays)
    assert np.allclose(found.array("_ZSCORE").stacked().std(axis=1), 1, atol=1e-5)
    assert set(found.scalar("custom.group")) == {"wild"}
    assert set(found.stimuli["name"]) == {"banana"}
    assert len(found.stimuli) == 2


def test_traces_are_those_of_their_rois(lab):
    submit_flow(lab, enter_flowchart(lab, smoothed()))
    compute(lab)

    found = table_of(lab, "smoothed", "load")

    for row in range(found.n_rows):
        animal, session, trial, segmentation, roi_id = found.row_ids[row].split("/")
        key = {"animal_id": animal, "session": session, "trial": trial}
        stored = (lab.roi.Segmentation() & key & {"segmentation_id": segmentation}).fetch1()
        group = zarr.open_group(stored_path(lab.settings, stored["sources"]), mode="r")
        assert np.array_equal(found.array("_RAW_CURVE").row(row), group["raw"][int(roi_id)])
        assert np.array_equal(found.array("_SPIKES").row(row), group["spikes"][int(roi_id)])
        assert found.array("_RAW_CURVE").rate_hz[row] == stored["rate_hz"]


BITS = {}
"""Checksums of one result by the kind of server."""


def test_both_servers_give_the_same_bits(lab):
    submit_flow(lab, enter_flowchart(lab, smoothed()))
    compute(lab)

    BITS[lab.connection.adapter.backend] = table_of(lab, "smoothed", "zscore").checksum()

    assert len(set(BITS.values())) == 1


def test_nothing_is_asked_for_twice_and_a_change_only_what_depends_on_it(lab):
    first = submit_flow(lab, enter_flowchart(lab, smoothed()))
    compute(lab)
    assert submit_flow(lab, find_flowchart(lab, "smoothed")).n_new == 0

    other = enter_flowchart(lab, smoothed("other", cutoff_hz=2.0))
    done = submit_flow(lab, other)

    assert (first.n_results, done.n_results, done.n_new) == (3, 3, 2)
    assert states(lab, "other")["load"] == "done"
    assert compute(lab) == ["node_result"] * 2


def test_a_result_that_was_deleted_comes_back_the_same_with_what_is_made_of_it(lab):
    submit_flow(lab, enter_flowchart(lab, smoothed("again", cutoff_hz=3.0)))
    compute(lab)
    before = table_of(lab, "again", "zscore").checksum()
    entered = find_flowchart(lab, "again")
    keys = {s.step: s.result_key for s in flow_states(lab, entered)}

    gone = delete_results(lab, [keys["butterworth"]])

    assert set(gone) == {keys["butterworth"], keys["zscore"]}
    assert states(lab, "again")["load"] == "done"
    with pytest.raises(ProjectError, match="not computed yet; start a worker"):
        result_table(lab, keys["zscore"])
    assert compute(lab) == ["node_result"] * 2
    assert table_of(lab, "again", "zscore").checksum() == before


def test_what_people_change_later_is_another_result(lab):
    chart = smoothed("annotated")
    submit_flow(lab, enter_flowchart(lab, chart))
    compute(lab)
    before = table_of(lab, "annotated", "zscore")
    change = SampleChange(sample_id="m1-_-t1", values={"group": "mutant"})
    modify_samples(lab, [change])
    try:
        assert submit_flow(lab, find_flowchart(lab, "annotated")).n_new == 3
        compute(lab)
        after = table_of(lab, "annotated", "zscore")
    finally:
        modify_samples(lab, [replace(change, values={"group": "wild"})])

    assert set(before.scalar("custom.group")) == {"wild"}
    assert set(after.scalar("custom.group")) == {"wild", "mutant"}
    assert submit_flow(lab, find_flowchart(lab, "annotated")).n_new == 0


def test_lists_in_place_of_values_are_siblings_that_share_what_is_equal(lab):
    chart = smoothed("sweep", cutoff_hz=[0.7, 0.9])

    done = submit_flow(lab, enter_flowchart(lab, chart))
    compute(lab)

    found = flow_states(lab, find_flowchart(lab, "sweep"))
    assert done.n_results == 5
    choices = [s.choice["butterworth.cutoff_hz"] for s in found if s.step == "zscore"]
    assert sorted(choices) == [0.7, 0.9]
    assert len(found) == 6
    assert {s.state for s in found} == {"done"}
    assert len({s.result_key for s in found if s.step == "load"}) == 1


def test_versions_of_a_flowchart_stay(lab):
    one = enter_flowchart(lab, smoothed("versions", cutoff_hz=1.0))
    two = enter_flowchart(lab, smoothed("versions", cutoff_hz=2.0))
    again = enter_flowchart(lab, smoothed("versions", cutoff_hz=1.0))

    assert (one.version, two.version, again.version) == (1, 2, 1)
    assert find_flowchart(lab, "versions").flowchart == two.flowchart
    assert find_flowchart(lab, "versions@1").flowchart == one.flowchart
    assert list(flowcharts(lab).query("name == 'versions'")["version"]) == [1, 2]
    for name in ("gone", "versions@3", "versions@x", "versions@1 OR 1=1", ""):
        with pytest.raises(ProjectError, match="there is no flowchart .* there are: "):
            find_flowchart(lab, name)


@pytest.mark.parametrize(
    ("params", "sentence"),
    [
        ({"dataset": "gone"}, "there is no dataset 'gone'"),
        ({"dataset": "'; DROP TABLE x; --"}, "there is no dataset"),
        ({"dataset": 3}, 'takes the name of a "dataset"'),
        ({"dataset": "cells", "colour": "red"}, 'takes the name of a "dataset"'),
        ({"dataset": "cells", "traces": ["loud"]}, "traces are some of raw, "),
        ({"dataset": "cells", "traces": []}, "traces are some of raw, "),
    ],
)
def test_what_cannot_be_loaded_is_said_and_nothing_stored(lab, params, sentence):
    chart = smoothed("wrong")
    load = replace(chart.steps["load"], params=params)
    chart = replace(chart, steps={**chart.steps, "load": load})
    n_tasks = len(lab.analysis.NodeTask())

    plan = plan_of(lab, chart)

    ((step, said),) = plan.problems
    assert step == "load"
    assert sentence in said
    with pytest.raises(FlowchartError, match=r"\[load\] "):
        submit_flow(lab, enter_flowchart(lab, chart))
    assert len(lab.analysis.NodeTask()) == n_tasks


def test_from_a_value_one_call_leads_back_to_its_recording(lab):
    submit_flow(lab, enter_flowchart(lab, smoothed()))
    compute(lab)
    table = table_of(lab, "smoothed", "zscore")
    row = int(np.flatnonzero(table.scalar("trial") == "t2")[0])

    found = origin(lab, table, row)

    assert found.recording["trial"] == "t2"
    assert found.frames == (0, 300)
    assert [made["step"] for made in found.made_by] == ["motion correction", "cnmf"]
    assert found.made_by[0]["params"]["mode"]
    assert "numpy" in found.made_by[1]["versions"]
    assert [block.operation for block in found.operations] == ["load", "butterworth", "zscore"]
    assert found.operations[1].parameters["cutoff_hz"] == 1.0
    assert "scipy" in found.operations[1].software


def test_a_session_of_the_app_sees_the_same(lab):
    submit_flow(lab, enter_flowchart(lab, smoothed()))
    compute(lab)
    session = connect_session(lab.settings)

    assert states(session, "smoothed") == states(lab, "smoothed")
    assert submit_flow(session, find_flowchart(session, "smoothed")).n_new == 0
    session.connection.close()


def peaks_of(database, name):
    table = table_of(database, name, "peak_edit")
    return [row.tolist() for row in table.array("_PB_IX").rows()], list(table.row_ids)


def test_peaks_that_people_change_are_rows_that_a_node_applies(lab):
    flow = Flow("edited")
    smooth = flow.butterworth(flow.load("cells"), cutoff_hz=2.0)
    flow.peak_edit(flow.peak_detect(smooth), data_column="_BUTTERWORTH")
    entered = enter_flowchart(lab, flow.chart)
    submit_flow(lab, entered)
    compute(lab)
    before, ids = peaks_of(lab, "edited")
    keys = {s.step: s.result_key for s in flow_states(lab, entered)}

    n_edits = edit_peaks(lab, keys["peak_detect"], [(ids[0], "delete", before[0][0], None)])
    done = submit_flow(lab, entered)
    compute(lab)

    after, _ = peaks_of(lab, "edited")
    assert (n_edits, done.n_new) == (1, 1)
    assert after[0] == before[0][1:]
    assert after[1:] == before[1:]
    (row,) = lab.analysis.PeakEdit().to_dicts()
    assert row["account"]
    assert row["entered"]
    with pytest.raises(ProjectError, match="somebody else has changed these peaks meanwhile"):
        edit_peaks(lab, keys["peak_detect"], [(ids[1], "add_peak", 5, None)], after=0)
    assert len(lab.analysis.PeakEdit()) == 1
    with pytest.raises(ValueError, match="an edit must be"):
        edit_peaks(lab, keys["peak_detect"], [(ids[0], "paint", 1, None)])
    with pytest.raises(ProjectError, match="there is no result"):
        edit_peaks(lab, "f" * 32, [(ids[0], "delete", 1, None)])


@pytest.mark.parametrize(
    ("path", "sentence"),
    [
        ("/etc/hosts.parquet", "is outside the data roots"),
        ("{data}/../escaped.parquet", "is outside the data roots"),
        ("here.parquet", "path must be whole"),
    ],
)
def test_files_are_read_and_written_under_the_data_roots_alone(lab, path, sentence):
    path = path.format(data=lab.settings.roots["data"])
    flow = Flow("files")
    flow.save(flow.load("cells"), path=path)
    flow.load_file(path=path)

    plan = plan_of(lab, flow.chart)

    assert {problem.step for problem in plan.problems} == {"save", "load_file"}
    assert all(sentence in problem.sentence for problem in plan.problems)
    lab.analysis.NodeTask().insert1(
        {
            "result_key": f"{abs(hash(path)):032x}",
            **{"node": "load_file", "node_version": 1, "params": {"path": path}},
            **{"inputs": {}, "bases": [["out", None]]},
        }
    )
    outcomes = []
    populate(lab, watch=outcomes.append)
    (lab.analysis.NodeTask() & {"node": "load_file"}).delete(prompt=False)
    assert [sentence in outcome.error for outcome in outcomes] == [True]


@pytest.mark.parametrize("name", sorted(TEMPLATES))
def test_templates_are_right_for_a_dataset(lab, name):
    chart = template(name, "cells")
    if "stimulus" in name:
        steps = {
            key: replace(step, params={**step.params, "stimulus_type": "odour"})
            if "stimulus_type" in step.params
            else step
            for key, step in chart.steps.items()
        }
        chart = replace(chart, steps=steps)

    assert plan_of(lab, chart).problems == []


def test_a_node_that_fails_says_why_and_the_rest_is_done(lab):
    def fail(_traces, **_):
        raise ValueError("these data cannot be.")

    NODES["broken"] = replace(NODES["normalize"], name="broken", compute=fail)
    flow = Flow("half broken")
    raw = flow.load("cells")
    flow.normalize(raw)
    flow.zscore(flow.broken(raw))
    submit_flow(lab, enter_flowchart(lab, flow.chart))
    outcomes = []
    populate(lab, watch=outcomes.append)

    found = {s.step: s for s in flow_states(lab, find_flowchart(lab, "half broken"))}

    assert {name: s.state for name, s in found.items()} == {
        "load": "done",
        "normalize": "done",
        "broken": "error",
        "zscore": "waiting",
    }
    assert "these data cannot be" in found["broken"].reason


@pytest.mark.parametrize("alike", [True, False])
def test_of_people_who_enter_a_flowchart_at_the_same_moment_nobody_fails(lab, alike):
    people = [connect_session(lab.settings) for _ in range(3)]
    together = Barrier(len(people))
    name = f"together, {alike}"

    def enter(number, attempt):
        cutoff_hz = 1.0 + attempt / 10 + (0 if alike else number / 100)
        together.wait()
        entered = enter_flowchart(people[number], smoothed(name, cutoff_hz))
        submit_flow(people[number], entered)
        return entered.version

    with ThreadPoolExecutor() as pool:
        for attempt in range(1, 5):
            given = sorted(pool.map(partial(enter, attempt=attempt), range(len(people))))
            assert given == ([attempt] * 3 if alike else [3 * attempt - 2 + i for i in range(3)])
            assert set(states(lab, f"{name}@{given[-1]}")) == {"load", "butterworth", "zscore"}
    for person in people:
        person.connection.close()
    compute(lab)
