"""ROIs out to the files of other programs and in again."""

import os
import subprocess

import numpy as np
import pytest

from pipeline.exporters.caiman import write_caiman
from pipeline.exporters.imagej import write_imagej
from pipeline.exporters.outline import pixel_outline
from pipeline.exporters.suite2p import write_suite2p
from pipeline.importers.registry import import_rois
from pipeline.roi_file import RoiFile
from pipeline.rois.given import rois_of_shapes
from pipeline.rois.outlines import Ellipse, Polygon
from tests.exchange_scene import some_rois, suite2p_rois

SHAPES = [(20, 30), (3, 20, 30)]
CAIMAN_VARIABLE = "MESMERIZE_TEST_CAIMAN"


def same_footprints(one, other, *, scaled=True):
    """Tell whether footprints agree; their scale may have no meaning."""
    a, b = one.rois.footprints, other.rois.footprints
    if not scaled:
        a, b = (m / np.asarray(m.max(axis=0).todense()).ravel() for m in (a, b))
    return abs(a - b).max() < 1e-5 * abs(a).max()


@pytest.mark.parametrize("frame_shape", SHAPES)
def test_suite2p_out_and_in_again_is_the_same(tmp_path, frame_shape):
    rois = suite2p_rois(frame_shape)
    order = np.arange(5)
    if len(frame_shape) == 3:  # suite2p has them by planes
        order = np.array([0, 3, 1, 4, 2])

    write_suite2p(rois, tmp_path / "suite2p", mean_image=np.zeros(frame_shape))
    again = import_rois(tmp_path, frame_shape)

    turned = rois.rois.footprints[:, order]
    assert abs(turned - again.rois.footprints).max() == 0
    for name in ("raw", "neuropil", "spikes"):
        np.testing.assert_array_equal(rois.rois.traces[name][order], again.rois.traces[name])
    np.testing.assert_array_equal(rois.accepted[order], again.accepted)
    for name, values in rois.rois.numbers.items():
        np.testing.assert_array_equal(values[order], again.rois.numbers[name])
    assert (again.rate_hz, again.neuropil_coefficient) == (12.5, 0.6)


@pytest.mark.parametrize("frame_shape", SHAPES)
def test_caiman_out_and_in_again_is_the_same(tmp_path, frame_shape):
    rois = some_rois(frame_shape)

    write_caiman(rois, tmp_path / "a.hdf5")
    again = import_rois(tmp_path / "a.hdf5", frame_shape)

    assert same_footprints(rois, again)
    for name in ("raw", "denoised", "dff", "spikes", "background"):
        np.testing.assert_allclose(rois.rois.traces[name], again.rois.traces[name], rtol=1e-5)
    np.testing.assert_array_equal(rois.accepted, again.accepted)
    for name, values in rois.rois.numbers.items():
        np.testing.assert_allclose(values, again.rois.numbers[name])
    np.testing.assert_array_equal(rois.background.spatial, again.background.spatial)
    np.testing.assert_array_equal(rois.background.temporal, again.background.temporal)
    assert again.rate_hz == 12.5


def test_a_component_of_caiman_lies_where_its_pixels_do(tmp_path):
    import h5py

    with h5py.File(tmp_path / "a.hdf5", "w") as file:
        file["dims"] = [4, 6]
        file["estimates/A/data"] = [1.0, 3.0]
        file["estimates/A/indices"] = [2 + 4 * 5, 3 + 4 * 5]  # rows 2 and 3 of column 5
        file["estimates/A/indptr"] = [0, 2]
        file["estimates/A/shape"] = [24, 1]
        file["estimates/C"] = [[1.0, 2.0]]
        file["estimates/idx_components"] = b"NoneType"

    found = import_rois(tmp_path / "a.hdf5", (4, 6))

    image = found.rois.footprints.toarray().reshape(4, 6)
    assert np.argwhere(image).tolist() == [[2, 5], [3, 5]]
    assert image[3, 5] == pytest.approx(3 * image[2, 5])
    # (1 + 9) / (1 + 3) = 2.5: the trace is the mean over the footprint, in units of the movie
    np.testing.assert_allclose(found.rois.traces["denoised"], [[2.5, 5.0]])
    assert found.accepted.tolist() == [True]


LOAD = """
import sys, json, numpy as np
from caiman.source_extraction.cnmf.cnmf import load_CNMF
found = load_CNMF(sys.argv[1]).estimates
movie = np.asarray(found.A @ found.C) + found.b @ found.f
found.detrend_df_f(quantileMin=8, frames_window=20)
image = np.asarray(found.A[:, 0].todense()).reshape(found.dims, order="F")
np.savez(sys.argv[2], movie=movie, image=image, accepted=found.idx_components, YrA=found.YrA)
"""


