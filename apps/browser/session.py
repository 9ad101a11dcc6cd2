"""The database of one user session."""

from collections.abc import Callable
from functools import wraps
from typing import Any

import streamlit as st

from schemas.connection import Database, connect_session
from schemas.settings import ProjectError, load_settings

DATABASE = "database"
GONE = (
    "The database server does not answer. Look whether it runs (mesmerize status tells), "
    "then reload this page."
)


def session_database() -> Database:
    """Return the session's own connection, made when it is first asked for.

    DataJoint's connections are not safe across threads. Streamlit runs the script and the
    fragments of a session one at a time, so one connection a session is safe, and one for
    several would not be.
    """
    if DATABASE not in st.session_state:
        st.session_state[DATABASE] = connect_session(load_settings())
    return st.session_state[DATABASE]


def with_database(show: Callable[..., None]) -> Callable[..., None]:
    """Give a page, or a fragment, the session's database as its first argument.

    Where the project cannot be used or its server is gone, the page says so in a sentence, and
    the next run connects anew.
    """

    @wraps(show)
    def guarded(*args: Any) -> None:
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


def _answers(database: Database) -> bool:
    return bool(database.connection.is_connected)
