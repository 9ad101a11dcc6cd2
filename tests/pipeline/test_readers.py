import json
import tracemalloc

import h5py
import numpy as np
import pytest
import tifffile
import zarr

from pipeline.readers import Stack, open_movie, register_reader

DTYPES = [np.int16, np.uint8, np.uint16, np.float32, np.int32]


def pattern(shape, dtype=np.uint16):
    """Different in every pixel, so that no swap of axes goes unseen."""
    return (np.arange(np.prod(shape)).reshape(shape) % 251 * 131 % 247).astype(dtype)


def write_npy(path, array):
    np.save(path, array)


def write_npy_fortran(path, array):
    np.save(path, np.asfortranarray(array))


def write_hdf5(path, array, **attributes):
    with h5py.File(path, "w") as file:
        file.create_dataset("group/anything", data=array, compression="gzip").attrs.update(
            attributes
        )


def write_zarr(path, array, **attributes):
    zarr.create_array(
        path, data=array, chunks=(2,) * array.ndim, attributes=attributes, zarr_format=3
    )


def write_zarr_2(path, array, **attributes):
    zarr.create_array(
        path, data=array, chunks=(3,) * array.ndim, attributes=attributes, zarr_format=2
    )


FORMATS = [
    (".npy", write_npy),
    (".npy", write_npy_fortran),
    (".h5", write_hdf5),
    (".HDF5", write_hdf5),
    (".zarr", write_zarr),
    (".zarr", write_zarr_2),
]
every_format = pytest.mark.parametrize(("suffix", "write"), FORMATS)


@every_format
@pytest.mark.parametrize("dtype", [*DTYPES, ">i2"])
def test_every_format_is_read_exactly(tmp_path, suffix, write, dtype):
    truth = pattern((6, 7, 9), dtype)
    write(tmp_path / f"m{suffix}", truth)
    movie = open_movie(tmp_path / f"m{suffix}")

    assert movie.shape == truth.shape
    assert movie.dtype == np.dtype(dtype).newbyteorder("=")
    np.testing.assert_array_equal(movie[:], truth)
    np.testing.assert_array_equal(movie[4], truth[4])
    assert movie[:].dtype.isnative


@every_format
@pytest.mark.parametrize(
    "frames",
    [slice(None, None, -1), slice(5, 1, -2), slice(1, 6, 2), slice(3, 3), slice(-2, 99), -1, 0],
    ids=str,
)
def test_frames_are_read_as_numpy_would(tmp_path, suffix, write, frames):
    truth = pattern((7, 5, 6))
    write(tmp_path / f"m{suffix}", truth)

    np.testing.assert_array_equal(open_movie(tmp_path / f"m{suffix}")[frames], truth[frames])


@every_format
@pytest.mark.parametrize("axes", ["TYX", "YXT", "xty", "TZYX", "ZTYX", "XYZT", "ytzx"])
def test_axes_asked_for_are_put_in_order(tmp_path, suffix, write, axes):
    letters = "TZYX" if "Z" in axes.upper() else "TYX"
    truth = pattern((5, 3, 6, 9)) if "Z" in letters else pattern((5, 6, 9))
    write(
        tmp_path / f"m{suffix}",
        truth.transpose([letters.index(letter) for letter in axes.upper()]),
    )
    movie = open_movie(tmp_path / f"m{suffix}", axes=axes)

    assert movie.shape == truth.shape
    np.testing.assert_array_equal(movie[1:4], truth[1:4])


@every_format
@pytest.mark.parametrize(
    ("stored", "shape"),
    [
        ((5, 6, 9), (5, 6, 9)),
        ((5, 3, 6, 9), (5, 3, 6, 9)),
        ((5, 1, 6, 9), (5, 6, 9)),
        ((1, 6, 9), (1, 6, 9)),
        ((1, 3, 6, 9), (1, 3, 6, 9)),
        ((5, 1, 9), (5, 1, 9)),
    ],
)
def test_defect_16_axes_of_arrays_are_time_planes_rows_columns(
    tmp_path, suffix, write, stored, shape
):
    truth = pattern(stored)
    write(tmp_path / f"m{suffix}", truth)
    movie = open_movie(tmp_path / f"m{suffix}")

    assert movie.shape == shape
    np.testing.assert_array_equal(movie[:], truth.reshape(shape))


