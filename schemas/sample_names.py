"""SampleIDs: an animal and a trial in one name."""

from typing import NamedTuple

from schemas.ingest import SEPARATOR, check_name
from schemas.settings import ProjectError


class SampleParts(NamedTuple):
    """What a SampleID is made of."""

    animal_id: str
    """The first part."""

    trial_id: str
    """The second part."""


def sample_id_of(animal: str, trial_id: str) -> str:
    """Return the SampleID of an animal and a trial.

    Parameters
    ----------
    animal : str
        The first part.
    trial_id : str
        The second part.

    Raises
    ------
    ProjectError
        If one of them cannot be part of it.

    Examples
    --------
    >>> sample_id_of("m1", "t1")
    'm1-_-t1'
    """
    check_name("animal", animal)
    check_name("TrialID", trial_id)
    return f"{animal}{SEPARATOR}{trial_id}"


def parts_of(sample_id: str) -> SampleParts:
    """Return the animal and the trial of a SampleID.

    Parameters
    ----------
    sample_id : str
        As `sample_id_of` makes it.

    Raises
    ------
    ProjectError
        If it is none, or can be cut in two places.

    Examples
    --------
    >>> parts_of("m1-_-t1")
    SampleParts(animal_id='m1', trial_id='t1')
    """
    # of a-_-_-b nobody knows where it is to be cut
    cuts = [place for place in range(len(sample_id)) if sample_id.startswith(SEPARATOR, place)]
    if len(cuts) != 1:
        raise ProjectError(
            f"a SampleID is an animal, once {SEPARATOR}, and a TrialID, as m1{SEPARATOR}t1; "
            f"got {sample_id!r}."
        )
    animal, trial_id = sample_id[: cuts[0]], sample_id[cuts[0] + len(SEPARATOR) :]
    check_name("animal", animal)
    check_name("TrialID", trial_id)
    return SampleParts(animal, trial_id)
