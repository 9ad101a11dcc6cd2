"""Damaged files: each gets one sentence that names it; none crashes, hangs or fills the memory."""

import faulthandler
import json
import os
import resource
import signal
import warnings

import h5py
import numpy as np
import pytest
import scipy.io
import tifffile
import zarr

from pipeline.readers import open_movie
from tests.recordings import (
    codes,
    mes_lines,
    mes_settings,
    pattern,
    ratio,
    scanimage_settings,
    struct_array,
    write_isxd,
    write_mes,
    write_mes_73,
    write_mesc,
    write_nwb,
    write_raw,
    write_scanimage,
    write_suite2p,
    write_video,
)

TIME_LIMIT_S = 20
MEMORY_LIMIT_BYTES = 400 << 20
MOVIE = pattern((7, 32, 48))


def write_hdf5(path, movie, **attributes):
    with h5py.File(path, "w") as file:
        file.create_dataset("mov", data=movie, chunks=(2, 32, 48), compression="gzip")
        file["mov"].attrs.update(attributes)


def write_zipped_tiff(path, movie):
    tifffile.imwrite(path, movie, compression="zlib", photometric="minisblack")


WRITERS = {
    "m.isxd": write_isxd,
    "m.mesc": write_mesc,
    "m.nwb": write_nwb,
    "m.h5": write_hdf5,
    "m.mes": write_mes,
    "packed.mes": write_mes,
    "new.mes": write_mes_73,
    "m.raw": write_raw,
    "data.bin": write_suite2p,
    "m.avi": write_video,
    "m.mkv": write_video,
    "scan.tif": write_scanimage,
    "zip.tif": write_zipped_tiff,
    "m.npy": np.save,
}
DTYPES = {"data.bin": np.int16, "m.avi": np.uint8, "m.mkv": np.uint8}
every_format = pytest.mark.parametrize("name", WRITERS)


def write(folder, name):
    """Write a good movie, and return where."""
    path = folder / name
    options = {"packed": False} if name == "m.mes" else {}
    WRITERS[name](path, MOVIE.astype(DTYPES.get(name, np.uint16)), **options)
    return path


@pytest.fixture(autouse=True)
def limits():
    """Stop a test that hangs, and one that fills the memory, before the machine does."""

    def late(*_):
        faulthandler.dump_traceback()
        raise AssertionError(f"it took more than {TIME_LIMIT_S} s")

    old = signal.signal(signal.SIGALRM, late)
    signal.alarm(TIME_LIMIT_S)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, old)
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert (after - before) * 1024 < MEMORY_LIMIT_BYTES


