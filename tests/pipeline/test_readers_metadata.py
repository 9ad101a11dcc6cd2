import datetime
import enum
import json

import numpy as np
import pytest
import tifffile

from pipeline.readers import open_movie, read_metadata, register_metadata_format
from pipeline.readers.json_values import json_values

MINIMAL = {"fps": 10.5, "date": "20190426_152034", "origin": "scope", "scanner_pos": [1, 2]}
AWESOME = {
    "version": "1.2",
    "framerate": 10,
    "date": "20190426",
    "time": "152034",
    "level_min": 5,
    "level_max": 900,
    "exposure": 99,
}


def write_json(path, content):
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


@pytest.fixture
def movie_path(tmp_path):
    np.save(tmp_path / "m.npy", np.zeros((5, 6, 9)))
    return tmp_path / "m.npy"


@pytest.mark.parametrize("metadata_format", ["json_minimal", None])
def test_json_minimal(tmp_path, metadata_format):
    found = read_metadata(write_json(tmp_path / "m.json", MINIMAL), metadata_format)

    assert found == {
        "origin": "scope",
        "fps": 10.5,
        "date": "20190426_152034",
        "orig_meta": MINIMAL,
    }


def test_json_minimal_needs_no_origin(tmp_path):
    path = write_json(tmp_path / "m.json", {"fps": 1, "date": "unknown"})

    assert read_metadata(path)["origin"] == "unknown"


@pytest.mark.parametrize("metadata_format", ["AwesomeImager", None])
def test_awesome_imager(tmp_path, metadata_format):
    path = write_json(tmp_path / "m.json", AWESOME)

    assert read_metadata(path, metadata_format) == {
        "origin": "AwesomeImager",
        "version": "1.2",
        "fps": 10.0,
        "date": "20190426_152034",
        "vmin": 5,
        "vmax": 900,
        "orig_meta": AWESOME,
    }


def test_inscopix(tmp_path):
    path = write_json(tmp_path / "m.json", {"Exposure Time (ms)": 50, "Microscope Type": "nVista"})

    assert read_metadata(path)["fps"] == 20
    assert read_metadata(path)["origin"] == "nVista"


@pytest.mark.parametrize(
    ("metadata_format", "content", "missing"),
    [
        ("json_minimal", {"date": "x"}, "lacks 'fps'; .* needs 'fps', 'date'"),
        ("json_minimal", {}, "lacks 'fps', 'date'"),
        ("AwesomeImager", {**MINIMAL}, "lacks 'version', 'framerate', 'time', 'level_min'"),
        ("inscopix", {}, r"lacks 'Exposure Time \(ms\)', 'Microscope Type'"),
    ],
)
def test_missing_keys_are_named(tmp_path, metadata_format, content, missing):
    with pytest.raises(ValueError, match=f"m.json {missing}"):
        read_metadata(write_json(tmp_path / "m.json", content), metadata_format)


@pytest.mark.parametrize("content", ["{", "", "[1, 2]", "3", "[" * 100_000])
def test_file_that_is_no_json_object_is_refused(tmp_path, content):
    path = write_json(tmp_path / "m.json", content)

    with pytest.raises(ValueError, match="m.json (is not valid JSON|must hold a JSON object)"):
        read_metadata(path, "json_minimal")


@pytest.mark.parametrize("fps", ["10", "-1", '"10"', "NaN", "Infinity", "true", "[10]", "{}"])
def test_rate_that_makes_no_sense_is_refused(tmp_path, fps):
    path = write_json(tmp_path / "m.json", f'{{"fps": {fps}, "date": "x"}}')
    if fps == "10":
        assert read_metadata(path)["fps"] == 10
        return
    with pytest.raises(ValueError, match=r"frame rate \(fps\) in m.json must be a number above 0"):
        read_metadata(path)


