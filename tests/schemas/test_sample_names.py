"""SampleIDs and their parts."""

import pytest

from schemas.sample_names import parts_of, sample_id_of
from schemas.settings import ProjectError


def test_reference_13_a_sample_id_is_an_animal_and_a_trial():
    assert parts_of("a1-_-t2") == ("a1", "t2")
    assert parts_of("a1-_-t2").animal_id == "a1"
    assert parts_of("a1-_-t2").trial_id == "t2"


@pytest.mark.parametrize("animal", ["a1", "a-1", "a_", "Tier 3", "µ"])
@pytest.mark.parametrize("trial", ["t2", "2-_", "day-_3"])
def test_parts_come_back_from_the_name_they_make(animal, trial):
    assert parts_of(sample_id_of(animal, trial)) == (animal, trial)


@pytest.mark.parametrize(
    "name",
    [
        "",
        "a1",
        "-_-",
        "a1-_-",
        "-_-t2",
        "a1-_-t2-_-x",
        " a1-_-t2",
        "a1-_-t/2",
        "a1-_-" + "t" * 65,
        "a-_-_-b",
    ],
)
def test_what_is_no_sample_id_is_refused(name):
    with pytest.raises(ProjectError, match="must have 1 to 64 characters|a SampleID is an animal"):
        parts_of(name)
