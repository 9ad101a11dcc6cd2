"""Figures draw what they are given."""

import cv2
import numpy as np
import pandas as pd
import pytest

from pipeline.plots import (
    contact_sheet,
    correlation_figure,
    grey_png,
    grid_figure,
    roi_color,
    shade_periods,
    shifts_figure,
    traces_figure,
)
from pipeline.plots.envelope import envelope_frames

RNG_SEED = 0


@pytest.fixture
def times_s():
    return np.arange(300) / 30


@pytest.fixture
def traces():
    found = np.random.default_rng(RNG_SEED).normal(size=(3, 300)).astype(np.float32)
    found.flags.writeable = False
    return found


def decode(png):
    return cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_UNCHANGED)


def test_neighbours_have_other_colours():
    colors = [roi_color(roi_id) for roi_id in range(40)]

    assert all(one != other for one, other in zip(colors, colors[1:], strict=False))
    assert colors[5] == roi_color(5)


def test_an_image_is_drawn_between_its_limits():
    image = np.array([[-5.0, 0.0], [5.0, 20.0], [10.0, np.nan]])
    image.flags.writeable = False

    drawn = decode(grey_png(image, limits=(0, 10)))

    np.testing.assert_array_equal(drawn, [[0, 0], [128, 255], [255, 0]])


def test_a_flat_image_is_drawn():
    assert decode(grey_png(np.full((4, 4), 7), limits=(7, 7))).max() == 0


@pytest.mark.parametrize("length", [1, 100, 999, 1000, 1001, 54_321])
def test_an_envelope_keeps_extremes_and_order(length):
    trace = np.random.default_rng(RNG_SEED).normal(size=length)

    frames = envelope_frames(trace, n_points=1000)

    assert len(frames) <= 1000
    assert (np.diff(frames) > 0).all()
    assert frames.max() < length
    assert {trace.argmin(), trace.argmax()} <= set(frames)


def test_an_envelope_keeps_every_peak_of_one_frame():
    trace = np.zeros(100_000)
    trace[777::5000] = 1

    assert trace[envelope_frames(trace)].sum() == trace.sum()


def test_an_envelope_shows_gaps():
    trace = np.zeros(10_000)
    trace[5000:5100] = np.nan

    assert np.isnan(trace[envelope_frames(trace, n_points=1000)]).any()


def test_defect_15_traces_keep_their_values_names_and_colours(times_s, traces):
    figure = traces_figure(times_s, traces, roi_ids=[4, 7, 19], unit="dF/F")

    assert [line.line.color for line in figure.data] == [roi_color(i) for i in (4, 7, 19)]
    np.testing.assert_array_equal(figure.data[1].customdata, traces[1])
    np.testing.assert_allclose(figure.data[2].x, times_s)
    assert [text.split(">")[1].split("<")[0] for text in figure.layout.yaxis.ticktext[::2]] == [
        "ROI 4",
        "ROI 19",
    ]
    assert figure.layout.xaxis.title.text == "time (s)"


def test_traces_of_one_scale_have_a_bar_that_is_true(times_s):
    traces = np.stack([np.linspace(0, 1, 300), np.linspace(0, 4, 300)])

    figure = traces_figure(times_s, traces, roi_ids=[0, 1], unit="dF/F")

    small, large = (np.ptp(line.y) for line in figure.data)
    (bar,), (label,) = figure.layout.shapes, figure.layout.annotations
    assert large == pytest.approx(4 * small, rel=1e-5)
    assert label.text == "2 dF/F"
    assert bar.y1 - bar.y0 == pytest.approx(large / 2, rel=1e-5)


def test_traces_of_their_own_scale_fill_the_same_room(times_s):
    traces = np.stack([np.linspace(0, 1, 300), np.linspace(0, 400, 300)])

    figure = traces_figure(times_s, traces, roi_ids=[0, 1], unit="grey levels", common_scale=False)

    small, large = (np.ptp(line.y) for line in figure.data)
    assert small == pytest.approx(large, rel=1e-5)
    assert not figure.layout.shapes


def test_traces_to_compare_with_are_behind_and_on_the_same_scale(times_s, traces):
    figure = traces_figure(times_s, traces, roi_ids=[0, 1, 2], unit="x", behind=traces + 1)

    behind, front = figure.data[:2]
    assert (behind.line.color, front.line.color) == ("#9a9a9a", roi_color(0))
    np.testing.assert_array_less(front.y, behind.y)


def test_flat_unknown_and_absent_traces_are_drawn(times_s):
    traces = np.stack([np.zeros(300), np.full(300, np.nan)])

    assert len(traces_figure(times_s, traces, roi_ids=[0, 1], unit="dF/F").data) == 2
    assert len(traces_figure(times_s, traces[:0], roi_ids=[], unit="dF/F").data) == 0


