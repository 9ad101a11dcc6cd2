import tracemalloc

import numpy as np
import pytest
import scipy.io

from pipeline.readers import open_movie
from pipeline.readers.mat5 import read_value, read_variables
from pipeline.readers.mes_stimuli import auxiliary_periods, read_auxiliary
from pipeline.stimuli import place_periods
from tests.recordings import pattern, struct_array, write_mes, write_mes_73


def write_unpacked(path, movie, **changes):
    write_mes(path, movie, packed=False, **changes)


WRITERS = [write_mes, write_unpacked, write_mes_73]
every_version = pytest.mark.parametrize("write", WRITERS)


@every_version
@pytest.mark.parametrize("dtype", ["uint16", "float64", "int16"])
def test_lines_are_folded_into_frames(tmp_path, write, dtype):
    truth = pattern((7, 5, 9), dtype)
    write(tmp_path / "m.mes", truth)

    movie = open_movie(tmp_path / "m.mes")

    assert (movie.shape, movie.dtype) == (truth.shape, np.dtype(dtype))
    np.testing.assert_array_equal(movie[:], truth)
    np.testing.assert_array_equal(movie[5:1:-2], truth[5:1:-2])
    np.testing.assert_array_equal(movie[3], truth[3])
    np.testing.assert_array_equal(
        movie.source.read_part(slice(1, 6, 2), (slice(1, 4, 1), slice(2, 9, 1))),
        truth[1:6:2, 1:4, 2:9],
    )


@every_version
def test_rate_date_and_comment_are_read(tmp_path, write):
    write(tmp_path / "m.mes", pattern((7, 5, 9)))

    movie = open_movie(tmp_path / "m.mes")

    assert movie.rate_hz == 20
    assert movie.metadata["date"] == "20261122_102030"
    assert movie.metadata["orig_meta"]["Comment"] == "a fish"
    assert movie.metadata["channel_names"] == ["PMT0"]


@every_version
def test_each_channel_has_its_own_settings(tmp_path, write):
    truth = pattern((7, 5, 9))
    write(tmp_path / "m.mes", truth, channels=11)

    for channel in (0, 1, 10):
        np.testing.assert_array_equal(
            open_movie(tmp_path / "m.mes", channel=channel)[2:5], truth[2:5] + channel
        )
    lone = open_movie(f"{tmp_path}/m.mes::IF0001_0011")
    np.testing.assert_array_equal(lone[:], truth + 10)
    assert lone.metadata["channel_names"] == ["PMT10"]


def test_one_of_several_recordings_is_chosen(tmp_path):
    truth = pattern((7, 5, 9))
    write_mes(tmp_path / "m.mes", truth, names=("IF0001", "IF0007"))

    np.testing.assert_array_equal(open_movie(f"{tmp_path}/m.mes::IF0007")[:], truth)
    with pytest.raises(ValueError, match=r"several recordings; choose one by .* IF0001, IF0007"):
        open_movie(tmp_path / "m.mes")
    with pytest.raises(ValueError, match="no recording 'IF0002'"):
        open_movie(f"{tmp_path}/m.mes::IF0002")


@pytest.mark.parametrize("write", [write_mes, write_unpacked])
def test_memory_does_not_grow_with_the_movie(tmp_path, write):
    truth = np.random.default_rng(0).integers(0, 4096, (600, 128, 160), np.uint16)
    write(tmp_path / "m.mes", truth)
    movie = open_movie(tmp_path / "m.mes")
    np.testing.assert_array_equal(movie[590:], truth[590:])  # keeps marks on the way

    tracemalloc.start()
    blocks = [movie[first : first + 10] for first in (400, 100, 500)]
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    for first, block in zip((400, 100, 500), blocks, strict=True):
        np.testing.assert_array_equal(block, truth[first : first + 10])
    assert peak < 14 * blocks[0].nbytes


