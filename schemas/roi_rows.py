"""The rows of the parts of a segmentation: a component each."""

import numpy as np

from pipeline.extraction.archive import OPTIONAL, TRACES
from pipeline.extraction.raw_range import BRIGHTEST
from pipeline.rois import centroid_px, contour_px

INSERT_BYTES = 16_000_000
FLOAT_BYTES = 4
FOOTPRINTS_AT_ONCE = 500


def roi_rows(sources, cropped_px):
    """Yield the columns of `Segmentation.Roi` for each component, in places of recorded frames.

    From the corrected frames, an edge may have been cut off on each side.
    """
    n_cols = sources.frame_shape[1]
    for roi_id, accepted in enumerate(sources.accepted):
        footprint = sources.footprints[:, [roi_id]]
        rows, cols = np.divmod(footprint.indices, n_cols)
        row_px, col_px = centroid_px(footprint, sources.frame_shape)
        yield {
            "roi_id": roi_id,
            "pixels": ((rows + cropped_px) * (n_cols + 2 * cropped_px) + cols + cropped_px),
            "weights": footprint.data,
            "centroid_row_px": row_px + cropped_px,
            "centroid_col_px": col_px + cropped_px,
            "contour_px": contour_px(footprint, sources.frame_shape) + cropped_px,
            "accepted": bool(accepted),
            "reason": sources.reasons[roi_id],
            **grey_levels(sources, roi_id),
            **{name: numbers[roi_id].item() for name, numbers in sources.quality._asdict().items()},
        }


def grey_levels(sources, roi_id):
    """Return the grey levels of a component by how many of its brightest pixels count."""
    if sources.raw_range is None:
        return {"raw_min": None, "raw_max": None}
    return {
        name: {
            k: float(v) for k, v in zip(BRIGHTEST, levels[roi_id], strict=True) if np.isfinite(v)
        }
        for name, levels in zip(("raw_min", "raw_max"), sources.raw_range, strict=True)
    }


def rows_at_once(n_frames):
    """Return how many ROIs with their traces go into one INSERT; servers bound its size."""
    return max(1, INSERT_BYTES // ((len(TRACES) + len(OPTIONAL)) * n_frames * FLOAT_BYTES))
