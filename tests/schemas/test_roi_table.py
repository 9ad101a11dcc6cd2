"""Filters that servers run against the plain version, on random tables, on both servers."""

import datetime as dt
import re

import numpy as np
import pandas as pd
import pytest

from benchmarks.planted_rois import plant_rois, plant_samples
from pipeline.filters import All, Column, Columns, Condition, pandas_form, parse_filter
from schemas.actions import judge_rois
from schemas.custom_columns import add_custom_column
from schemas.labels import ROI_TAG_TYPE, add_label
from schemas.numbered_rows import OF_ROI, numbered_samples, tags_numbered, verdicts_numbered
from schemas.roi_index import NAME, part_numbers
from schemas.roi_states import ROI, SEGMENTATION, current_tags, newest_rows
from schemas.roi_table import Page, count_rois, fetch_rois, roi_table
from schemas.roi_tags import tag_rois
from schemas.stimuli import add_stimulus_type
from schemas.undoing import undo_action
from tests.filter_reference import (
    TEXTS,
    fulfils,
    numbers_of,
    random_filter,
    random_texts,
    written,
)

pytestmark = pytest.mark.db
N_FILTERS = 150
N_TRIALS, N_ROIS = 6, 25
TAG_TYPES = ("region", "cell type")
TAGS = [text for text in TEXTS if text == text.strip() and text.isprintable()]
CUSTOM = {"str": "pr", "int": 3, "float": None, "bool": True}
"""Kinds of custom columns, and what samples have that nobody gave a value."""


@pytest.fixture(scope="module")
def lab(make_project, address):
    """A project of hostile texts and random numbers, and the same ROIs as dicts."""
    database, rng = make_project(address), np.random.default_rng(0)
    segmentations = plant_samples(database, n_animals=3, n_trials=N_TRIALS)
    rows = plant_rois(database, segmentations, n_rois=N_ROIS, rng=rng)
    for kind, default in CUSTOM.items():
        add_custom_column(database, f"a {kind}", kind, default)
    add_stimulus_type(database, "odour")
    for label in TAG_TYPES:
        add_label(database, ROI_TAG_TYPE, label)
    days = {row["animal_id"]: row["session_date"] for row in database.session.Session().to_dicts()}
    animals = {row["animal_id"]: row for row in database.animal.Animal().to_dicts()}
    about = {key["segmentation_id"]: _annotate(database, key, rng) for key in segmentations}
    whole = []
    for row in rows:
        own = {name: animals[row["animal_id"]][name] for name in ("species", "genotype", "sex")}
        own["session_date"] = pd.Timestamp(days[row["animal_id"]])
        whole.append({**row, **own, **about[row["segmentation_id"]], "centroid_plane_px": None})
    for key in segmentations:
        _decide(database, key, [row for row in whole if key.items() <= row.items()], rng)
    gone = segmentations[2]  # what people decided of its ROIs stays
    (database.sample.Sample() & {name: gone[name] for name in ROI[:3]}).delete(prompt=False)
    return database, [row for row in whole if not gone.items() <= row.items()]


def _decide(database, key, rows, rng):
    """Tag and judge ROIs of a segmentation, some of them twice, and undo the last verdict."""
    for row in rows:
        row["state"] = "accepted" if row["accepted"] else "rejected"
        row.update({f"tag.{label}": None for label in TAG_TYPES})
    for label in TAG_TYPES:
        for _ in range(N_ROIS):
            row = rows[rng.integers(len(rows))]
            tag = str(rng.choice(TAGS))
            tag_rois(database, key, [row["roi_id"]], {label: tag})
            row[f"tag.{label}"] = tag or None
    for state in rng.permutation(["excluded", "accepted", "rejected"] * 4).tolist():
        row = rows[rng.integers(len(rows))]
        judge_rois(database, key, [row["roi_id"]], state, reason=f"'{state}'")
        row.update(state=state, accepted=state == "accepted", reason=f"'{state}'")
    judge_rois(database, key, [row["roi_id"] for row in rows], "rejected")
    undo_action(database, key)


