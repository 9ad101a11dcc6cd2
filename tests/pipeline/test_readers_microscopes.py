import datetime
import json
import os
import sys
import tracemalloc

import h5py
import numpy as np
import pytest

from pipeline.readers import Stack, open_movie, read_metadata
from tests.recordings import (
    pattern,
    write_isxd,
    write_mesc,
    write_nwb,
    write_raw,
    write_suite2p,
)

FORMATS = {
    "m.isxd": (write_isxd, ["uint16", "float32", "uint8"]),
    "m.mesc": (write_mesc, ["uint16", "float32"]),
    "m.nwb": (write_nwb, ["uint16", "float32", "int16", "uint8"]),
    "m.raw": (write_raw, ["uint16", ">u2", "float32", "int32"]),
    "data.bin": (write_suite2p, ["int16"]),
}
every_format = pytest.mark.parametrize(
    ("name", "dtype"), [(name, dtype) for name, (_, dtypes) in FORMATS.items() for dtype in dtypes]
)


@every_format
def test_every_format_is_read_exactly(tmp_path, name, dtype):
    truth = pattern((7, 5, 9), dtype)
    FORMATS[name][0](tmp_path / name, truth)

    movie = open_movie(tmp_path / name)

    assert movie.shape == truth.shape
    assert movie.dtype == np.dtype(dtype).newbyteorder("=")
    assert movie.rate_hz == pytest.approx(25.0 if name == "m.mesc" else 20.0)
    np.testing.assert_array_equal(movie[:], truth)
    np.testing.assert_array_equal(movie[5:1:-2], truth[5:1:-2])
    np.testing.assert_array_equal(movie[-1], truth[-1])
    np.testing.assert_array_equal(
        movie.source.read_part(slice(1, 6, 2), (slice(1, 4, 1), slice(2, 9, 1))),
        truth[1:6:2, 1:4, 2:9],
    )


@every_format
def test_metadata_of_every_format_is_json(tmp_path, name, dtype):
    FORMATS[name][0](tmp_path / name, pattern((7, 5, 9), dtype))

    metadata = open_movie(tmp_path / name).metadata

    assert json.loads(json.dumps(metadata, allow_nan=False)) == dict(metadata)
    assert metadata["origin"] != "unknown"


@pytest.mark.parametrize("name", ["m.isxd", "m.mesc", "m.nwb", "m.raw", "data.bin"])
def test_memory_does_not_grow_with_the_movie(tmp_path, name):
    FORMATS[name][0](tmp_path / name, pattern((400, 192, 160), FORMATS[name][1][0]))
    open_movie(tmp_path / name)[0]

    tracemalloc.start()
    block = open_movie(tmp_path / name)[350:360]
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert peak < 3 * block.nbytes + 4_000_000  # of the movie, more than 12 MB


# Inscopix


def test_isxd_tells_the_clock_of_its_place_and_not_the_size_in_tissue(tmp_path):
    write_isxd(tmp_path / "m.isxd", pattern((7, 5, 9)))

    movie = open_movie(tmp_path / "m.isxd")

    assert movie.pixel_size_um is None
    assert movie.metadata["orig_meta"]["spacingInfo"]["pixelSize"]["x"] == {"num": 3, "den": 1}
    assert movie.metadata["date"] == "20180411_110119"
    assert movie.metadata["missing_frames"] == []


@pytest.mark.parametrize(
    ("told", "missing"),
    [
        ({"timingInfo__dropped": [0, 3]}, [0, 3]),
        ({"timingInfo__cropped": ["2 - 4"]}, [2, 3, 4]),
        ({"timingInfo__blank": [6], "timingInfo__dropped": [5, 6]}, [5, 6]),
    ],
)
def test_frames_that_isxd_does_not_store_repeat_the_one_before(tmp_path, told, missing):
    truth = pattern((7, 5, 9))
    kept = [n for n in range(7) if n not in missing]
    write_isxd(tmp_path / "m.isxd", truth, stored=truth[kept], **told)

    with pytest.warns(UserWarning, match=f"{len(missing)} of the 7 frames of m.isxd were not"):
        movie = open_movie(tmp_path / "m.isxd")

    before = [max([k for k in kept if k <= n], default=kept[0]) for n in range(7)]
    np.testing.assert_array_equal(movie[:], truth[before])
    assert movie.metadata["missing_frames"] == missing


