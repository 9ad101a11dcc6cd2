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
    visible=1 : bool                      # whether tables of the app show it
    place=0 : int32                       # in tables: from left to right, then by the number
    unique index (label)
    """


@schema
class RoiTagType(dj.Manual):
    """What ROIs are tagged by, as cell type or region; its label may change, its number never."""

    definition = """
    roi_tag_type_id : int32
    ---
    label : varchar(64)
    added=CURRENT_TIMESTAMP : datetime
    visible=1 : bool                      # whether tables of the app show it
    place=0 : int32                       # in tables: from left to right, then by the number
    unique index (label)
    """


@schema
class CustomColumn(dj.Manual):
    """What this project also says of each sample; its label may change, its number never."""

    definition = """
    custom_column_id : int32
    ---
    label : varchar(64)
    kind : enum('str', 'int', 'float', 'bool')
    default_str=null : varchar(255)       # what samples have that nobody gave a value; of these
    default_int=null : int64              # four, only that of the kind is ever set
    default_float=null : float64
    default_bool=null : bool
    added=CURRENT_TIMESTAMP : datetime
    visible=1 : bool                      # whether tables of the app show it
    place=0 : int32                       # in tables: from left to right, then by the number
    unique index (label)
    """
