"""Signing in: the app shows and does what the account may, and no more."""

import os
import re
import time

import numpy as np
import pytest

from apps.browser import session, sign_in, steps
from apps.browser.attempts import FREE, MOST_KEPT, Attempts
from populate_workers.populate import populate
from schemas import accounts
from schemas.access import ROLES
from schemas.connection import connect
from schemas.ingest import Trial, ingest
from schemas.motion import submit_motion
from schemas.settings import ProjectError
from schemas.setup import parse_server

PASSWORD = "deep blue sea"


class Clock:
    """A clock that is set by hand."""

    now_s = 1000.0

    def __call__(self):
        return self.now_s


@pytest.fixture
def clock():
    return Clock()


def test_a_few_mistakes_cost_nothing(clock):
    attempts = Attempts(clock)

    assert [attempts.begin("vera", "10.0.0.1") for _ in range(FREE["account"])] == [0] * 5
    assert attempts.begin("vera", "10.0.0.1") == 5.0
    assert attempts.begin("otto", "10.0.0.1") == 0
    assert attempts.begin("vera", "10.0.0.2") == 5.0  # wherever from


def test_waits_grow_to_a_quarter_of_an_hour_and_end(clock):
    attempts = Attempts(clock)
    waits = []
    for _ in range(20):
        while (wait_s := attempts.begin("vera", "10.0.0.1")) > 0:
            waits.append(wait_s)
            clock.now_s += wait_s

    assert waits[:5] == [5, 10, 20, 40, 80]
    assert max(waits) == 900
    clock.now_s += 3601
    assert attempts.begin("vera", "10.0.0.1") == 0


def test_guessing_many_accounts_from_one_address_is_slowed_down(clock):
    attempts = Attempts(clock)
    made = sum(attempts.begin(f"user{i}", "10.0.0.1") <= 0 for i in range(1000))

    assert made == FREE["address"]
    assert attempts.begin("vera", "10.0.0.2") == 0


def test_signing_in_forgets_the_mistakes_before(clock):
    attempts = Attempts(clock)
    for _ in range(50):
        for _ in range(3):
            assert attempts.begin("vera", "10.0.0.1") == 0
        attempts.succeeded("vera", "10.0.0.1")
        clock.now_s += 3601  # the address keeps its mistakes for an hour

    assert attempts.begin("vera", "10.0.0.1") == 0


def test_memory_is_bounded(clock):
    attempts = Attempts(clock)
    for i in range(MOST_KEPT + 500):
        attempts.begin(f"user{i}", f"address {i}")

    assert len(attempts._records) == MOST_KEPT


@pytest.fixture(scope="module")
def lab_server(make_project):
    """A project on MySQL, with accounts and a motion correction that failed."""
    if "MESMERIZE_TEST_MYSQL" not in os.environ:
        pytest.skip("no MySQL server: MESMERIZE_TEST_MYSQL is not set")
    database = make_project(parse_server(os.environ["MESMERIZE_TEST_MYSQL"]))
    movie = database.settings.roots["data"] / "small.npy"
    np.save(movie, np.random.default_rng(0).poisson(100, (20, 32, 32)).astype(np.uint16))
    ingest(Trial(animal="m1", session="2026-11-22", trial="t1", rate_hz=30.0), [movie])
    submit_motion(database.session.Recording())
    populate(database, watch=lambda outcome: None)
    for role in ROLES:
        accounts.add_member(database, name_of(database, role), role, PASSWORD)
    yield database
    owner = connect(database.settings)
    for member in accounts.members(owner):
        accounts.remove_member(owner, member.name)
    for role in ROLES:
        owner.connection.query(f"DROP ROLE `{owner.settings.schema_prefix}{role}`")


def name_of(database, role):
    return f"{role}.{database.settings.schema_prefix}"


@pytest.fixture
def app(lab_server, open_page, monkeypatch):
    monkeypatch.setattr(sign_in, "ATTEMPTS", Attempts())
    return open_page(lab_server)


def enter(app, user, password=PASSWORD):
    app.text_input[0].input(user)
    app.text_input[1].input(password)
    app.button[0].click().run()
    assert not app.exception
    return app


def words_of(app):
    return " ".join(
        str(element.value)
        for kind in ("title", "error", "info", "caption")
        for element in app.get(kind)
    )


@pytest.mark.db
def test_nothing_is_shown_before_signing_in(app):
    assert [title.value for title in app.title] == ["Mesmerize"]
    assert [box.label for box in app.text_input] == ["Account", "Password"]
    assert not app.get("metric")
    app.switch_page("jobs.py").run()
    assert [title.value for title in app.title] == ["Mesmerize"]


@pytest.mark.db
def test_a_wrong_password_says_no_more_than_that(app, lab_server):
    enter(app, name_of(lab_server, "viewer"), "wrong password")
    assert [error.value for error in app.error] == [sign_in.WRONG]
    enter(app, "nobody-at-all")
    assert [error.value for error in app.error] == [sign_in.WRONG]
    assert session.ACCOUNT not in app.session_state