def test_margins_of_raw_isxd_frames_are_left_out(tmp_path):
    truth = pattern((4, 5, 9))
    margin = np.full((4, 2560), 7, np.uint16)
    stored = np.concatenate([margin, truth.reshape(4, -1), margin + 1], axis=1)
    write_isxd(tmp_path / "m.isxd", truth, stored=stored, hasFrameHeaderFooter=True)

    np.testing.assert_array_equal(open_movie(tmp_path / "m.isxd")[:], truth)


@pytest.mark.parametrize("setting", ["multiplane", "multiPlane", "dualColor", "dual_color"])
def test_isxd_of_several_planes_or_colours_is_refused(tmp_path, setting):
    extra = {"microscope": {setting: {"enabled": True, "planes": 3}}}
    write_isxd(tmp_path / "m.isxd", pattern((4, 5, 9)), extraProperties=extra)

    with pytest.raises(ValueError, match="several planes or colours by turns; separate them"):
        open_movie(tmp_path / "m.isxd")


def test_isxd_of_the_vendor(tmp_path):
    isx = pytest.importorskip("isx", reason="the vendor's library is not installed")
    truth = pattern((6, 5, 9))
    timing = isx.Timing(num_samples=6, period=isx.Duration.from_msecs(50))
    movie = isx.Movie.write(
        str(tmp_path / "m.isxd"), timing, isx.Spacing(num_pixels=(5, 9)), np.uint16
    )
    for number, frame in enumerate(truth):
        movie.set_frame_data(number, frame)
    movie.flush()

    np.testing.assert_array_equal(open_movie(tmp_path / "m.isxd")[:], truth)


# Femtonics MESc


def test_mesc_tells_pixel_size_date_and_comment(tmp_path):
    write_mesc(tmp_path / "m.mesc", pattern((7, 5, 9)))

    movie = open_movie(tmp_path / "m.mesc")

    assert movie.pixel_size_um == (2.0, 1.5)
    assert movie.metadata["date"] == "20170929_075300"
    assert movie.metadata["orig_meta"]["Comment"] == "spontaneous"
    assert movie.metadata["channel_names"] == ["UG"]


@pytest.mark.parametrize("channel", [0, 1])
def test_one_channel_of_mesc_is_read(tmp_path, channel):
    truth = pattern((7, 5, 9))
    write_mesc(tmp_path / "m.mesc", truth, channels=2)

    movie = open_movie(tmp_path / "m.mesc", channel=channel)

    np.testing.assert_array_equal(movie[2:6], truth[2:6] + channel)
    with pytest.raises(ValueError, match=r"2 channels \(UG, UR\); name the one to analyse"):
        open_movie(tmp_path / "m.mesc")


@pytest.mark.parametrize("scale", [-1.0, None])
def test_mesc_of_a_detector_that_counts_downwards_is_inverted(tmp_path, scale):
    truth = pattern((7, 5, 9))
    scale = {"Channel_0_Conversion_ConversionLinearScale": scale}
    write_mesc(tmp_path / "m.mesc", 65535 - truth, **scale)

    np.testing.assert_array_equal(open_movie(tmp_path / "m.mesc")[:], truth)


