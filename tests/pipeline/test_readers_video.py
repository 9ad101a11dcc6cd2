import shutil

import cv2
import numpy as np
import pytest

from pipeline.readers import open_movie, read_metadata
from tests.recordings import pattern, write_video

LOSSLESS = ["FFV1", "GREY", "Y800"]


def smooth(n_frames=40, shape=(32, 48)):
    """Grey that compression keeps nearly, brighter from frame to frame, and not symmetric."""
    rows, cols = np.mgrid[: shape[0], : shape[1]]
    frames = np.arange(n_frames)[:, None, None] * 3
    return (20 + rows + cols / 2 + frames).astype(np.uint8)


@pytest.mark.parametrize("suffix", [".avi", ".mkv", ".AVI"])
@pytest.mark.parametrize("codec", LOSSLESS)
def test_lossless_video_is_read_exactly(tmp_path, codec, suffix):
    truth = pattern((30, 24, 40), np.uint8)
    write_video(tmp_path / f"m{suffix}", truth, codec=codec)

    movie = open_movie(tmp_path / f"m{suffix}")

    assert (movie.shape, movie.dtype, movie.rate_hz) == (truth.shape, np.uint8, 20)
    np.testing.assert_array_equal(movie[:], truth)
    for number in (17, 3, 29, 0, 11):
        np.testing.assert_array_equal(movie[number], truth[number])
    np.testing.assert_array_equal(movie[25:4:-5], truth[25:4:-5])
    np.testing.assert_array_equal(
        movie.source.read_part(slice(3, 20, 4), (slice(2, 9, 1), slice(5, 30, 2))),
        truth[3:20:4, 2:9, 5:30:2],
    )


@pytest.mark.parametrize("codec", ["MJPG", "XVID"])
@pytest.mark.parametrize("suffix", [".avi", ".mkv"])
def test_any_frame_of_a_lossy_video_is_found(tmp_path, codec, suffix):
    truth = smooth()
    write_video(tmp_path / f"m{suffix}", truth, codec=codec)

    movie = open_movie(tmp_path / f"m{suffix}")

    whole = movie[:]
    assert np.abs(whole.astype(int) - truth).mean() < 3
    for number in (39, 13, 26, 12, 0, 25):
        np.testing.assert_array_equal(movie[number], whole[number])


@pytest.mark.parametrize("suffix", [".avi", ".mkv"])
def test_video_of_16_bits_keeps_them(tmp_path, suffix):
    truth = pattern((12, 24, 40)) * 257 + 3
    write_video(tmp_path / f"m{suffix}", truth, codec="FFV1")

    np.testing.assert_array_equal(open_movie(tmp_path / f"m{suffix}")[2:9], truth[2:9])


def test_a_folder_of_a_miniscope_is_read_in_natural_order(tmp_path):
    truth = pattern((36, 24, 40), np.uint8)
    for number in range(12):
        write_video(tmp_path / f"{number}.avi", truth[3 * number : 3 * number + 3])
    (tmp_path / "timeStamps.csv").write_text("Frame Number,Time Stamp (ms)\n")

    movie = open_movie(tmp_path)

    np.testing.assert_array_equal(movie[:], truth)
    assert [path.name for path in movie.files][-3:] == ["9.avi", "10.avi", "11.avi"]


@pytest.mark.parametrize(
    ("part", "said"),
    [
        ({"shape": (3, 24, 42)}, "the parts of a recording must agree"),
        ({"shape": (3, 24, 40), "rate": 30.0}, "tell different rates"),
    ],
)
def test_parts_that_differ_are_refused(tmp_path, part, said):
    write_video(tmp_path / "0.avi", pattern((3, 24, 40), np.uint8))
    movie = pattern(part["shape"], np.uint8)
    write_video(tmp_path / "1.avi", movie, rate=part.get("rate", 20.0))

    with pytest.raises(ValueError, match=said):
        open_movie(tmp_path)


def test_colour_is_refused(tmp_path):
    video = cv2.VideoWriter(
        str(tmp_path / "m.avi"), cv2.CAP_FFMPEG, cv2.VideoWriter_fourcc(*"FFV1"), 20.0, (40, 24)
    )
    video.write(np.full((24, 40, 3), (10, 200, 30), np.uint8))
    video.release()

    with pytest.raises(ValueError, match="m.avi is not a movie of grey values but in colour"):
        open_movie(tmp_path / "m.avi")


def test_uneven_times_of_matroska_are_refused(tmp_path):
    write_video(tmp_path / "m.mkv", pattern((30, 24, 40), np.uint8))
    raw = bytearray((tmp_path / "m.mkv").read_bytes())
    block = raw.rindex(b"\xa3")  # the last simple block: 4 bytes of length, track, time
    place = raw.index(b"\x81", block + 1)
    raw[place + 1 : place + 3] = (9000).to_bytes(2, "big")
    (tmp_path / "m.mkv").write_bytes(raw)

    with pytest.raises(ValueError, match=r"m.mkv are not evenly spaced \(frame 29 is"):
        open_movie(tmp_path / "m.mkv")


@pytest.mark.parametrize("suffix", [".avi", ".mkv"])
def test_a_list_of_other_files_never_reaches_the_decoder(tmp_path, suffix):
    write_video(tmp_path / "secret.avi", pattern((3, 24, 40), np.uint8))
    (tmp_path / f"m{suffix}").write_text("ffconcat version 1.0\nfile secret.avi\n")

    with pytest.raises(ValueError, match=f"m{suffix} is not a"):
        open_movie(tmp_path / f"m{suffix}")


def test_names_that_look_like_patterns_are_names(tmp_path):
    write_video(tmp_path / "m.avi", pattern((3, 24, 40), np.uint8))
    shutil.move(tmp_path / "m.avi", tmp_path / "m:%03d [1].avi")

    assert open_movie(tmp_path / "m:%03d [1].avi").n_frames == 3


@pytest.mark.parametrize(("told", "fps"), [('"20FPS"', 20.0), ("30", 30.0), ('"fast"', None)])
def test_metadata_of_a_miniscope(tmp_path, told, fps):
    path = tmp_path / "metaData.json"
    path.write_text(f'{{"deviceName": "V4", "frameRate": {told}, "gain": "High"}}')

    if fps is None:
        with pytest.raises(ValueError, match="the frame rate .* must be a number above 0"):
            read_metadata(path)
        return
    assert read_metadata(path)["fps"] == fps
    assert read_metadata(path)["origin"] == "Miniscope V4"


def test_metadata_of_a_miniscope_are_found_in_its_folder(tmp_path):
    for number in range(2):
        write_video(tmp_path / f"{number}.avi", pattern((3, 24, 40), np.uint8), rate=60.0)
    (tmp_path / "metaData.json").write_text('{"deviceName": "V4", "frameRate": "20FPS"}')

    movie = open_movie(tmp_path, metadata_format="miniscope")

    assert (movie.shape, movie.rate_hz) == ((6, 24, 40), 20)
    assert movie.metadata["origin"] == "Miniscope V4"
