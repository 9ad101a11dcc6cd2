"""What the project is called."""

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