def test_settings_are_read_as_scipy_reads_them(tmp_path):
    inner = {"a": np.arange(6.0).reshape(2, 3), "b": "text", "c": np.array([["x", 3.5]], object)}
    values = {
        "s": {**inner, "t": inner},
        "many": struct_array([inner, inner]),
        "empty": np.empty(0),
    }
    for packed in (True, False):
        scipy.io.savemat(tmp_path / "m.mat", values, do_compression=packed)
        found = {
            name: read_value(variable, "m.mat")
            for name, variable in read_variables(tmp_path / "m.mat").items()
        }

        np.testing.assert_array_equal(found["s"]["t"]["a"], inner["a"])
        assert found["s"]["b"] == found["many"][1]["b"] == "text"
        assert found["s"]["c"] == ["x", 3.5]
        assert found["empty"].size == 0


# stimuli


@every_version
def test_auxiliary_channels_become_periods(tmp_path, write):
    write(tmp_path / "m.mes", pattern((36, 5, 9)))  # 1.8 s

    auxiliary = read_auxiliary(tmp_path / "m.mes")
    table = auxiliary_periods(auxiliary, "AUXo3")

    assert list(auxiliary.channels) == ["AUXo3", "Trig"]
    assert table.to_dict("list") == {
        "name": ["0.0 V", "5.0 V", "0.0 V", "2.5 V"],
        "start": pytest.approx([0.0, 0.3, 0.8, 1.4]),
        "end": pytest.approx([0.3, 0.8, 1.4, 1.8]),
    }


def test_periods_of_named_voltages_lie_in_the_movie(tmp_path):
    write_mes(tmp_path / "m.mes", pattern((36, 5, 9)))
    auxiliary = read_auxiliary(tmp_path / "m.mes")

    table = auxiliary_periods(auxiliary, "AUXo3", {5.0: "odour", 2.5: "light"})
    placed = place_periods(table, unit="s", rate_hz=20, n_frames=36)

    found = [(p.name, p.start_frame, p.stop_frame) for p in placed.periods]
    assert found == [("odour", 6, 16), ("light", 28, 36)]
    assert placed.n_outside == 0


@pytest.mark.parametrize(("n_frames", "ends"), [(10, [0.3, 0.5]), (4, [0.2])])
def test_periods_end_with_the_movie(tmp_path, n_frames, ends):
    write_mes(tmp_path / "m.mes", pattern((n_frames, 5, 9)))

    table = auxiliary_periods(read_auxiliary(tmp_path / "m.mes"), "AUXo3")

    assert table["end"].to_list() == pytest.approx(ends)


@pytest.mark.parametrize(
    ("channel", "names", "said"),
    [
        ("AUXo1", None, "no auxiliary channel 'AUXo1'; there are: AUXo3, Trig"),
        ("AUXo3", {4.0: "x"}, "AUXo3 never has 4 V in this recording; its voltages are 0, 2.5, 5"),
    ],
)
def test_what_is_not_in_the_recording_is_told(tmp_path, channel, names, said):
    write_mes(tmp_path / "m.mes", pattern((36, 5, 9)))

    with pytest.raises(ValueError, match=said):
        auxiliary_periods(read_auxiliary(tmp_path / "m.mes"), channel, names)


@pytest.mark.parametrize(
    "values", [([0, 5, 3], [1, 2, 3]), ([0, np.nan], [1, 2]), ([[0]], [[1]]), ([], [])]
)
def test_damaged_auxiliary_channels_are_left_out(tmp_path, values):
    write_mes(tmp_path / "m.mes", pattern((36, 5, 9)), steps={"AUXi0": values, "Trig": ([1], [2])})

    assert list(read_auxiliary(tmp_path / "m.mes").channels) == ["Trig"]


def test_stimuli_need_the_time_of_a_frame(tmp_path):
    write_mes(tmp_path / "m.mes", pattern((36, 5, 9)), frameTimeLength=None)

    with pytest.raises(ValueError, match="does not tell how long a frame takes"):
        read_auxiliary(tmp_path / "m.mes")