def test_many_traces_stay_legible_and_light():
    times_s = np.arange(100_000) / 30
    traces = np.random.default_rng(RNG_SEED).normal(size=(30, 100_000)).astype(np.float32)

    figure = traces_figure(times_s, traces, roi_ids=range(30), unit="dF/F")

    assert figure.layout.height > 30 * 20
    assert len(figure.to_json()) < 3_000_000


def test_shifts_are_drawn_rows_first(times_s):
    shifts_px = np.stack([np.full(300, 2.0), np.full(300, -1.0)], axis=1)

    rows, cols = shifts_figure(times_s, shifts_px).data

    assert rows.name.startswith("rows") and set(rows.y) == {2.0}
    assert cols.name.startswith("columns") and set(cols.y) == {-1.0}


def test_correlations_are_drawn_before_and_after(times_s):
    figure = correlation_figure(times_s, before=np.full(300, 0.5), after=np.full(300, 0.9))

    assert [(line.name, line.y[0]) for line in figure.data] == [("before", 0.5), ("after", 0.9)]


def test_shifts_along_three_axes_begin_with_the_planes(times_s):
    planes, *others = shifts_figure(times_s, np.zeros((300, 3))).data

    assert planes.name.startswith("planes")
    assert [line.name.split()[0] for line in others] == ["rows", "columns"]
    assert len({line.line.color for line in (planes, *others)}) == 3


@pytest.mark.parametrize("kind", ["shifts", "correlation"])
def test_frames_of_no_use_are_marked_with_the_reason(times_s, kind):
    unusable = {"no contrast": [7, 8], "unlike the others": [290]}
    values = np.zeros(300)

    if kind == "shifts":
        figure = shifts_figure(times_s, np.zeros((300, 2)), unusable=unusable)
    else:
        figure = correlation_figure(times_s, before=values, after=values, unusable=unusable)

    marks = figure.data[-1]
    np.testing.assert_array_equal(marks.x, times_s[[7, 8, 290]])
    assert list(marks.customdata[2]) == [290, "unlike the others"]
    assert len(shifts_figure(times_s, np.zeros((300, 2)), unusable={}).data) == 2


def test_a_contact_sheet_has_each_frame_in_its_place():
    frames = np.zeros((5, 16, 24), np.uint8)
    frames[3] = 200

    sheet = decode(contact_sheet(frames, n_across=2))

    assert sheet.shape == (3 * 16, 2 * 24)
    assert sheet[16:32, 24:].min() > 190
    assert sheet[:16].max() < 10
    assert sheet[32:].max() < 10


def test_patches_are_drawn_where_they_overlap():
    image = np.zeros((100, 64))

    figure = grid_figure(
        image,
        limits=(0, 1),
        firsts_px=([0, 40, 50], [0, 32]),
        patch_px=(50, 40),
        crop=((10, 90), (5, 60)),
    )

    boxes = [(shape.y0, shape.y1, shape.x0, shape.x1) for shape in figure.layout.shapes]
    assert boxes == [
        (39.5, 49.5, -0.5, 63.5),
        (49.5, 89.5, -0.5, 63.5),
        (-0.5, 99.5, 31.5, 39.5),
        (39.5, 89.5, 31.5, 71.5),
        (9.5, 89.5, 4.5, 59.5),
    ]
    assert figure.layout.images[0].sizey == 100


def test_one_patch_overlaps_nothing():
    figure = grid_figure(np.zeros((9, 7)), limits=(0, 1), firsts_px=([0], [0]), patch_px=(9, 7))

    assert len(figure.layout.shapes) == 1


def test_stimuli_are_shaded_behind_the_traces():
    figure = traces_figure(np.arange(5.0), np.eye(2, 5), roi_ids=[3, 4], unit="dF/F")
    periods = pd.DataFrame(
        {
            "name": ["90", "odour", "9", "90"],
            "start_s": [0.0, 1.0, 2.0, 3.0],
            "end_s": [0.5, 1.5, 2.5, 3.5],
            "color": ["", "#112233", "", ""],
        }
    )
    n_lines = len(figure.data)

    shade_periods(figure, periods)

    shades, lines = figure.data[:3], figure.data[3:]
    assert [shade.name for shade in shades] == ["9", "90", "odour"]
    assert shades[1].x == (0.0, 0.0, 0.5, 0.5, None, 3.0, 3.0, 3.5, 3.5, None)
    assert shades[2].fillcolor == "rgba(17, 34, 51, 0.22)"
    assert (min(shades[0].y[:4]), max(shades[0].y[:4])) == tuple(figure.layout.yaxis.range)
    assert len(lines) == n_lines
    assert figure.layout.showlegend


def test_more_stimuli_than_a_legend_holds_are_shaded_without_one():
    figure = traces_figure(np.arange(5.0), np.eye(1, 5), roi_ids=[3], unit="dF/F")
    names = [str(i) for i in range(17)]
    starts = np.arange(17.0)
    periods = pd.DataFrame({"name": names, "start_s": starts, "end_s": starts + 1, "color": ""})

    shade_periods(figure, periods)

    assert not figure.layout.showlegend