def test_a_unit_of_mesc_is_chosen(tmp_path):
    units = ("MSession_0/MUnit_2", "MSession_0/MUnit_10", "MSession_1/MUnit_0")
    write_mesc(tmp_path / "m.mesc", pattern((7, 5, 9)), units=units)
    with h5py.File(tmp_path / "m.mesc", "a") as file:
        file["MSession_0/MUnit_10/Channel_0"][...] = 3
        file.create_group("MSession_0/MUnit_3")["Curve_0"] = np.zeros(10)

    assert open_movie(f"{tmp_path}/m.mesc::MSession_0/MUnit_10")[0].max() == 3
    listed = r"choose one by .* from MSession_0/MUnit_2 \(7 x 5 x 9, spontaneous\), .*MUnit_10"
    with pytest.raises(ValueError, match=f"several units; {listed}"):
        open_movie(tmp_path / "m.mesc")
    with pytest.raises(ValueError, match="no unit 'MSession_0/MUnit_3' with a movie"):
        open_movie(f"{tmp_path}/m.mesc::MSession_0/MUnit_3")


def test_a_stack_in_depth_is_no_movie(tmp_path):
    write_mesc(tmp_path / "m.mesc", pattern((7, 5, 9)), ZAxisConversionUnitName="µm")

    with pytest.raises(ValueError, match="frames lie 'µm' apart, which is no time"):
        open_movie(tmp_path / "m.mesc")


# NWB


def test_nwb_tells_pixel_size_and_date(tmp_path):
    write_nwb(tmp_path / "m.nwb", pattern((7, 5, 9)))

    movie = open_movie(tmp_path / "m.nwb")

    assert movie.pixel_size_um == pytest.approx((2.0, 1.5))
    assert movie.metadata["date"] == "20261122_102030"


def test_volumes_of_nwb_have_planes_first(tmp_path):
    truth = pattern((7, 3, 5, 9))
    write_nwb(tmp_path / "m.nwb", truth)

    movie = open_movie(tmp_path / "m.nwb")

    np.testing.assert_array_equal(movie[:], truth)
    assert movie.pixel_size_um == pytest.approx((10.0, 2.0, 1.5))


def test_nwb_with_rows_first_is_read_by_its_axes(tmp_path):
    truth = pattern((7, 5, 9))
    write_nwb(tmp_path / "m.nwb", truth.transpose(0, 2, 1))

    np.testing.assert_array_equal(open_movie(tmp_path / "m.nwb", axes="TYX")[:], truth)


def test_rate_of_nwb_comes_from_time_stamps(tmp_path):
    write_nwb(tmp_path / "m.nwb", pattern((7, 5, 9)), timestamps=3 + np.arange(7) / 12.5)

    assert open_movie(tmp_path / "m.nwb").rate_hz == pytest.approx(12.5)


def test_uneven_time_stamps_of_nwb_warn(tmp_path):
    times_s = np.array([0, 1, 2, 3, 4, 5, 7]) / 10
    write_nwb(tmp_path / "m.nwb", pattern((7, 5, 9)), timestamps=times_s)

    with pytest.warns(UserWarning, match="m.nwb are not evenly spaced"):
        assert open_movie(tmp_path / "m.nwb").rate_hz == pytest.approx(60 / 7)


@pytest.mark.parametrize("item", ["acquisition/b", "/acquisition/b/data"])
def test_one_of_several_series_of_nwb_is_chosen(tmp_path, item):
    write_nwb(tmp_path / "m.nwb", pattern((7, 5, 9)), names=("a", "b"))

    assert open_movie(f"{tmp_path}/m.nwb::{item}").shape == (7, 5, 9)
    with pytest.raises(ValueError, match="several series that may be the movie; choose one by"):
        open_movie(tmp_path / "m.nwb")


