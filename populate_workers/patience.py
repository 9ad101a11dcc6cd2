"""A server that restarts, or a network that is cut, for a while: wait, and go on."""

import contextlib
import logging
import random
import time
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

from datajoint.errors import LostConnectionError

from schemas import server
from schemas.connection import Database
from schemas.settings import ProjectError
from schemas.turns import code_of, was_in_the_way

PAUSES_S = (0.1, 0.2, 0.5, 1.0, 2.0)
MOST_TRIES = 20
CUT_OFF = (1053, 1152, 1159, 1161, 1927, 2002, 2003, 2006, 2013, 2055, 4031)
"""Codes of MySQL for a server that ends and for connections that broke or cannot be made."""

Result = TypeVar("Result")

logger = logging.getLogger(__name__)


def answers(connection: Any) -> bool:
    """Return whether the server answers; DataJoint's own ``is_connected`` does not ask it."""
    try:
        connection.query("SELECT 1", reconnect=False).fetchall()
    except Exception:  # noqa: BLE001 every driver has its own tree of errors
        return False
    return True


def was_cut_off(error: BaseException) -> bool:
    """Return whether something failed because the connection broke."""
    if isinstance(error, LostConnectionError):
        return True
    kind = type(error).__name__
    if kind == "InterfaceError":
        return True
    code = code_of(error)
    if isinstance(code, str) and hasattr(error, "pgcode"):
        return code.startswith(("08", "57P"))
    # PostgreSQL's driver gives no code when it is not the server that says it
    is_mute = hasattr(error, "pgcode") and error.pgcode is None
    return kind in ("OperationalError", "DatabaseError") and (is_mute or code in CUT_OFF)


def reconnect(database: Database, *, patience_s: float) -> None:
    """Connect anew when the server answers again; what was open there is rolled back.

    Parameters
    ----------
    database : Database
        The connected tables.
    patience_s : float
        How long to wait for the server.

    Raises
    ------
    ProjectError
        If it stays away.
    """
    ends, tries = time.monotonic() + patience_s, 0
    while True:
        try:
            _connect_anew(database)
        except Exception as error:
            if time.monotonic() >= ends:
                raise ProjectError(
                    f"the database server has been away for {patience_s:g} s: {_line(error)}"
                ) from error
            time.sleep(PAUSES_S[min(tries, len(PAUSES_S) - 1)])
            tries += 1
        else:
            return


def _connect_anew(database: Database) -> None:
    connection = database.connection
    with contextlib.suppress(Exception):
        connection.close()
    try:
        connection.connect()
    except Exception:
        if not database.settings.embedded:
            raise
        server.start(database.settings)  # it may have been killed
        connection.connect()
    connection.cancel_transaction()  # tells DataJoint that none is open any more


def passes(database: Database, error: BaseException) -> bool:
    """Return whether the same may succeed a little later."""
    if was_in_the_way(error) or was_cut_off(error):
        return True
    return not answers(database.connection)


def ready_again(database: Database, error: BaseException, *, patience_s: float) -> None:
    """Get ready to try again after an error that passes.

    Parameters
    ----------
    database : Database
        The connected tables.
    error : Exception
        Why it failed.
    patience_s : float
        How long to wait for the server.

    Raises
    ------
    ProjectError
        If the server stays away.
    """
    if was_in_the_way(error) and answers(database.connection):
        time.sleep(random.uniform(0, PAUSES_S[0]))  # two that collided part
        return
    logger.warning("the database server is away: %s", _line(error))
    reconnect(database, patience_s=patience_s)


def patiently(
    database: Database, action: Callable[[], Result], *, patience_s: float | None = None
) -> Result:
    """Do something with the database, again after the server was away or busy.

    Parameters
    ----------
    database : Database
        The connected tables.
    action : callable
        What is done; doing it twice must be as good as once.
    patience_s : float or None
        How long to wait for the server; None: what the settings say.

    Raises
    ------
    ProjectError
        If the server stays away.
    """
    patience_s = database.settings.workers.patience_s if patience_s is None else patience_s
    for tries in range(MOST_TRIES):
        try:
            return action()
        except Exception as error:
            if tries == MOST_TRIES - 1 or not passes(database, error):
                raise
            ready_again(database, error, patience_s=patience_s)
    raise AssertionError  # the last try returns or raises


@contextlib.contextmanager
def named_lock(connection: Any, name: str, *, wait_s: int = 0) -> Iterator[bool]:
    """Hold a lock of the server that all processes share; yield whether it was free.

    Parameters
    ----------
    connection : datajoint.Connection
        The lock is its own, and goes with it.
    name : str
        Name of the lock.
    wait_s : int
        How long to wait for it; on PostgreSQL 0 is not to wait, and all else is until it is free.
    """
    if connection.adapter.backend == "mysql":
        take, give = ("SELECT GET_LOCK(%s, %s)", (name, wait_s)), "SELECT RELEASE_LOCK(%s)"
    else:
        waiting = "SELECT pg_advisory_lock(hashtext(%s)) IS NOT NULL"
        trying = "SELECT pg_try_advisory_lock(hashtext(%s))"
        take, give = (
            (waiting if wait_s else trying, (name,)),
            "SELECT pg_advisory_unlock(hashtext(%s))",
        )
    is_ours = bool(connection.query(take[0], args=take[1]).fetchone()[0])
    try:
        yield is_ours
    finally:
        if is_ours and answers(connection):
            connection.query(give, args=(name,)).fetchall()


def _line(error: BaseException) -> str:
    """Return the first line of what an error says."""
    return (str(error).strip() or type(error).__name__).splitlines()[0]
