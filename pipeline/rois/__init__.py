"""Shapes of regions of interest: masks, centres and contours."""

from pipeline.rois.shape import centroid_px, contour_px, footprint_image, footprint_mask, solidity

__all__ = ["centroid_px", "contour_px", "footprint_image", "footprint_mask", "solidity"]
