"""Shapes that somebody draws: the part of each pixel that they cover, and what cannot be."""

import math

import numpy as np
import pytest

from pipeline.rois import (
    Ellipse,
    Polygon,
    rasterize,
    rois_of_shapes,
    shape_from_dict,
    shape_to_dict,
)
from pipeline.rois.coverage import polygon_coverage

FRAME = (40, 50)


def star(rng, center_px, *, n_corners=12):
    """Return the corners of a random polygon that does not cross itself."""
    angles = np.sort(rng.uniform(0, 2 * np.pi, n_corners))
    radii_px = rng.uniform(2, 9, n_corners)
    around = np.stack([np.sin(angles), np.cos(angles)], axis=1)
    return np.asarray(center_px) + radii_px[:, np.newaxis] * around


def image_of(shape, frame_shape=FRAME):
    """Return a rasterised shape as an image."""
    found = rasterize(shape, frame_shape)
    image = np.zeros(math.prod(frame_shape))
    image[found.pixels] = found.weights
    return image.reshape(frame_shape)


def sampled(corners, frame_shape=FRAME, *, n=24):
    """Return the covered part of each pixel by counting points inside, slowly."""
    at = (np.arange(n) + 0.5) / n - 0.5
    rows, cols = np.meshgrid(
        *((np.arange(length)[:, np.newaxis] + at).ravel() for length in frame_shape), indexing="ij"
    )
    inside = np.zeros(rows.shape, bool)
    for (r0, c0), (r1, c1) in zip(corners, np.roll(corners, -1, axis=0), strict=True):
        crosses = (r0 > rows) != (r1 > rows)
        with np.errstate(divide="ignore", invalid="ignore"):
            inside ^= crosses & (cols < (c1 - c0) * (rows - r0) / (r1 - r0) + c0)
    return inside.reshape(frame_shape[0], n, frame_shape[1], n).mean(axis=(1, 3))


@pytest.mark.parametrize("seed", range(12))
def test_random_polygons_cover_what_counted_points_say(seed):
    rng = np.random.default_rng(seed)
    corners = star(rng, rng.uniform(-2, 45, 2))
    image = image_of(Polygon(parts_px=(corners,)))
    np.testing.assert_allclose(image, sampled(corners), atol=0.06)
    assert abs(image.sum() - sampled(corners).sum()) < 0.5


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("snap", [1, 2, None])
def test_the_covered_parts_sum_up_to_the_area(seed, snap):
    corners = star(np.random.default_rng(seed), (20, 25))
    if snap:  # corners on the lines between pixels and in their centres
        corners = np.unique(np.round(corners * snap) / snap, axis=0)
        middle = corners.mean(axis=0)
        corners = corners[np.argsort(np.arctan2(*(corners - middle).T))]
    rows, cols = corners.T
    area = abs(np.sum(rows * np.roll(cols, -1) - cols * np.roll(rows, -1))) / 2
    for way in (corners, corners[::-1]):
        image = polygon_coverage(way).image
        assert image.sum() == pytest.approx(area, rel=1e-12)
        assert image.min() > -1e-12
        assert image.max() < 1 + 1e-12


def test_a_rectangle_covers_parts_of_the_pixels_at_its_edge():
    image = image_of(Polygon(parts_px=([[2.25, 3], [2.25, 5], [4, 5], [4, 3]],)))
    rows, cols = [0.25, 1, 0.5], [0.5, 1, 0.5]
    np.testing.assert_allclose(image[2:5, 3:6], np.outer(rows, cols), atol=1e-6)
    assert image.sum() == pytest.approx(3.5)


def test_moving_by_whole_pixels_moves_the_weights_alone():
    corners = star(np.random.default_rng(3), (20, 20))
    image = image_of(Polygon(parts_px=(corners,)))
    moved = image_of(Polygon(parts_px=(corners + [2, 5],)))
    np.testing.assert_allclose(moved[2:, 5:], image[:-2, :-5], atol=1e-6)


def test_an_ellipse_has_its_area_and_its_direction():
    shape = Ellipse(center_px=(20.3, 24.6), radii_px=(10, 4), angle_deg=30)
    image = image_of(shape)
    assert image.sum() == pytest.approx(math.pi * 40, rel=1e-5)
    rows, cols = np.indices(FRAME)
    assert np.average(rows, weights=image) == pytest.approx(20.3, abs=0.01)
    assert np.average(cols, weights=image) == pytest.approx(24.6, abs=0.01)
    covariance = np.cov(rows.ravel(), cols.ravel(), aweights=image.ravel())
    direction = np.linalg.eigh(covariance)[1][:, -1]
    assert math.degrees(math.atan2(direction[1], direction[0])) % 180 == pytest.approx(30, abs=0.5)


def test_holes_and_parts_are_one_roi():
    outer = [[5, 5], [5, 15], [15, 15], [15, 5]]
    hole = [[8, 8], [8, 12], [12, 12], [12, 8]]
    other = [[25, 25], [25, 27], [27, 27], [27, 25]]
    image = image_of(Polygon(parts_px=(outer, other), holes_px=(hole,)))
    assert image.sum() == pytest.approx(100 - 16 + 4)
    assert image[10, 10] == 0
    assert image[26, 26] == 1


