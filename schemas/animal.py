"""The animals."""

import datajoint as dj

schema = dj.Schema()


@schema
class Animal(dj.Manual):
    """An animal."""

    definition = """
    animal_id : varchar(64)          # as the lab calls it; part of every SampleID
    ---
    species="" : varchar(64)
    genotype="" : varchar(128)
    sex="unknown" : enum('female', 'male', 'unknown')
    date_of_birth=null : date
    comments="" : varchar(4096)
    """
