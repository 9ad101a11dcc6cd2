"""Transactions of several people at the same moment: one comes first, the others begin anew."""

from collections.abc import Callable
from typing import Any, TypeVar

from datajoint.errors import DuplicateError

from schemas.settings import ProjectError

ATTEMPTS = 20
IN_THE_WAY = ("40001", "40P01", "55P03", 1205, 1213)
"""Codes of PostgreSQL and MySQL for a transaction that another one was in the way of."""

Result = TypeVar("Result")


def in_turn(connection: Any, work: Callable[[], Result]) -> Result:
    """Return what work gives in a transaction, done anew when others insert the same meanwhile.

    Parameters
    ----------
    connection : datajoint.Connection
        With a transaction open, the work is done once, as a part of that.
    work : callable
        Looks at what is there, and inserts.

    Raises
    ------
    ProjectError
        If there is no end of others.
    """
    if connection.in_transaction:
        return work()
    for _ in range(ATTEMPTS):
        try:
            with connection.transaction:
                return work()
        except DuplicateError:
            continue
        except Exception as error:
            if not was_in_the_way(error):
                raise
    raise ProjectError("others enter the same at the same moment; try again.")


def was_in_the_way(error: BaseException) -> bool:
    """Return whether a transaction failed only because another one was in its way."""
    return code_of(error) in IN_THE_WAY


def code_of(error: BaseException) -> Any:
    """Return what the server calls an error, if it was the server."""
    return getattr(error, "pgcode", None) or next(iter(error.args), None)
