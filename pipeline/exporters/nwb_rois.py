"""ROIs and their traces in NWB: one flat table, and series with time first."""

from typing import Any

import numpy as np
from hdmf.common import VectorData
from hdmf.data_utils import GenericDataChunkIterator
from numpy.typing import NDArray
from pynwb import ProcessingModule
from pynwb.ophys import (
    DfOverF,
    Fluorescence,
    ImagingPlane,
    PlaneSegmentation,
    RoiResponseSeries,
)

from pipeline.exporters.nwb_movie import as_nwb, compressed
from pipeline.roi_file import RoiFile, column_name

BUFFER_BYTES = 64_000_000
FLOAT_BYTES = 4

SERIES = {
    "raw": ("RoiResponseSeries", "mean of the movie over the ROI, less the background under it"),
    "denoised": ("Denoised", "calcium as the model of its dynamics has it, with its baseline"),
    "spikes": ("Deconvolved", "activity that drives the calcium"),
    "background": ("Background", "background under the ROI"),
    "neuropil": ("Neuropil", "mean of the movie in a ring around the ROI"),
}
"""Our names, those by which other programs find the traces, and what they are."""

DFF = "change over the running baseline, relative"

COLUMNS = {
    "accepted": "whether it is taken for a cell",
    "roi_key": "number of the ROI in the project; all about it joins on it",
    "roi_name": "what it is called",
    "reason": "why it is not taken for a cell",
}


class MaskChunks(GenericDataChunkIterator):  # type: ignore[misc]
    """Footprints as images for the writer, some at once."""

    def __init__(self, rois: RoiFile) -> None:
        """Cut footprints into blocks of ROIs."""
        self.rois = rois
        size = rois.rois.frame_shape[::-1]
        at_once = max(1, min(rois.n_rois, BUFFER_BYTES // (FLOAT_BYTES * int(np.prod(size)))))
        super().__init__(chunk_shape=(1, *size), buffer_shape=(at_once, *size))

    def _get_data(self, selection: tuple[slice, ...]) -> NDArray[np.float32]:
        columns = self.rois.rois.footprints[:, selection[0]]
        images = columns.T.toarray().reshape(-1, *self.rois.rois.frame_shape)
        return as_nwb(images)[(slice(None), *selection[1:])].astype(np.float32)

    def _get_maxshape(self) -> tuple[int, ...]:
        return (self.rois.n_rois, *self.rois.rois.frame_shape[::-1])

    def _get_dtype(self) -> np.dtype[Any]:
        return np.dtype(np.float32)


def segmentation(
    rois: RoiFile, plane: ImagingPlane, roi_keys: NDArray[np.integer]
) -> PlaneSegmentation:
    """Return the table of ROIs.

    Parameters
    ----------
    rois : RoiFile
        At least one.
    plane : pynwb.ophys.ImagingPlane
        Where they lie.
    roi_keys : array, (n_rois,)
        Their numbers in the project.
    """
    columns = [
        VectorData(
            name="image_mask",
            description="weight of each pixel, x first",
            data=compressed(MaskChunks(rois)),
        ),
        *(
            VectorData(name=name, description=about, data=values)
            for name, about, values in _columns(rois, roi_keys)
        ),
    ]
    return PlaneSegmentation(
        name="PlaneSegmentation",
        description=f"ROIs, accepted or not, of {rois.rois.source}",
        imaging_plane=plane,
        columns=columns,
        id=np.asarray(roi_keys, np.int64),
    )


def _columns(rois: RoiFile, roi_keys: NDArray[np.integer]) -> list[tuple[str, str, Any]]:
    """Return names, descriptions and values of the flat columns."""
    columns: list[tuple[str, str, Any]] = [
        ("accepted", COLUMNS["accepted"], rois.accepted),
        ("roi_key", COLUMNS["roi_key"], np.asarray(roi_keys, np.int64)),
        ("roi_name", COLUMNS["roi_name"], list(rois.names)),
    ]
    if any(rois.rois.reasons):
        columns.append(("reason", COLUMNS["reason"], list(rois.rois.reasons)))
    for name, values in rois.rois.numbers.items():
        if np.isfinite(values).any():
            columns.append((column_name(name), f"{name}, of {rois.rois.source}", values))
    for label, words in rois.tags.items():
        if any(words):
            columns.append((f"tag_{column_name(label)}", f"tag of the type {label!r}", list(words)))
    return columns


def add_responses(
    module: ProcessingModule, rois: RoiFile, table: PlaneSegmentation, rate_hz: float
) -> None:
    """Put the traces beside the table of ROIs.

    Parameters
    ----------
    module : pynwb.ProcessingModule
        Which holds the table.
    rois : RoiFile
        With traces.
    table : pynwb.ophys.PlaneSegmentation
        From `segmentation`.
    rate_hz : float
        Of the traces.
    """
    traces = rois.rois.traces

    def series(trace: str, name: str, about: str) -> RoiResponseSeries:
        region = table.create_roi_table_region(
            region=list(range(rois.n_rois)), description="all ROIs, in the order of the table"
        )
        return RoiResponseSeries(
            name=name,
            data=compressed(np.ascontiguousarray(traces[trace].T)),
            rois=region,
            unit="n.a.",
            rate=rate_hz,
            starting_time=0.0,
            description=about,
        )

    # a series is checked against the table when it is added: containers have their place before
    if any(trace in traces for trace in SERIES):
        light = Fluorescence()
        module.add(light)
        for trace, (name, about) in SERIES.items():
            if trace in traces:
                light.add_roi_response_series(series(trace, name, about))
    if "dff" in traces:
        relative = DfOverF()
        module.add(relative)
        relative.add_roi_response_series(series("dff", "RoiResponseSeries", DFF))
