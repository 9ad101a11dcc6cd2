"""The app in a real browser, started as a user starts it."""

import os
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

import pytest
from playwright.sync_api import expect, sync_playwright

from apps import queries
from populate_workers.limits import limit, limits, unlimit
from populate_workers.queue import paused, resume

pytestmark = [pytest.mark.db, pytest.mark.browser]
NAMES = ("chromium", "chromium-browser", "google-chrome")
ARGUMENTS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
START = "import sys; from apps.cli.main import main; sys.exit(main())"
PATIENCE_S = 30
DONE = {"animal_id": "mouse 1", "session": "2026-11-22", "trial": "done"}
LEFT_PX, TOP_PX, AROUND_PX = 44, 8, 52  # margins of the viewer


@pytest.fixture(scope="module")
def chromium():
    """The program of a Chromium that is installed."""
    found = next(filter(None, map(shutil.which, NAMES)), None)
    if found is None:
        pytest.skip(f"no Chromium: none of {', '.join(NAMES)} is installed")
    return found


@pytest.fixture(scope="module")
def address(lab):
    """The address of an app that runs on the project."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-c", START, "app", "--port", str(port)]
    environment = {**os.environ, "PYTHONPATH": str(Path.cwd())}
    with subprocess.Popen(command, cwd=lab.settings.folder, env=environment) as server:
        url = f"http://127.0.0.1:{port}"
        _wait_for(f"{url}/_stcore/health", server)
        yield url
        server.terminate()


def _wait_for(url, server):
    for _ in range(PATIENCE_S * 5):
        assert server.poll() is None, "the app ended before it answered"
        try:
            with urlopen(url, timeout=1) as answer:
                if answer.status == 200:
                    return
        except (URLError, TimeoutError, ConnectionError):
            time.sleep(0.2)
    raise AssertionError("the app did not answer")


@pytest.fixture
def page(chromium, tmp_path):
    """A page of a browser that was never used before; what goes wrong in it fails the test."""
    wrong = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch_persistent_context(
            tmp_path / "profile",
            executable_path=chromium,
            args=ARGUMENTS,
            viewport={"width": 1400, "height": 1100},
        )
        browser.set_default_timeout(PATIENCE_S * 1000)
        expect.set_options(timeout=PATIENCE_S * 1000)
        opened = browser.pages[0]
        opened.on("pageerror", lambda error: wrong.append(str(error)))
        yield opened
        browser.close()
    assert not wrong


def traces_of(page):
    return page.locator(".js-plotly-plot .scatterlayer .trace")


def click_roi(page, roi, **how):
    """Click the centre of a ROI in an image of 64 columns."""
    canvas = page.locator(".viewer canvas")
    scale = (canvas.bounding_box()["width"] - AROUND_PX) / 64
    place = {
        "x": LEFT_PX + (roi["centroid_col_px"] + 0.5) * scale,
        "y": TOP_PX + (roi["centroid_row_px"] + 0.5) * scale,
    }
    canvas.click(position=place, **how)


def apart(rois):
    """Return the two accepted ROIs with the largest distance in rows."""
    accepted = rois[rois["accepted"]].sort_values("centroid_row_px")
    return accepted.iloc[0], accepted.iloc[-1]


def test_a_user_goes_from_home_to_traces_frames_and_jobs(page, address, lab):
    page.goto(address)
    expect(page.get_by_text("Progress", exact=True)).to_be_visible()

    page.get_by_role("link", name="Recordings").click()
    page.get_by_placeholder("part of an animal").fill("done")
    expect(page.get_by_text("1 of 7 recordings")).to_be_visible()
    page.locator("[data-testid=stDataFrame] .dvn-scroller").first.click(
        position={"x": 120, "y": 52}
    )
    page.wait_for_url("**/recording?*")
    expect(page.get_by_role("heading", name="mouse 1 · 2026-11-22 · done")).to_be_visible()

    (segmentation,) = queries.segmentations(lab, DONE)
    one, other = apart(queries.rois(lab, segmentation["key"]))
    click_roi(page, one)
    expect(traces_of(page)).to_have_count(1)
    click_roi(page, other, modifiers=["Shift"])
    expect(traces_of(page)).to_have_count(2)
    for roi in (one, other):
        expect(page.locator(".js-plotly-plot")).to_contain_text(f"ROI {roi['roi_id']}")

    page.get_by_role("tab", name="Movie").click()
    expect(page.get_by_text("Motion-corrected")).to_be_visible()
    slider = page.get_by_role("slider", name="Frame")
    slider.press("ArrowRight")
    expect(page.get_by_text("at 0.03 s")).to_be_visible()

    page.get_by_role("link", name="Jobs").click()
    expect(page.get_by_text("larger than the frame").first).to_be_visible()


def test_single_steps_are_paused_and_limited_by_hand_alone(page, address, lab):
    limit(lab, "segmentation", 2)
    try:
        page.goto(f"{address}/jobs")
        page.get_by_text("Steps", exact=True).click()
        steps = page.get_by_test_id("stPopoverBody")
        expect(steps.get_by_role("spinbutton").nth(4)).to_have_value("2")
        page.wait_for_timeout(5000)  # the page has shown itself anew several times
        assert paused(lab) == []
        assert limits(lab) == {"segmentation": 2}

        steps.get_by_text("Motion preview").click()
        expect(page.get_by_text("paused: Motion preview")).to_be_visible()
        steps.get_by_role("spinbutton").nth(4).fill("3")
        steps.get_by_role("spinbutton").nth(4).press("Enter")
        page.wait_for_timeout(3000)
        assert paused(lab) == ["motion_preview"]
        assert limits(lab) == {"segmentation": 3}
    finally:
        resume(lab)
        unlimit(lab, "segmentation")


def test_a_recording_opens_from_its_address_and_from_the_table_of_numbers(page, address):
    page.goto(f"{address}/recording?animal_id=mouse+1&session=2026-11-22&trial=done")
    expect(traces_of(page).first).to_be_visible()
    before = traces_of(page).count()

    table = page.locator("[data-testid=stDataFrame] .dvn-scroller").first
    table.scroll_into_view_if_needed()
    table.click(position={"x": 16, "y": 52})

    expect(traces_of(page)).not_to_have_count(before)


def test_the_image_zooms_and_tells_what_is_under_the_pointer(page, address, lab):
    page.goto(f"{address}/recording?animal_id=mouse+1&session=2026-11-22&trial=done")
    expect(traces_of(page).first).to_be_visible()
    (segmentation,) = queries.segmentations(lab, DONE)
    roi, _ = apart(queries.rois(lab, segmentation["key"]))

    click_roi(page, roi)

    expect(page.locator(".viewer .tip")).to_contain_text(f"ROI {roi['roi_id']}")
    page.locator(".viewer .closer").click()
    page.locator(".viewer canvas").click(position={"x": LEFT_PX + 2, "y": 300})
    page.locator(".viewer canvas").dblclick(position={"x": LEFT_PX + 2, "y": 300})
    click_roi(page, roi)
    expect(page.locator(".viewer .tip")).to_contain_text(f"ROI {roi['roi_id']}")


def test_the_preview_of_a_motion_correction_plays_and_stops(page, address):
    page.goto(f"{address}/recording?animal_id=mouse+1&session=2026-11-22&trial=done")
    page.get_by_role("tab", name="Motion").click()

    expect(page.locator(".js-plotly-plot .imagelayer image")).to_have_count(2)
    expect(page.locator(".player")).to_have_count(2)
    player = page.locator(".player").first
    player.scroll_into_view_if_needed()
    assert is_drawn(player)
    words = player.locator(".words")
    shown = words.inner_text()
    expect(words).not_to_have_text(shown)  # it plays

    player.get_by_label("Pause").click()
    player.get_by_label("Frame of the film").fill("3")
    expect(words).to_have_text("frames 12–14 · 0.40 s")
    player.get_by_label("One on").click()
    expect(words).to_have_text("frames 16–18 · 0.53 s")
    page.wait_for_timeout(500)
    expect(words).to_have_text("frames 16–18 · 0.53 s")  # it stays

    player.get_by_label("Play", exact=True).click()
    expect(words).not_to_have_text("frames 16–18 · 0.53 s")


def is_drawn(player):
    """Return whether both halves of a film show something."""
    width = "canvas => canvas.width"
    spread = """(canvas, left) => {
        const half = canvas.width / 2;
        const context = canvas.getContext("2d");
        const pixels = context.getImageData(left * half, 0, half - 9, canvas.height).data;
        return pixels.some((value, i) => i % 4 == 0 && value > 100);
    }"""
    canvas = player.locator("canvas")
    assert canvas.evaluate(width) > 132
    return all(canvas.evaluate(spread, left) for left in (0, 1))
