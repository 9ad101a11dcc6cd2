"""The database of one user session, and whose session it is."""

import time
from collections.abc import Callable
from functools import wraps
from threading import Lock, RLock
from typing import Any, NamedTuple

import streamlit as st

from schemas.access import Account, at_least, with_article
from schemas.connection import Database, connect_session
from schemas.settings import ProjectError, load_settings

DATABASE = "database"
ACCOUNT = "account of the session"
BEGAN = "session began"
SEEN = "last seen"
WHY_OUT = "why signed out"
LOCK = "lock"
LONGEST_SESSION_S = 12 * 3600.0
GONE = (
    "The database server does not answer. Look whether it runs (mesmerize status tells), "
    "then reload this page."
)

_making = Lock()


class SignedIn(NamedTuple):
    """Who uses a session."""

    user: str
    """The account."""

    role: str | None
    """Its role in the project; None: the owner of the server."""


def begin_session(database: Database, account: Account) -> None:
    """Let this session be that of an account of the lab's server.

    Parameters
    ----------
    database : Database
        Connected with the account.
    account : Account
        Kept in the memory of the server process alone, to connect anew with.
    """
    st.session_state.update(
        {DATABASE: database, ACCOUNT: account, BEGAN: time.monotonic(), SEEN: time.monotonic()}
    )


def end_session(why: str | None = None) -> None:
    """Forget the account and all that the session has shown."""
    with _session_lock():
        database = st.session_state.get(DATABASE)
        if database is not None:
            database.connection.close()
        for key in [key for key in st.session_state if key != LOCK]:
            del st.session_state[key]
        if why:
            st.session_state[WHY_OUT] = why


def is_over() -> bool:
    """Return whether nobody has used this session for long, or it is very old; then end it."""
    if ACCOUNT not in st.session_state:
        return True
    now, idle_s = time.monotonic(), load_settings().idle_s
    if now - st.session_state[SEEN] > idle_s:
        end_session(f"You were signed out, because you were away for {idle_s / 60:.0f} minutes.")
    elif now - st.session_state[BEGAN] > LONGEST_SESSION_S:
        end_session("You were signed out, because a session ends after 12 hours.")
    return ACCOUNT not in st.session_state


def signed_in() -> SignedIn:
    """Return who uses this session."""
    database = st.session_state.get(DATABASE)
    role = database.connection.role if database is not None else None
    return SignedIn(st.session_state[ACCOUNT].user, role)


def why_not(database: Database, lowest: str) -> str | None:
    """Say why an account may not do what takes a role; None: it may.

    Parameters
    ----------
    database : Database
        The session's.
    lowest : str
        The role that it takes.
    """
    role = database.connection.role
    if at_least(role, lowest):
        return None
    return f"You are {with_article(role)}; this takes {with_article(lowest)}."


def session_database() -> Database:
    """Return the session's own connection, made when it is first asked for.

    Raises
    ------
    ProjectError
        If nobody has signed in to a session on a lab server, or the server is away.
    """
    if DATABASE not in st.session_state:
        settings, account = load_settings(), st.session_state.get(ACCOUNT)
        if account is None and not settings.embedded:  # never with the account of the folder
            raise ProjectError("nobody has signed in to this session; reload the page.")
        st.session_state[DATABASE] = connect_session(settings, account)
    return st.session_state[DATABASE]


def with_database(show: Callable[..., None]) -> Callable[..., None]:
    """Give a page, or a fragment, the session's database as its first argument.

    Where the project cannot be used or its server is gone, the page says so in a sentence, and
    the next run connects anew. On a lab server, a session that nobody has signed in to, or that
    is over, leads to the sign-in.

    DataJoint's connections are not safe across threads. When a user acts while the page is still
    being made, Streamlit begins the next run before the last one has noticed that it is to stop:
    the lock lets the new one wait for that.
    """
    return _guarded(show, is_use=True)


def watching_database(show: Callable[..., None]) -> Callable[..., None]:
    """Do as `with_database` for a fragment that runs on its own: that is no sign of a user."""
    return _guarded(show, is_use=False)


def holding_session(fetch: Callable[[], Any]) -> Callable[[], Any]:
    """Let a function that Streamlit calls when it likes wait for the page to be made.

    Parameters
    ----------
    fetch : callable
        Asks the session's database, and calls nothing of Streamlit.
    """
    lock = _session_lock()

    def held() -> Any:
        with lock:
            return fetch()

    return held


def _guarded(show: Callable[..., None], *, is_use: bool) -> Callable[..., None]:
    """Connect, run, and say what goes wrong."""

    @wraps(show)
    def guarded(*args: Any) -> None:
        with _session_lock():
            try:
                if _is_of_nobody(is_use=is_use):
                    st.rerun()
                    return  # a callback cannot run the page again: that comes by itself
                show(session_database(), *args)
            except ProjectError as error:
                st.error(str(error))
            except Exception:
                if DATABASE in st.session_state and _answers(st.session_state[DATABASE]):
                    raise
                st.session_state.pop(DATABASE, None)
                st.error(GONE)

    return guarded


def _is_of_nobody(*, is_use: bool) -> bool:
    """Return whether somebody must sign in before this session goes on."""
    if DATABASE in st.session_state and ACCOUNT not in st.session_state:
        return False  # the embedded server's
    if load_settings().embedded:
        return False
    if is_over():
        return True
    if is_use:
        st.session_state[SEEN] = time.monotonic()
    return False


def _session_lock() -> RLock:
    """Return the lock of this session."""
    with _making:
        if LOCK not in st.session_state:
            st.session_state[LOCK] = RLock()
        return st.session_state[LOCK]


def _answers(database: Database) -> bool:
    """Return whether the server answers; DataJoint's own ``is_connected`` does not ask it."""
    try:
        database.connection.query("SELECT 1", reconnect=False)
    except Exception:  # noqa: BLE001 every driver has its own tree of errors
        return False
    return True
