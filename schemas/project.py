"""What the project is called, and how it is configured."""

import datajoint as dj

schema = dj.Schema()


@schema
class Project(dj.Manual):
    """The project that this database holds: one row."""

    definition = """
    project : varchar(64)                 # name, given at `mesmerize init`
    ---
    description="" : varchar(1024)
    created=CURRENT_TIMESTAMP : datetime  # when the tables were made
    """


@schema
class StimulusType(dj.Manual):
    """A kind of stimulus, as odour or orientation; its label may change, its number never."""

    definition = """
    stimulus_type_id : int32
    ---
    label : varchar(64)
    added=CURRENT_TIMESTAMP : datetime
    unique index (label)
    """
