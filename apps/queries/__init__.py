"""What the pages ask the database: from a `Database` to plain values, tables and arrays."""

from apps.queries.auxiliary import auxiliary, mes_file
from apps.queries.comparison import compared
from apps.queries.depth import outlines_in_plane
from apps.queries.exports import imagej_archive, where_from
from apps.queries.frames import corrected_movie, recorded_movie
from apps.queries.inspection import Inspected, inspection, inspections
from apps.queries.jobs import history, log_tail, log_words, queued, workers
from apps.queries.keys import RECORDING, Key
from apps.queries.previews import PREVIEWS, preview_crop, preview_image, preview_video
from apps.queries.project import (
    Overview,
    filter_recordings,
    overview,
    project_name,
    recordings,
)
from apps.queries.recording import (
    PROJECTIONS,
    ROI_NUMBERS,
    correction,
    corrections,
    files,
    frame_limits,
    job_state,
    motion_names,
    movie_facts,
    projection,
    recording,
    rois,
    segmentations,
    traces,
    unusable_frames,
)

__all__ = [
    "PREVIEWS",
    "PROJECTIONS",
    "RECORDING",
    "ROI_NUMBERS",
    "Inspected",
    "Key",
    "Overview",
    "auxiliary",
    "compared",
    "corrected_movie",
    "correction",
    "corrections",
    "files",
    "filter_recordings",
    "frame_limits",
    "history",
    "imagej_archive",
    "inspection",
    "inspections",
    "job_state",
    "log_tail",
    "log_words",
    "mes_file",
    "motion_names",
    "movie_facts",
    "outlines_in_plane",
    "overview",
    "preview_crop",
    "preview_image",
    "preview_video",
    "project_name",
    "projection",
    "queued",
    "recorded_movie",
    "recording",
    "recordings",
    "rois",
    "segmentations",
    "traces",
    "unusable_frames",
    "where_from",
    "workers",
]
