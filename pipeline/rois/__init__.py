"""Regions of interest: masks, centres, contours, and how two sets of them agree."""

from pipeline.rois.compare import Comparison, compare_rois
from pipeline.rois.depth import Depth
from pipeline.rois.given import GivenRois, rois_of_shapes
from pipeline.rois.masks import Masks, masks_of_array, read_masks
from pipeline.rois.outlines import (
    Ellipse,
    Polygon,
    Shape,
    rasterize,
    shape_from_dict,
    shape_to_dict,
)
from pipeline.rois.shape import centroid_px, contour_px, footprint_image, footprint_mask, solidity

__all__ = [
    "Comparison",
    "Depth",
    "Ellipse",
    "GivenRois",
    "Masks",
    "Polygon",
    "Shape",
    "centroid_px",
    "compare_rois",
    "contour_px",
    "footprint_image",
    "footprint_mask",
    "masks_of_array",
    "rasterize",
    "read_masks",
    "rois_of_shapes",
    "shape_from_dict",
    "shape_to_dict",
    "solidity",
]
