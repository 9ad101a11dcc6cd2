"""Signing in with one's own account of the lab's server, and out again."""

import math

import streamlit as st

from apps.browser.attempts import Attempts
from apps.browser.session import WHY_OUT, begin_session, end_session, is_over, signed_in
from schemas.access import Account, with_article
from schemas.connection import connect_session
from schemas.settings import ProjectError, Settings

WRONG = "The account or the password is wrong."
REFUSED = (1045, 1698, 1251, 3118, 3955)
"""MySQL's numbers for an account or a password that it does not accept."""

ATTEMPTS = Attempts()
CSS = """<style>
.st-key-account {position: fixed; top: 0.55rem; right: 3.6rem; z-index: 999991; width: auto;}
.st-key-account p {white-space: nowrap;}
</style>"""


def show_sign_in(settings: Settings) -> None:
    """Ask for an account of the server and its password, and begin a session with it.

    Parameters
    ----------
    settings : Settings
        The project.
    """
    _, middle, _ = st.columns([2, 3, 2])
    with middle:
        st.title("Mesmerize")
        if why := st.session_state.pop(WHY_OUT, None):
            st.info(why)
        with st.form("sign in", clear_on_submit=False):
            user = st.text_input("Account", autocomplete="username", max_chars=64)
            password = st.text_input(
                "Password", type="password", autocomplete="current-password", max_chars=256
            )
            asked = st.form_submit_button("Sign in", type="primary")
        st.caption("Your account of the lab's database server; an admin of the project makes it.")
        if asked:
            _sign_in(settings, user.strip(), password)


def _sign_in(settings: Settings, user: str, password: str) -> None:
    """Begin a session, or say why not."""
    if not user or not password:
        st.error("Type your account and your password.")
        return
    address = st.context.ip_address or "this machine"
    wait_s = ATTEMPTS.begin(user, address)
    if wait_s > 0:
        st.error(f"Too many attempts failed: try again in {math.ceil(wait_s)} seconds.")
        return
    account = Account(user, password)
    try:
        database = connect_session(settings, account)
    except ProjectError as error:
        st.error(_why_not(error))
        return
    ATTEMPTS.succeeded(user, address)
    begin_session(database, account)
    st.rerun()


def _why_not(error: ProjectError) -> str:
    """Say why a session could not begin, and of a wrong account no more than that."""
    cause = error.__cause__
    number = cause.args[0] if cause is not None and cause.args else None
    if number in REFUSED or "authentication failed" in str(cause):
        return WRONG
    return str(error)


def show_account() -> None:
    """Show who is signed in, and a way out; and end sessions that are over."""
    st.html(CSS)
    who = signed_in()
    role = f" · {who.role}" if who.role else ""
    with st.container(horizontal=True, key="account", vertical_alignment="center", width="content"):
        st.caption(f"{who.user}{role}", help=_help(who.role))
        st.button("Sign out", type="tertiary", on_click=end_session)
    _watch()


def _help(role: str | None) -> str | None:
    """Say what a role is for."""
    sentences = {
        "viewer": "looks at everything and changes nothing",
        "analyst": "also enters parameters, tasks, samples and comments",
        "operator": "also takes movies in and handles jobs",
        "admin": "may do anything in this project",
    }
    return f"{with_article(role).capitalize()} {sentences[role]}." if role else None


@st.fragment(run_every="30s")
def _watch() -> None:
    """Leave the page when the session is over, also where nobody touches it."""
    if is_over():
        st.rerun()
