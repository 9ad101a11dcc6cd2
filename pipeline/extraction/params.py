"""Settings of CNMF."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from pipeline.checks import check_in_range, check_one_of
from pipeline.extraction.caiman import translate_cnmf
from pipeline.extraction.cell_size import check_half_sizes, known_half_sizes
from pipeline.params import ADDED_LATER

LIMITS = {
    "decay_time_s": (0.01, 60),
    "min_corr": (0, 1),
    "min_pnr": (0, 1000),
    "p": (0, 2),
    "merge_corr": (0, 1),
    "min_snr": (0, 1000),
    "min_rval": (-1, 1),
    "min_solidity": (0, 1),
    "max_radius_gsigs": (1, 1000),
    "border_px": (0, 1000),
    "dff_window_s": (0.1, 36_000),
}
METHODS_OF_INIT = ("greedy_roi", "sparse_nmf")
MIN_PROCESS_PX = 6
"""Smallest area of a process, as of a bouton, in pixels."""

LIMITS_OF_OPTIONAL = {"gnb": (1, 20), "dff_percentile": (0, 100), "neuropil_px": (1, 100)}


@dataclass(frozen=True, kw_only=True, slots=True)
class CnmfParams:
    """Settings of CNMF, with CaImAn's names where the meaning is CaImAn's.

    Raises
    ------
    ValueError
        If a value is out of its range.
    """

    AXES: ClassVar[tuple[str, ...]] = ("rows", "columns")
    AXES_IN_WORDS: ClassVar[str] = "two numbers, along rows and columns"
    USUAL_GSIG_PX: ClassVar[tuple[float, ...]] = (5.0, 5.0)

    gsig_px: tuple[float, ...] | None = None
    """Half-size of a cell (standard deviation of its profile) along rows and columns, in pixels;
    None: that of a cell of 10 micrometres, or 5 pixels where the size of a pixel is not known."""

    decay_time_s: float = 0.7
    """Time in which a transient falls to 1/e, in seconds; fitted for each cell around it."""

    min_corr: float = 0.3
    """Smallest correlation of a seed with the pixels around it, 0 to 1."""

    min_pnr: float = 6.0
    """Smallest ratio of peak to noise at a seed."""

    gnb: int | None = None
    """Largest number of background components that all pixels share, the static image among them;
    None: the background of each place is its own."""

    p: int = 2
    """Order of the autoregressive calcium model: 1 has an instant rise, 2 a finite one; 0 is none,
    so that the denoised trace is what exceeds the baseline, and there are no spikes."""

    merge_corr: float = 0.8
    """Overlapping components whose traces correlate at least so much are merged."""

    min_snr: float = 2.5
    """Smallest ratio of transient to noise, averaged over one decay time, to be accepted."""

    min_rval: float = 0.75
    """Smallest correlation in space of footprint and active frames to be accepted."""

    min_solidity: float = 0.6
    """Smallest part of its convex hull that a footprint fills, to be accepted."""

    max_radius_gsigs: float = 2.25
    """Largest footprint to be accepted: its effective area is that of an ellipse with half axes of
    so many half-sizes of a cell, where that of a Gaussian has two; what is larger is neuropil."""

    border_px: int = 0
    """Pixels along each edge that belong to no cell; after motion correction, its largest shift."""

    dff_window_s: float = 30.0
    """Length of the running window of the dF/F baseline, in seconds."""

    dff_percentile: float | None = None
    """Percentile of the running baseline, 0 to 100; None finds the mode of each trace."""

    neuropil_px: float | None = None
    """Width of the ring around each cell whose mean is kept as its neuropil, in pixels; the ring
    begins 2 pixels away and leaves other cells out. None: no neuropil is kept."""

    method_init: str = field(default="greedy_roi", metadata=ADDED_LATER)
    """How sources are sought: 'greedy_roi' for cells, 'sparse_nmf' for dendrites, axons and
    boutons, whose shape and size then are no reason to reject them."""

    def __post_init__(self) -> None:
        check_one_of("method_init", self.method_init, METHODS_OF_INIT)
        for name, (low, high) in LIMITS.items():
            check_in_range(name, getattr(self, name), low, high)
        for name, (low, high) in LIMITS_OF_OPTIONAL.items():
            if getattr(self, name) is not None:
                check_in_range(name, getattr(self, name), low, high)
        for name in ("gnb", "p", "border_px"):
            if (getattr(self, name) or 0) != int(getattr(self, name) or 0):
                raise ValueError(f"{name} must be a whole number; got {getattr(self, name)!r}.")
        check_half_sizes(self.gsig_px, self.AXES, self.AXES_IN_WORDS)

    @classmethod
    def from_caiman(cls, values: Mapping[str, Any]) -> "CnmfParams":
        """Return the settings that CaImAn's names mean.

        Parameters
        ----------
        values : mapping
            Parameters of CaImAn, flat or in its groups, or the dictionary of the original
            Mesmerize with its ``cnmf_kwargs`` and ``eval_kwargs``.

        Returns
        -------
        CnmfParams
            What is not named takes its default; what has no effect here is ignored, see
            `pipeline.extraction.caiman.IGNORED`.

        Raises
        ------
        ValueError
            If a name is unknown or a value is out of its range.
        """
        return cls(**translate_cnmf(values, n_axes=len(cls.AXES)))

    @property
    def half_sizes_px(self) -> tuple[float, ...]:
        """Half-size of a cell along each axis, in pixels.

        Raises
        ------
        ValueError
            If it is still to follow from the movie; see `pipeline.extraction.cell_size`.
        """
        return known_half_sizes(self.gsig_px)

    @property
    def border_by_axis_px(self) -> tuple[int, ...]:
        """Pixels at both ends of each axis that belong to no cell."""
        return self.border_px, self.border_px

    @property
    def of_processes(self) -> bool:
        """Whether processes are sought instead of cells."""
        return self.method_init == "sparse_nmf"

    @property
    def least_solidity(self) -> float:
        """Smallest solidity to be accepted; a process may have any."""
        return 0.0 if self.of_processes else self.min_solidity

    @property
    def min_area_px(self) -> float:
        """Smallest area to be accepted: a quarter of the ellipse of one half-size."""
        if self.of_processes:
            return MIN_PROCESS_PX
        rows, cols = self.half_sizes_px
        return math.pi * rows * cols / 4

    @property
    def max_area_px(self) -> float:
        """Largest effective area to be accepted; in a volume, that of an ellipsoid."""
        if self.of_processes:
            return math.inf
        *planes, rows, cols = self.half_sizes_px
        area = math.pi * rows * cols * self.max_radius_gsigs**2
        return area * max([1.0, *(4 / 3 * self.max_radius_gsigs * depth for depth in planes)])
