"""Stimulus periods of recordings: what somebody entered is kept, and the newest is what counts."""

import datajoint as dj

from schemas.project import StimulusType  # noqa: F401 the table names it
from schemas.session import Recording  # noqa: F401 the table names it

schema = dj.Schema()


@schema
class StimulusMap(dj.Manual):
    """The periods of one type in a recording, as somebody entered them; the newest counts."""

    definition = """
    -> Recording
    -> StimulusType
    version : int32                   # from 1
    ---
    n_periods : int32                 # 0: there are none any more
    n_outside : int32                 # periods beyond the recording, which were left out
    source="" : varchar(255)          # file that they came from
    account : varchar(255)            # who entered them
    entered=CURRENT_TIMESTAMP(3) : datetime(3)
    """

    class Period(dj.Part):
        """A stimulus that was given for a while."""

        definition = """
        -> master
        period_id : int32             # in the order of time, from 0
        ---
        name : varchar(64)
        start_s : float64             # from the begin of the first frame
        end_s : float64
        start_frame : int32
        stop_frame : int32            # the first one after it
        color="" : varchar(7)         # as #1f77b4; empty: a plot chooses
        """
