"""How large a cell is on the pixels of a movie, where nobody says it."""

import json
from dataclasses import replace

import numpy as np
import pytest
import zarr

from pipeline.extraction import CnmfParams, extract_sources
from pipeline.extraction.caiman_engine import CaimanParams
from pipeline.extraction.cell_size import for_frame, for_movie
from pipeline.extraction.onephoton import CnmfeParams, extract_sources_one_photon
from pipeline.extraction.volume import Cnmf3dParams, extract_sources_3d
from pipeline.motion import MotionParams, correct_motion
from pipeline.movie import Movie
from pipeline.params import params_from_dict, params_hash, params_to_dict
from pipeline.readers import open_movie
from pipeline.simulate import TwoPhotonParams, match_rois, simulate_two_photon

PLANE = (256, 256)


@pytest.mark.parametrize(
    ("params", "frame_shape", "pixel_size_um", "gsig_px"),
    [
        (CnmfParams(), PLANE, (0.5, 0.5), (10.0, 10.0)),
        (CnmfParams(), PLANE, (1.0, 2.0), (5.0, 2.5)),
        (CnmfParams(), PLANE, None, (5.0, 5.0)),
        (CnmfeParams(), PLANE, None, (3.0, 3.0)),
        (CnmfeParams(), PLANE, (1.6, 1.6), (3.12, 3.12)),
        (CaimanParams(), PLANE, (0.5, 0.5), (10.0, 10.0)),
        (Cnmf3dParams(), (9, *PLANE), None, (1.0, 5.0, 5.0)),
        (Cnmf3dParams(), (9, *PLANE), (10.0, 1.0, 1.0), (0.5, 5.0, 5.0)),
    ],
)
def test_a_cell_of_ten_micrometres_is_sought(params, frame_shape, pixel_size_um, gsig_px):
    assert for_frame(params, frame_shape, pixel_size_um).gsig_px == gsig_px


@pytest.mark.parametrize(
    ("frame_shape", "pixel_size_um", "gsig_px"),
    [
        ((512, 512), (30.0, 30.0), (1.0, 1.0)),  # a cell is hardly a pixel
        ((512, 512), (0.01, 0.01), (100.0, 100.0)),
        ((64, 512), (0.1, 0.1), (16.0, 50.0)),  # a frame smaller than a cell
    ],
)
def test_the_size_stays_in_what_can_be_sought(frame_shape, pixel_size_um, gsig_px):
    assert for_frame(CnmfParams(), frame_shape, pixel_size_um).gsig_px == gsig_px


def test_a_volume_of_few_planes_close_together_holds_its_cells():
    assert for_frame(Cnmf3dParams(), (3, 64, 64), (0.5, 1.0, 1.0)).gsig_px == (3, 5.0, 5.0)


def test_a_size_that_is_given_stays():
    params = CnmfParams(gsig_px=(7.0, 7.0))

    assert for_frame(params, PLANE, (0.5, 0.5)) is params


def test_settings_without_a_size_stay():
    assert for_frame("anything", PLANE, (0.5, 0.5)) == "anything"


def test_patches_of_caiman_hold_the_cells_of_the_movie():
    fitted = for_frame(CaimanParams(), (512, 512), (0.25, 0.25))

    assert (fitted.gsig_px, fitted.patch_half_px) == ((20.0, 20.0), 80)
    assert for_frame(CaimanParams(patch_half_px=None), PLANE, (0.25, 0.25)).patch_half_px is None


def test_settings_refuse_to_guess_without_a_movie():
    for params in (CnmfParams(), CnmfeParams(), Cnmf3dParams()):
        with pytest.raises(ValueError, match="gsig_px follows from the pixel size of a movie"):
            _ = params.half_sizes_px


