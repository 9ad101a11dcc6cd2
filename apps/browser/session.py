"""The database of one user session."""

from collections.abc import Callable
from functools import wraps
from threading import Lock, RLock
from typing import Any

import streamlit as st

from schemas.connection import Database, connect_session
from schemas.settings import ProjectError, load_settings

DATABASE = "database"
LOCK = "lock"
GONE = (
    "The database server does not answer. Look whether it runs (mesmerize status tells), "
    "then reload this page."
)

_making = Lock()


def session_database() -> Database:
    """Return the session's own connection, made when it is first asked for."""
    if DATABASE not in st.session_state:
        st.session_state[DATABASE] = connect_session(load_settings())
    return st.session_state[DATABASE]


def with_database(show: Callable[..., None]) -> Callable[..., None]:
    """Give a page, or a fragment, the session's database as its first argument.

    Where the project cannot be used or its server is gone, the page says so in a sentence, and
    the next run connects anew.

    DataJoint's connections are not safe across threads. When a user acts while the page is still
    being made, Streamlit begins the next run before the last one has noticed that it is to stop:
    the lock lets the new one wait for that.
    """

    @wraps(show)
    def guarded(*args: Any) -> None:
        with _session_lock():
            try:
                show(session_database(), *args)
            except ProjectError as error:
                st.error(str(error))
            except Exception:
                if DATABASE in st.session_state and _answers(st.session_state[DATABASE]):
                    raise
                st.session_state.pop(DATABASE, None)
                st.error(GONE)

    return guarded


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
