"""Who connects: an account of the server, its role in the project, and what a refusal says."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import datajoint as dj
from datajoint.errors import AccessError

from schemas.settings import ProjectError

ROLES = ("viewer", "analyst", "operator", "admin")
"""Each may do what those before it may, and more."""

REFUSALS = (1044, 1142, 1143, 1227, 1410, 1419, 3619, 3879, 4006)
"""MySQL's numbers for a missing right; DataJoint knows the first three."""

DOING = {
    "SELECT": "read",
    "INSERT": "add rows to",
    "UPDATE": "change rows of",
    "DELETE": "delete rows of",
    "CREATE": "make",
    "ALTER": "alter",
    "DROP": "drop",
}
OF_ACCOUNTS = ("role_edges", "user", "tables_priv", "columns_priv")
"""Tables of MySQL's own that only those who manage accounts read."""

NAMED = re.compile(
    r"(?:for (?:column \S+ in )?|to |of )"
    r"(?P<what>table|database|schema|relation) [\"'`]*(?P<name>[^\"'`;\s]+)"
)


class NotAllowed(AccessError, ProjectError):
    """The server refuses something to an account; the message says what, and whom to ask."""


@dataclass(frozen=True)
class Account:
    """An account of the database server."""

    user: str
    """Its name."""

    password: str = field(default="", repr=False)
    """Kept in memory alone: a lost connection is made anew with it."""


class ProjectConnection(dj.Connection):
    """DataJoint's connection; what the server refuses is said in a sentence of ours."""

    role: str | None = None
    """The account's role in the project; None: it has none, as the owner of the server."""

    def query(self, query: str, *args: Any, **options: Any) -> Any:
        """Execute a statement; see `datajoint.Connection.query`.

        Raises
        ------
        NotAllowed
            If the server refuses it to this account.
        """
        with refusals_said(self, query):
            return super().query(query, *args, **options)


@contextmanager
def refusals_said(connection: Any, statement: str) -> Iterator[None]:
    """Turn a server's refusal inside the ``with`` into `NotAllowed`."""
    try:
        yield
    except NotAllowed:
        raise
    except Exception as error:  # every driver has its own tree of errors
        if isinstance(error, AccessError) or (error.args and error.args[0] in REFUSALS):
            raise NotAllowed(_sentence(connection, statement, error.args)) from error
        raise


def _sentence(connection: Any, statement: str, reasons: tuple[Any, ...]) -> str:
    """Say what an account may not do, and who may."""
    user, role = connection.conn_info["user"], getattr(connection, "role", None)
    is_one = f" is {with_article(role)} and" if role else ""
    others = (
        "an admin of the project can do it, or give the account another role."
        if role != ROLES[-1]
        else "only the owner of the server can do it."
    )
    doing = _doing(statement, " ".join(map(str, reasons)))
    return f"the account {user!r}{is_one} may not {doing}; {others}"


def _doing(statement: str, reason: str) -> str:
    """Say what a statement does, to what the server's reason names."""
    verb = statement.split(None, 1)[0].upper() if statement.strip() else ""
    found = NAMED.search(reason)
    if found is None or found["name"] in OF_ACCOUNTS:
        return "do this" if found is None and verb == "SELECT" else "manage accounts"
    what = found["what"].replace("relation", "table")
    return f"{DOING.get(verb, 'use')} the {what} {found['name']!r}"


def with_article(role: str) -> str:
    """Return a role with its article.

    Examples
    --------
    >>> with_article("operator")
    'an operator'
    """
    return f"{'an' if role[0] in 'aeiou' else 'a'} {role}"


def at_least(role: str | None, lowest: str) -> bool:
    """Return whether a role may do what takes another one.

    Parameters
    ----------
    role : str or None
        The role of an account; None: it has none, and the server alone decides.
    lowest : str
        The role that it takes.

    Examples
    --------
    >>> at_least("operator", "analyst")
    True
    """
    return role is None or ROLES.index(role) >= ROLES.index(lowest)


def role_name(prefix: str, role: str) -> str:
    """Return what a role of a project is called on its server."""
    return f"{prefix}{role}"


def own_role(connection: Any, prefix: str) -> str | None:
    """Return the role in a project of the account of a connection; None: it has none."""
    if connection.adapter.backend == "mysql":
        (active,) = connection.query("SELECT CURRENT_ROLE()").fetchone()
        names = set(re.findall(r"`([^`]+)`@", active or ""))
    else:
        names = {
            name
            for (name,) in connection.query(
                "SELECT r.rolname FROM pg_roles r, pg_roles me "
                "WHERE me.rolname = current_user AND NOT me.rolsuper AND left(r.rolname, %s) = %s "
                "AND pg_has_role(me.oid, r.oid, 'MEMBER')",
                args=(len(prefix), prefix),
            ).fetchall()
        }
    held = [role for role in ROLES if role_name(prefix, role) in names]
    return held[-1] if held else None