def test_nwb_that_pynwb_wrote(tmp_path):
    pynwb = pytest.importorskip("pynwb", reason="pynwb is not installed")
    truth = pattern((7, 5, 9))
    start = datetime.datetime(2026, 11, 22, 10, 20, 30, tzinfo=datetime.UTC)
    file = pynwb.NWBFile(session_description="movie", identifier="id", session_start_time=start)
    device = file.create_device("microscope")
    light = pynwb.ophys.OpticalChannel(name="green", description="", emission_lambda=520.0)
    plane = file.create_imaging_plane(
        optical_channel=light,
        device=device,
        name="plane",
        description="",
        excitation_lambda=920.0,
        indicator="GCaMP6f",
        location="V1",
        grid_spacing=[1.5e-6, 2e-6],
        grid_spacing_unit="meters",
        reference_frame="lab",
    )
    file.add_acquisition(
        pynwb.ophys.TwoPhotonSeries(
            name="movie", data=truth.transpose(0, 2, 1), imaging_plane=plane, rate=20.0, unit="a.u."
        )
    )
    with pynwb.NWBHDF5IO(tmp_path / "m.nwb", "w") as io:
        io.write(file)

    movie = open_movie(tmp_path / "m.nwb")

    np.testing.assert_array_equal(movie[:], truth)
    assert (movie.rate_hz, movie.metadata["date"]) == (20.0, "20261122_102030")
    assert movie.pixel_size_um == pytest.approx((2.0, 1.5))


# raw and suite2p


@pytest.mark.parametrize("axes", ["TYX", "YXT", "TZYX"])
def test_axes_of_raw_are_those_of_its_side_file(tmp_path, axes):
    letters = "TZYX" if "Z" in axes else "TYX"
    truth = pattern((7, 3, 5, 9)[-len(letters) :] if "Z" in letters else (7, 5, 9))
    stored = truth.transpose([letters.index(letter) for letter in axes])
    write_raw(tmp_path / "m.raw", stored, axes=axes, offset_bytes=11, pixel_size_um=[2, 1.5])

    movie = open_movie(tmp_path / "m.raw")

    np.testing.assert_array_equal(movie[:], truth)
    assert tmp_path / "m.json" in movie.files


def test_side_file_may_be_toml(tmp_path):
    truth = pattern((7, 5, 9))
    write_raw(tmp_path / "m.raw", truth)
    (tmp_path / "m.json").unlink()
    (tmp_path / "m.toml").write_text(
        'shape = [7, 5, 9]\ndtype = "uint16"\npixel_size_um = [2.0, 1.5]\ndate = 2026-11-22\n'
    )

    movie = open_movie(tmp_path / "m.raw")

    np.testing.assert_array_equal(movie[:], truth)
    assert movie.pixel_size_um == (2.0, 1.5)
    assert movie.metadata["date"] == "2026-11-22"


def test_settings_of_suite2p_are_read_and_never_run(tmp_path):
    class Trap:
        def __reduce__(self):
            return open, (str(tmp_path / "sprung"), "w")

    write_suite2p(tmp_path / "data.bin", pattern((7, 5, 9), np.int16), trap=Trap())

    movie = open_movie(tmp_path / "data.bin")

    assert movie.metadata["orig_meta"] == {"nframes": 7, "Ly": 5, "Lx": 9, "fs": 20.0}
    assert not (tmp_path / "sprung").exists()
    assert tmp_path / "ops.npy" in movie.files


def test_settings_of_suite2p_that_are_no_settings_are_refused_by_their_size(tmp_path):
    write_suite2p(tmp_path / "data.bin", pattern((7, 5, 9), np.int16))
    os.truncate(tmp_path / "ops.npy", (1 << 28) + 1)
    with pytest.raises(ValueError, match="268 MB, too many for settings"):
        open_movie(tmp_path / "data.bin")


# plug-ins