def test_a_shape_in_a_volume_lies_on_its_plane():
    square = [[5, 5], [5, 8], [8, 8], [8, 5]]
    image = image_of(Polygon(parts_px=(square,), plane=2), (4, 20, 30))
    assert image[2].sum() == image.sum() == pytest.approx(9)


def test_what_reaches_beyond_the_frame_is_cut_off():
    image = image_of(Polygon(parts_px=([[-3, -3], [-3, 2.5], [2.5, 2.5], [2.5, -3]],)))
    assert image.sum() == pytest.approx(9)
    assert (image[:3, :3] == 1).all()


SQUARE = [[5, 5], [5, 8], [8, 8], [8, 5]]


@pytest.mark.parametrize(
    ("shape", "frame_shape", "says"),
    [
        (Polygon(parts_px=([[5, 5], [9, 9], [5, 9], [9, 5]],)), FRAME, "crosses itself"),
        (Polygon(parts_px=([[1, 1], [2, 2], [3, 3]],)), FRAME, "no area"),
        (Polygon(parts_px=([[1, 1], [1, 1], [1, 1]],)), FRAME, "3 to 100000 corners; got 2"),
        (Polygon(parts_px=([[1, 1], [2, 2]],)), FRAME, "3 to 100000 corners; got 2"),
        (Polygon(parts_px=([],)), FRAME, "pairs of numbers"),
        (Polygon(parts_px=([[1, 2, 3]] * 3,)), FRAME, "pairs of numbers"),
        (Polygon(parts_px=("abc",)), FRAME, "pairs of numbers"),
        (Polygon(parts_px=([[1, 2], [np.nan, 3], [4, 5]],)), FRAME, "finite"),
        (Polygon(parts_px=(np.add(SQUARE, 100),)), FRAME, "outside the movie: rows 105 to 108"),
        (Polygon(parts_px=(np.add(SQUARE, -20),)), FRAME, "outside the movie"),
        (Polygon(parts_px=([[0, 0], [0, 1e9], [1e9, 0]],)), FRAME, "corners are given in pixels"),
        (Polygon(parts_px=(SQUARE, SQUARE)), FRAME, "parts overlap"),
        (Polygon(parts_px=(SQUARE,), holes_px=(np.add(SQUARE, 2),)), FRAME, "hole reaches out"),
        (Polygon(parts_px=(SQUARE,)), (3, 20, 30), "needs a plane, 0 to 2"),
        (Polygon(parts_px=(SQUARE,), plane=3), (3, 20, 30), "plane must be 0 to 2; got 3"),
        (Polygon(parts_px=(SQUARE,), plane=1), FRAME, "plane must be 0 to 0; got 1"),
        (Ellipse(center_px=(5, 5), radii_px=(3, 0)), FRAME, "no area"),
        (Ellipse(center_px=(5, 5), radii_px=(3, -1)), FRAME, "two radii of at least 0"),
        (Ellipse(center_px=(5, np.inf), radii_px=(3, 1)), FRAME, "finite centre"),
        (Ellipse(center_px=(500, 5), radii_px=(3, 1)), FRAME, "outside the movie"),
    ],
)
def test_what_cannot_be_is_said_in_a_sentence(shape, frame_shape, says):
    with pytest.raises(ValueError, match=says):
        rasterize(shape, frame_shape)


def test_which_shape_cannot_be_is_said():
    shapes = [Polygon(parts_px=(SQUARE,)), Ellipse(center_px=(5, 5), radii_px=(3, 0))]
    with pytest.raises(ValueError, match=r"ROI 1 \('b'\) cannot be: it has no area"):
        rois_of_shapes(shapes, FRAME, names=["a", "b"])


@pytest.mark.parametrize(
    "shape",
    [
        Polygon(parts_px=(SQUARE,), holes_px=([[6, 6], [6, 7], [7, 6]],), plane=1),
        Ellipse(center_px=(5.5, 6.0), radii_px=(3.0, 2.0), angle_deg=12.0),
    ],
)
def test_shapes_come_back_from_json(shape):
    assert shape_to_dict(shape_from_dict(shape_to_dict(shape))) == shape_to_dict(shape)


def test_a_polygon_of_one_part_is_told_by_its_points_alone():
    assert shape_from_dict({"points_px": SQUARE}) == Polygon(parts_px=(SQUARE,))
    assert isinstance(shape_from_dict({"center_px": [1, 2], "radii_px": [3, 4]}), Ellipse)


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"kind": "star"}, "a polygon or an ellipse; got 'star'"),
        ({"points_px": SQUARE, "colour": "red"}, "no polygon"),
        ({"kind": "ellipse"}, "no ellipse"),
    ],
)
def test_what_is_no_shape_is_refused(values, says):
    with pytest.raises(ValueError, match=says):
        shape_from_dict(values)
