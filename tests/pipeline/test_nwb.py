"""Recordings as NWB: what inspectors, other programs and we ourselves find in them."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from pipeline.exporters.nwb import NwbRecording, write_nwb
from pipeline.exporters.nwb_facts import NEEDED, NwbFacts, facts_from
from pipeline.exporters.nwb_movie import Corrected, MovieFile
from pipeline.importers.registry import import_rois
from pipeline.movie import Movie
from tests.exchange_scene import N_FRAMES, some_rois

FACTS = {
    "session_start_time": "2026-11-22T14:03:00+01:00",
    "imaging": "two-photon",
    "species": "Mus musculus",
    "sex": "female",
    "age": "P90D",
    "device": "Scope",
    "indicator": "GCaMP6s",
    "excitation_nm": "920",
    "emission_nm": 525,
    "location": "VISp",
}
PERIODS = pd.DataFrame(
    [["b", 2.5, 3.0, ""], ["a", 1.0, 2.0, "#ff0000"]], columns=["name", "start_s", "end_s", "color"]
)


def recording(frame_shape=(20, 30), **changes):
    rng = np.random.default_rng(0)
    movie = Movie(
        source=rng.integers(0, 1000, (N_FRAMES, *frame_shape)).astype(np.uint16),
        rate_hz=12.5,
        pixel_size_um=(1.5, 2.0) if len(frame_shape) == 2 else (10.0, 1.5, 2.0),
    )
    shifts = rng.normal(size=(N_FRAMES, 2)).astype(np.float32)
    corrected = Movie(source=movie[:].astype(np.float32) + 0.5, rate_hz=12.5)
    rois = some_rois(frame_shape)
    rois = replace(rois, tags={"cell type": ("pv", "", "sst", "", "pv")})
    given = {
        "animal": "m/1",
        "session": "2026-11-22",
        "trial": "t1",
        "movie": movie,
        "files": None,
        "corrected": Corrected(corrected, shifts, "rigid"),
        "images": {"mean": movie[:].mean(0)},
        "rois": rois,
        "roi_keys": np.arange(5) + 10,
        "stimuli": {"odour / kind": PERIODS},
    }
    return NwbRecording(**{**given, **changes})


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """A recording, and its file."""
    path = tmp_path_factory.mktemp("nwb") / "a.nwb"
    write_nwb(recording(), facts_from(FACTS), path)
    return recording(), path


@pytest.mark.parametrize("frame_shape", [(20, 30), (3, 20, 30)])
def test_inspectors_find_nothing_that_violates_the_standard(tmp_path, frame_shape):
    from nwbinspector import Importance, inspect_nwbfile

    path = tmp_path / "a.nwb"
    write_nwb(recording(frame_shape), facts_from(FACTS), path)

    found = list(inspect_nwbfile(nwbfile_path=path))

    worst = (Importance.BEST_PRACTICE_SUGGESTION, Importance.BEST_PRACTICE_VIOLATION)
    assert [m.message for m in found if m.importance is not worst[0]] == []


def test_the_file_holds_what_was_told(written):
    from pynwb import NWBHDF5IO

    given, path = written
    with NWBHDF5IO(path, "r") as io:
        file = io.read()
        assert file.subject.subject_id == "m-1"
        assert (file.subject.sex, file.subject.species) == ("F", "Mus musculus")
        plane = file.imaging_planes["ImagingPlane"]
        np.testing.assert_allclose(plane.grid_spacing[:], [2e-6, 1.5e-6])
        series = file.acquisition["TwoPhotonSeries"]
        np.testing.assert_array_equal(series.data[:], given.movie[:].transpose(0, 2, 1))
        ophys = file.processing["ophys"]
        stack = ophys["MotionCorrection"]["CorrectedImageStack"]
        assert stack.corrected.data[7, 12, 3] == given.corrected.movie[7][3, 12]
        np.testing.assert_array_equal(
            stack.xy_translation.data[:], -given.corrected.shifts_px[:, ::-1]
        )
        table = ophys["ImageSegmentation"]["PlaneSegmentation"]
        assert table.id[:].tolist() == [10, 11, 12, 13, 14]
        assert table["tag_cell_type"].data[:].tolist() == ["pv", "", "sst", "", "pv"]
        raw = ophys["Fluorescence"]["RoiResponseSeries"]
        np.testing.assert_array_equal(raw.data[:], given.rois.rois.traces["raw"].T)
        stimuli = file.intervals["odour_kind"].to_dataframe()
        assert stimuli["stimulus_name"].tolist() == ["a", "b"]
        assert stimuli["start_time"].tolist() == [1.0, 2.5]


@pytest.mark.parametrize("frame_shape", [(20, 30), (3, 20, 30)])
def test_rois_out_and_in_again_are_the_same(tmp_path, frame_shape):
    given = recording(frame_shape)
    write_nwb(given, facts_from(FACTS), tmp_path / "a.nwb")

    again = import_rois(tmp_path / "a.nwb", frame_shape)

    assert abs(given.rois.rois.footprints - again.rois.footprints).max() == 0
    assert again.rois.traces.keys() == given.rois.rois.traces.keys()
    for name, traces in given.rois.rois.traces.items():
        np.testing.assert_array_equal(traces, again.rois.traces[name])
    for name, values in given.rois.rois.numbers.items():
        np.testing.assert_array_equal(values, again.rois.numbers[name])
    np.testing.assert_array_equal(given.rois.accepted, again.accepted)
    assert again.rois.names == given.rois.rois.names
    assert again.tags == {"cell type": given.rois.tags["cell type"]}
    assert (again.rate_hz, again.rois.source) == (12.5, given.rois.rois.source)


def test_sparse_masks_are_read_too(tmp_path):
    given = recording()
    write_nwb(given, facts_from(FACTS), tmp_path / "a.nwb")
    import h5py

    footprints = given.rois.rois.footprints
    with h5py.File(tmp_path / "a.nwb", "r+") as file:
        table = file["processing/ophys/ImageSegmentation/PlaneSegmentation"]
        del table["image_mask"]
        kind = np.dtype([("x", "u4"), ("y", "u4"), ("weight", "f4")])
        pixels = np.zeros(footprints.nnz, kind)
        pixels["y"], pixels["x"] = np.divmod(footprints.indices, 30)
        pixels["weight"] = footprints.data
        table["pixel_mask"] = pixels
        table["pixel_mask_index"] = footprints.indptr[1:]

    again = import_rois(tmp_path / "a.nwb", (20, 30))

    assert abs(footprints - again.rois.footprints).max() == 0


def test_a_link_leads_to_the_recorded_files(tmp_path):
    from pynwb import NWBHDF5IO

    (tmp_path / "data").mkdir()
    files = [MovieFile(tmp_path / "data" / name, first) for name, first in (("a", 0), ("b", 30))]
    for file in files:
        file.path.touch()
    (tmp_path / "out").mkdir()
    path = tmp_path / "out" / "a.nwb"

    write_nwb(recording(files=files), facts_from(FACTS), path)

    with NWBHDF5IO(path, "r") as io:
        series = io.read().acquisition["TwoPhotonSeries"]
        assert list(series.external_file) == ["../data/a", "../data/b"]
        assert list(series.starting_frame) == [0, 30]


def test_other_programs_open_it(written):
    pynapple = pytest.importorskip("pynapple")
    roiextractors = pytest.importorskip("roiextractors")
    given, path = written

    found = roiextractors.NwbSegmentationExtractor(path)
    masks = np.asarray(found.get_roi_image_masks())
    assert masks.shape == (20, 30, 5)
    np.testing.assert_array_equal(masks.reshape(600, 5), given.rois.rois.footprints.toarray())
    np.testing.assert_array_equal(found.get_traces(name="dff"), given.rois.rois.traces["dff"].T)
    movie = roiextractors.NwbImagingExtractor(path)
    np.testing.assert_array_equal(movie.get_series(2, 5), given.movie[2:5])

    loaded = pynapple.load_file(str(path))
    raw = loaded["Fluorescence/RoiResponseSeries"]
    np.testing.assert_array_equal(raw.values, given.rois.rois.traces["raw"].T)
    assert raw.rate == pytest.approx(12.5, rel=0.05)
    assert len(loaded["odour_kind"]) == 2


def test_what_is_missing_is_asked_for_at_once(tmp_path):
    with pytest.raises(ValueError, match="does not know") as refused:
        write_nwb(recording(), NwbFacts(species="Mus musculus"), tmp_path / "a.nwb")

    for name in NEEDED:
        assert (f"{name} (" in str(refused.value)) == (name != "species")
    assert list(tmp_path.iterdir()) == []


def test_a_date_of_birth_takes_the_place_of_the_age(tmp_path):
    told = {**FACTS, "age": None, "date_of_birth": "2026-08-01"}
    write_nwb(recording(), facts_from(told), tmp_path / "a.nwb")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("session_start_time", "2026-11-22T14:03:00"),
        ("imaging", "three-photon"),
        ("species", "mouse"),
        ("sex", "f"),
        ("age", "90"),
        ("age", "P"),
        ("excitation_nm", "blue"),
        ("emission_nm", 0.000525),
        ("date_of_birth", "soon"),
        ("session_start_time", "yesterday"),
        ("colour", "red"),
    ],
)
def test_a_fact_that_cannot_be_is_refused(name, value):
    with pytest.raises(ValueError, match="time" if "_" in name and "_nm" not in name else name):
        facts_from({name: value})


def test_a_long_movie_is_written_in_blocks():
    class Source:
        shape, dtype, largest = (3000, 128, 128), np.dtype(np.uint16), 0

        def __getitem__(self, frames):
            part = np.arange(3000)[frames]
            Source.largest = max(Source.largest, part.size)
            return np.broadcast_to(part[:, None, None], (part.size, 128, 128)).astype(np.uint16)

    from pipeline.exporters import nwb_movie

    movie = Movie(source=Source(), rate_hz=30.0)
    blocks = nwb_movie.FrameChunks(movie)
    frames = 0
    for block in blocks:
        assert block.data.nbytes <= nwb_movie.BUFFER_BYTES
        frames += len(block.data)

    assert (frames, Source.largest < 3000) == (3000, True)
