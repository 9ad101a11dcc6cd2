"""Masks from files come as the footprints that were planted."""

import h5py
import numpy as np
import pytest
import tifffile
from scipy import sparse

from pipeline.rois import masks_of_array, read_masks

SHAPE = (7, 11)


@pytest.fixture
def labels():
    """Three regions on a frame that is not square; the numbers have a gap."""
    image = np.zeros(SHAPE, np.uint16)
    image[1:3, 1:4] = 1
    image[4:6, 2:5] = 7
    image[0:7, 9] = 4
    return image


@pytest.fixture
def planted(labels):
    return np.stack([labels.ravel() == number for number in (1, 4, 7)], axis=1)


def check(masks, planted, *, frame_shape=SHAPE):
    np.testing.assert_array_equal(masks.footprints.toarray(), planted)
    assert masks.footprints.dtype == np.float32
    assert masks.frame_shape == frame_shape


@pytest.mark.parametrize("suffix", [".tif", ".npy", ".h5"])
def test_label_images_and_stacks(tmp_path, labels, planted, suffix):
    for array in (labels, labels.astype(np.int32), planted.T.reshape(3, *SHAPE).astype(np.uint8)):
        path = tmp_path / f"masks{suffix}"
        if suffix == ".tif":
            tifffile.imwrite(path, array, photometric="minisblack")
        elif suffix == ".npy":
            np.save(path, array)
        else:
            with h5py.File(path, "w") as file:
                file["masks"] = array
        check(read_masks(path), planted)


def test_a_mask_is_taken_apart_into_its_parts(labels):
    masks = masks_of_array(labels > 0)

    assert masks.footprints.shape == (77, 3)
    assert masks.footprints.sum() == (labels > 0).sum()


def test_sparse_matrices(tmp_path, planted):
    matrix = sparse.csc_array(planted * 0.5)
    sparse.save_npz(tmp_path / "found.npz", matrix)
    with h5py.File(tmp_path / "found.h5", "w") as file:
        for part in ("data", "indices", "indptr"):
            file[part] = getattr(matrix, part)
        file["shape"] = matrix.shape

    for name in ("found.npz", "found.h5"):
        check(read_masks(tmp_path / name), planted * 0.5, frame_shape=None)


def test_results_of_caiman_have_their_pixels_in_another_order(tmp_path, labels, planted):
    by_column = np.stack([(labels == n).ravel(order="F") for n in (1, 4, 7)], axis=1)
    matrix = sparse.csc_array(by_column.astype(float))
    with h5py.File(tmp_path / "results.hdf5", "w") as file:
        for part in ("data", "indices", "indptr", "shape"):
            file[f"estimates/A/{part}"] = getattr(matrix, part)
        file["dims"] = SHAPE

    check(read_masks(tmp_path / "results.hdf5"), planted)


def test_empty_columns_are_left_out(planted):
    stack = np.zeros((4, *SHAPE))
    stack[1:] = planted.T.reshape(3, *SHAPE)
    check(masks_of_array(stack), planted)


@pytest.mark.parametrize(
    ("array", "sentence"),
    [
        (np.zeros((3, 3), int), "holds no region"),
        (np.full((3, 3), 0.5), "must hold whole numbers, one for each region"),
        (np.zeros(3, int), r"must hold a label image .* got shape \(3,\)"),
        (np.full((2, 3, 3), -1.0), "finite weights of at least 0"),
        (np.full((2, 3, 3), np.nan), "finite weights of at least 0"),
    ],
)
def test_what_are_no_masks_is_refused(tmp_path, array, sentence):
    np.save(tmp_path / "m.npy", array)
    with pytest.raises(ValueError, match=sentence):
        read_masks(tmp_path / "m.npy")


def test_files_that_cannot_be_read_are_refused(tmp_path):
    (tmp_path / "m.tif").write_bytes(b"no image")
    (tmp_path / "m.h5").write_bytes(b"no file")
    np.save(tmp_path / "m.npy", np.array([{}], object), allow_pickle=True)
    with h5py.File(tmp_path / "two.h5", "w") as file:
        file["a"] = file["b"] = [1]
    for name, sentence in (
        ("m.tif", "m.tif cannot be read as masks"),
        ("m.h5", "m.h5 cannot be read as masks"),
        ("m.npy", "allow_pickle=False"),
        ("two.h5", "must hold one dataset of masks"),
        ("m.png", r"is no file of masks; these can be read: \.tif"),
        ("none.tif", "there is no file"),
    ):
        with pytest.raises(ValueError, match=sentence):
            read_masks(tmp_path / name)


def test_masks_of_volumes(tmp_path):
    labels = np.zeros((3, 4, 5), np.uint16)
    labels[:2, 1:3, 1:3], labels[2, 3, 4] = 2, 5
    sparse_columns = np.stack([(labels == n).ravel() for n in (2, 5)], axis=1)
    np.save(tmp_path / "labels.npy", labels)
    np.save(tmp_path / "stack.npy", sparse_columns.T.reshape(2, 3, 4, 5).astype(np.float32))

    for name in ("labels.npy", "stack.npy"):
        check(read_masks(tmp_path / name, of_volumes=True), sparse_columns, frame_shape=(3, 4, 5))
    with pytest.raises(ValueError, match=r"label image \(n_planes, n_rows, n_cols\) or a stack"):
        masks_of_array(labels[0], ndim=3)