@pytest.mark.skipif(CAIMAN_VARIABLE not in os.environ, reason=f"{CAIMAN_VARIABLE} is not set")
def test_caiman_itself_opens_what_is_written(tmp_path):
    rois = some_rois()
    write_caiman(rois, tmp_path / "a.hdf5")
    command = [os.environ[CAIMAN_VARIABLE], "-c", LOAD, tmp_path / "a.hdf5", tmp_path / "b.npz"]

    done = subprocess.run(command, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr[-2000:]
    found = np.load(tmp_path / "b.npz")
    footprints, traces = rois.rois.footprints, rois.rois.traces
    expected = footprints @ traces["denoised"] + rois.background.spatial @ rois.background.temporal
    expected = expected.reshape(20, 30, -1).transpose(1, 0, 2).reshape(600, -1)  # columns first
    np.testing.assert_allclose(found["movie"], expected, rtol=1e-5)
    np.testing.assert_allclose(found["image"], footprints[:, [0]].toarray().reshape(20, 30))
    np.testing.assert_array_equal(found["accepted"], np.flatnonzero(rois.accepted))
    np.testing.assert_allclose(found["YrA"], traces["raw"] - traces["denoised"], atol=1e-4)


def test_imagej_out_and_in_again_has_the_same_pixels(tmp_path):
    rois = some_rois((20, 30), 8)
    write_imagej(rois, tmp_path / "a.zip")

    again = import_rois(tmp_path / "a.zip", (20, 30))

    a, b = rois.rois.footprints.toarray() > 0, again.rois.footprints.toarray()
    np.testing.assert_array_equal(a, b)  # each weight is 0 or 1: the outline follows the pixels
    assert again.rois.names == rois.rois.names


def test_imagej_keeps_planes(tmp_path):
    rois = some_rois((3, 20, 30))
    write_imagej(rois, tmp_path / "a.zip")

    again = import_rois(tmp_path / "a.zip", (3, 20, 30))

    np.testing.assert_array_equal(
        rois.rois.footprints.toarray() > 0, again.rois.footprints.toarray()
    )


def test_drawn_shapes_go_to_imagej_and_back_as_they_were_drawn(tmp_path):
    hole = ((7.0, 7.0), (7.0, 9.0), (9.0, 9.0), (9.0, 7.0))
    shapes = [
        Ellipse(center_px=(10, 12.5), radii_px=(6, 2.5), angle_deg=30),
        Polygon(parts_px=(((2.25, 3.5), (2.0, 9.75), (8.5, 4.25)),)),
        Polygon(parts_px=(((5.0, 5.0), (5.0, 12.0), (12.0, 12.0), (12.0, 5.0)),), holes_px=(hole,)),
        Ellipse(center_px=(4.25, 25), radii_px=(3, 3)),
    ]
    rois = RoiFile(rois=rois_of_shapes(shapes, (20, 30), names=["a", "b", "ä", "d/e"]))
    write_imagej(rois, tmp_path / "a.zip")

    again = import_rois(tmp_path / "a.zip", (20, 30))

    assert again.names == ("a", "b", "ä", "d/e")
    assert abs(rois.rois.footprints - again.rois.footprints).max() < 1e-5


@pytest.mark.parametrize("seed", range(20))
def test_an_outline_encloses_just_its_pixels(seed):
    rng = np.random.default_rng(seed)
    mask = rng.random((6, 7)) < 0.6
    rows, cols = np.nonzero(mask)

    rings = pixel_outline(rows, cols)

    centres = np.argwhere(np.ones_like(mask)) + 0.5
    crossed = np.zeros(len(centres), int)
    for ring in rings:
        for (r0, c0), (r1, c1) in zip(ring, np.roll(ring, -1, axis=0), strict=True):
            if c0 == c1:  # sides that run along the rows are crossed by a ray along the columns
                crossed += (
                    (centres[:, 0] > min(r0, r1))
                    & (centres[:, 0] < max(r0, r1))
                    & (centres[:, 1] < c0)
                )
    np.testing.assert_array_equal(crossed % 2 == 1, mask.ravel())


def test_nothing_is_written_over_and_nothing_half(tmp_path):
    rois = some_rois()
    (tmp_path / "a.hdf5").write_text("mine")
    with pytest.raises(ValueError, match="is there already"):
        write_caiman(rois, tmp_path / "a.hdf5")
    with pytest.raises(ValueError, match="planes"):
        write_imagej(through_planes(), tmp_path / "b.zip")
    with pytest.raises(ValueError, match="planes"):
        write_suite2p(through_planes(), tmp_path / "c", mean_image=np.zeros((2, 4, 4)))

    assert (tmp_path / "a.hdf5").read_text() == "mine"
    assert [path.name for path in tmp_path.iterdir()] == ["a.hdf5"]


def through_planes():
    from scipy import sparse

    from pipeline.rois.given import GivenRois

    column = np.zeros((32, 1), np.float32)
    column[[0, 16]] = 1
    traces = {"raw": np.ones((1, 3), np.float32)}
    given = GivenRois(footprints=sparse.csc_array(column), frame_shape=(2, 4, 4), traces=traces)
    return RoiFile(rois=given, rate_hz=1.0)