@pytest.mark.db
def test_the_right_password_waits_too_after_many_wrong_ones(app, lab_server):
    user = name_of(lab_server, "viewer")
    for _ in range(FREE["account"]):
        enter(app, user, "wrong password")
    enter(app, user)

    assert re.fullmatch(r"Too many attempts failed: try again in \d seconds\.", app.error[0].value)
    assert session.ACCOUNT not in app.session_state


@pytest.mark.db
def test_a_viewer_sees_all_and_changes_nothing(app, lab_server, monkeypatch):
    user = name_of(lab_server, "viewer")
    enter(app, user)

    assert [metric.label for metric in app.get("metric")][:3] == [
        "Animals",
        "Sessions",
        "Recordings",
    ]
    assert f"{user} · viewer" in words_of(app)
    app.switch_page("jobs.py").run()
    buttons = {button.label: button for button in app.button}
    for label in ("Try again", "Try all again"):
        assert buttons[label].disabled
        assert buttons[label].help == "You are a viewer; this takes an operator."
    failed = len(lab_server.motion.MotionCorrection().jobs.errors)
    # as somebody who has tampered with the page
    monkeypatch.setattr(steps, "why_not", lambda database, role: None)
    app.run()
    next(button for button in app.button if button.label == "Try again").click().run()
    assert "is a viewer and may not change rows of the table" in app.error[0].value
    assert len(lab_server.motion.MotionCorrection().jobs.errors) == failed == 1


@pytest.mark.db
def test_an_operator_puts_jobs_back(app, lab_server):
    enter(app, name_of(lab_server, "operator"))
    app.switch_page("jobs.py").run()
    button = next(button for button in app.button if button.label == "Try all again")
    assert not button.disabled

    button.click().run()

    assert not app.exception
    owner = connect(lab_server.settings)
    assert not owner.motion.MotionCorrection().jobs.errors
    populate(owner, watch=lambda outcome: None)  # it fails again, for the other tests


@pytest.mark.db
def test_signing_out_forgets_the_account(app, lab_server):
    enter(app, name_of(lab_server, "viewer"))
    connection = app.session_state[session.DATABASE].connection

    next(button for button in app.button if button.label == "Sign out").click().run()

    assert not connection.is_connected
    assert [title.value for title in app.title] == ["Mesmerize"]
    assert session.ACCOUNT not in app.session_state
    assert session.DATABASE not in app.session_state


@pytest.mark.db
def test_a_session_ends_that_nobody_uses(app, lab_server):
    enter(app, name_of(lab_server, "viewer"))
    app.session_state[session.SEEN] = time.monotonic() - 3601

    app.run()

    assert "You were signed out, because you were away for 60 minutes." in words_of(app)
    assert not app.get("metric")
    assert session.ACCOUNT not in app.session_state


@pytest.mark.db
@pytest.mark.parametrize("role", ["viewer", "operator"])
def test_a_click_in_a_session_that_is_over_does_nothing(app, lab_server, role, monkeypatch):
    """Least of all with the account of the project folder, which is the owner's here."""
    monkeypatch.setattr(steps, "why_not", lambda database, role: None)
    enter(app, name_of(lab_server, role))
    app.switch_page("jobs.py").run()
    button = next(button for button in app.button if button.label == "Try again")
    app.session_state[session.SEEN] = time.monotonic() - 3601

    button.click().run()

    jobs = connect(lab_server.settings).motion.MotionCorrection().jobs
    assert len(jobs.errors) == 1
    assert session.ACCOUNT not in app.session_state
    assert [title.value for title in app.title] == ["Mesmerize"]


@pytest.mark.db
def test_nobody_s_session_has_no_connection(lab_server, monkeypatch):
    monkeypatch.setenv("MESMERIZE_PROJECT", str(lab_server.settings.folder))
    monkeypatch.setattr(session.st, "session_state", {})

    with pytest.raises(ProjectError, match="nobody has signed in to this session"):
        session.session_database()


@pytest.mark.db
def test_two_sessions_have_an_account_each(lab_server, open_page, app):
    other = open_page(lab_server)
    enter(app, name_of(lab_server, "viewer"))
    enter(other, name_of(lab_server, "admin"))

    users = [one.session_state[session.DATABASE].connection.get_user() for one in (app, other)]

    assert [user.partition("@")[0] for user in users] == [
        name_of(lab_server, "viewer"),
        name_of(lab_server, "admin"),
    ]


@pytest.mark.db
def test_an_account_without_a_role_is_told_whom_to_ask(app, lab_server):
    user = f"stranger{lab_server.settings.schema_prefix}"
    owner = lab_server.connection
    owner.query("CREATE USER %s IDENTIFIED BY %s", args=(user, PASSWORD))
    try:
        enter(app, user)
        assert f"an admin gives it a role with: mesmerize users add {user}" in app.error[0].value
    finally:
        owner.query("DROP USER %s", args=(user,))


@pytest.mark.db
def test_the_embedded_server_asks_nobody(embedded, open_page):
    app = open_page(embedded)

    assert not app.exception
    assert not app.text_input
    assert len(app.get("metric")) == 6
    assert not [button for button in app.button if button.label == "Sign out"]