@pytest.mark.parametrize(
    ("stored", "axes", "shape"),
    [
        ((5, 1, 6, 9), "TYX", (5, 6, 9)),
        ((5, 1, 6, 9), "TZYX", (5, 1, 6, 9)),
        ((1, 5, 1, 6, 9), "TYX", (5, 6, 9)),
        ((1, 6, 9), "TYX", (1, 6, 9)),
        ((6, 9, 1), "YXT", (1, 6, 9)),
    ],
)
def test_axes_of_length_one(tmp_path, stored, axes, shape):
    np.save(tmp_path / "m.npy", pattern(stored))

    assert open_movie(tmp_path / "m.npy", axes=axes).shape == shape


@pytest.mark.parametrize(
    "axes", ["", "TY", "YX", "TTYX", "TYXX", "TCCYX", "ZYX", "TYXQ", "T Y X", "CYX", "time"]
)
def test_axes_that_name_no_movie_are_refused(tmp_path, axes):
    np.save(tmp_path / "m.npy", pattern((5, 6, 9)))

    with pytest.raises(ValueError, match=f"axes must name time T, .*; got '{axes}'"):
        open_movie(tmp_path / "m.npy", axes=axes)


@pytest.mark.parametrize(
    ("axes", "stored"), [("TCYX", (5, 2, 6, 9)), ("CTYX", (2, 5, 6, 9)), ("YXCT", (6, 9, 2, 5))]
)
def test_one_channel_of_several_is_read(tmp_path, axes, stored):
    np.save(tmp_path / "m.npy", pattern(stored))
    whole = np.transpose(pattern(stored), [axes.index(letter) for letter in "CTYX"])

    for channel in (0, 1):
        movie = open_movie(tmp_path / "m.npy", axes=axes, channel=channel)
        np.testing.assert_array_equal(movie[:], whole[channel])
        np.testing.assert_array_equal(movie[3:1:-1], whole[channel, 3:1:-1])


@pytest.mark.parametrize("channel", [2, -1])
def test_a_channel_that_is_not_there_is_refused(tmp_path, channel):
    np.save(tmp_path / "m.npy", pattern((5, 2, 6, 9)))

    with pytest.raises(ValueError, match=f"m.npy has 2 channels, .*; got channel {channel}"):
        open_movie(tmp_path / "m.npy", axes="TCYX", channel=channel)


def test_a_movie_without_channels_has_one(tmp_path):
    np.save(tmp_path / "m.npy", pattern((5, 6, 9)))

    assert open_movie(tmp_path / "m.npy", channel=0).shape == (5, 6, 9)
    with pytest.raises(ValueError, match="m.npy has one channel, counted from 0; got channel 1"):
        open_movie(tmp_path / "m.npy", channel=1)


@pytest.mark.parametrize(("shape", "axes"), [((5, 6, 9), "TZYX"), ((5, 3, 6, 9), "TYX")])
def test_axes_that_do_not_fit_the_array_are_refused(tmp_path, shape, axes):
    np.save(tmp_path / "m.npy", pattern(shape))

    with pytest.raises(ValueError, match=f"axes '{axes}' do not fit m.npy"):
        open_movie(tmp_path / "m.npy", axes=axes)


# what is no movie, and what is damaged


@pytest.mark.parametrize("name", ["m.tif", "m.npy", "m.h5", "m.zarr", "m.xyz", "no/such/m.tif"])
def test_missing_file_is_refused(tmp_path, name):
    with pytest.raises(FileNotFoundError, match=f"there is no file .*{name}.*; check"):
        open_movie(tmp_path / name)


@pytest.mark.parametrize("name", ["m.tif", "m.npy", "m.h5", "m.xyz"])
def test_empty_file_is_refused(tmp_path, name):
    (tmp_path / name).touch()

    with pytest.raises(ValueError, match=f"{name} is empty"):
        open_movie(tmp_path / name)


