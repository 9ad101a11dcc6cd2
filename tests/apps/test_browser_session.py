"""One connection a user session, used by one run at a time."""

import threading
import time

import pytest
import streamlit as st

from apps.browser import session
from schemas.settings import ProjectError


@pytest.fixture
def state(monkeypatch):
    """A session without a server: its state is a dict, its database a word."""
    found = {session.DATABASE: "the database"}
    monkeypatch.setattr(st, "session_state", found)
    return found


@pytest.fixture
def said(monkeypatch):
    found = []
    monkeypatch.setattr(st, "error", found.append)
    return found


@pytest.mark.usefixtures("state")
def test_a_run_waits_for_the_one_before():
    busy, overlaps = threading.Lock(), []

    @session.with_database
    def show(_database):
        overlaps.append(not busy.acquire(blocking=False))
        time.sleep(0.05)
        busy.release()

    runs = [threading.Thread(target=show) for _ in range(4)]
    for run in runs:
        run.start()
    for run in runs:
        run.join()

    assert overlaps == [False] * 4


@pytest.mark.usefixtures("state")
def test_a_fragment_inside_a_page_does_not_wait_for_its_page():
    seen = []

    @session.with_database
    def fragment(database, number):
        seen.append((database, number))

    @session.with_database
    def page(_database):
        fragment(1)

    page()

    assert seen == [("the database", 1)]


@pytest.mark.usefixtures("state")
def test_our_own_sentences_are_said(said):
    @session.with_database
    def show(_database):
        raise ProjectError("the file is missing; put it back")

    show()

    assert said == ["the file is missing; put it back"]


def test_a_server_that_is_gone_is_said_and_forgotten(state, said):
    @session.with_database
    def show(database):
        database.query()  # a word has no query, as a closed connection has no answer

    show()

    assert said == [session.GONE]
    assert session.DATABASE not in state


def test_other_errors_are_not_hidden(state, monkeypatch):
    monkeypatch.setattr(session, "_answers", lambda database: True)

    @session.with_database
    def show(_database):
        raise KeyError("a defect")

    with pytest.raises(KeyError, match="a defect"):
        show()
    assert session.DATABASE in state
