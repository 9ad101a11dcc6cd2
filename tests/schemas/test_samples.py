"""Samples in the tables: made, changed by two people, removed and brought back; on both servers."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest

from schemas.connection import connect_session
from schemas.custom_columns import add_custom_column, value_of
from schemas.sample_names import sample_id_of
from schemas.sample_removal import going_with_sample, remove_sample, restore_sample
from schemas.sample_versions import sample_history
from schemas.samples import (
    SampleChange,
    add_sample,
    find_sample,
    modify_samples,
    undo_sample,
)
from schemas.settings import ProjectError

pytestmark = pytest.mark.db
ONE, TWO = "m1-_-t1", "m1-_-t2"


@pytest.fixture(scope="module")
def shared(make_project, address):
    """A project with two custom columns."""
    database = make_project(address)
    add_custom_column(database, "dose", "float", 0.5)
    add_custom_column(database, "group", "str")
    return database


@pytest.fixture
def recordings(shared, take_in):
    """The keys of two recordings, of which nothing is left when the test ends."""
    yield [take_in(shared, trial=trial) for trial in ("t1", "t2")]
    for table in (shared.sample.Sample(), shared.sample.SampleVersion()):
        table.delete(prompt=False)
    shared.session.Recording().delete(prompt=False)


@pytest.fixture
def samples(shared, recordings):
    """The same with a sample of each recording."""
    for key in recordings:
        add_sample(shared, key, comments="new")
    return shared


def modify(database, sample_id=ONE, **change):
    modify_samples(database, [SampleChange(sample_id=sample_id, **change)])


def now(database, sample_id=ONE):
    """Return the comments of a sample, its values and its version."""
    row = find_sample(database, sample_id)
    key = {name: row[name] for name in database.sample.Sample.primary_key}
    values = (database.sample.SampleValue & key).to_dicts(order_by="custom_column_id")
    found = [value_of(value, kind) for value, kind in zip(values, ("float", "str"), strict=True)]
    return row["comments"], *found, row["version"]


def changes(database, sample_id=ONE):
    return list(sample_history(database, sample_id)["change_made"])[::-1]


def test_a_sample_is_named_after_animal_and_trial(shared, recordings):
    assert add_sample(shared, recordings[0], comments=" good ", values={"dose": "2"}) == ONE
    assert now(shared) == ("good", 2.0, None, 1)
    with pytest.raises(ProjectError, match=f"this recording is the sample {ONE} already"):
        add_sample(shared, recordings[0])
    with pytest.raises(ProjectError, match=f"{ONE} exists already, of session 2026-11-22; .*Trial"):
        add_sample(shared, recordings[1], trial_id="t1")
    assert add_sample(shared, recordings[1], trial_id="t1b") == "m1-_-t1b"


@pytest.mark.parametrize("trial_id", ["", " t1", "a-_-b", "a/b", "x" * 65])
def test_what_cannot_be_part_of_a_sample_id_is_refused(trial_id):
    with pytest.raises(ProjectError, match="the TrialID must have 1 to 64 characters"):
        sample_id_of("m1", trial_id)
    with pytest.raises(ProjectError, match="the animal must have 1 to 64 characters"):
        sample_id_of(trial_id, "t1")


def test_what_cannot_be_stored_leaves_nothing(shared, recordings):
    key = recordings[0]
    for options, message in (
        ({"values": {"dose": "much"}}, "'dose' holds numbers; got 'much'"),
        ({"values": {"weight": 1}}, "no custom column 'weight'; there are: dose, group"),
        ({"comments": "a\0b"}, "comments cannot hold the character NUL"),
        ({"comments": "a" * 4097}, "comments have at most 4096 letters; these have 4097"),
        ({"segmentation_id": "0" * 32}, "m1 / 2026-11-22 / t1 has no computed segmentation"),
    ):
        with pytest.raises(ProjectError, match=message):
            add_sample(shared, key, **options)
    with pytest.raises(ProjectError, match="there is no recording m1 / 2026-11-22 / t9"):
        add_sample(shared, {**key, "trial": "t9"})
    assert not shared.sample.Sample()
    assert not shared.sample.SampleVersion()


def test_what_is_not_named_stays(samples):
    modify(samples, values={"group": "control"})
    modify(samples, comments="better")
    modify(samples, values={"dose": None})
    assert now(samples) == ("better", None, "control", 4)
    assert changes(samples) == ["added", "modified", "modified", "modified"]
    history = sample_history(samples, ONE)
    assert list(history["values"]) == ["dose = None", "", "group = control", ""]
    assert all(history["account"])
    assert now(samples, TWO) == ("new", 0.5, None, 1)


def test_changes_of_several_samples_are_all_or_none(samples):
    with pytest.raises(ProjectError, match="'dose' holds numbers"):
        modify_samples(
            samples,
            [
                SampleChange(sample_id=ONE, comments="changed"),
                SampleChange(sample_id=TWO, values={"dose": "much"}),
            ],
        )
    assert now(samples) == ("new", 0.5, None, 1)
    assert changes(samples) == ["added"]


def test_of_two_people_the_second_is_told_and_nothing_is_lost(samples):
    second = connect_session(samples.settings)
    try:
        seen = find_sample(samples, ONE)["version"]
        seen_by_second = find_sample(second, ONE)["version"]
        modify(samples, comments="of the first", after=seen)

        with pytest.raises(ProjectError, match=f"has changed the sample '{ONE}' meanwhile"):
            modify(second, comments="of the second", values={"dose": 9}, after=seen_by_second)

        assert now(second) == ("of the first", 0.5, None, 2)
        modify(second, values={"dose": 9}, after=2)
        assert now(samples) == ("of the first", 9.0, None, 3)
    finally:
        second.connection.close()


def test_of_people_at_the_same_moment_one_is_told(samples):
    people = {name: connect_session(samples.settings) for name in ("anna", "bert")}
    together = Barrier(len(people))

    def change(name):
        together.wait()
        try:
            modify(people[name], comments=name, after=version)
        except ProjectError as error:
            assert "meanwhile; nothing of yours was stored" in str(error)
            return None
        return name

    with ThreadPoolExecutor() as pool:
        for version in range(1, 6):
            (winner,) = filter(None, pool.map(change, people))
            assert now(samples) == (winner, 0.5, None, version + 1)
    for database in people.values():
        database.connection.close()


def test_the_last_change_is_undone_and_done_again(samples):
    modify(samples, comments="better", values={"dose": 3})
    modify(samples, values={"dose": 4}, trial_id="t1b")

    undo_sample(samples, "m1-_-t1b")
    assert now(samples) == ("better", 3.0, None, 4)
    undo_sample(samples, ONE)
    assert now(samples, "m1-_-t1b") == ("better", 4.0, None, 5)
    with pytest.raises(ProjectError, match=f"nothing was changed of the sample '{TWO}'"):
        undo_sample(samples, TWO)
    with pytest.raises(ProjectError, match="meanwhile"):
        undo_sample(samples, "m1-_-t1b", after=4)


def test_what_a_notebook_changed_is_found_and_not_lost(samples):
    key = {"animal_id": "m1", "session": "2026-11-22", "trial": "t1"}
    samples.sample.Sample().update1({**key, "comments": "by SQL"})

    modify(samples, values={"dose": 1})

    assert now(samples) == ("by SQL", 1.0, None, 3)
    assert changes(samples) == ["added", "found", "modified"]


def test_a_sample_of_an_earlier_version_has_a_history_from_its_first_change(shared, recordings):
    shared.sample.Sample().insert1({**recordings[0], "sample_id": ONE, "comments": "old"})
    modify(shared, comments="new", values={"dose": 1})
    undo_sample(shared, ONE)
    assert changes(shared) == ["found", "modified", "undone"]
    assert find_sample(shared, ONE)["comments"] == "old"


def test_a_removed_sample_comes_back_with_its_values(samples):
    modify(samples, comments="better", values={"dose": 3})
    shown = going_with_sample(samples, ONE)
    assert sorted(shown.values()) == [1, 2]

    remove_sample(samples, ONE, shown=shown, after=2)
    with pytest.raises(ProjectError, match="there is no sample 'm1-_-t1'"):
        find_sample(samples, ONE)
    assert now(samples, TWO) == ("new", 0.5, None, 1)
    restore_sample(samples, ONE)

    assert now(samples) == ("better", 3.0, None, 4)
    assert changes(samples) == ["added", "modified", "removed", "restored"]
    with pytest.raises(ProjectError, match="this recording is the sample"):
        restore_sample(samples, ONE)
    with pytest.raises(ProjectError, match="no sample 'm9-_-t1' was ever removed"):
        restore_sample(samples, "m9-_-t1")


def test_a_removed_sample_that_was_entered_anew_in_sql_is_changed_like_any_other(samples):
    row = find_sample(samples, ONE)
    remove_sample(samples, ONE, shown=going_with_sample(samples, ONE))
    samples.sample.Sample().insert1({**row, "version": 1, "comments": "by hand"})

    modify(samples, comments="better")

    assert find_sample(samples, ONE)["comments"] == "better"
    assert changes(samples) == ["added", "removed", "found", "modified"]


def test_a_sample_that_changed_since_it_was_shown_stays(samples):
    shown = going_with_sample(samples, ONE)
    modify(samples, comments="precious")
    with pytest.raises(ProjectError, match="meanwhile"):
        remove_sample(samples, ONE, shown=shown, after=1)
    assert now(samples)[0] == "precious"


def test_defect_8_a_trial_gets_another_name(samples):
    modify(samples, trial_id="t1 again")
    assert find_sample(samples, "m1-_-t1 again")["trial"] == "t1"
    with pytest.raises(ProjectError, match=f"{TWO} exists already"):
        modify(samples, "m1-_-t1 again", trial_id="t2")


def test_hostile_text_is_only_text(samples):
    text = '\'; DROP TABLE sample; -- %s {database} \\ "x"'
    modify(samples, comments=text, values={"group": text})
    assert now(samples) == (text, 0.5, text, 2)
