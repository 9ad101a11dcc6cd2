"""The programs whose ROIs are taken in: a function for each kind of file or folder."""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from pipeline.importers.batch import is_batch, read_batch_item
from pipeline.importers.caiman import is_caiman, read_caiman
from pipeline.importers.imagej import is_imagej, read_imagej
from pipeline.importers.mesmerize import is_mesmerize, refuse_mesmerize
from pipeline.importers.nwb import is_nwb, read_nwb
from pipeline.importers.suite2p import is_suite2p, read_suite2p
from pipeline.roi_file import RoiFile


class Importer(NamedTuple):
    """A way in."""

    suits: Callable[[Path], bool]
    """Whether a file or folder looks like one of this program, told without reading it."""

    read: Callable[[Path, tuple[int, ...]], RoiFile]
    """``read(path, frame_shape)``; the shape is that of the recorded frames."""

    takes: str
    """What it takes, for a message."""


IMPORTERS: dict[str, Importer] = {
    "suite2p": Importer(is_suite2p, read_suite2p, "a folder of suite2p"),
    "imagej": Importer(is_imagej, read_imagej, "ROIs of ImageJ (.roi, .zip)"),
    "nwb": Importer(is_nwb, read_nwb, "NWB (.nwb)"),
    "caiman": Importer(is_caiman, read_caiman, "results of CaImAn (.hdf5, .h5)"),
    "mesmerize-core": Importer(
        is_batch, read_batch_item, "batches of mesmerize-core (batch.pickle)"
    ),
    "mesmerize": Importer(is_mesmerize, refuse_mesmerize, "projects of the earlier Mesmerize"),
}


def import_rois(path: Path, frame_shape: tuple[int, ...]) -> RoiFile:
    """Read the ROIs of another program.

    Parameters
    ----------
    path : Path
        Its file or folder; of a batch of mesmerize-core, ``batch.pickle::ITEM`` names the item.
    frame_shape : tuple of int
        ``([n_planes,] n_rows, n_cols)`` of the recorded frames that the ROIs are of.

    Returns
    -------
    RoiFile
        As they were measured.

    Raises
    ------
    ValueError
        If there is no such file, no program writes such files, it is damaged, or of other frames.
    """
    if not path.exists() and not is_batch(path):
        raise ValueError(f"there is no file or folder {path}; check the name.")
    for importer in IMPORTERS.values():
        if importer.suits(path):
            try:
                return _of_frames(importer.read(path, frame_shape), frame_shape, path.name)
            except ValueError as error:
                if path.name in str(error):
                    raise
                raise ValueError(f"{path.name}: {error}") from error
    known = ", ".join(importer.takes for importer in IMPORTERS.values())
    raise ValueError(f"{path.name} holds no ROIs that can be read; these can: {known}.")


def _of_frames(rois: RoiFile, frame_shape: tuple[int, ...], name: str) -> RoiFile:
    """Return ROIs that are of the recording, or refuse them."""
    if rois.rois.frame_shape != frame_shape:
        found, expected = (" x ".join(map(str, s)) for s in (rois.rois.frame_shape, frame_shape))
        raise ValueError(
            f"{name} is of frames of {found} pixels, and those of the recording have {expected}; "
            "choose the recording that it was made from."
        )
    if rois.n_rois == 0:
        raise ValueError(f"{name} holds no ROI. {' '.join(rois.left_out)}".strip())
    return rois