def _annotate(database, key, rng):
    """Give a sample comments, custom values and stimuli; return what it then has."""
    sample = {name: key[name] for name in ROI[:3]}
    (comments,) = rng.choice(TEXTS, 1)
    database.sample.Sample().update1({**sample, "comments": str(comments)})
    found = {"comments": str(comments), "sample_id": f"{key['animal_id']}-_-{key['trial']}"}
    values = {
        "str": random_texts(rng, 1)[0],
        "int": [None, 3, -2, 2**60][rng.integers(4)],
        "float": [None, 0.1, -1e-7, 2.5][rng.integers(4)],
        "bool": [None, True, False][rng.integers(3)],
    }
    for number, (kind, value) in enumerate(values.items(), start=1):
        row = {**sample, "custom_column_id": number}
        if rng.random() < 0.3:  # a sample that was made a moment ago
            (database.sample.SampleValue() & row).delete(prompt=False)
            found[f"custom.a {kind}"] = CUSTOM[kind]
        else:
            database.sample.SampleValue().update1({**row, f"{kind}_value": value})
            found[f"custom.a {kind}"] = value
    return found | {"stimulus.odour": _stimulate(database, sample, rng)}


def _stimulate(database, sample, rng):
    """Enter stimuli twice; the second time counts."""
    names = []
    for version in range(1, rng.integers(1, 4)):
        names = sorted({str(name) for name in rng.choice(TEXTS, rng.integers(4)) if name})
        row = {**sample, "stimulus_type_id": 1, "version": version}
        facts = {"n_periods": len(names), "n_outside": 0, "account": "me"}
        database.stimulus.StimulusMap().insert1({**row, **facts})
        database.stimulus.StimulusMap.Period().insert(
            {
                **{**row, "period_id": i, "name": name},
                **{"start_s": i, "end_s": i + 1, "start_frame": i, "stop_frame": i + 1},
            }
            for i, name in enumerate(names)
        )
    return names


def chosen(table, tree):
    """Return the keys of what the server chooses."""
    found = table.chosen(tree).proj().to_dicts()
    return {tuple(row[name] for name in ROI) for row in found}


def name_of(row):
    return tuple(row[name] for name in ROI)


def test_servers_choose_what_the_plain_version_chooses(lab):
    database, rows = lab
    table, rng = roi_table(database), np.random.default_rng(1)
    kinds = {column.name: column.kind for column in table.columns.by_name.values()}
    values = {
        name: numbers_of([row[name] for row in rows])
        for name, kind in kinds.items()
        if kind == "number"
    }
    values["session_date"] = [dt.date(2026, 11, day) for day in (1, 2, 3, 20)]
    days = [{**row, "session_date": row["session_date"].date()} for row in rows]
    sizes = []
    for _ in range(N_FILTERS):
        tree = random_filter(table.columns, values, rng)
        assert table.parse(written(tree)) == tree
        expected = {name_of(row) for row in days if fulfils(tree, kinds, row)}
        assert chosen(table, tree) == expected, written(tree)
        sizes.append(len(expected))
    n_choosing = sum(0 < size < len(rows) for size in sizes)
    assert n_choosing > N_FILTERS / 5


def test_rows_are_fetched_as_they_are(lab):
    database, rows = lab
    table = roi_table(database)

    found = fetch_rois(table, table.query)

    assert set(found) == {*table.columns.by_name, "segmentation_id"}
    expected = pd.DataFrame(sorted(rows, key=name_of))[list(found)]
    expected = expected.astype({name: found[name].dtype for name in found})
    found = found.sort_values(list(ROI), ignore_index=True)
    pd.testing.assert_frame_equal(found, expected, rtol=1e-5)


def test_the_pandas_form_chooses_the_same_rows(lab):
    database, rows = lab
    table, rng = roi_table(database), np.random.default_rng(2)
    df = fetch_rois(table, table.query)
    numbers = ("snr", "area_px", "custom.a int")
    values = {name: numbers_of([row[name] for row in rows]) for name in numbers}
    columns = Columns(
        table.columns.by_name[name]
        for name in (
            *numbers,
            "comments",
            "reason",
            "custom.a str",
            "accepted",
            "stimulus.odour",
            "tag.region",
            "state",
        )
    )
    for _ in range(N_FILTERS):
        tree = random_filter(columns, values, rng)
        form = pandas_form(tree, columns)
        same = df[eval(form, {"df": df, "pd": pd, "re": re})]
        assert {name_of(row) for _, row in same.iterrows()} == chosen(table, tree), form


