"""The computing part of a long ``make`` needs no server."""

from dataclasses import dataclass

import numpy as np
import pytest

from pipeline.extraction import CnmfParams, extract_sources
from pipeline.extraction.methods import METHODS, Method
from pipeline.extraction.volume import Cnmf3dParams
from pipeline.motion import MotionParams
from pipeline.params import params_to_dict
from schemas.motion import MotionCorrection
from schemas.movie_source import Edge
from schemas.resources import RESOURCES, Resources
from schemas.roi import Segmentation
from schemas.session import RecordingInfo
from schemas.settings import Settings


@pytest.fixture(autouse=True)
def resources(tmp_path):
    """What this machine gives, with a store in a folder of the test."""
    token = RESOURCES.set(
        Resources(
            settings=Settings(
                folder=tmp_path,
                embedded=True,
                schema_prefix="t_",
                store=tmp_path / "store",
                threads=2,
                memory_bytes=500_000_000,
            )
        )
    )
    yield
    RESOURCES.reset(token)


@pytest.fixture
def arguments(simulated):
    return {"path": simulated[1], "rate_hz": 30.0}


def test_recording_info(arguments, simulated):
    facts, images = RecordingInfo.make_compute(None, {}, arguments)

    assert facts["n_frames"] == 300
    np.testing.assert_allclose(images.mean, simulated[0].movie[:].mean(0), rtol=1e-5)


def test_motion_correction(arguments):
    result, folder = MotionCorrection.make_compute(
        None, {}, arguments, params_to_dict(MotionParams(mode="rigid"))
    )

    assert result.shifts_px.shape == (300, 2)
    assert folder.is_dir()


def test_segmentation(arguments, tmp_path):
    sources, _, folder, row = Segmentation.make_compute(
        None, {}, arguments, Edge(4, 0), None, ("cnmf", params_to_dict(CnmfParams(border_px=2)))
    )

    assert row.pop("versions")["numpy"] == np.__version__
    used = row.pop("settings_used")
    assert (used["border_px"], used["gsig_px"]) == (4, [5.0, 5.0])
    assert row == {"motion_hash": None, "border_px": 4, "border_planes": 0, "rate_hz": 30.0}
    assert len(sources.accepted) > 0
    assert folder.is_relative_to(tmp_path / "store")


def test_an_edge_is_kept_clear_on_the_axes_that_settings_know():
    edge = Edge(border_px=4, cropped_px=0, border_planes=1)
    own = Cnmf3dParams(border_px=6)

    assert edge.kept_clear(own) == Cnmf3dParams(border_px=6, border_planes=1)
    assert edge.kept_clear(CnmfParams(border_px=2)) == CnmfParams(border_px=4)


def test_the_method_of_a_parameter_set_decides_what_runs(arguments, monkeypatch):
    @dataclass(frozen=True)
    class OtherParams:
        border_px: int = 0

    def other(movie, params, **resources):
        assert params == OtherParams(border_px=3)
        return extract_sources(movie, CnmfParams(min_snr=1000), **resources)

    monkeypatch.setitem(METHODS, "other", Method(OtherParams, other))

    sources, *_ = Segmentation.make_compute(
        None, {}, arguments, Edge(0, 0), None, ("other", {"border_px": 3})
    )

    assert not sources.accepted.any()
