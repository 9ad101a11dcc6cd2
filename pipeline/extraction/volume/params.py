"""Settings of CNMF of volumes."""

import math
from dataclasses import dataclass, fields
from typing import ClassVar

from pipeline.checks import check_in_range, check_one_of
from pipeline.extraction.params import MIN_PROCESS_PX, CnmfParams

PLANES = ("together", "each")
MAX_BORDER_PLANES = 1000


@dataclass(frozen=True, kw_only=True, slots=True)
class Cnmf3dParams(CnmfParams):
    """Settings of CNMF of volumes: those of a plane, and the depth.

    Raises
    ------
    ValueError
        If a value is out of its range.
    """

    AXES: ClassVar[tuple[str, ...]] = ("planes", "rows", "columns")
    AXES_IN_WORDS: ClassVar[str] = "three numbers, along planes, rows and columns"
    USUAL_GSIG_PX: ClassVar[tuple[float, ...]] = (1.0, 5.0, 5.0)

    gsig_px: tuple[float, ...] | None = None
    """Half-size of a cell (standard deviation of its profile) along planes, rows and columns, in
    planes and pixels; None: that of a cell of 10 micrometres, or 1, 5 and 5 where the size of a
    pixel or the distance of the planes is not known."""

    min_rval: float = 0.55
    """Smallest correlation in space of footprint and active frames to be accepted; lower than in a
    plane, as more of the pixels of a cell lie at its faint edge."""

    max_radius_gsigs: float = 2.75
    """Largest footprint to be accepted: its effective volume is that of an ellipsoid with half axes
    of so many half-sizes of a cell, where that of a Gaussian has 2.2."""

    planes: str = "together"
    """'together' looks for cells that reach through planes, 'each' looks for the cells of every
    plane by itself: for planes so far apart that none shows a cell of another."""

    border_planes: int = 0
    """Planes at each end that belong to no cell; after motion correction, its largest shift."""

    def __post_init__(self) -> None:
        CnmfParams.__post_init__(self)
        check_one_of("planes", self.planes, PLANES)
        check_in_range("border_planes", self.border_planes, 0, MAX_BORDER_PLANES)
        if self.border_planes != int(self.border_planes):
            raise ValueError(f"border_planes must be a whole number; got {self.border_planes!r}.")

    @property
    def border_by_axis_px(self) -> tuple[int, ...]:
        """Planes and pixels at both ends of each axis that belong to no cell."""
        return self.border_planes, self.border_px, self.border_px

    @property
    def min_area_px(self) -> float:
        """Smallest number of pixels to be accepted: a quarter of the ellipsoid, or ellipse."""
        if self.of_processes:
            return MIN_PROCESS_PX
        planes, rows, cols = self.half_sizes_px
        return math.pi * rows * cols / 4 * max(1.0, 4 / 3 * planes)

    @property
    def of_plane(self) -> CnmfParams:
        """Return the settings with which each plane is taken by itself."""
        names = (field.name for field in fields(CnmfParams) if field.name != "gsig_px")
        shared = {name: getattr(self, name) for name in names}
        return CnmfParams(gsig_px=self.half_sizes_px[1:], **shared)