@pytest.mark.parametrize("name", ["m.wmv", "m", ".tif", "m.zarr"])
def test_unknown_suffix_is_refused(tmp_path, name):
    (tmp_path / name).write_text("x")

    with pytest.raises(ValueError, match=r"cannot be read; .*\.btf, .*\.h5, .*\.npy, .*\.zarr"):
        open_movie(tmp_path / name)


@pytest.mark.parametrize("name", ["m.tif", "m.npy", "m.h5"])
def test_text_is_refused(tmp_path, name):
    (tmp_path / name).write_text("frame,value\n" * 100)

    with pytest.raises(ValueError, match=f"{name} is not a whole"):
        open_movie(tmp_path / name)


def test_folder_is_refused(tmp_path):
    with pytest.raises(ValueError, match="the folder .* holds no movie; give the files"):
        open_movie(tmp_path)


@pytest.mark.parametrize("shape", [(6, 9), (9,), (2, 3, 4, 5, 6)])
def test_array_of_other_axes_is_refused(tmp_path, shape):
    np.save(tmp_path / "m.npy", pattern(shape))

    with pytest.raises(ValueError, match="m.npy is not a movie: it has shape"):
        open_movie(tmp_path / "m.npy")


def test_empty_axis_is_refused(tmp_path):
    np.save(tmp_path / "m.npy", np.zeros((0, 6, 9)))

    with pytest.raises(ValueError, match="m.npy"):
        open_movie(tmp_path / "m.npy")


@pytest.mark.parametrize("dtype", [np.complex64, bool, "U3", [("a", "u1")]])
def test_pixels_that_are_no_numbers_are_refused(tmp_path, dtype):
    np.save(tmp_path / "m.npy", np.zeros((5, 6, 9), dtype))

    with pytest.raises(ValueError, match="pixels of m.npy must be integers or real numbers"):
        open_movie(tmp_path / "m.npy")


def test_defect_7_pickled_objects_are_never_loaded(tmp_path):
    np.save(tmp_path / "m.npy", np.full((5, 6, 9), {}, object), allow_pickle=True)

    with pytest.raises(ValueError, match="m.npy is not a whole NumPy file of numbers"):
        open_movie(tmp_path / "m.npy")


@pytest.mark.parametrize(("suffix", "write"), [(".npy", write_npy), (".h5", write_hdf5)])
@pytest.mark.parametrize("part", [0.01, 0.5, 0.99])
def test_file_cut_anywhere_is_refused_at_open(tmp_path, suffix, write, part):
    path = tmp_path / f"m{suffix}"
    write(path, np.random.default_rng(0).normal(size=(20, 32, 48)))
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * part)])

    with pytest.raises(ValueError, match="m.* is not a whole"):
        open_movie(path)


def test_zarr_without_its_header_is_refused(tmp_path):
    write_zarr(tmp_path / "m.zarr", pattern((5, 6, 9)))
    (tmp_path / "m.zarr" / "zarr.json").write_text("{")

    with pytest.raises(ValueError, match="m.zarr is not a whole Zarr folder"):
        open_movie(tmp_path / "m.zarr")


# files of several arrays


def several(path, **arrays):
    """Write named arrays to an HDF5 file or a Zarr group."""
    if path.suffix == ".h5":
        with h5py.File(path, "w") as file:
            for name, array in arrays.items():
                file[name] = array
    else:
        group = zarr.open_group(path, mode="w")
        for name, array in arrays.items():
            group.create_array(name, data=array)
    return path


both_containers = pytest.mark.parametrize("suffix", [".h5", ".zarr"])


@both_containers
def test_only_movie_is_found_among_other_data(tmp_path, suffix):
    truth = pattern((5, 6, 9))
    path = several(tmp_path / f"m{suffix}", times=np.arange(5.0), scan=truth)

    np.testing.assert_array_equal(open_movie(path)[:], truth)


@both_containers
def test_data_set_with_the_name_of_a_movie_is_chosen(tmp_path, suffix):
    truth = pattern((5, 6, 9))
    path = several(tmp_path / f"m{suffix}", cubes=truth * 0, mov=truth)

    np.testing.assert_array_equal(open_movie(path)[:], truth)


