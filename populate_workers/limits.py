"""How many jobs of a step may run at once, on all machines together."""

from pipeline.checks import check_in_range
from populate_workers.liveness import account
from populate_workers.queue import known
from schemas.connection import Database

MOST = 1_000_000


def limits(database: Database) -> dict[str, int]:
    """Return the limits that are set, by the name of the step."""
    return {row["step"]: row["most"] for row in database.worker.Limit().to_dicts()}


def limit(database: Database, step: str, most: int) -> None:
    """Let no more jobs of a step run at once; those that run already go on.

    Parameters
    ----------
    database : Database
        The connected tables.
    step : str
        Name of a step.
    most : int
        How many, on all machines together.

    Raises
    ------
    ProjectError
        If there is no such step.
    ValueError
        If the number is out of range.
    """
    check_in_range("the limit", most, 1, MOST)
    with database.connection.transaction:
        unlimit(database, step)
        database.worker.Limit().insert1({"step": step, "most": most, "account": account()})


def unlimit(database: Database, step: str) -> bool:
    """Let as many jobs of a step run as there is room for; return whether there was a limit."""
    found = database.worker.Limit() & {"step": known(database, step)}
    return bool(found.delete_quick(get_count=True))