@pytest.fixture
def plugin(tmp_path, monkeypatch):
    """A package with entry points, installed on the path as pip would."""
    package = tmp_path / "site"
    described = package / "my_lab-1.0.dist-info"
    described.mkdir(parents=True)
    (described / "METADATA").write_text("Metadata-Version: 2.1\nName: my-lab\nVersion: 1.0\n")
    (described / "entry_points.txt").write_text(
        "[mesmerize.readers]\n.abc = my_lab:read_abc\n.bad = my_lab:nothing\n"
        ".odd = my_lab:read_odd\n"
        "[mesmerize.metadata_formats]\nmy_rig = my_lab:read_rig\n"
    )
    (package / "my_lab.py").write_text(
        "import numpy as np\n"
        "from pipeline.readers import Stack\n"
        "def read_abc(path, item):\n"
        "    array = np.frombuffer(path.read_bytes(), '<u2').reshape(7, 5, 9)\n"
        "    return [Stack(name=path.name, array=array, axes='TYX', rate_hz=5)]\n"
        "def read_odd(path, item):\n"
        "    return 3\n"
        "def read_rig(path):\n"
        "    return {'fps': float(path.read_text())}\n"
    )
    monkeypatch.syspath_prepend(package)
    yield tmp_path
    sys.modules.pop("my_lab", None)


def test_a_reader_of_another_package_reads(plugin):
    truth = pattern((7, 5, 9))
    (plugin / "m.ABC").write_bytes(truth.tobytes())

    movie = open_movie(plugin / "m.ABC")

    np.testing.assert_array_equal(movie[:], truth)
    assert movie.rate_hz == 5


def test_a_metadata_format_of_another_package_reads(plugin):
    (plugin / "m.json").write_text("12.5")

    assert read_metadata(plugin / "m.json", "my_rig")["fps"] == 12.5
    with pytest.raises(ValueError, match="must be one of .*my_rig"):
        read_metadata(plugin / "m.json", "other_rig")


@pytest.mark.parametrize(
    ("suffix", "said"),
    [
        (".bad", r"plug-in my-lab for '.bad' cannot be loaded \(AttributeError.*update or uninst"),
        (".odd", "the reader of .odd must return a list of Stack; got int"),
        (".none", "m.none cannot be read; the suffixes of movies are .abc, .avi, .bad"),
    ],
)
def test_a_reader_that_does_not_work_is_told(plugin, suffix, said):
    (plugin / f"m{suffix}").write_text("x")

    with pytest.raises(ValueError, match=said):
        open_movie(plugin / f"m{suffix}")


# folders


def test_a_folder_is_read_in_natural_order(tmp_path):
    truth = pattern((24, 5, 9))
    for number in range(12):
        np.save(tmp_path / f"part{number}.npy", truth[2 * number : 2 * number + 2])
    (tmp_path / "notes.txt").write_text("x")

    movie = open_movie(tmp_path)

    np.testing.assert_array_equal(movie[:], truth)
    assert [file.name for file in movie.files][9:11] == ["part9.npy", "part10.npy"]


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (["0.npy", "1.npy", "3.npy"], "a file is missing in .*: after number 1 comes number 3"),
        (["a1.npy", "b2.npy"], "not numbered parts of one recording"),
        (["m1_1.npy", "m2_2.npy"], "not numbered parts of one recording"),
        (["1.npy", "2.h5"], r"holds movies of several kinds \(.h5, .npy\)"),
        ([], "holds no movie; give the files of the recording"),
    ],
)
def test_a_folder_that_is_not_one_recording_is_refused(tmp_path, names, said):
    for name in names:
        (tmp_path / name).write_text("x")

    with pytest.raises(ValueError, match=said):
        open_movie(tmp_path)


def test_files_in_the_order_of_a_shell_are_refused(tmp_path):
    paths = [tmp_path / f"{n}.npy" for n in range(12)]
    for path in paths:
        np.save(path, pattern((2, 5, 9)))

    with pytest.raises(ValueError, match=r"order of the alphabet, 11.npy before 2.npy; give them"):
        open_movie(sorted(paths, key=lambda path: path.name))
    assert open_movie(paths).n_frames == 24
    assert open_movie(paths[::-1]).n_frames == 24


def test_a_stack_tells_its_channels():
    assert Stack(name="m", array=pattern((2, 3, 4)), channel_names=("green",)).channel_names
