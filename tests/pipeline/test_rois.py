"""Shapes of footprints with known answers."""

import numpy as np
import pytest
from scipy import sparse

from pipeline.rois import (
    Depth,
    centroid_px,
    compare_rois,
    contour_px,
    footprint_image,
    footprint_mask,
    solidity,
)

SHAPE = 40, 50


def gaussian(center=(18.25, 30.5), sd_px=4.0):
    rows, cols = np.indices(SHAPE)
    square = (rows - center[0]) ** 2 + (cols - center[1]) ** 2
    return np.exp(-square / sd_px**2 / 2).ravel()


def area(polygon):
    rows, cols = polygon.T
    return abs(rows[:-1] @ cols[1:] - rows[1:] @ cols[:-1]) / 2


def test_centroid_is_the_planted_centre():
    assert centroid_px(gaussian(), SHAPE) == pytest.approx((18.25, 30.5), abs=0.01)


def test_a_sparse_column_gives_the_same_as_a_dense_one():
    column = sparse.csc_array(gaussian()[:, np.newaxis])[:, [0]]

    assert centroid_px(column, SHAPE) == pytest.approx(centroid_px(gaussian(), SHAPE), abs=1e-5)
    np.testing.assert_allclose(contour_px(column, SHAPE), contour_px(gaussian(), SHAPE))


@pytest.mark.parametrize("level", [0.1, 0.5, 0.9])
def test_contour_runs_where_the_weight_is_the_level(level):
    contour = contour_px(gaussian(), SHAPE, level=level)

    distance = np.hypot(*(contour - (18.25, 30.5)).T)
    np.testing.assert_allclose(distance, 4 * np.sqrt(-2 * np.log(level)), atol=0.1)
    np.testing.assert_array_equal(contour[0], contour[-1])


def test_contour_of_one_pixel_is_a_diamond_around_it():
    footprint = np.zeros(SHAPE)
    footprint[7, 9] = 2.0

    contour = contour_px(footprint, SHAPE, level=0.5)

    corners = {(6.5, 9.0), (7.5, 9.0), (7.0, 8.5), (7.0, 9.5)}
    assert set(map(tuple, contour)) == corners


def test_contour_at_the_corner_of_the_frame_is_closed():
    contour = contour_px(gaussian(center=(0, 49)), SHAPE, level=0.2)

    np.testing.assert_array_equal(contour[0], contour[-1])
    assert contour.min() >= -0.5
    assert contour[:, 1].max() <= 49.5
    assert np.isfinite(contour).all()


def test_contour_of_a_full_frame_is_its_outline():
    contour = contour_px(np.ones(SHAPE), SHAPE, level=0.5)

    assert area(contour) == pytest.approx(40 * 50, rel=0.05)


def test_contour_of_several_pieces_is_the_largest():
    small, large = gaussian(center=(8, 8), sd_px=2), gaussian(center=(25, 35), sd_px=4)

    contour = contour_px(2 * small + large, SHAPE, level=0.3)

    np.testing.assert_allclose(contour.mean(axis=0), (25, 35), atol=0.5)


def test_mask_is_what_reaches_the_level():
    footprint = np.array([[0.0, 0.1, 0.5], [1.0, 0.49, 0.0]])

    mask = footprint_mask(footprint, (2, 3), level=0.5)

    np.testing.assert_array_equal(mask, [[False, False, True], [True, False, False]])


def test_image_has_the_pixels_in_c_order():
    image = footprint_image(np.arange(6.0), (2, 3))

    np.testing.assert_array_equal(image, [[0, 1, 2], [3, 4, 5]])


def test_inputs_are_not_changed():
    footprint = gaussian()
    footprint.flags.writeable = False

    contour_px(footprint, SHAPE)
    footprint_mask(footprint, SHAPE)
    centroid_px(footprint, SHAPE)