@pytest.mark.parametrize("fps", [0, None])
def test_rate_that_stands_for_unknown_is_no_rate(tmp_path, movie_path, fps):
    path = write_json(tmp_path / "m.json", {"fps": fps, "date": "unknown"})

    assert read_metadata(path)["fps"] is None
    assert open_movie(movie_path, metadata=path, rate_hz=3).rate_hz == 3
    with pytest.raises(ValueError, match="metadata of m.npy give no frame rate .*give rate_hz"):
        open_movie(movie_path, metadata=path)


def test_format_that_is_not_clear_is_refused(tmp_path):
    listed = "json_minimal, AwesomeImager, inscopix, ome_tiff, miniscope"
    both = write_json(tmp_path / "both.json", MINIMAL | AWESOME)
    with pytest.raises(ValueError, match=r"both.json is not clear \(json_minimal, AwesomeImager\)"):
        read_metadata(both)
    neither = write_json(tmp_path / "neither.json", {"rate": 3})
    with pytest.raises(ValueError, match=rf"\(none fits\); give metadata_format, one of {listed}"):
        read_metadata(neither)
    with pytest.raises(ValueError, match=rf"m.txt is not clear .* one of {listed}"):
        read_metadata(write_json(tmp_path / "m.txt", MINIMAL))
    with pytest.raises(ValueError, match=rf"must be one of {listed}, or a function .*'exif'"):
        read_metadata(both, "exif")


def test_missing_metadata_file_is_refused(tmp_path, movie_path):
    with pytest.raises(FileNotFoundError, match=r"no metadata file .*gone\.json"):
        open_movie(movie_path, metadata=tmp_path / "gone.json")


def test_file_beside_the_movie_is_read_where_its_format_is_given(tmp_path, movie_path):
    with pytest.raises(FileNotFoundError, match=r"no \.json file beside m\.npy .*'json_minimal'"):
        open_movie(movie_path, metadata_format="json_minimal")
    write_json(tmp_path / "m.json", MINIMAL)

    assert open_movie(movie_path, metadata_format="json_minimal").rate_hz == 10.5


# formats of users


def test_function_of_the_user_is_a_format(tmp_path, movie_path):
    sidecar = tmp_path / "m.log"
    sidecar.write_text("25")

    def read_log(path):
        return {"fps": np.float32(path.read_text()), "scanner_pos": np.arange(3), "gain": b"high"}

    movie = open_movie(movie_path, metadata=sidecar, metadata_format=read_log)

    assert movie.rate_hz == 25
    assert movie.metadata == {
        "origin": "unknown",
        "fps": 25,
        "date": "unknown",
        "orig_meta": None,
        "scanner_pos": [0, 1, 2],
        "gain": "high",
    }


@pytest.mark.parametrize("returned", [None, [1], {"rate": 3}, 7])
def test_function_that_returns_no_rate_is_refused(movie_path, returned):
    with pytest.raises(ValueError, match="must return a dict with the key 'fps'; got"):
        read_metadata(movie_path, lambda path: returned)


def test_format_of_the_user_is_registered_by_name(tmp_path):
    @register_metadata_format("our_rig", suffixes=(".LOG",))
    def our_rig(_):
        return {"fps": 25}

    (tmp_path / "m.log").touch()
    assert read_metadata(tmp_path / "m.log")["fps"] == 25
    with pytest.raises(ValueError, match="already; choose another name"):
        register_metadata_format("our_rig")


# OME


def ome_xml(times, *, prefix="", unit="", **pixels):
    """Write an OME header; ``times`` maps (T, Z, C) to DeltaT."""
    tag = f"{prefix}:" if prefix else ""
    space = f"xmlns{':' + prefix if prefix else ''}"
    units = f' DeltaTUnit="{unit}"' if unit else ""
    planes = "".join(
        f'<{tag}Plane TheT="{t}" TheZ="{z}" TheC="{c}" DeltaT="{time}"{units}/>'
        for (t, z, c), time in times.items()
    )
    attributes = "".join(f' {name}="{value}"' for name, value in pixels.items())
    return (
        f'<?xml version="1.0" encoding="UTF-8"?>'
        f'<{tag}OME {space}="http://www.openmicroscopy.org/Schemas/OME/2016-06">'
        f"<{tag}Image><{tag}AcquisitionDate>2019-04-26T15:20:34Z</{tag}AcquisitionDate>"
        f"<{tag}Pixels{attributes}>{planes}</{tag}Pixels></{tag}Image></{tag}OME>"
    )


