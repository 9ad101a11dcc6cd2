"""The ROIs of a volume in the app: plane by plane."""

import numpy as np
import pytest

from apps import queries
from pipeline.extraction.volume import Cnmf3dParams
from pipeline.simulate import VolumeParams, simulate_volume
from populate_workers.populate import populate
from schemas.connection import connect_session
from schemas.ingest import Trial, ingest
from schemas.params import add_params
from schemas.roi import submit_segmentation

pytestmark = pytest.mark.db
DEEP = {"animal_id": "mouse 1", "session": "2026-11-22", "trial": "deep"}
VOLUME = VolumeParams(
    n_frames=120,
    n_planes=6,
    n_rows=72,
    n_cols=64,
    n_cells=8,
    burst_rate_hz=0.3,
    max_shift_px=0,
    max_deviation_px=0,
    jump_rate_hz=0,
    max_plane_shift_px=0,
)


@pytest.fixture(scope="module")
def deep(make_project):
    """A project with a volume whose cells are found, in two ways."""
    database = make_project()
    file = database.settings.roots["data"] / "volume.npy"
    simulate_volume(VOLUME, rng=np.random.default_rng(3), out=file)
    ingest(Trial(animal="mouse 1", session="2026-11-22", trial="deep", rate_hz=10.0), [file])
    for name in ("together", "each"):
        add_params(database.roi.SegmentationParams, name, Cnmf3dParams(planes=name, p=1))
        submit_segmentation(database.session.Recording(), name)
    populate(database, watch=lambda outcome: None)
    return connect_session(database.settings)


def segmentation_of(database, name):
    found = {row["name"]: row for row in queries.segmentations(database, DEEP)}
    return found[name]["key"]


def test_outlines_lie_around_the_pixels_of_their_plane(deep):
    key = segmentation_of(deep, "together")
    rows = (deep.roi.Segmentation.Roi & key).to_dicts()
    by_plane = [queries.outlines_in_plane(deep, key, plane) for plane in range(VOLUME.n_planes)]

    assert sum(map(len, by_plane)) > len(rows)
    for row in rows:
        planes, rows_px, _ = np.unravel_index(row["pixels"], (6, 72, 64))
        main = round(row["centroid_plane_px"])
        np.testing.assert_array_equal(by_plane[main][row["roi_id"]], row["contour_px"])
        for plane, outlines in enumerate(by_plane):
            if row["roi_id"] in outlines:
                here = rows_px[planes == plane]
                rows_of_outline = outlines[row["roi_id"]][:, 0]
                assert here.min() - 1 <= rows_of_outline.min()
                assert rows_of_outline.max() <= here.max() + 1


def test_a_segmentation_plane_by_plane_can_be_compared_with_one_together(deep):
    table = queries.compared(deep, segmentation_of(deep, "together"), segmentation_of(deep, "each"))

    assert table["cosine"].notna().sum() >= 4
    assert table["trace_r"].median() > 0.8


def test_the_page_shows_the_rois_of_the_plane_that_is_chosen(deep, open_page):
    page = open_page(deep, "recording.py", **DEEP)
    assert not page.exception

    said = [caption.value for caption in page.caption if "are seen in plane" in caption.value]
    (slider,) = [slider for slider in page.slider if slider.label == "Plane"]
    assert (slider.value, slider.max) == (3, 5)
    assert said[0].endswith("ROIs are seen in plane 3.")
    page = slider.set_value(0).run()

    assert not page.exception
    assert any("are seen in plane 0." in caption.value for caption in page.caption)
    assert "centroid_plane_px" in page.dataframe[0].value.columns


def test_side_by_side_show_the_plane_that_is_chosen(deep, open_page):
    page = open_page(deep, "recording.py", **DEEP)
    (other,) = [box for box in page.selectbox if box.label == "Compare with"]
    page = other.select_index(1).run()

    assert not page.exception
    assert any("cells in both" in markdown.value for markdown in page.markdown)


def test_choosing_a_roi_turns_to_its_plane(deep, open_page):
    page = open_page(deep, "recording.py", **DEEP)
    (segmentation, *_) = queries.segmentations(deep, DEEP)
    rois = queries.rois(deep, segmentation["key"])
    (chosen,) = [box for box in page.multiselect if box.label == "Selected ROIs"]
    new = rois[~rois["roi_id"].isin(chosen.value)].iloc[-1]
    page = chosen.set_value([*chosen.value, new["roi_id"]]).run()

    assert not page.exception
    (slider,) = [slider for slider in page.slider if slider.label == "Plane"]
    assert slider.value == round(new["centroid_plane_px"])
