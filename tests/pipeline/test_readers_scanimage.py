import numpy as np
import pytest
import tifffile

from pipeline.readers import open_movie
from tests.recordings import pattern, write_scanimage

VOLUMES = {"hStackManager.enable": "true", "hStackManager.framesPerSlice": "1"}
TWO_CHANNELS = {"hChannels.channelSave": "[1;3]"}


def volumes(n_flyback, n_channels=1):
    """Volumes of 3 planes and flyback: ``(n_volumes, n_pages, n_channels, n_rows, n_cols)``."""
    shape = (4, 3 + n_flyback, n_channels, 5, 9)
    return pattern(shape) + np.arange(4, dtype=np.uint16)[:, None, None, None, None] * 300


@pytest.mark.parametrize("compression", [None, "zlib"])
def test_a_plane_is_read_with_rate_size_date_and_channel(tmp_path, compression):
    truth = pattern((7, 5, 9))
    write_scanimage(tmp_path / "m.tif", truth, compression=compression)

    movie = open_movie(tmp_path / "m.tif")

    np.testing.assert_array_equal(movie[:], truth)
    np.testing.assert_array_equal(movie[5:0:-2], truth[5:0:-2])
    assert movie.rate_hz == 30
    assert movie.pixel_size_um == (2.0, 2.0)
    assert movie.metadata["date"] == "20261122_102030"
    assert movie.metadata["channel_names"] == ["green"]


@pytest.mark.parametrize("channel", [0, 1])
def test_channels_alternate_page_by_page(tmp_path, channel):
    truth = pattern((7, 2, 5, 9))
    write_scanimage(tmp_path / "m.tif", truth, **TWO_CHANNELS)

    movie = open_movie(tmp_path / "m.tif", channel=channel)

    np.testing.assert_array_equal(movie[:], truth[:, channel])
    with pytest.raises(ValueError, match=r"2 channels \(green, Channel 3\); name the one"):
        open_movie(tmp_path / "m.tif")


@pytest.mark.parametrize("compression", [None, "zlib"])
@pytest.mark.parametrize("n_flyback", [0, 2])
@pytest.mark.parametrize("n_channels", [1, 2])
def test_volumes_are_read_without_flyback(tmp_path, n_flyback, n_channels, compression):
    truth = volumes(n_flyback, n_channels)
    told = {
        **VOLUMES,
        "hStackManager.numFramesPerVolumeWithFlyback": str(3 + n_flyback),
        **(TWO_CHANNELS if n_channels == 2 else {}),
    }
    write_scanimage(tmp_path / "m.tif", truth, compression=compression, **told)

    movie = open_movie(tmp_path / "m.tif", channel=n_channels - 1)

    np.testing.assert_array_equal(movie[:], truth[:, :3, n_channels - 1])
    np.testing.assert_array_equal(movie[3:0:-2], truth[3:0:-2, :3, n_channels - 1])
    np.testing.assert_array_equal(
        movie.source.read_part(slice(1, 3, 1), (slice(1, 2, 1), slice(0, 3, 2), slice(4, 9, 1))),
        truth[1:3, 1:2, n_channels - 1, 0:3:2, 4:9],
    )
    assert movie.rate_hz == 5
    assert movie.pixel_size_um == (10.0, 2.0, 2.0)


def test_counts_left_over_from_stacks_that_are_off_do_not_matter(tmp_path):
    truth = pattern((7, 5, 9))
    write_scanimage(tmp_path / "m.tif", truth, **{"hStackManager.enable": "false"})

    assert open_movie(tmp_path / "m.tif").shape == (7, 5, 9)


def test_a_volume_that_is_not_whole_is_left_out(tmp_path):
    truth = volumes(2).reshape(-1, 5, 9)
    write_scanimage(tmp_path / "m.tif", truth[:-3], **VOLUMES)

    movie = open_movie(tmp_path / "m.tif")

    assert movie.shape == (3, 3, 5, 9)
    assert movie.metadata["pages_left_out"] == 2


def test_averaged_frames_have_a_lower_rate(tmp_path):
    write_scanimage(tmp_path / "m.tif", pattern((7, 5, 9)), **{"hScan2D.logAverageFactor": "4"})

    assert open_movie(tmp_path / "m.tif").rate_hz == 7.5


def test_files_of_one_recording_follow_each_other(tmp_path):
    truth = volumes(2)
    write_scanimage(tmp_path / "m_00001.tif", truth[:2], **VOLUMES)
    write_scanimage(tmp_path / "m_00002.tif", truth[2:], first=11, **VOLUMES)

    np.testing.assert_array_equal(open_movie(tmp_path)[:], truth[:, :3, 0])


@pytest.mark.parametrize(
    ("n_pages", "first", "told", "said"),
    [
        (20, 4, {}, r"begins within a volume \(with frame 4 of the recording\)"),
        (3, 1, {}, r"has 3 pages, and a volume of its ScanImage settings has 5"),
        (20, 1, {"hStackManager.framesPerSlice": "6"}, "holds 6 frames of each plane before the"),
    ],
)
def test_pages_that_are_no_volumes_are_refused(tmp_path, n_pages, first, told, said):
    pages = pattern((n_pages, 5, 9))
    write_scanimage(tmp_path / "m.tif", pages, first=first, **{**VOLUMES, **told})

    with pytest.raises(ValueError, match=said):
        open_movie(tmp_path / "m.tif")


def test_settings_of_old_versions_stand_in_the_description(tmp_path):
    truth = pattern((7, 2, 5, 9))
    told = "state.configPath='c'\rstate.acq.frameRate=3.5\rstate.acq.numberOfChannelsSave=2"
    pages = truth.reshape(-1, 5, 9)
    tifffile.imwrite(tmp_path / "m.tif", pages, description=told, metadata=None)

    movie = open_movie(tmp_path / "m.tif", channel=1)

    np.testing.assert_array_equal(movie[:], truth[:, 1])
    assert movie.rate_hz == 3.5


def test_settings_of_version_4_stand_in_the_description(tmp_path):
    truth = pattern((4, 3, 2, 5, 9))
    settings = {
        "channelsSave": "[1;2]",
        "fastZEnable": "true",
        "stackNumSlices": "3",
        "scanFrameRate": "30",
    }
    told = "\n".join(f"scanimage.SI4.{key} = {value}" for key, value in settings.items())
    tifffile.imwrite(tmp_path / "m.tif", truth.reshape(-1, 5, 9), description=told, metadata=None)

    np.testing.assert_array_equal(open_movie(tmp_path / "m.tif", channel=0)[:], truth[:, :, 0])