@pytest.mark.parametrize(
    ("footprint", "message"),
    [
        (np.ones(7), "one weight for each of the 2 x 3 pixels of the frame; got 7"),
        (np.zeros(6), "one of them above 0; got 0.0 to 0.0"),
        (np.array([1, -1, 0, 0, 0, 0.0]), "at least 0, .*; got -1.0 to 1.0"),
        (np.array([1, np.nan, 0, 0, 0, 0]), "finite weights of at least 0, .*; got nan"),
    ],
)
def test_a_footprint_without_a_shape_is_refused(footprint, message):
    with pytest.raises(ValueError, match=message):
        footprint_image(footprint, (2, 3))


@pytest.mark.parametrize("function", [contour_px, footprint_mask])
def test_a_level_outside_of_its_range_is_refused(function):
    with pytest.raises(ValueError, match="level must be between 0.01 and 0.99; got 1"):
        function(gaussian(), SHAPE, level=1)


def test_solidity_is_high_for_a_disc_and_low_for_a_ring_that_is_open():
    rows, cols = np.indices((40, 50))
    distance = np.hypot(rows - 20, cols - 25)
    disc = np.flatnonzero(distance < 10)
    arc = np.flatnonzero((distance < 10) & (distance > 8) & (rows < 20))

    assert solidity(disc, (40, 50)) > 0.85
    assert solidity(arc, (40, 50)) < 0.45
    assert solidity(np.array([], np.int32), (40, 50)) == 0
    assert solidity(disc[:1], (40, 50)) == 1


def test_two_segmentations_are_compared_cell_by_cell():
    rng = np.random.default_rng(0)
    one, other = np.zeros((50, 3)), np.zeros((50, 2))
    one[:5, 0] = one[10:20, 1] = one[30:33, 2] = 1
    other[10:19, 0] = other[40:44, 1] = 1
    traces = rng.normal(size=(3, 30))

    found = compare_rois(
        (sparse.csc_array(one), sparse.csc_array(other)),
        (traces, np.stack([5 - 2 * traces[1], traces[0]])),
    )

    assert found.pairs.tolist() == [[1, 0]]
    assert found.cosines[0] == pytest.approx(np.sqrt(0.9))
    assert found.trace_correlations[0] == pytest.approx(-1)
    assert found.only_one.tolist() == [0, 2]
    assert found.only_other.tolist() == [1]


def test_segmentations_of_different_recordings_are_not_compared():
    none = sparse.csc_array((50, 0))

    with pytest.raises(ValueError, match="have 30 and 29 frames; compare .* one recording"):
        compare_rois((none, none), (np.zeros((0, 30)), np.zeros((0, 29))))


def volume_of(*planes):
    """Return pixels and weights of a footprint whose planes are given."""
    weights = np.stack(planes)
    pixels = np.flatnonzero(weights)
    return Depth(pixels=pixels, weights=weights.ravel()[pixels], frame_shape=weights.shape)


def square(first, last, weight=1.0, shape=(12, 14)):
    plane = np.zeros(shape)
    plane[first:last, first:last] = weight
    return plane


def test_the_outline_in_a_plane_is_that_of_its_pixels():
    depth = volume_of(square(2, 5, 0.5), square(3, 9), square(0, 0))

    np.testing.assert_array_equal(depth.contour_px(1), contour_px(square(3, 9).ravel(), (12, 14)))
    assert depth.contour_px(0)[:, 0].max() < 5
    assert depth.contour_px(2).shape == (0, 2)


def test_the_level_of_an_outline_is_relative_to_the_brightest_plane():
    depth = volume_of(square(2, 5, 0.1), square(3, 9))

    assert depth.contour_px(0, level=0.2).size == 0
    assert depth.contour_px(0, level=0.05).size > 0


@pytest.mark.parametrize(
    ("planes", "main"),
    [
        ((square(0, 0), square(3, 9), square(4, 6)), 1),
        ((square(3, 9), square(0, 0), square(3, 8)), 0),  # nothing in the middle
    ],
)
def test_the_main_plane_has_an_outline(planes, main):
    assert volume_of(*planes).main_plane == main


def test_the_centroid_of_a_volume_has_a_plane_first():
    footprint = np.stack([square(2, 5), square(2, 5), square(2, 5, 2.0)]).ravel()

    assert centroid_px(footprint, (3, 12, 14)) == pytest.approx((1.25, 3, 3))
