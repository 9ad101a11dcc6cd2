"""Signing in, in a real browser, with real accounts of a MySQL server."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.apps.test_browser_chromium import START, _wait_for, chromium, page  # noqa: F401
from tests.apps.test_sign_in import PASSWORD, lab_server, name_of  # noqa: F401

pytestmark = [pytest.mark.db, pytest.mark.browser]


@pytest.fixture(scope="module")
def address(lab_server):  # noqa: F811
    """The address of an app that knows no password of the server."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    (lab_server.settings.folder / ".secrets" / "database.password").unlink()
    command = [sys.executable, "-c", START, "app", "--port", str(port)]
    environment = {**os.environ, "PYTHONPATH": str(Path.cwd())}
    with subprocess.Popen(command, cwd=lab_server.settings.folder, env=environment) as app:
        url = f"http://127.0.0.1:{port}"
        _wait_for(f"{url}/_stcore/health", app)
        yield url
        app.terminate()


def sign_in(page, user):  # noqa: F811
    page.get_by_label("Account").fill(user)
    page.get_by_role("textbox", name="Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()


def test_a_viewer_reaches_the_page_that_was_asked_for(address, page, lab_server):  # noqa: F811
    page.goto(f"{address}/jobs")
    expect(page.get_by_role("heading", name="Mesmerize")).to_be_visible()

    sign_in(page, name_of(lab_server, "viewer"))

    expect(page.get_by_role("heading", name="Jobs")).to_be_visible()
    expect(page.get_by_text("· viewer")).to_be_visible()
    expect(page.get_by_role("button", name="Try all again")).to_be_disabled()
    page.get_by_role("link", name="Home").click()
    expect(page.get_by_text("Accepted ROIs")).to_be_visible()
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("heading", name="Mesmerize")).to_be_visible()
    expect(page.get_by_text("Accepted ROIs")).not_to_be_visible()


def test_an_operator_puts_a_job_back_after_a_wrong_password(address, page, lab_server):  # noqa: F811
    page.goto(f"{address}/jobs")
    page.get_by_label("Account").fill(name_of(lab_server, "operator"))
    page.get_by_role("textbox", name="Password").fill("wrong password")
    page.keyboard.press("Enter")
    expect(page.get_by_text("The account or the password is wrong.")).to_be_visible()

    sign_in(page, name_of(lab_server, "operator"))
    page.get_by_role("button", name="Try all again").click()

    expect(page.get_by_text("The job is pending again")).to_be_visible()
    assert not lab_server.motion.MotionCorrection().jobs.errors
