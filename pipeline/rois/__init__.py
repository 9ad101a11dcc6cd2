"""Regions of interest: masks, centres, contours, and how two sets of them agree."""

from pipeline.rois.compare import Comparison, compare_rois
from pipeline.rois.depth import Depth
from pipeline.rois.masks import Masks, masks_of_array, read_masks
from pipeline.rois.shape import centroid_px, contour_px, footprint_image, footprint_mask, solidity

__all__ = [
    "Comparison",
    "Depth",
    "Masks",
    "centroid_px",
    "compare_rois",
    "contour_px",
    "footprint_image",
    "footprint_mask",
    "masks_of_array",
    "read_masks",
    "solidity",
]