def read_ome_file(folder, xml):
    path = folder / "m.xml"
    path.write_text(xml, encoding="utf-8")
    return read_metadata(path, "ome_tiff")


@pytest.mark.parametrize("prefix", ["", "OME"])
@pytest.mark.parametrize(("unit", "factor"), [("", 1), ("s", 1), ("ms", 1e3), ("µs", 1e6)])
def test_rate_is_the_mean_of_those_measured(tmp_path, prefix, unit, factor):
    steps_s = np.array([0.1, 0.1001, 0.0999, 0.1])
    times = np.cumsum([0, *steps_s]) * factor
    xml = ome_xml({(t, 0, 0): time for t, time in enumerate(times)}, prefix=prefix, unit=unit)
    found = read_ome_file(tmp_path, xml)

    rates = 1 / steps_s
    assert found["fps"] == pytest.approx(rates.mean())
    assert found["fps_std"] == pytest.approx(rates.std(), rel=1e-6)
    assert found["fps_max_dev"] == pytest.approx(np.abs(rates - rates.mean()).max(), rel=1e-6)
    assert found["date"] == "20190426_152034"
    assert found["origin"] == "OME"
    assert found["orig_meta"]["ome_xml"] == xml


def test_planes_and_channels_are_timed_one_by_one(tmp_path):
    times = {
        (t, z, c): 0.5 * t + 0.1 * z + 0.03 * c for t in range(4) for z in range(3) for c in (0, 1)
    }
    found = read_ome_file(tmp_path, ome_xml(times))

    assert found["fps"] == pytest.approx(2)
    assert found["fps_max_dev"] == pytest.approx(0, abs=1e-9)


def test_missing_time_points_leave_a_gap_and_no_wrong_rate(tmp_path):
    times = {(t, 0, 0): 0.5 * t for t in (5, 0, 1, 2, 4)}

    assert read_ome_file(tmp_path, ome_xml(times))["fps"] == pytest.approx(2)


@pytest.mark.parametrize("steps_s", [[0.1, 0.1003], [1.0, 0.8]])
def test_uneven_frames_warn(tmp_path, steps_s):
    times = np.cumsum([0, *steps_s])
    with pytest.warns(UserWarning, match="frames of m.xml are not evenly spaced"):
        read_ome_file(tmp_path, ome_xml({(t, 0, 0): time for t, time in enumerate(times)}))


@pytest.mark.parametrize("times", [{}, {(0, 0, 0): 0.0}, {(0, 0, 0): 3.0, (1, 0, 0): 3.0}])
def test_header_that_times_nothing_gives_no_rate(tmp_path, movie_path, times):
    found = read_ome_file(tmp_path, ome_xml(times))

    assert found["fps"] is None
    assert "fps_std" not in found
    with pytest.raises(ValueError, match="give no frame rate .*give rate_hz"):
        open_movie(movie_path, metadata=tmp_path / "m.xml")
    assert open_movie(movie_path, metadata=tmp_path / "m.xml", rate_hz=5).rate_hz == 5


def test_rate_that_was_set_serves_where_none_was_measured(tmp_path):
    found = read_ome_file(tmp_path, ome_xml({}, TimeIncrement="250", TimeIncrementUnit="ms"))

    assert found["fps"] == pytest.approx(4)


def test_unknown_unit_of_time_gives_no_rate(tmp_path):
    times = {(t, 0, 0): t for t in range(3)}

    assert read_ome_file(tmp_path, ome_xml(times, unit="reference frame"))["fps"] is None


@pytest.mark.parametrize(
    ("xml", "match"),
    [
        ("<OME>", "m.xml is not valid XML"),
        ("", "m.xml is not valid XML"),
        ("<OME/>", "m.xml describes no image"),
        ("<OME><Image/></OME>", "m.xml describes no image"),
    ],
)
def test_header_that_describes_no_image_is_refused(tmp_path, xml, match):
    with pytest.raises(ValueError, match=match):
        read_ome_file(tmp_path, xml)