def read_whole(path, **options):
    """Open and read a movie as a projection would."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        movie = open_movie(path, **options)
        return [movie[first : first + 100] for first in range(0, movie.n_frames, 100)]


def refused(path, match=".", **options):
    """Check that a file is refused in one sentence that names it."""
    with pytest.raises(ValueError, match=match) as caught:
        read_whole(path, **options)
    said = str(caught.value)
    assert "\n" not in said
    assert path.name in said or path.with_suffix(".json").name in said or "ops.npy" in said, said
    assert len(said) < 700, said


# every format


@every_format
@pytest.mark.parametrize("part", [0.02, 0.3, 0.6, 0.97])
def test_a_file_that_is_cut_short_is_refused(tmp_path, name, part):
    path = write(tmp_path, name)
    raw = path.read_bytes()
    path.write_bytes(raw[: int(len(raw) * part)])

    refused(path)


@every_format
@pytest.mark.parametrize(
    "content",
    [b"\0", b"not a movie\n" * 500, b"\xff" * 4096, bytes(range(256)) * 40],
    ids=["zero", "text", "ff", "bytes"],
)
def test_other_content_under_the_name_is_refused(tmp_path, name, content):
    path = write(tmp_path, name)
    path.write_bytes(content)

    refused(path)


@every_format
def test_an_empty_file_is_refused(tmp_path, name):
    path = write(tmp_path, name)
    path.write_bytes(b"")

    refused(path, "is empty")


@every_format
@pytest.mark.parametrize("seed", range(4))
def test_a_wrong_head_is_refused_or_does_not_matter(tmp_path, name, seed):
    path = write(tmp_path, name)
    damage(path, seed, place=slice(0, 64), n_bytes=4)

    refused_or_whole(path)


@every_format
@pytest.mark.parametrize("seed", range(8))
def test_damage_anywhere_is_refused_or_changes_pixels_alone(tmp_path, name, seed):
    path = write(tmp_path, name)
    damage(path, 100 + seed, place=slice(0, None), n_bytes=40)

    refused_or_whole(path)


@every_format
def test_a_lost_middle_is_refused_or_changes_pixels_alone(tmp_path, name):
    path = write(tmp_path, name)
    raw = bytearray(path.read_bytes())
    raw[len(raw) // 3 : len(raw) // 2] = bytes(len(raw) // 2 - len(raw) // 3)
    path.write_bytes(raw)

    refused_or_whole(path)


def damage(path, seed, *, place, n_bytes):
    """Overwrite bytes of a file by chance."""
    rng = np.random.default_rng(seed)
    raw = np.frombuffer(path.read_bytes(), np.uint8).copy()
    where = rng.choice(np.arange(len(raw))[place], min(n_bytes, len(raw)), replace=False)
    raw[where] = rng.integers(0, 256, len(where))
    path.write_bytes(raw.tobytes())


def refused_or_whole(path):
    """Check that a file is refused in a sentence, or is still a movie that its header tells."""
    try:
        blocks = read_whole(path)
    except ValueError as error:
        assert "\n" not in str(error)  # noqa: PT017
        assert len(str(error)) < 700  # noqa: PT017
        return
    assert sum(map(len, blocks)) > 0


# Inscopix


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"timingInfo__numTimes": 0}, "numTimes must be a whole number above 0; got 0"),
        ({"timingInfo__numTimes": 2**40}, "numTimes must be a whole number above 0"),
        ({"timingInfo__numTimes": 6.5}, "numTimes must be a whole number above 0; got 6.5"),
        ({"timingInfo__numTimes": 8}, "is cut short: its header speaks of 8 frames"),
        ({"timingInfo__numTimes": 6}, "does not fit its header"),
        ({"timingInfo": None}, "numTimes must be a whole number above 0; got None"),
        ({"timingInfo": [1]}, "numTimes must be a whole number above 0; got None"),
        ({"spacingInfo__numPixels__x": -48}, "numPixels.x must be a whole number above 0"),
        ({"spacingInfo__numPixels__y": "32"}, "numPixels.y must be a whole number above 0"),
        ({"spacingInfo__numPixels__y": 2**30}, "is cut short"),
        ({"dataType": 7}, r"of a kind that cannot be read \(dataType 7\)"),
        ({"dataType": [0]}, "of a kind that cannot be read"),
        ({"dataType": 1}, "is cut short"),
        ({"type": 1}, "is a cell set, not a movie"),
        ({"type": "x"}, "is something else, not a movie"),
        ({"timingInfo__dropped": [9]}, "does not tell clearly which frames were dropped"),
        ({"timingInfo__dropped": list(range(7))}, "all of its 7 frames were dropped"),
        ({"timingInfo__cropped": ["3 - 1"]}, "does not tell clearly"),
        ({"timingInfo__cropped": ["0 - 99999999999"]}, "does not tell clearly"),
        ({"timingInfo__blank": 5}, "does not tell clearly"),
        ({"hasFrameHeaderFooter": True}, "is cut short"),
    ],
)
def test_damaged_headers_of_isxd(tmp_path, changes, said):
    write_isxd(tmp_path / "m.isxd", MOVIE, **changes)

    refused(tmp_path / "m.isxd", said)


@pytest.mark.parametrize("text", [b"[1]", b"{", b"3", b"[" * 50_000, b"\xff\xfe"])
def test_footers_of_isxd_that_are_none(tmp_path, text):
    content = bytes(100) + text + b"\0" + len(text).to_bytes(8, "little")
    (tmp_path / "m.isxd").write_bytes(content)

    refused(tmp_path / "m.isxd", "is not a whole Inscopix file")


@pytest.mark.parametrize("length", [-1, 0, 2**62, 10**9])
def test_lengths_of_footers_that_cannot_be(tmp_path, length):
    (tmp_path / "m.isxd").write_bytes(bytes(1000) + length.to_bytes(8, "little", signed=True))

    refused(tmp_path / "m.isxd", "does not end in the footer of a movie")


@pytest.mark.parametrize("period", [ratio((0, 1000)), ratio((-50, 1000)), {}, None, ratio("x")])
def test_periods_of_isxd_that_are_none_leave_the_rate_unknown(tmp_path, period):
    write_isxd(tmp_path / "m.isxd", MOVIE, timingInfo__period=period)

    assert open_movie(tmp_path / "m.isxd").rate_hz is None


# MESc


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"XDim": 49}, "speak of different sizes"),
        ({"YDim": 31}, "speak of different sizes"),
        ({"ZDim": 700}, r"different sizes or types \(7 x 32 x 48 and 700 x 32 x 48\)"),
        ({"ZAxisConversionConversionLinearScale": np.nan}, "must be a number above 0.*nan"),
        ({"ZAxisConversionConversionLinearScale": -3.0}, "must be a number above 0.*-3"),
        ({"ZAxisConversionConversionLinearScale": np.inf}, "must be a number above 0"),
        ({"ZAxisConversionConversionLinearScale": "fast"}, "must be a number above 0"),
        ({"ZAxisConversionUnitName": codes("mm")}, "frames lie 'mm' apart, which is no time"),
        ({"units": ("MSession_0/Other_0",)}, "holds no movie: none of its 0 units has a channel"),
        ({"units": ("Session_0/MUnit_0",)}, "it has no MSession"),
    ],
)
def test_damaged_headers_of_mesc(tmp_path, changes, said):
    write_mesc(tmp_path / "m.mesc", MOVIE, **changes)

    refused(tmp_path / "m.mesc", said)


def test_channels_of_mesc_that_differ(tmp_path):
    write_mesc(tmp_path / "m.mesc", MOVIE, channels=2)
    with h5py.File(tmp_path / "m.mesc", "a") as file:
        del file["MSession_0/MUnit_0/Channel_1"]
        file["MSession_0/MUnit_0/Channel_1"] = MOVIE[:5]

    refused(tmp_path / "m.mesc", "speak of different sizes", channel=0)


# everything that is HDF5


def nest(group, depth):
    for _ in range(depth):
        group = group.create_group("g")
    group["mov"] = MOVIE


def fill(group, n):
    for number in range(n):
        group.create_group(str(number))


@pytest.mark.parametrize("name", ["m.h5", "m.nwb"])
@pytest.mark.parametrize("bomb", [lambda f: nest(f, 3000), lambda f: fill(f, 25_000)])
def test_groups_without_end_are_refused(tmp_path, name, bomb):
    with h5py.File(tmp_path / name, "w") as file:
        bomb(file)

    refused(tmp_path / name, "groups within groups without end")


def test_groups_that_hold_themselves_end(tmp_path):
    with h5py.File(tmp_path / "m.h5", "w") as file:
        file["mov"] = MOVIE
        inner = file.create_group("a/b")
        inner["again"] = file["a"]
        inner["root"] = h5py.SoftLink("/")

    np.testing.assert_array_equal(open_movie(tmp_path / "m.h5")[:], MOVIE)


def huge(file):
    file.create_dataset("mov", (10**9, 512, 512), np.uint16, chunks=(1, 512, 512))


def half_written(file):
    file.create_dataset("mov", (10, 32, 48), np.uint16, chunks=(1, 32, 48))[:5] = 3


def large_chunk(file):
    shape = (2000, 1024, 1024)
    dataset = file.create_dataset("mov", shape, np.uint8, chunks=shape, compression="gzip")
    dataset.id.write_direct_chunk((0, 0, 0), b"junk")


def outside(file):
    places = [("/etc/passwd", 0, 7 * 32 * 48)]
    file.create_dataset("mov", (7, 32, 48), np.uint8, external=places)


def virtual(file):
    layout = h5py.VirtualLayout((7, 32, 48), np.uint16)
    layout[:] = h5py.VirtualSource("other.h5", "mov", (7, 32, 48))
    file.create_virtual_dataset("mov", layout)


def linked(file):
    file["mov"] = h5py.ExternalLink("/etc/passwd", "/mov")


def texts(file):
    file["mov"] = np.full((7, 3, 4), b"abc")


@pytest.mark.parametrize(
    ("fill_in", "said"),
    [
        (huge, "0 of its 1000000000 pieces were written"),
        (half_written, "5 of its 10 pieces were written"),
        (large_chunk, "is stored in pieces of 2.1 GB"),
        (outside, "refers to pixels in other files"),
        (virtual, "refers to pixels in other files"),
        (linked, "holds no movie"),
        (texts, "holds no movie"),
        (lambda f: f.create_dataset("mov", (0, 32, 48), np.uint16), "none of them empty"),
        (lambda f: f.create_dataset("mov", data=MOVIE[0]), "holds no movie"),
        (lambda f: f.create_dataset("mov", data=h5py.Empty("u2")), "holds no movie"),
        (lambda f: f.create_dataset("mov", data=MOVIE + 1j), "holds no movie"),
    ],
)
def test_damaged_data_sets_of_hdf5(tmp_path, fill_in, said):
    with h5py.File(tmp_path / "m.h5", "w") as file:
        fill_in(file)

    refused(tmp_path / "m.h5", said)


@pytest.mark.parametrize("rate", [np.nan, -3, np.inf, "fast", 0, [1, 2]])
def test_rates_of_hdf5_that_make_no_sense_are_not_taken(tmp_path, rate):
    write_hdf5(tmp_path / "m.h5", MOVIE, rate_hz=rate)

    assert open_movie(tmp_path / "m.h5").rate_hz is None


@pytest.mark.parametrize("rate", [0, -1, np.nan, np.inf])
@every_format
def test_a_rate_that_is_given_must_make_sense(tmp_path, name, rate):
    path = write(tmp_path, name)

    with pytest.raises(ValueError, match="rate_hz must be between"):
        open_movie(path, rate_hz=rate)


# NWB


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"rate": np.nan}, "frame rate in the header of m.nwb must be a number above 0.*nan"),
        ({"rate": -20.0}, "must be a number above 0.*-20"),
        ({"rate": "20"}, "must be a number above 0"),
        ({"timestamps": np.arange(6) / 20}, r"has 7 frames and time stamps of shape \(6,\)"),
        ({"timestamps": np.full(7, np.nan)}, "time stamps of m.nwb do not run forwards"),
        ({"timestamps": np.arange(7)[::-1] / 20}, "do not run forwards"),
        ({"timestamps": np.zeros(7)}, "do not run forwards"),
        ({"series": "TimeSeries"}, "it has no TwoPhotonSeries"),
        ({"names": ()}, "it has no TwoPhotonSeries"),
    ],
)
def test_damaged_series_of_nwb(tmp_path, changes, said):
    write_nwb(tmp_path / "m.nwb", MOVIE, **changes)

    refused(tmp_path / "m.nwb", said)


def test_nwb_whose_movie_lies_elsewhere(tmp_path):
    write_nwb(tmp_path / "m.nwb", MOVIE, series="ImageSeries")
    with h5py.File(tmp_path / "m.nwb", "a") as file:
        del file["acquisition/movie/data"]
        file["acquisition/movie/data"] = np.zeros((0, 0, 0), np.uint8)
        file["acquisition/movie/external_file"] = ["m1.avi", "m2.avi"]

    refused(tmp_path / "m.nwb", "its movie lies in m1.avi, m2.avi; give that instead")


# MES


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"TransversePixNum": 0}, r"frames of 0\.0 lines"),
        ({"TransversePixNum": -5}, "do not fit its 229 lines"),
        ({"TransversePixNum": np.nan}, "frames of nan lines"),
        ({"TransversePixNum": 2.5}, "frames of 2.5 lines"),
        ({"TransversePixNum": 230}, "has 229 lines, fewer than one frame"),
        ({"TransversePixNum": "x"}, "frames of None lines"),
        ({"firstFramePos": -1}, r"from line -1\.0 on do not fit"),
        ({"firstFramePos": 1e9}, "do not fit its 229 lines"),
        ({"firstFramePos": None}, "from line None on"),
        ({"frameTimeLength": np.nan}, "must be a number above 0"),
        ({"frameTimeLength": -50.0}, "must be a number above 0"),
    ],
)
@pytest.mark.parametrize("writer", [write_mes, write_mes_73])
def test_damaged_settings_of_mes(tmp_path, writer, changes, said):
    writer(tmp_path / "m.mes", MOVIE, **changes)

    refused(tmp_path / "m.mes", said)


def nested(depth):
    value = {"x": 1.0}
    for _ in range(depth):
        value = {"x": value}
    return value


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({}, "holds no movie: none of its 0 images"),
        ({"IF0001_0001": mes_lines(MOVIE)}, "none of its 1 images has frames"),
        ({"IF0001_0001": mes_lines(MOVIE), "DF0001": 3.0}, "none of its 1 images has frames"),
        ({"IF0001_0001": "text", "DF0001": mes_settings(MOVIE)}, "is not an array of numbers"),
        ({"IF0001_0001": mes_lines(MOVIE), "DF0001": nested(30)}, "nested without end"),
        (
            {"IF0001_0002": mes_lines(MOVIE), "DF0001": struct_array([mes_settings(MOVIE)])},
            "none of its 1 images has frames",
        ),
    ],
)
def test_variables_of_mes_that_are_no_recording(tmp_path, variables, said):
    scipy.io.savemat(tmp_path / "m.mes", variables, appendmat=False)

    refused(tmp_path / "m.mes", said)


def test_settings_of_mes_that_refer_to_themselves(tmp_path):
    write_mes_73(tmp_path / "m.mes", MOVIE)
    with h5py.File(tmp_path / "m.mes", "a") as file:
        group = file["DF0001"]
        del group["FoldedFrameInfo"]
        group.create_dataset("FoldedFrameInfo", data=np.array([[group.ref]], dtype=h5py.ref_dtype))

    refused(tmp_path / "m.mes", "nested without end")


# raw and suite2p


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"shape": [8, 32, 48]}, "is cut short: its header speaks of 8 frames"),
        ({"shape": [6, 32, 48]}, "does not fit its header.*3,072 bytes more"),
        ({"shape": [0, 32, 48]}, "shape in m.json must be a list of whole numbers above 0"),
        ({"shape": [-7, -32, 48]}, "shape in m.json must be"),
        ({"shape": [7, 32]}, "shape in m.json must be"),
        ({"shape": [7, 32, 48.0]}, "shape in m.json must be"),
        ({"shape": "7x32x48"}, "shape in m.json must be"),
        ({"shape": [2**40, 2**40, 2**40]}, "shape in m.json must be"),
        ({"shape": [2**31, 2**10, 2**10]}, "is cut short"),
        ({"dtype": "uint8"}, "does not fit its header"),
        ({"dtype": "object"}, "dtype in m.json must be a type of numbers"),
        ({"dtype": "O8"}, "dtype in m.json must be a type of numbers"),
        ({"dtype": "(2,)u2"}, "dtype in m.json must be a type of numbers"),
        ({"dtype": 16}, "dtype in m.json must be a type of numbers"),
        ({"dtype": "u2,u2"}, "dtype in m.json must be a type of numbers"),
        ({"axes": "TYQ"}, "axes must name time T"),
        ({"axes": "TZYX"}, "shape in m.json must be"),
        ({"rate_hz": -1}, "frame rate in the header of m.json must be a number above 0"),
        ({"rate_hz": float("nan")}, "must be a number above 0"),
        ({"rate_hz": "fast"}, "must be a number above 0"),
        ({"offset_bytes": "x"}, "offset_bytes in m.json must be 0 or more"),
        ({"frame_rate": 3}, "does not know: frame_rate"),
    ],
)
def test_side_files_that_do_not_fit(tmp_path, changes, said):
    write_raw(tmp_path / "m.raw", MOVIE)
    side = json.loads((tmp_path / "m.json").read_text())
    (tmp_path / "m.json").write_text(json.dumps({**side, **changes}))

    refused(tmp_path / "m.raw", said)


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "null", "3", '{"shape": [7, 32, 48]}', "[" * 50_000]
)
def test_side_files_that_are_none(tmp_path, text):
    write_raw(tmp_path / "m.raw", MOVIE)
    (tmp_path / "m.json").write_text(text)

    refused(tmp_path / "m.raw", "m.json")


def test_a_raw_file_needs_a_side_file(tmp_path):
    write_raw(tmp_path / "m.raw", MOVIE)
    (tmp_path / "m.json").unlink()

    refused(tmp_path / "m.raw", "nothing tells the shape of m.raw; write m.json beside it")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"nframes": 8}, "is cut short"),
        ({"nframes": None}, "nframes must be a whole number above 0; got None"),
        ({"Ly": 0}, "Ly must be a whole number above 0"),
        ({"Lx": np.array([48])}, "Lx must be a whole number above 0"),
        ({"Lx": -48}, "Lx must be a whole number above 0"),
        ({"fs": np.nan}, "frame rate in the header of ops.npy must be a number above 0"),
    ],
)
def test_damaged_settings_of_suite2p(tmp_path, changes, said):
    write_suite2p(tmp_path / "data.bin", MOVIE, **changes)

    refused(tmp_path / "data.bin", said)


@pytest.mark.parametrize("part", [0.1, 0.5, 0.9])
def test_settings_of_suite2p_that_are_cut_short(tmp_path, part):
    write_suite2p(tmp_path / "data.bin", MOVIE)
    raw = (tmp_path / "ops.npy").read_bytes()
    (tmp_path / "ops.npy").write_bytes(raw[: int(len(raw) * part)])

    refused(tmp_path / "data.bin")


# video


@pytest.mark.parametrize(
    ("length", "said"),
    [
        (10**9, "cut short: only 7 of its 1000000000 frames are whole"),
        (3, "does not fit its header, which speaks of 3 frames and not of 7"),
    ],
)
def test_counts_in_avi_that_do_not_fit(tmp_path, length, said):
    path = write(tmp_path, "m.avi")
    raw = bytearray(path.read_bytes())
    at = raw.index(b"strh") + 8 + 32
    raw[at : at + 4] = length.to_bytes(4, "little")
    path.write_bytes(raw)

    refused(path, said)


def test_empty_frames_of_avi_are_told(tmp_path):
    path = write(tmp_path, "m.avi")
    raw = bytearray(path.read_bytes())
    at = raw.rindex(b"00dc", 0, raw.rindex(b"idx1"))
    length = int.from_bytes(raw[at + 4 : at + 8], "little")
    raw[at + 4 : at + 8] = bytes(4)
    raw[at + 8 : at + 16] = b"JUNK" + (length - 8).to_bytes(4, "little")
    path.write_bytes(raw)

    refused(path, "has 1 empty frames, which were dropped while recording")


# ScanImage


@pytest.mark.parametrize(
    "changes",
    [
        {"hChannels.channelSave": "[]"},
        {"hChannels.channelSave": "NaN"},
        {"hChannels.channelSave": "[1;2;3;4;5;6;7;8;9]"},
        {"hChannels.channelName": "{"},
        {"hRoiManager.scanFrameRate": "NaN"},
        {"hRoiManager.scanFrameRate": "-30"},
        {"hRoiManager.imagingFovUm": "[1 2 3]"},
        {"hStackManager.enable": "true", "hStackManager.actualNumSlices": "1000000"},
        {"hStackManager.enable": "true", "hStackManager.actualNumSlices": "-3"},
        {"hStackManager.enable": "true", "hStackManager.numFramesPerVolumeWithFlyback": "1e300"},
        {"hScan2D.logAverageFactor": "0"},
        {"hStackManager.framesPerSlice": "[[[["},
    ],
)
def test_settings_of_scanimage_that_make_no_sense(tmp_path, changes):
    write_scanimage(tmp_path / "scan.tif", MOVIE, **changes)

    refused_or_whole(tmp_path / "scan.tif")
    try:
        rate_hz = open_movie(tmp_path / "scan.tif").rate_hz
    except ValueError:
        return
    assert rate_hz is None or 0 < rate_hz < 1e5


def test_pages_of_several_sizes_are_no_scan(tmp_path):
    text = scanimage_settings(32, 48)
    with tifffile.TiffWriter(tmp_path / "scan.tif") as tif:
        for page in (MOVIE[0], MOVIE[1, :16]):
            tif.write(page, software=text, metadata=None, photometric="minisblack")

    refused(tmp_path / "scan.tif")


# Zarr


@pytest.mark.parametrize(
    ("file", "content"),
    [
        ("zarr.json", "{"),
        ("zarr.json", "[]"),
        ("zarr.json", '{"zarr_format": 9}'),
        ("zarr.json", ""),
        ("zarr.json", '{"zarr_format": 3, "node_type": "array", "shape": [-7, 32, 48]}'),
        ("c/0/0/0", "junk"),
    ],
)
def test_damaged_folders_of_zarr(tmp_path, file, content):
    zarr.create_array(tmp_path / "m.zarr", data=MOVIE, chunks=(2, 32, 48))
    (tmp_path / "m.zarr" / file).write_text(content)

    refused(tmp_path / "m.zarr")


def test_a_folder_that_is_not_readable_is_told(tmp_path):
    if os.geteuid() == 0:
        pytest.skip("root reads everything")
    (tmp_path / "m").mkdir(mode=0)

    with pytest.raises(OSError, match="Permission denied"):
        open_movie(tmp_path / "m")
