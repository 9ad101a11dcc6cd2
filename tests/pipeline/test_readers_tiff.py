import os
import re
import struct
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import tifffile

from pipeline.readers import open_movie

DTYPES = [np.int16, np.uint8, np.uint16, np.float32, np.int32]
RNG = np.random.default_rng(0)


def pattern(shape, dtype=np.uint16):
    """Different in every pixel, so that no swap of axes goes unseen."""
    return (np.arange(np.prod(shape)).reshape(shape) % 251 * 131 % 247).astype(dtype)


def write(path, array, **options):
    tifffile.imwrite(path, array, **{"photometric": "minisblack", **options})
    return path


KINDS = {
    "plain": {"metadata": None},
    "plain pages": {"metadata": None, "contiguous": False},
    "tifffile": {},
    "imagej": {"imagej": True},
    "ome": {"ome": True, "metadata": {"axes": "TYX"}},
    "bigtiff": {"bigtiff": True},
    "big endian": {"byteorder": ">"},
    "compressed": {"compression": "zlib"},
    "compressed imagej": {"imagej": True, "compression": "zlib"},
    "strips": {"rowsperstrip": 3, "metadata": None},
    "tiles": {"tile": (16, 16), "metadata": None},
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("dtype", DTYPES)
def test_every_kind_of_tiff_is_read_exactly(tmp_path, kind, dtype):
    if "imagej" in kind and dtype == np.int32:
        pytest.skip("ImageJ has no 32-bit integers")
    truth = pattern((6, 7, 9), dtype)
    movie = open_movie(write(tmp_path / "m.tif", truth, **KINDS[kind]))

    assert movie.shape == truth.shape
    assert movie.dtype == np.dtype(dtype)
    np.testing.assert_array_equal(movie[:], truth)
    np.testing.assert_array_equal(movie[2:5], truth[2:5])
    np.testing.assert_array_equal(movie[4], truth[4])
    assert movie[:].dtype.isnative


@pytest.mark.parametrize("kind", ["tifffile", "compressed"])
@pytest.mark.parametrize(
    "frames",
    [slice(None, None, -1), slice(5, 1, -2), slice(1, 6, 2), slice(3, 3), slice(-2, 99), -1, 0],
    ids=str,
)
def test_frames_are_read_as_numpy_would(tmp_path, kind, frames):
    truth = pattern((7, 5, 6))
    movie = open_movie(write(tmp_path / "m.tif", truth, **KINDS[kind]))

    np.testing.assert_array_equal(movie[frames], truth[frames])


@pytest.mark.parametrize("frame", [7, -8])
def test_frame_outside_the_movie_is_refused(tmp_path, frame):
    movie = open_movie(write(tmp_path / "m.tif", pattern((7, 5, 6))))

    with pytest.raises(IndexError, match=f"frame {frame} is outside the movie of 7 frames"):
        movie[frame]


@pytest.mark.parametrize("axes", ["TYX", "YXT", "xyt", "YTX", "tXY"])
@pytest.mark.parametrize("kind", ["tifffile", "plain", "compressed"])
def test_axes_asked_for_are_put_in_order(tmp_path, axes, kind):
    truth = pattern((4, 6, 9))
    order = ["TYX".index(letter) for letter in axes.upper()]
    path = write(tmp_path / "m.tif", truth.transpose(order).copy(), **KINDS[kind])

    np.testing.assert_array_equal(open_movie(path, axes=axes)[1:3], truth[1:3])


@pytest.mark.parametrize("axes", ["TZYX", "ZTYX", "YXTZ", "XYZT", "TYXZ"])
@pytest.mark.parametrize("kind", ["tifffile", "compressed"])
def test_axes_of_volumes_asked_for_are_put_in_order(tmp_path, axes, kind):
    truth = pattern((5, 3, 6, 9))
    order = ["TZYX".index(letter) for letter in axes]
    path = write(tmp_path / "m.tif", truth.transpose(order).copy(), **KINDS[kind])

    np.testing.assert_array_equal(open_movie(path, axes=axes)[1:4], truth[1:4])


@pytest.mark.parametrize("axes", ["TZYX", "ZTYX"])
@pytest.mark.parametrize("options", [{}, {"ome": True}, {"compression": "zlib"}])
def test_axes_of_volumes_are_found_in_the_file(tmp_path, axes, options):
    truth = pattern((5, 3, 6, 9))
    stored = truth.transpose(["TZYX".index(letter) for letter in axes]).copy()
    path = write(tmp_path / "m.tif", stored, metadata={"axes": axes}, **options)

    np.testing.assert_array_equal(open_movie(path)[1:4], truth[1:4])


@pytest.mark.parametrize("options", [{}, {"compression": "zlib"}])
def test_imagej_hyperstack_of_volumes(tmp_path, options):
    truth = pattern((5, 3, 6, 9))
    path = write(tmp_path / "m.tif", truth, imagej=True, metadata={"axes": "TZYX"}, **options)

    np.testing.assert_array_equal(open_movie(path)[2:], truth[2:])


@pytest.mark.parametrize("axes", ["TYX", "ZYX", "CYX", "IYX", "QYX"])
def test_lone_axis_is_time_whatever_its_letter(tmp_path, axes):
    truth = pattern((11, 6, 9))
    path = write(tmp_path / "m.tif", truth, metadata={"axes": axes})

    np.testing.assert_array_equal(open_movie(path)[:], truth)


def test_volumes_without_letters_have_time_first(tmp_path):
    truth = pattern((5, 3, 6, 9))

    np.testing.assert_array_equal(open_movie(write(tmp_path / "m.tif", truth))[:], truth)


def test_single_channel_and_single_plane_are_left_out(tmp_path):
    truth = pattern((5, 6, 9))
    path = write(
        tmp_path / "m.tif", truth[:, np.newaxis, np.newaxis], ome=True, metadata={"axes": "TCZYX"}
    )

    assert open_movie(path).shape == (5, 6, 9)
    assert open_movie(path, axes="TZYX").shape == (5, 1, 6, 9)


def test_one_frame_is_a_movie_where_it_is_asked_for(tmp_path):
    truth = pattern((6, 9))
    path = write(tmp_path / "m.tif", truth, imagej=True)

    np.testing.assert_array_equal(open_movie(path, axes="TYX")[0], truth)


@pytest.mark.parametrize("options", [{}, {"compression": "zlib"}])
def test_series_of_one_shape_follow_each_other_in_time(tmp_path, options):
    truth = pattern((10, 6, 9))
    with tifffile.TiffWriter(tmp_path / "m.tif") as tif:
        tif.write(truth[:5], **options)
        tif.write(truth[5:], **options)
    movie = open_movie(tmp_path / "m.tif")

    np.testing.assert_array_equal(movie[:], truth)
    np.testing.assert_array_equal(movie[3:9:2], truth[3:9:2])
    np.testing.assert_array_equal(movie[8:2:-1], truth[8:2:-1])
    np.testing.assert_array_equal(open_movie(f"{tmp_path}/m.tif::1")[:], truth[5:])


def test_single_images_appended_one_by_one_are_a_movie(tmp_path):
    truth = pattern((10, 6, 9))
    for frame in truth:
        tifffile.imwrite(tmp_path / "m.tif", frame, append=True)

    np.testing.assert_array_equal(open_movie(tmp_path / "m.tif")[:], truth)


def test_several_images_of_ome_follow_each_other(tmp_path):
    truth = pattern((10, 6, 9))
    with tifffile.TiffWriter(tmp_path / "m.ome.tif") as tif:
        tif.write(truth[:5], metadata={"axes": "TYX"})
        tif.write(truth[5:], metadata={"axes": "TYX"})

    np.testing.assert_array_equal(open_movie(tmp_path / "m.ome.tif")[:], truth)
    np.testing.assert_array_equal(open_movie(f"{tmp_path}/m.ome.tif::1")[:], truth[5:])


def test_series_that_are_not_one_movie_ask_for_a_choice(tmp_path):
    truth = pattern((5, 6, 9))
    with tifffile.TiffWriter(tmp_path / "m.ome.tif") as tif:
        tif.write(truth, metadata={"axes": "TYX"})
        tif.write(pattern((4, 4)), metadata={"axes": "YX"})

    with pytest.raises(ValueError, match=r"not parts of one movie \(0: TYX .*'m.ome.tif::0'"):
        open_movie(tmp_path / "m.ome.tif")
    with pytest.raises(ValueError, match="no series '7'"):
        open_movie(f"{tmp_path}/m.ome.tif::7")
    np.testing.assert_array_equal(open_movie(f"{tmp_path}/m.ome.tif::0")[:], truth)


def ome_of_two_files(folder):
    """Write an OME recording whose first file names the second."""
    truth = pattern((6, 6, 9))
    blocks = "".join(
        f'<TiffData IFD="0" FirstT="{3 * i}" PlaneCount="3">'
        f'<UUID FileName="{name}">urn:uuid:{name}</UUID></TiffData>'
        for i, name in enumerate(("a.ome.tif", "b.ome.tif"))
    )
    xml = (
        '<OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06" UUID="urn:uuid:{}">'
        '<Image ID="Image:0"><Pixels ID="Pixels:0" DimensionOrder="XYZCT" Type="uint16" '
        'SizeX="9" SizeY="6" SizeZ="1" SizeC="1" SizeT="6">' + blocks + "</Pixels></Image></OME>"
    )
    for i, name in enumerate(("a.ome.tif", "b.ome.tif")):
        tifffile.imwrite(
            folder / name,
            truth[3 * i : 3 * i + 3],
            description=xml.format(name),
            photometric="minisblack",
            metadata=None,
            contiguous=False,
        )
    return truth


def test_ome_recording_of_several_files_is_read_from_its_first(tmp_path):
    truth = ome_of_two_files(tmp_path)

    np.testing.assert_array_equal(open_movie(tmp_path / "a.ome.tif")[1:5], truth[1:5])
    with pytest.raises(ValueError, match="by itself; give only one of these files"):
        open_movie([tmp_path / "a.ome.tif", tmp_path / "b.ome.tif"])


def test_ome_recording_that_lacks_a_file_is_refused(tmp_path):
    ome_of_two_files(tmp_path)
    (tmp_path / "b.ome.tif").unlink()

    with pytest.raises(ValueError, match=r"a.ome.tif .*failed to read 'b.ome.tif'"):
        open_movie(tmp_path / "a.ome.tif")


@pytest.mark.parametrize("suffix", [".TIF", ".Tiff", ".btf", ".ome.tif"])
def test_suffix_is_found_whatever_its_case(tmp_path, suffix):
    path = write(tmp_path / f"m{suffix}", pattern((5, 6, 9)), metadata=None)

    assert open_movie(path).shape == (5, 6, 9)


# what is no movie, and what is damaged


def test_single_image_is_refused(tmp_path):
    path = write(tmp_path / "m.tif", pattern((6, 9)))

    with pytest.raises(ValueError, match="m.tif is not a movie but a single image"):
        open_movie(path)


@pytest.mark.parametrize("planar", ["contig", "separate"])
def test_colour_is_refused(tmp_path, planar):
    shape = (4, 6, 9, 3) if planar == "contig" else (4, 3, 6, 9)
    path = write(
        tmp_path / "m.tif", pattern(shape, np.uint8), photometric="rgb", planarconfig=planar
    )

    with pytest.raises(ValueError, match=r"colour images \(3 samples a pixel\)"):
        open_movie(path)


@pytest.mark.parametrize("options", [{"imagej": True}, {"ome": True}])
def test_one_of_several_channels_is_named(tmp_path, options):
    stored = pattern((5, 3, 2, 6, 9))
    path = write(tmp_path / "m.tif", stored, metadata={"axes": "TZCYX"}, **options)

    with pytest.raises(ValueError, match="m.tif has 2 channels; name the one .* 0 to 1"):
        open_movie(path)
    for channel in (0, 1):
        movie = open_movie(path, channel=channel)
        np.testing.assert_array_equal(movie[:], stored[:, :, channel])
        np.testing.assert_array_equal(movie[2], stored[2, :, channel])


def test_complex_pixels_are_refused(tmp_path):
    path = write(tmp_path / "m.tif", pattern((5, 6, 9), np.complex64))

    with pytest.raises(ValueError, match="integers or real numbers; got complex64"):
        open_movie(path)


def test_text_named_tif_is_refused(tmp_path):
    path = tmp_path / "m.tif"
    path.write_text("frame,value\n1,2\n" * 100)

    with pytest.raises(ValueError, match="m.tif is not a whole TIFF file"):
        open_movie(path)


def test_axes_that_do_not_fit_are_refused(tmp_path):
    path = write(tmp_path / "m.tif", pattern((5, 6, 9)))

    with pytest.raises(ValueError, match=r"axes 'TZYX' do not fit m.tif, .*\(5, 6, 9"):
        open_movie(path, axes="TZYX")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("part", [0.002, 0.1, 0.5, 0.9, 0.995])
def test_file_cut_anywhere_is_refused_at_open(tmp_path, kind, part):
    path = write(tmp_path / "m.tif", RNG.integers(0, 9999, (20, 32, 48), np.uint16), **KINDS[kind])
    os.truncate(path, int(path.stat().st_size * part))

    with pytest.raises(ValueError, match="m.tif (is cut short|is not a whole TIFF file|is empty)"):
        open_movie(path)


@pytest.mark.parametrize("kind", KINDS)
def test_file_that_opens_when_cut_still_has_every_pixel(tmp_path, kind):
    truth = RNG.integers(0, 9999, (6, 16, 16), np.uint16)
    whole = write(tmp_path / "whole.tif", truth, **KINDS[kind]).read_bytes()
    path = tmp_path / "m.tif"
    for size in range(1, len(whole), 61):
        path.write_bytes(whole[:size])
        try:
            movie = open_movie(path)
        except ValueError as error:
            assert "m.tif" in str(error)
        else:
            np.testing.assert_array_equal(movie[:], truth)


@pytest.mark.parametrize("bigtiff", [False, True])
@pytest.mark.parametrize("byteorder", "<>")
@pytest.mark.parametrize("target", [0, 2, 8])
def test_pages_that_lead_back_are_refused(tmp_path, bigtiff, byteorder, target):
    path = tmp_path / "m.tif"
    with tifffile.TiffWriter(path, bigtiff=bigtiff, byteorder=byteorder) as tif:
        for frame in pattern((9, 6, 9)):
            tif.write(frame, metadata=None, contiguous=False)
    with tifffile.TiffFile(path) as tif:
        offset, link, kind = tif.pages[target].offset, tif.pages.next_page_offset, "IQ"[bigtiff]
    content = bytearray(path.read_bytes())
    struct.pack_into(byteorder + kind, content, link, offset)
    path.write_bytes(content)

    with pytest.raises(ValueError, match="m.tif .*its pages lead back to an earlier page"):
        open_movie(path)


def test_damaged_bytes_are_refused_in_one_sentence(tmp_path):
    truth = RNG.integers(0, 9999, (4, 16, 16), np.uint16)
    whole = write(tmp_path / "whole.tif", truth, compression="zlib", metadata=None).read_bytes()
    path, rng = tmp_path / "m.tif", np.random.default_rng(1)
    for _ in range(300):
        damaged = bytearray(whole)
        for place in rng.integers(0, len(whole), 3):
            damaged[place] = rng.integers(256)
        path.write_bytes(damaged)
        try:
            open_movie(path)[:]
        except ValueError as error:
            assert re.search(r"m\.tif", str(error)), error
            assert "\n" not in str(error)


def test_page_that_cannot_be_decoded_is_refused_when_it_is_read(tmp_path):
    path = write(
        tmp_path / "m.tif",
        RNG.integers(0, 9999, (9, 32, 32), np.uint16),
        compression="zlib",
        metadata=None,
    )
    with tifffile.TiffFile(path) as tif:
        offset = tif.pages[5].dataoffsets[0]
    content = bytearray(path.read_bytes())
    content[offset : offset + 40] = bytes(40)
    path.write_bytes(content)
    movie = open_movie(path)

    assert movie[:5].shape == (5, 32, 32)
    with pytest.raises(ValueError, match="m.tif is not a whole TIFF file"):
        movie[5]


@pytest.mark.parametrize("compression", ["lzw", "packbits", "zstd"])
def test_compressed_file_is_read(tmp_path, compression):
    frames = pattern((5, 6, 9))
    path = write(tmp_path / "m.tif", frames, compression=compression, metadata=None)

    np.testing.assert_array_equal(open_movie(path)[:], frames)


def test_codec_that_nobody_knows_is_refused(tmp_path):
    path = write(tmp_path / "m.tif", pattern((5, 6, 9)), compression="zlib", metadata=None)
    with tifffile.TiffFile(path, mode="r+") as tif:
        for page in tif.pages:
            page.tags["Compression"].overwrite(65000)

    with pytest.raises(ValueError, match="m.tif is not a whole TIFF file"):
        open_movie(path)


def test_imagej_header_that_speaks_of_other_pages_is_refused(tmp_path):
    path = tmp_path / "m.tif"
    with tifffile.TiffWriter(path) as tif:
        for frame in pattern((8, 6, 9)):
            tif.write(
                frame, description="ImageJ=1.53\nimages=5\nframes=5\n", metadata=None,
                contiguous=False,
            )  # fmt: skip

    with pytest.raises(ValueError, match="has 8 pages, but its ImageJ header speaks of 5"):
        open_movie(path)


# rate and pixel size


@pytest.mark.parametrize(
    ("described", "rate_hz"),
    [
        ({"finterval": 0.1}, 10),
        ({"finterval": 100.0, "tunit": "ms"}, 10),
        ({"fps": 7.0}, 7),
        ({"finterval": 0.5, "fps": 7.0}, 2),
        ({"finterval": 0.0}, None),
        ({"finterval": -1.0}, None),
        ({"finterval": 3.0, "tunit": "fortnight"}, None),
        ({}, None),
    ],
)
def test_rate_is_found_in_the_imagej_header(tmp_path, described, rate_hz):
    path = write(tmp_path / "m.tif", pattern((5, 6, 9)), imagej=True, metadata=described)
    movie = open_movie(path)

    assert movie.rate_hz == (rate_hz and pytest.approx(rate_hz))
    assert movie.metadata["fps"] == movie.rate_hz
    assert movie.metadata["origin"] == "ImageJ"
    assert movie.metadata["orig_meta"]["ImageJ"]


@pytest.mark.parametrize(
    ("unit", "factor"),
    [("um", 1), ("micron", 1), ("\\u00B5m", 1), ("nm", 1e-3), ("mm", 1e3), ("pixel", None)],
)
def test_pixel_size_is_found_in_the_imagej_header(tmp_path, unit, factor):
    path = write(
        tmp_path / "m.tif",
        pattern((5, 3, 6, 9)),
        imagej=True,
        resolution=(4, 2),
        metadata={"unit": unit, "spacing": 3.0, "axes": "TZYX"},
    )
    expected = factor and pytest.approx((3 * factor, factor / 2, factor / 4))

    assert open_movie(path).pixel_size_um == expected


def test_pixel_size_follows_the_axes_asked_for(tmp_path):
    path = write(
        tmp_path / "m.tif",
        pattern((5, 6, 9)),
        imagej=True,
        resolution=(4, 2),
        metadata={"unit": "um"},
    )

    assert open_movie(path).pixel_size_um == (0.5, 0.25)
    assert open_movie(path, axes="TXY").pixel_size_um == (0.25, 0.5)


def test_rate_and_pixel_size_are_found_in_the_ome_header(tmp_path):
    path = write(
        tmp_path / "m.ome.tif",
        pattern((5, 3, 6, 9)),
        metadata={
            "axes": "TZYX",
            "TimeIncrement": 50,
            "TimeIncrementUnit": "ms",
            "PhysicalSizeX": 400,
            "PhysicalSizeXUnit": "nm",
            "PhysicalSizeY": 0.5,
            "PhysicalSizeZ": 2.0,
        },
    )
    movie = open_movie(path)

    assert movie.rate_hz == pytest.approx(20)
    assert movie.pixel_size_um == pytest.approx((2, 0.5, 0.4))
    assert "TimeIncrement" in movie.metadata["orig_meta"]["ome_xml"]


def test_rate_is_measured_where_the_ome_header_sets_none(tmp_path):
    times = {"DeltaT": [0.0, 0.25, 0.5, 0.75, 1.0]}
    path = write(
        tmp_path / "m.ome.tif", pattern((5, 6, 9)), metadata={"axes": "TYX", "Plane": times}
    )

    assert open_movie(path).rate_hz == pytest.approx(4)


def test_date_tag_is_found(tmp_path):
    path = write(tmp_path / "m.tif", pattern((5, 6, 9)), metadata=None, datetime=True)

    assert re.fullmatch(r"\d{8}_\d{6}", open_movie(path).metadata["date"])


# length and memory


def peak_of(read):
    tracemalloc.start()
    result = read()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return result, peak


def test_imagej_file_above_4_gb_is_read_in_little_memory(tmp_path):
    path, shape = tmp_path / "m.tif", (8500, 512, 512)
    header = write(tmp_path / "h.tif", np.zeros((2, 512, 512), np.uint16), imagej=True).read_bytes()
    with tifffile.TiffFile(tmp_path / "h.tif") as tif:
        offset = tif.pages[0].dataoffsets[0]
        next_page = tif.pages[0].offset + 2 + 12 * len(tif.pages[0].tags)
        description = tif.pages[0].tags["ImageDescription"]
    content = bytearray(header[:offset])
    text = b"ImageJ=1.53t\nimages=8500\nframes=8500\nfinterval=0.1\n\0"
    assert len(text) <= description.count
    content[description.valueoffset :][: len(text)] = text
    content[description.valueoffset : description.valueoffset + description.count] = text.ljust(
        description.count, b"\0"
    )
    content[next_page : next_page + 4] = struct.pack(tif.byteorder + "I", 0)
    truth = RNG.integers(0, 9999, (2, 512, 512), np.uint16)
    with path.open("wb") as file:
        file.write(content)
        file.seek(offset + 8200 * 512 * 512 * 2)
        file.write(truth.astype(tif.byteorder + "u2").tobytes())
        file.truncate(offset + np.prod(shape) * 2)
    assert path.stat().st_size > 2**32

    movie, peak = peak_of(lambda: open_movie(path))
    assert (movie.shape, movie.rate_hz) == (shape, pytest.approx(10))
    assert peak < 2_000_000
    block, peak = peak_of(lambda: movie[8199:8203])
    np.testing.assert_array_equal(block[1:3], truth)
    assert peak < 5 * block.nbytes


@pytest.mark.parametrize("kind", ["compressed", "plain pages"])
def test_memory_of_pages_does_not_grow_with_the_movie(tmp_path, kind):
    path = tmp_path / "m.tif"
    with tifffile.TiffWriter(path) as tif:
        for number in range(1500):
            tif.write(np.full((128, 128), number, np.uint16), **KINDS[kind])
    movie, peak = peak_of(lambda: open_movie(path))
    assert movie.shape == (1500, 128, 128)
    assert peak < 49_152_000 / 10

    block, peak = peak_of(lambda: movie[700:710])

    assert block[:, 5, 5].tolist() == list(range(700, 710))
    assert peak < 3 * block.nbytes


def test_no_file_stays_open(tmp_path):
    descriptors = Path("/proc/self/fd")
    if not descriptors.exists():
        pytest.skip("counts open files where /proc tells them")
    before = len(list(descriptors.iterdir()))
    movies = [
        open_movie(write(tmp_path / f"{kind}.tif", pattern((5, 6, 9)), **options))
        for kind, options in KINDS.items()
    ]

    assert all(movie[1:3].shape == (2, 6, 9) for movie in movies)
    assert len(list(descriptors.iterdir())) == before


# real recordings


@pytest.mark.parametrize("name", ["example_scan_01.tif", "example_scan_03.tif"])
def test_real_scan_is_a_movie_of_time(name):
    folder = os.environ.get("MESMERIZE_REAL_DATA")
    if not folder:
        pytest.skip("MESMERIZE_REAL_DATA is not set")
    movie = open_movie(Path(folder) / name)

    assert (movie.shape, movie.dtype) == ((100, 128, 128), np.uint16)
    assert movie.rate_hz is None
    assert movie.pixel_size_um == pytest.approx((0.38086, 0.38086), abs=1e-5)
    np.testing.assert_array_equal(movie[:], tifffile.imread(Path(folder) / name))
