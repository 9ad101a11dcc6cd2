"""Settings of CaImAn."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from pipeline.checks import check_in_range, check_one_of
from pipeline.extraction.caiman_engine.names import from_caiman_names
from pipeline.extraction.params import CnmfParams

MODELS = ("cnmf", "cnmfe")
LIMITS = {
    "p": (0, 2),
    "merge_corr": (0, 1),
    "min_corr": (0, 1),
    "min_pnr": (0, 1000),
    "min_snr": (0, 1000),
    "min_rval": (-1, 1),
    "ring_size_factor": (0.5, 5),
    "bin_px": (1, 16),
    "bin_frames": (1, 1000),
    "gnb": (1, 20),
}
WHOLE = ("p", "bin_px", "bin_frames", "border_px", "gnb")
LIMITS_OF_OPTIONAL = {
    "patch_half_px": (4, 10_000),
    "overlap_px": (0, 10_000),
    "cells_per_patch": (1, 10_000),
}


@dataclass(frozen=True, kw_only=True, slots=True)
class CaimanParams:
    """Settings of CNMF and CNMF-E as CaImAn computes them.

    Names are those of `CnmfParams` where the meaning is the same, so that engines can be compared.

    Raises
    ------
    ValueError
        If a value is out of its range.
    """

    model: str = "cnmf"
    """'cnmf' for two photons, 'cnmfe' for one."""

    AXES: ClassVar[tuple[str, ...]] = CnmfParams.AXES
    USUAL_GSIG_PX: ClassVar[tuple[float, ...]] = (5.0, 5.0)

    gsig_px: tuple[float, ...] | None = None
    """Half-size of a cell along rows and columns, in pixels, which CaImAn rounds to whole ones;
    None: that of a cell of 10 micrometres, in patches that hold it, or 5 pixels where the size of
    a pixel is not known."""

    decay_time_s: float = 0.7
    """Length of a transient, in seconds, over which its evaluation averages."""

    cells_per_patch: int | None = None
    """Most cells that are sought in each patch (CaImAn's K); None: 8 with 'cnmf', and as many as
    reach the thresholds of seeds with 'cnmfe'."""

    patch_half_px: int | None = 25
    """Half of the side of a patch (CaImAn's rf), in pixels; None: the frame is not cut."""

    overlap_px: int | None = None
    """Overlap of patches (CaImAn's stride), in pixels; None: two half-sizes of a cell."""

    gnb: int = 2
    """Number of background components; 'cnmfe' has a ring background instead."""

    p: int = 1
    """Order of the autoregressive calcium model, 0 to 2; 0 leaves deconvolution out."""

    merge_corr: float = 0.8
    """Overlapping components whose traces correlate at least so much are merged."""

    bin_px: int = 1
    """Pixels that are averaged along each axis while cells are sought (CaImAn's ssub)."""

    bin_frames: int = 1
    """Frames that are averaged while cells are sought (CaImAn's tsub)."""

    min_corr: float = 0.8
    """Smallest correlation of a seed with its neighbours; 'cnmfe' alone."""

    min_pnr: float = 10.0
    """Smallest ratio of peak to noise at a seed; 'cnmfe' alone."""

    ring_size_factor: float = 1.4
    """Radius of the ring of the background, in sizes of a cell; 'cnmfe' alone."""

    is_refitted: bool = True
    """Whether 'cnmf' is done a second time on the whole frame (CaImAn's refit)."""

    min_snr: float = 2.5
    """Ratio of transient to noise above which CaImAn accepts a component."""

    min_rval: float = 0.8
    """Correlation in space from which on CaImAn accepts a component, whatever its ratio."""

    border_px: int = 0
    """Pixels along each edge that belong to no cell; after motion correction, its largest shift."""

    dff_window_s: float = 30.0
    """Length of the running window of the dF/F baseline, in seconds."""

    dff_percentile: float | None = None
    """Percentile of the running baseline, 0 to 100; None finds the mode of each trace."""

    neuropil_px: float | None = None
    """Width of the ring around each cell whose mean is kept as its neuropil, in pixels; the ring
    begins 2 pixels away and leaves other cells out. None: no neuropil is kept."""

    def __post_init__(self) -> None:
        check_one_of("model", self.model, MODELS)
        for name, (low, high) in LIMITS.items():
            check_in_range(name, getattr(self, name), low, high)
        for name, (low, high) in LIMITS_OF_OPTIONAL.items():
            if getattr(self, name) is not None:
                check_in_range(name, getattr(self, name), low, high)
        for name in (*WHOLE, *LIMITS_OF_OPTIONAL):
            if (getattr(self, name) or 0) != int(getattr(self, name) or 0):
                raise ValueError(f"{name} must be a whole number; got {getattr(self, name)!r}.")
        _ = self.shared  # checks what is not checked above
        if self.patch_half_px is None or self.gsig_px is None:
            return
        if self.patch_half_px < 2 * max(self.gsig_px):
            raise ValueError(
                f"patch_half_px must be at least {2 * max(self.gsig_px):g}, two half-sizes of a "
                f"cell, for a cell to fit; got {self.patch_half_px}: give a larger one, or null to "
                "leave the frame whole."
            )

    @classmethod
    def from_caiman(cls, values: Mapping[str, Any]) -> "CaimanParams":
        """Return the settings that CaImAn's names mean.

        Parameters
        ----------
        values : mapping
            Parameters of CaImAn, flat or in its groups, or the dictionary of the original
            Mesmerize.

        Returns
        -------
        CaimanParams
            What is not named takes its default.

        Raises
        ------
        ValueError
            If a name is unknown or a value is out of its range.

        Examples
        --------
        >>> CaimanParams.from_caiman({"gSig": [6, 6], "K": 5, "method_init": "corr_pnr"}).model
        'cnmfe'
        """
        return cls(**from_caiman_names(values))

    @property
    def shared(self) -> CnmfParams:
        """Return what our CNMF has as well, for the checks and measures that are the same."""
        names = ("gsig_px", "decay_time_s", "min_snr", "min_rval", "border_px")
        more = ("dff_window_s", "dff_percentile", "neuropil_px")
        return CnmfParams(**{name: getattr(self, name) for name in (*names, *more)})