@both_containers
def test_data_set_is_chosen_by_its_path(tmp_path, suffix):
    truth = pattern((5, 6, 9))
    path = several(tmp_path / f"m{suffix}", one=truth * 0, two=truth)

    np.testing.assert_array_equal(open_movie(f"{path}::two")[:], truth)
    np.testing.assert_array_equal(open_movie(f"{path}::/two")[:], truth)
    with pytest.raises(ValueError, match=r"choose one by 'm.*::PATH' from one \(5, 6, 9\), two"):
        open_movie(path)
    with pytest.raises(ValueError, match=r"no data set 'three'; it has one \(5, 6, 9\), two"):
        open_movie(f"{path}::three")


@both_containers
def test_file_without_a_movie_is_refused(tmp_path, suffix):
    path = several(tmp_path / f"m{suffix}", times=np.arange(5.0))

    with pytest.raises(ValueError, match=r"m.* holds no movie: .* it has times \(5,\)"):
        open_movie(path)


def test_item_of_a_single_array_is_refused(tmp_path):
    np.save(tmp_path / "m.npy", pattern((5, 6, 9)))

    with pytest.raises(ValueError, match="m.npy holds one array; leave out '::mov'"):
        open_movie(f"{tmp_path}/m.npy::mov")


@pytest.mark.parametrize(("suffix", "write"), FORMATS[2:])
@pytest.mark.parametrize("name", ["rate_hz", "fr", "fps"])
def test_rate_axes_and_pixel_size_are_found_in_attributes(tmp_path, suffix, write, name):
    truth = pattern((5, 6, 9))
    write(
        tmp_path / f"m{suffix}",
        truth.transpose(1, 2, 0),
        axes="YXT",
        pixel_size_um=[0.5, 0.25],
        **{name: 7.5},
    )
    movie = open_movie(tmp_path / f"m{suffix}")

    assert movie.rate_hz == 7.5
    np.testing.assert_array_equal(movie[:], truth)
    json.dumps(movie.metadata, allow_nan=False)


# recordings of several files


def test_files_of_a_recording_follow_each_other(tmp_path):
    truth = pattern((12, 6, 9))
    np.save(tmp_path / "a.npy", truth[:5])
    tifffile.imwrite(tmp_path / "b.tif", truth[5:6], photometric="minisblack")
    write_zarr(tmp_path / "c.zarr", truth[6:])
    movie = open_movie([tmp_path / "a.npy", str(tmp_path / "b.tif"), tmp_path / "c.zarr"])

    assert movie.name == "a.npy and 2 more"
    np.testing.assert_array_equal(movie[:], truth)
    for frames in (slice(3, 8), slice(0, 12, 5), slice(11, 0, -3), slice(5, 6), 5, -1, slice(9, 2)):
        np.testing.assert_array_equal(movie[frames], truth[frames])


def test_folder_of_single_images_is_a_recording(tmp_path):
    truth = pattern((30, 6, 9))
    paths = [tmp_path / f"{number:03}.tif" for number in range(30)]
    for path, frame in zip(paths, truth, strict=True):
        tifffile.imwrite(path, frame, imagej=True)

    np.testing.assert_array_equal(open_movie(paths)[7:22], truth[7:22])


@pytest.mark.parametrize(
    ("odd", "match"),
    [
        (pattern((5, 9, 6)), r"b.npy has frames of \(9, 6\) uint16, but a.npy has \(6, 9\) uint16"),
        (pattern((5, 6, 9), np.int16), r"b.npy has frames of \(6, 9\) int16, but a.npy"),
        (pattern((5, 3, 6, 9)), r"b.npy has frames of \(3, 6, 9\) uint16"),
    ],
)
def test_odd_file_of_a_recording_is_named(tmp_path, odd, match):
    np.save(tmp_path / "a.npy", pattern((5, 6, 9)))
    np.save(tmp_path / "b.npy", odd)

    with pytest.raises(ValueError, match=match):
        open_movie([tmp_path / "a.npy", tmp_path / "b.npy"])


def test_empty_list_of_files_is_refused():
    with pytest.raises(ValueError, match="at least one file; got an empty list"):
        open_movie([])


def test_file_that_is_given_twice_is_refused(tmp_path):
    np.save(tmp_path / "a.npy", pattern((5, 6, 9)))

    with pytest.raises(ValueError, match="a.npy is given twice"):
        open_movie([tmp_path / "a.npy", tmp_path / "a.npy"])


