"""What a simulated volumetric movie shows."""

import math
from dataclasses import dataclass

from pipeline.checks import check_in_range
from pipeline.simulate.params import TwoPhotonParams

VOLUME_LIMITS = {
    "n_planes": (2, 512),
    "plane_spacing_um": (0.1, 200),
    "axial_blur_um": (0.5, 50),
    "max_plane_shift_px": (0, 20),
}

SAMPLES_PER_BLUR = 2
"""Samples of the scene along the axis that the standard deviation of the blur covers; on fewer,
its interpolation would lose detail."""

LARGEST_SPACING = 1.6
"""Largest distance of planes, relative to the radius of the cells; the smallest cells measure
0.85 of it, and must not fit between two planes."""


@dataclass(frozen=True, kw_only=True, slots=True)
class VolumeParams(TwoPhotonParams):
    """Settings of a simulated volumetric two-photon movie: those of a plane, and the depth.

    Raises
    ------
    ValueError
        If a value is out of its range, or a plane has no room for a cell.
    """

    n_frames: int = 300
    """Length of the movie, in volumes."""

    n_planes: int = 8
    """Planes of a volume."""

    n_rows: int = 128
    """Height of a plane, in pixels."""

    n_cols: int = 128
    """Width of a plane, in pixels."""

    rate_hz: float = 10.0
    """Volumes per second."""

    plane_spacing_um: float = 5.0
    """Distance between neighbouring planes, in micrometres."""

    axial_blur_um: float = 3.0
    """Standard deviation of the blur along the axis, in micrometres."""

    n_cells: int = 60
    """Number of cells, anywhere in the depth of the volume."""

    max_plane_shift_px: float = 1.0
    """Largest rigid shift along the axis, in planes; 0 for none."""

    def __post_init__(self) -> None:
        TwoPhotonParams.__post_init__(self)
        for name, (low, high) in VOLUME_LIMITS.items():
            check_in_range(name, getattr(self, name), low, high)
        if self.n_cells and self.plane_spacing_um > LARGEST_SPACING * self.cell_radius_um:
            raise ValueError(
                f"plane_spacing_um = {self.plane_spacing_um:g} is too large for cells of "
                f"cell_radius_um = {self.cell_radius_um:g}: some would lie between two planes, "
                f"unseen; lower it to at most {LARGEST_SPACING * self.cell_radius_um:g}."
            )

    @property
    def max_plane_deviation_px(self) -> float:
        """Largest deviation along the axis, in planes: as far as along the rows."""
        return self.max_deviation_px * self.pixel_size_um / self.plane_spacing_um

    @property
    def samples_per_plane(self) -> int:
        """Samples of the scene from one plane to the next."""
        return max(1, math.ceil(SAMPLES_PER_BLUR * self.plane_spacing_um / self.axial_blur_um))

    @property
    def sample_spacing_um(self) -> float:
        """Distance between samples of the scene along the axis, in micrometres."""
        return self.plane_spacing_um / self.samples_per_plane
