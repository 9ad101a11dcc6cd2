"""The rows of the parts of a segmentation: a component each."""

import numpy as np

from pipeline.extraction.archive import OPTIONAL, TRACES
from pipeline.extraction.raw_range import BRIGHTEST
from pipeline.rois import Depth, centroid_px, contour_px

INSERT_BYTES = 16_000_000
FLOAT_BYTES = 4
FOOTPRINTS_AT_ONCE = 500
PLANE_NDIM = 2


def roi_rows(sources, edge):
    """Yield the columns of `Segmentation.Roi` for each component, in places of recorded frames.

    From the corrected frames, an edge may have been cut off on each side.
    """
    shape = sources.frame_shape
    cropped = edge.cropped(len(shape))
    recorded = np.add(shape, np.multiply(2, cropped))
    for roi_id, accepted in enumerate(sources.accepted):
        footprint = sources.footprints[:, [roi_id]]
        places = np.unravel_index(footprint.indices, shape)
        shifted = tuple(place + width for place, width in zip(places, cropped, strict=True))
        *plane_px, row_px, col_px = np.add(centroid_px(footprint, shape), cropped)
        yield {
            "roi_id": roi_id,
            "pixels": np.ravel_multi_index(shifted, recorded),
            "weights": footprint.data,
            "centroid_plane_px": plane_px[0] if plane_px else None,
            "centroid_row_px": row_px,
            "centroid_col_px": col_px,
            "contour_px": _contour_px(footprint, shape) + edge.cropped_px,
            "accepted": bool(accepted),
            "name": sources.names[roi_id] if sources.names else "",
            "reason": sources.reasons[roi_id],
            **grey_levels(sources, roi_id),
            **{name: numbers[roi_id].item() for name, numbers in sources.quality._asdict().items()},
        }


def _contour_px(footprint, shape):
    """Return the outline of a component, of a volume in the plane of its centre."""
    if len(shape) == PLANE_NDIM:
        return contour_px(footprint, shape)
    depth = Depth(pixels=footprint.indices, weights=footprint.data, frame_shape=shape)
    return depth.contour_px(depth.main_plane)


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
