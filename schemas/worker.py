"""Who computes, what became of every attempt, and what is held back."""

import datajoint as dj

schema = dj.Schema()


@schema
class Worker(dj.Manual):
    """A worker process that is alive: its row goes when it ends, or when it is found dead."""

    definition = """
    worker_id : char(32)
    ---
    host : varchar(255)               # name of its machine
    pid : int32                       # number of its process there
    process_start : varchar(64)       # when the process began, as its machine counts
    machine_id : varchar(128)         # of the machine, since it was last started
    account : varchar(255)            # who started it
    version : varchar(64)             # of this software
    slots : int16                     # jobs at once
    beat_s : float64                  # it promises to beat at least so often
    memory_bytes : int64              # what its machine has for jobs
    has_caiman=0 : bool               # an interpreter with CaImAn is named there
    says="" : varchar(1000)           # why it waits
    started=CURRENT_TIMESTAMP(3) : datetime(3)
    beat=CURRENT_TIMESTAMP(3) : datetime(3)  # last sign of life, of the server's clock
    """


@schema
class RunLog(dj.Manual):
    """An attempt to compute a job: one row each, kept whatever becomes of it."""

    definition = """
    attempt_id : char(32)             # the reserved job holds it as its version
    ---
    step : varchar(64)
    job_key : json                    # primary key of what is computed
    key_hash : char(32)               # of the step and the key
    worker_id : char(32)
    host : varchar(255)
    account : varchar(255)
    pid=null : int32                  # of the process that computed
    started=CURRENT_TIMESTAMP(3) : datetime(3)
    ended=null : datetime(3)
    outcome='running' : enum('running', 'done', 'error', 'killed', 'stopped', 'lost', 'aborted')
    reason="" : varchar(2047)         # why it is not done
    traceback=null : <blob>           # the whole of it
    ended_by_signal=null : int16
    peak_memory_bytes=null : int64
    cpu_s=null : float64
    versions : json                   # of the software
    commit_hash="" : varchar(64)      # of the checkout that it runs from, + where it was changed
    log="" : varchar(255)             # file in the project folder
    log_pruned=null : datetime(3)     # when that was removed, because it was old
    phase="" : varchar(64)            # what it does just now
    phase_done=0 : int64
    phase_total=0 : int64
    phase_rate_hz=null : float64      # units of the phase, mostly frames, a second
    progress_at=null : datetime(3)
    index (step, key_hash)
    index (outcome)
    """


@schema
class Pause(dj.Manual):
    """A step whose jobs are not taken for now; ``all`` stands for every step."""

    definition = """
    step : varchar(64)
    ---
    account : varchar(255)            # who paused it
    since=CURRENT_TIMESTAMP(3) : datetime(3)
    """


@schema
class Limit(dj.Manual):
    """How many jobs of a step may run at once, on all machines together."""

    definition = """
    step : varchar(64)
    ---
    most : int32
    account : varchar(255)            # who set it
    since=CURRENT_TIMESTAMP(3) : datetime(3)
    """


@schema
class Wish(dj.Manual):
    """What a job is to have that has to wait for an earlier step; the row goes when it may run."""

    definition = """
    step : varchar(64)
    key_hash : char(32)               # of the step and the key
    ---
    job_key : json                    # primary key of what is to be computed
    priority=null : int32             # the lower, the sooner; null: as usual
    not_before=null : datetime(3)     # of the server's clock; null: at once
    account : varchar(255)            # who wished it last
    """