def test_names_of_stored_sets_are_those_of_earlier_versions():
    """They were computed before the size could be left open."""
    assert params_hash(CnmfParams(gsig_px=(5.0, 5.0))) == "7f7b08c59c23042f86e3868bf9d0f4ab"
    assert (
        params_hash(CnmfeParams(gsig_px=(3.0, 3.0), min_pnr=5.0))
        == "9b2470365c7c9562140862be4717ac5f"
    )
    assert params_hash(Cnmf3dParams(gsig_px=(1.0, 5.0, 5.0))) == "3b62ae0b9ee37b5d9602a91831532899"
    assert params_hash(CaimanParams(gsig_px=(5.0, 5.0))) == "aaad62326376cf7c79de30a208569d09"


def test_an_open_size_survives_json():
    values = json.loads(json.dumps(params_to_dict(CnmfParams())))

    assert values["gsig_px"] is None
    assert params_from_dict(CnmfParams, values) == CnmfParams()


@pytest.mark.parametrize("side_px", [128, 256])
def test_cells_are_found_at_any_magnification(side_px, tmp_path):
    params = TwoPhotonParams(
        n_frames=400,
        n_rows=side_px,
        n_cols=side_px,
        pixel_size_um=150 / side_px,
        n_cells=20,
        cell_photons=45 * (128 / side_px),
        rate_hz=10.0,
        max_shift_px=0,
        jump_rate_hz=0,
        max_deviation_px=0,
    )
    simulated = simulate_two_photon(params, rng=np.random.default_rng(3), out=tmp_path / "m.tif")
    movie = replace(
        open_movie(tmp_path / "m.tif", rate_hz=10.0), pixel_size_um=simulated.pixel_size_um
    )

    sources = extract_sources(movie, CnmfParams())

    found = sources.footprints[:, sources.accepted]
    assert match_rois(simulated.footprints, found).f1 > 0.97


@pytest.mark.parametrize(
    ("extract", "params", "frame_shape"),
    [
        (extract_sources, CnmfParams(), (40, 40)),
        (extract_sources_one_photon, CnmfeParams(), (40, 40)),
        (extract_sources_3d, Cnmf3dParams(), (3, 40, 40)),
        (extract_sources_3d, Cnmf3dParams(planes="each"), (3, 40, 40)),
    ],
)
def test_every_method_takes_the_size_from_the_movie(extract, params, frame_shape):
    values = np.random.default_rng(0).normal(100, 5, (60, *frame_shape)).astype(np.float32)
    size_um = (5.0, 2.0, 2.0)[-len(frame_shape) :]
    movie = Movie(source=values, rate_hz=10.0, pixel_size_um=size_um)

    by_movie = extract(movie, replace(params, min_corr=0.0, min_pnr=0.0))
    given = extract(
        movie,
        replace(params, gsig_px=(1.0, 2.5, 2.5)[-len(frame_shape) :], min_corr=0.0, min_pnr=0.0),
    )

    assert by_movie.footprints.shape[1] > 0
    np.testing.assert_array_equal(by_movie.denoised, given.denoised)


def test_a_corrected_movie_knows_the_size_of_its_pixels(tmp_path):
    values = np.random.default_rng(0).normal(100, 5, (30, 48, 64)).astype(np.float32)
    movie = Movie(source=values, rate_hz=10.0, pixel_size_um=(0.8, 0.5))

    corrected = correct_motion(movie, MotionParams(mode="rigid"), out=tmp_path / "c.zarr").movie

    assert open_movie(tmp_path / "c.zarr").pixel_size_um == (0.8, 0.5)
    assert for_movie(CnmfParams(), corrected).gsig_px == (6.25, 10.0)


def test_a_corrected_movie_of_unknown_size_says_nothing(tmp_path):
    values = np.random.default_rng(0).normal(100, 5, (30, 48, 64)).astype(np.float32)
    correct_motion(
        Movie(source=values, rate_hz=10.0), MotionParams(mode="rigid"), out=tmp_path / "c.zarr"
    )

    assert "pixel_size_um" not in zarr.open_array(tmp_path / "c.zarr", mode="r").attrs
    assert open_movie(tmp_path / "c.zarr").pixel_size_um is None
