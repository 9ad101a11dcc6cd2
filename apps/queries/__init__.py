"""What the pages ask the database: from a `Database` to plain values, tables and arrays."""

from apps.queries.frames import corrected_movie, recorded_movie
from apps.queries.jobs import queued
from apps.queries.keys import RECORDING, Key
from apps.queries.project import Overview, overview, recordings
from apps.queries.recording import (
    PROJECTIONS,
    ROI_NUMBERS,
    correction,
    corrections,
    files,
    job_state,
    movie_facts,
    projection,
    recording,
    rois,
    segmentations,
    traces,
)

__all__ = [
    "PROJECTIONS",
    "RECORDING",
    "ROI_NUMBERS",
    "Key",
    "Overview",
    "corrected_movie",
    "correction",
    "corrections",
    "files",
    "job_state",
    "movie_facts",
    "overview",
    "projection",
    "queued",
    "recorded_movie",
    "recording",
    "recordings",
    "rois",
    "segmentations",
    "traces",
]
