"""Samples: a recording with the segmentation that somebody chose for it."""

import datajoint as dj

from schemas.ingest import SEPARATOR
from schemas.roi import Segmentation  # noqa: F401 the table names it
from schemas.session import Recording
from schemas.settings import ProjectError

schema = dj.Schema()


@schema
class Sample(dj.Manual):
    """A recording with its chosen segmentation and annotations."""

    definition = """
    -> Recording
    ---
    sample_id : varchar(160)         # AnimalID-_-TrialID
    -> [nullable] Segmentation
    comments="" : varchar(4096)
    added=CURRENT_TIMESTAMP : datetime
    unique index (sample_id)
    """


def add_sample(segmentation, comments=""):
    """Make the recording of a segmentation a sample.

    Parameters
    ----------
    segmentation : dict
        Primary key of the chosen row of `Segmentation`.
    comments : str
        Free text.

    Returns
    -------
    str
        The SampleID.

    Raises
    ------
    ProjectError
        If the recording is a sample already, or another session of the animal has a sample of
        the same trial name.
    """
    sample_id = f"{segmentation['animal_id']}{SEPARATOR}{segmentation['trial']}"
    taken = (Sample & {"sample_id": sample_id}).keys()
    if taken:
        raise ProjectError(
            f"the sample {sample_id} exists already, of session {taken[0]['session']}; "
            "a SampleID is unique in a project."
        )
    recording = {name: segmentation[name] for name in Recording.primary_key}
    Sample.insert1(
        {
            **recording,
            "segmentation_id": segmentation["segmentation_id"],
            "sample_id": sample_id,
            "comments": comments,
        }
    )
    return sample_id
