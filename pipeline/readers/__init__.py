"""Recordings of any format as movies: one module a format, a registry by suffix."""

from pipeline.readers import (
    hdf5,
    isxd,
    mes,
    mesc,
    metadata_formats,
    npy,
    nwb,
    raw,
    tiff,
    video,
    zarr_folder,
)
from pipeline.readers.metadata import METADATA_FORMATS, read_metadata, register_metadata_format
from pipeline.readers.opening import open_movie
from pipeline.readers.registry import READERS, register_reader
from pipeline.readers.stack import Stack

__all__ = [
    "METADATA_FORMATS",
    "READERS",
    "Stack",
    "hdf5",
    "isxd",
    "mesc",
    "mes",
    "metadata_formats",
    "npy",
    "nwb",
    "npy",
    "open_movie",
    "raw",
    "read_metadata",
    "register_metadata_format",
    "register_reader",
    "tiff",
    "video",
    "zarr_folder",
]
