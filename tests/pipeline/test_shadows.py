"""What is no cell of its own: shadows of brighter cells and patches of neuropil."""

import numpy as np
import pytest
from scipy import sparse

from pipeline.extraction import CnmfParams
from pipeline.extraction.evaluation import judge, too_large
from pipeline.extraction.field import Field
from pipeline.extraction.shadows import find_shadows
from pipeline.extraction.sources import Quality
from pipeline.extraction.temporal import apart

SHAPE = 40, 50
FIELD = Field(SHAPE, np.ones(SHAPE[0] * SHAPE[1], np.bool_), (5.0, 5.0))


def gaussian(row, col, sd_px):
    rows, cols = np.indices(SHAPE)
    return np.exp(-((rows - row) ** 2 + (cols - col) ** 2) / (2 * sd_px**2)).ravel()


def two_components(*, away_px, height, own):
    """A cell, and one beside it that follows it but for its own activity."""
    rng = np.random.default_rng(0)
    footprints = np.stack([gaussian(20, 20, 4), gaussian(20, 20 + away_px, 4)], axis=1)
    cell = rng.exponential(1, 400)
    beside = height * ((1 - own) * cell + own * rng.exponential(1, 400))
    return sparse.csc_array(footprints), np.array([cell, beside], np.float32)


def shadows(**settings):
    cells = np.array([settings.pop("a_cell", True), True])
    return find_shadows(*two_components(**settings), FIELD, cells=cells)


def test_a_faint_follower_at_the_rim_is_a_shadow():
    cell, beside = shadows(away_px=4, height=0.1, own=0.2)

    assert cell == ""
    assert beside.startswith("follows component 0 at its rim, correlation 0.9")


@pytest.mark.parametrize(
    "settings",
    [
        {"away_px": 8, "height": 0.1, "own": 0.2},
        {"away_px": 4, "height": 0.8, "own": 0.2},
        {"away_px": 4, "height": 0.1, "own": 0.9},
        {"away_px": 4, "height": 0.1, "own": 0.2, "a_cell": False},
    ],
    ids=["far", "bright", "own activity", "of no cell"],
)
def test_a_neighbour_is_no_shadow(settings):
    assert shadows(**settings) == ["", ""]


def test_a_silent_component_is_no_shadow():
    footprints, calcium = two_components(away_px=4, height=0.0, own=0.0)

    assert find_shadows(footprints, calcium, FIELD, cells=np.ones(2, np.bool_)) == ["", ""]


def test_nothing_has_no_shadow():
    nothing = sparse.csc_array((2000, 0), dtype=np.float32)

    assert find_shadows(nothing, np.empty((0, 9), np.float32), FIELD, cells=np.ones(0, bool)) == []


def test_a_cell_of_the_given_size_is_not_too_large_and_a_patch_is():
    footprints = sparse.csc_array(np.stack([gaussian(20, 25, 3), gaussian(20, 25, 4)], axis=1))

    cell, patch = too_large(footprints, CnmfParams(gsig_px=(3.0, 3.0)))

    assert cell == ""
    # a Gaussian has an effective area of 4 pi squared standard deviations
    assert patch == "effective area 201 px is above 143"


def test_what_else_speaks_against_a_component_is_a_reason():
    quality = Quality(*(np.full(2, 9.0, np.float32) for _ in Quality._fields))._replace(
        area_px=np.array([80, 80])
    )

    verdict = judge(quality, CnmfParams(gsig_px=(5, 5)), ["", "too large"])

    assert verdict.accepted.tolist() == [True, False]
    assert verdict.reasons == ("", "too large")


def test_components_of_a_group_do_not_overlap():
    rng = np.random.default_rng(1)
    overlap = rng.random((40, 40)) < 0.1
    overlap = overlap | overlap.T | np.eye(40, dtype=bool)

    groups = apart(sparse.csr_array(overlap.astype(float)))

    assert sorted(sum(groups, [])) == list(range(40))
    for group in groups:
        assert overlap[np.ix_(group, group)].sum() == len(group)
    assert len(groups) < 15