def test_odd_values_of_a_header_are_passed_over(tmp_path):
    xml = ome_xml({(0, 0, 0): "soon", (1, 0, 0): "NaN", (2, 0, 0): 1e999}, TimeIncrement="often")

    assert read_ome_file(tmp_path, xml.replace("2019-04-26", "last week"))["date"] == "unknown"


def test_header_inside_a_tiff_file_is_read(tmp_path):
    path = tmp_path / "m.ome.tif"
    times = {"DeltaT": [0.0, 0.25, 0.5, 0.75]}
    tifffile.imwrite(
        path,
        np.zeros((4, 6, 9), np.uint16),
        photometric="minisblack",
        metadata={"axes": "TYX", "Plane": times, "TimeIncrement": 99.0},
    )

    assert read_metadata(path)["fps"] == pytest.approx(4)
    assert open_movie(path, metadata_format="ome_tiff").rate_hz == pytest.approx(4)
    assert open_movie(path).rate_hz == pytest.approx(1 / 99)


def test_tiff_file_without_ome_header_is_refused(tmp_path):
    tifffile.imwrite(tmp_path / "m.tif", np.zeros((6, 9), np.uint16))

    with pytest.raises(ValueError, match="m.tif has no OME header"):
        read_metadata(tmp_path / "m.tif", "ome_tiff")


# JSON


class Colour(enum.IntEnum):
    RED = 1


NESTED: list = []
NESTED.append(NESTED)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (np.float32(0.5), 0.5),
        (np.uint8(3), 3),
        (np.bool_(True), True),
        (np.arange(4).reshape(2, 2), [[0, 1], [2, 3]]),
        (float("nan"), "nan"),
        (np.array([1, np.inf]), [1.0, "inf"]),
        (b"ab\xff\0", "ab\\xff"),
        ("a\0b\ud800", "ab\\ud800"),
        (datetime.datetime(2020, 1, 2, 3, 4), "2020-01-02T03:04:00"),
        (datetime.date(2020, 1, 2), "2020-01-02"),
        (np.datetime64("2020-01-02"), "2020-01-02"),
        ({1: {2}, (3,): None}, {"1": [2], "(3,)": None}),
        (Colour.RED, 1),
        (1 + 2j, "(1+2j)"),
        (None, None),
        (10**30, 10**30),
    ],
    ids=repr,
)
def test_odd_values_become_json(value, expected):
    found = json_values(value)

    assert found == expected
    assert type(found) is type(expected)
    json.dumps(found, allow_nan=False)


def test_values_that_hold_themselves_end():
    json.dumps(json_values(NESTED))


@pytest.mark.parametrize(("given", "expected"), [(0.5, (0.5, 0.5)), ([0.5, 0.7], (0.5, 0.7))])
def test_pixel_size_of_the_metadata_is_taken(tmp_path, given, expected):
    np.save(tmp_path / "m.npy", np.zeros((3, 4, 5), np.uint8))
    content = {"fps": 10, "date": "20261122_120000", "pixel_size_um": given}
    (tmp_path / "m.json").write_text(json.dumps(content))

    movie = open_movie(tmp_path / "m.npy", metadata=tmp_path / "m.json")

    assert movie.pixel_size_um == expected


@pytest.mark.parametrize("given", [0, -1, [1], [1, 2, 3], "small", [1, None]])
def test_impossible_pixel_size_is_refused(tmp_path, given):
    np.save(tmp_path / "m.npy", np.zeros((3, 4, 5), np.uint8))
    content = {"fps": 10, "date": "20261122_120000", "pixel_size_um": given}
    (tmp_path / "m.json").write_text(json.dumps(content))

    with pytest.raises(ValueError, match="pixel_size_um in the metadata must be"):
        open_movie(tmp_path / "m.npy", metadata=tmp_path / "m.json")