def test_files_that_tell_different_rates_are_refused(tmp_path):
    write_hdf5(tmp_path / "a.h5", pattern((5, 6, 9)), fr=10.0)
    write_hdf5(tmp_path / "b.h5", pattern((5, 6, 9)), fr=20.0)
    paths = [tmp_path / "a.h5", tmp_path / "b.h5"]

    with pytest.raises(ValueError, match=r"different rates \(10 Hz in a.h5, 20 Hz in b.h5\)"):
        open_movie(paths)
    assert open_movie(paths, rate_hz=15).rate_hz == 15


# the rate


@pytest.mark.parametrize("rate_hz", [0, -1, np.nan, np.inf, -np.inf, 1e9])
def test_rate_that_makes_no_sense_is_refused(tmp_path, rate_hz):
    np.save(tmp_path / "m.npy", pattern((5, 6, 9)))

    with pytest.raises(ValueError, match="rate_hz must be between 1e-06 and 100000.0"):
        open_movie(tmp_path / "m.npy", rate_hz=rate_hz)


def test_rate_is_unknown_where_nothing_tells_it(tmp_path):
    np.save(tmp_path / "m.npy", pattern((5, 6, 9)))
    movie = open_movie(tmp_path / "m.npy")

    assert movie.rate_hz is None
    assert movie.metadata == {
        "origin": "unknown",
        "date": "unknown",
        "orig_meta": None,
        "fps": None,
    }


def test_argument_wins_over_metadata_and_metadata_over_the_file(tmp_path):
    path, sidecar = tmp_path / "m.tif", tmp_path / "m.json"
    tifffile.imwrite(path, pattern((5, 6, 9)), imagej=True, metadata={"finterval": 0.1})
    sidecar.write_text('{"fps": 20, "date": "20200101_101010", "origin": "here"}')

    assert open_movie(path).rate_hz == pytest.approx(10)
    assert open_movie(path, metadata=sidecar).rate_hz == 20
    movie = open_movie(path, metadata=sidecar, rate_hz=30)
    assert (movie.rate_hz, movie.metadata["fps"]) == (30, 30)
    assert movie.metadata["orig_meta"]["fps"] == 20


# the registry


def test_new_format_is_read_after_it_is_registered(tmp_path):
    (tmp_path / "m.FAKE").write_text("x")

    @register_reader(".fake")
    def read_fake(path, _):
        return [Stack(name=path.name, array=pattern((5, 6, 9)))]

    assert open_movie(tmp_path / "m.FAKE").shape == (5, 6, 9)


@pytest.mark.parametrize("suffix", [".tif", ".TIF", "tif"])
def test_suffix_that_is_taken_or_has_no_dot_is_refused(suffix):
    with pytest.raises(ValueError, match="suffixes with a dot that no other reader has"):
        register_reader(suffix)


# memory


def sparse(folder, suffix, shape=(200_000, 256, 256)):
    """Make a file that would be 26 GB, of which almost nothing is written."""
    path = folder / f"m{suffix}"
    if suffix == ".npy":
        with path.open("wb") as file:
            header = {"descr": "<u2", "fortran_order": False, "shape": shape}
            np.lib.format.write_array_header_2_0(file, header)
            file.truncate(file.tell() + 2 * int(np.prod(shape)))
    elif suffix == ".h5":
        with h5py.File(path, "w") as file:
            places = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
            places.set_alloc_time(h5py.h5d.ALLOC_TIME_EARLY)
            places.set_fill_time(h5py.h5d.FILL_TIME_NEVER)
            file.create_dataset("mov", shape, np.uint16, dcpl=places)
    else:
        zarr.create_array(path, shape=shape, chunks=(10, 256, 256), dtype=np.uint16)
    return path


@pytest.mark.parametrize("suffix", [".npy", ".h5", ".zarr"])
def test_memory_does_not_grow_with_the_movie(tmp_path, suffix):
    path = sparse(tmp_path, suffix)
    open_movie(path)[0]
    tracemalloc.start()
    block = open_movie(path)[150_000:150_020]
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert block.shape == (20, 256, 256)
    assert peak < 4 * block.nbytes
