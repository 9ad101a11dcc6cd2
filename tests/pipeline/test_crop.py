"""Crops find what was planted."""

import numpy as np
import pytest

from pipeline.motion.crop import Crop, find_crop

SHAPE = (160, 240)
DISKS = [(60, 90, 9), (80, 150, 7), (100, 110, 8)]


def planted(shape=SHAPE, disks=DISKS, noise=0.3, height=10.0):
    """Return disks on a dark, noisy ground."""
    rows, cols = np.ogrid[: shape[0], : shape[1]]
    image = np.random.default_rng(0).normal(20, noise, shape)
    for row, col, radius in disks:
        image[(rows - row) ** 2 + (cols - col) ** 2 <= radius**2] += height
    return image


def truth(disks=DISKS):
    """Return the first row and column, and the ones after the last."""
    ends = [(r - rad, r + rad + 1, c - rad, c + rad + 1) for r, c, rad in disks]
    firsts_rows, stops_rows, firsts_cols, stops_cols = zip(*ends, strict=True)
    return min(firsts_rows), max(stops_rows), min(firsts_cols), max(stops_cols)


@pytest.mark.parametrize("image", [planted(), planted().astype(np.float32), planted().T.copy()])
def test_without_blur_the_box_is_exact(image):
    crop = find_crop(image, blur_px=1, padding_px=0)

    first_row, stop_row, first_col, stop_col = truth()
    expected = Crop((first_row, stop_row), (first_col, stop_col))
    assert crop == (Crop(expected.cols, expected.rows) if image.shape != SHAPE else expected)


@pytest.mark.parametrize("method", ["threshold", "saliency"])
def test_the_box_holds_all_objects_and_little_more(method):
    crop = find_crop(planted(), method=method, blur_px=5, padding_px=8)

    first_row, stop_row, first_col, stop_col = truth()
    assert first_row - 24 <= crop.rows[0] <= first_row
    assert stop_row <= crop.rows[1] <= stop_row + 24
    assert first_col - 24 <= crop.cols[0] <= first_col
    assert stop_col <= crop.cols[1] <= stop_col + 24


def test_saliency_finds_objects_on_an_uneven_ground():
    ground = 60 * np.linspace(0, 1, SHAPE[1])  # brighter than any object on the right

    crop = find_crop(planted() + ground, method="saliency", blur_px=3, padding_px=8)

    first_row, stop_row, first_col, stop_col = truth()
    assert crop.rows[0] <= first_row
    assert crop.rows[1] >= stop_row
    assert crop.cols[0] <= first_col
    assert crop.cols[1] >= stop_col


def test_an_empty_border_is_cut():
    image = np.full((100, 120), np.nan)
    image[8:95, 5:110] = np.random.default_rng(0).normal(100, 1, (87, 105))

    assert find_crop(image, blur_px=1, padding_px=0, min_area_px=2).slices == np.s_[8:95, 5:110]


def test_a_border_of_zeros_is_cut():
    image = np.zeros((100, 120), np.uint16)
    image[8:95, 5:110] = np.random.default_rng(0).poisson(100, (87, 105))

    assert find_crop(image, blur_px=1, padding_px=0).slices == np.s_[8:95, 5:110]


def test_planes_without_content_are_cut():
    volume = np.stack([planted(disks=[], noise=0.3), planted(), planted(), planted(disks=[])])

    crop = find_crop(volume, blur_px=1, padding_px=0)

    assert crop.planes == (1, 3)
    assert (*crop.rows, *crop.cols) == truth()
    assert volume[crop.slices].shape == (2, 58, 77)


def test_saliency_of_an_empty_plane_is_nothing():
    volume = np.stack([np.full(SHAPE, 7.0), planted(), planted()])

    crop = find_crop(volume, method="saliency", blur_px=5)

    assert crop.planes == (1, 3)


def test_padding_ends_at_the_edge():
    crop = find_crop(planted(disks=[(10, 12, 8)]), blur_px=1, padding_px=30)

    assert crop == Crop((0, 49), (0, 51))


def test_specks_are_not_objects():
    image = planted(noise=0)
    image[2:4, 2:4] = 100

    with_specks = find_crop(image, blur_px=1, padding_px=0, min_area_px=1)
    without = find_crop(np.minimum(image, 30), blur_px=1, padding_px=0)

    assert with_specks.rows[0] == 2
    assert (*without.rows, *without.cols) == truth()


def test_the_image_is_not_changed():
    image = planted()
    image[0, 0] = np.nan
    image.flags.writeable = False

    find_crop(image)


@pytest.mark.parametrize("method", ["threshold", "saliency"])
@pytest.mark.parametrize("image", [np.ones((40, 50)), np.full((40, 50), np.nan), np.zeros((1, 1))])
def test_a_flat_image_has_no_crop(image, method):
    with pytest.raises(ValueError, match="no object"):
        find_crop(image, method=method)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"method": "magic"}, "method must be one of 'threshold', 'saliency'"),
        ({"blur_px": 0}, "blur_px must be between"),
        ({"padding_px": -1}, "padding_px must be between"),
        ({"min_area_px": 0}, "min_area_px must be between"),
        ({"min_area_px": 10**6}, "no object of at least min_area_px = 1000000"),
    ],
)
def test_a_bad_setting_is_refused(options, sentence):
    with pytest.raises(ValueError, match=sentence):
        find_crop(planted(), **options)


def test_a_movie_is_not_an_image():
    with pytest.raises(ValueError, match="n_rows, n_cols"):
        find_crop(np.zeros((2, 3, 20, 20)))
