"""Settings of motion correction, taken from CaImAn's."""

import pytest

from pipeline.motion import MotionParams
from pipeline.params import params_from_dict, params_to_dict


def test_settings_of_mesmerize_are_taken_over():
    kwargs = {
        "max_shifts": (20, 10),
        "niter_rig": 2,
        "max_deviation_rigid": 4,
        "strides": (96, 96),
        "overlaps": (32, 32),
        "upsample_factor_grid": 4,
        "gSig_filt": (7, 7),
    }
    assert MotionParams.from_caiman(kwargs) == MotionParams(
        max_shift_px=(20, 10),
        iterations=3,
        max_deviation_px=4,
        stride_px=(96, 96),
        overlap_px=(32, 32),
        highpass_gsig_px=7,
    )


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("pw_rigid", False, {"mode": "rigid"}),
        ("pw_rigid", True, {}),
        ("max_shifts", [6, 5], {"max_shift_px": (6, 5)}),
        ("strides", 64, {"stride_px": (64, 64)}),
        ("gSig_filt", None, {}),
        ("gSig_filt", 0, {}),
        ("gSig_filt", (0, 0), {}),
        ("border_nan", True, {"border": "nan"}),
        ("border_nan", False, {}),
        ("border_nan", "copy", {}),
        ("niter_rig", 1, {"iterations": 2}),
        ("nonneg_movie", True, {}),
    ],
)
def test_each_setting_of_caiman_has_its_equal(name, value, expected):
    assert MotionParams.from_caiman({name: value}) == MotionParams(**expected)


def test_rigid_iterations_stay_as_many():
    assert MotionParams.from_caiman({"pw_rigid": False, "niter_rig": 3}).iterations == 3


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"max_shift": (6, 6)}, "unknown parameter 'max_shift' of CaImAn's .*: .*max_shifts"),
        ({"gSig_filt": (3, 5)}, "gSig_filt must be the same for rows and columns; got"),
        ({"max_shifts": (6, 6, 2, 1)}, "max_shifts must be two whole numbers.* planes last; got"),
        ({"border_nan": "min"}, "border_nan must be True, False or 'copy'; got 'min'"),
        ({"strides": (1, 1)}, "stride_px along rows must be between 8 and"),
    ],
)
def test_settings_without_an_equal_are_refused(values, message):
    with pytest.raises(ValueError, match=message):
        MotionParams.from_caiman(values)


def test_nan_cannot_be_a_whole_number():
    with pytest.raises(ValueError, match="border 'nan' cannot be stored as int16; set dtype"):
        MotionParams(border="nan", dtype="int16")


def test_settings_survive_json():
    params = MotionParams(border="crop", dtype="uint16", highpass_gsig_px=3.5)
    assert params_from_dict(MotionParams, params_to_dict(params)) == params