def test_pages_are_ordered_and_rows_without_a_value_come_last(lab):
    database, rows = lab
    table = roi_table(database)
    for descending in (False, True):
        pages = [
            fetch_rois(table, table.query, Page(50, offset, "snr", descending))
            for offset in range(0, len(rows), 50)
        ]
        snr = pd.concat(pages)["snr"].reset_index(drop=True)
        expected = pd.Series([row["snr"] for row in rows], dtype=float, name="snr")
        pd.testing.assert_series_equal(
            snr, expected.sort_values(ascending=not descending, ignore_index=True), rtol=1e-5
        )


def test_rois_samples_and_animals_are_counted(lab):
    database, rows = lab
    table = roi_table(database)
    assert tuple(count_rois(table, table.query)) == (len(rows), 3 * N_TRIALS - 1, 3)
    one = table.chosen(table.parse("animal_id = m1 and trial: 2|3"))
    assert tuple(count_rois(table, one)) == (2 * N_ROIS, 2, 1)
    none = table.chosen(table.parse("area_px > 1000"))
    assert tuple(count_rois(table, none)) == (0, 0, 0)
    assert fetch_rois(table, none).empty


def test_what_counts_now_is_found_by_numbers_as_by_keys(lab):
    database, rows = lab
    numbers = {
        tuple(row[name] for name in SEGMENTATION): row["sample_no"]
        for row in numbered_samples(database).to_dicts()
    }
    assert sorted(numbers.values()) == list(range(1, 3 * N_TRIALS))
    of_samples = database.sample.Sample.proj(segmentation_id="segmentation_id")
    kind = (database.project.RoiTagType & {"label": "region"}).fetch1("KEY")
    pairs = (
        (tags_numbered(database, kind), current_tags(database) & kind, "tag"),
        (verdicts_numbered(database), decided(database), "state"),
    )
    for by_number, by_key, value in pairs:
        expected = by_key.restrict(of_samples, semantic_check=False).to_dicts()
        for row in expected:
            row["sample_no"] = numbers[tuple(row[name] for name in SEGMENTATION)]
        found = by_number.to_dicts()
        assert len(found) > len(rows) / 5
        assert told(found, (*OF_ROI, value)) == told(expected, (*OF_ROI, value))


def decided(database):
    return newest_rows(database.curation.Action.Verdict(), ROI) & "state <> ''"


def told(rows, names):
    """Return rows in an order, as far as some columns tell."""
    return sorted(tuple(row[name] for name in names) for row in rows)


def test_mysql_reads_the_index_and_does_without_it(lab, address):
    database, rows = lab
    if address is None:
        pytest.skip("the embedded server keeps footprints elsewhere")
    rois, text = database.roi.Segmentation.Roi(), "snr > 5 and region: p and accepted"
    table = roi_table(database)
    before = chosen(table, table.parse(text))
    assert f"FORCE INDEX ({NAME})" in table.query.make_sql()
    plan = database.connection.query(f"EXPLAIN FORMAT=TREE {table.query.make_sql(['snr'])}")
    assert f"using {NAME}" in plan.fetchone()[0]
    database.connection.query(f"ALTER TABLE {rois.full_table_name} DROP INDEX {NAME}")

    without = roi_table(database)
    assert chosen(without, table.parse(text)) == before
    part_numbers(rois)
    part_numbers(rois)

    assert chosen(table, table.parse(text)) == before
    assert len(rows) > len(before) > 0


def test_postgresql_keeps_footprints_away_from_numbers(embedded):
    keys = plant_samples(embedded, n_animals=1, n_trials=1)
    rng, n_rois, rois = np.random.default_rng(0), 200, embedded.roi.Segmentation.Roi()
    planted = plant_rois(embedded, keys, n_rois=n_rois, rng=rng, n_pixels=130)

    (size,) = embedded.connection.query(
        "SELECT pg_relation_size(%s::regclass)", args=(rois.full_table_name,)
    ).fetchone()
    assert size < 400 * n_rois  # bytes; a footprint alone has 1,040
    found = rois.to_dicts(order_by="roi_id")
    assert [row["area_px"] for row in found] == [row["area_px"] for row in planted]
    assert all(len(row["pixels"]) == 130 for row in found)
    part_numbers(rois)  # once more: nothing is asked of it


def test_the_same_name_of_two_kinds_is_told_apart(lab):
    database, _ = lab
    columns = Columns([Column("tag.dose", "text"), Column("custom.dose", "number")])
    assert parse_filter("custom.dose = 5", columns) == Condition("custom.dose", "equals", (5,))
    assert roi_table(database).parse("") == All()
