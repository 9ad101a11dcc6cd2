"""The plane that is shown is that of the recording, whatever was cut off."""

import numpy as np
import pytest

from apps.browser.planes import plane_of

VOLUME = np.arange(6)[:, np.newaxis, np.newaxis] * np.ones((6, 4, 5))


@pytest.mark.parametrize(("plane", "shown"), [(0, 0), (4, 4), (None, 3)])
def test_a_plane_of_a_whole_volume(plane, shown):
    assert np.all(plane_of(VOLUME, plane) == shown)


@pytest.mark.parametrize(("plane", "shown"), [(0, 2), (2, 2), (3, 3), (5, 3)])
def test_a_plane_of_a_volume_that_lost_some_is_the_nearest(plane, shown):
    assert np.all(plane_of(VOLUME[2:4], plane, 6) == shown)


def test_an_image_is_its_only_plane():
    assert plane_of(VOLUME[0], 3, 6).shape == (4, 5)
