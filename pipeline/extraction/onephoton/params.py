"""Settings of CNMF-E."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, ClassVar

from pipeline.checks import check_in_range
from pipeline.extraction.cell_size import known_half_sizes
from pipeline.extraction.onephoton.caiman_names import translate
from pipeline.extraction.params import CnmfParams

LIMITS = {
    "ring_radius_factor": (0.5, 5),
    "background_bin_px": (0, 100),
    "p": (1, 2),
    "min_asymmetry": (-100, 100),
}


@dataclass(frozen=True, kw_only=True, slots=True)
class CnmfeParams:
    """Settings of CNMF-E, with CaImAn's names where the meaning is CaImAn's.

    Raises
    ------
    ValueError
        If a value is out of its range.
    """

    AXES: ClassVar[tuple[str, ...]] = CnmfParams.AXES
    USUAL_GSIG_PX: ClassVar[tuple[float, ...]] = (3.0, 3.0)

    gsig_px: tuple[float, ...] | None = None
    """Half-size of a cell (standard deviation of its profile) along rows and columns, in pixels;
    None: that of a cell of 10 micrometres, or 3 pixels where the size of a pixel is not known."""

    decay_time_s: float = 0.6
    """Time in which a transient falls to 1/e, in seconds; fitted for each cell around it."""

    min_corr: float = 0.5
    """Smallest correlation of a seed with its neighbours in the filtered movie, 0 to 1."""

    min_pnr: float = 4.0
    """Smallest ratio of peak to noise at a seed in the filtered movie, which is averaged over bins
    of 0.4 decay times."""

    ring_radius_factor: float = 0.75
    """Radius of the ring that predicts the background, relative to the diameter of a cell, which
    is four half-sizes."""

    background_bin_px: int = 0
    """Side of the blocks of pixels in which the background is modelled, in pixels; 0 takes about
    one half-size of a cell."""

    p: int = 1
    """Order of the autoregressive calcium model: 1 has an instant rise, 2 a finite one."""

    merge_corr: float = 0.7
    """Overlapping components whose traces correlate at least so much are merged."""

    min_snr: float = 2.0
    """Smallest ratio of transient to noise, averaged over one decay time, to be accepted."""

    min_rval: float = 0.5
    """Smallest correlation in space of footprint and active frames to be accepted."""

    min_solidity: float = 0.5
    """Smallest part of its convex hull that a footprint fills, to be accepted."""

    min_asymmetry: float = 0.5
    """Smallest skewness of the steps of a trace to be accepted: transients rise faster than they
    fall, background does not."""

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
        for name, (low, high) in LIMITS.items():
            check_in_range(name, getattr(self, name), low, high)
        if self.background_bin_px != int(self.background_bin_px):
            raise ValueError(
                f"background_bin_px must be a whole number; got {self.background_bin_px!r}."
            )
        _ = self.shared  # checks what is not checked above

    @classmethod
    def from_caiman(cls, values: Mapping[str, Any]) -> "CnmfeParams":
        """Return the settings that CaImAn's names mean.

        Parameters
        ----------
        values : mapping
            Arguments of CaImAn's CNMF for one-photon movies, or the dictionary of the original
            Mesmerize with its ``cnmfe_kwargs`` and ``eval_kwargs``.

        Returns
        -------
        CnmfeParams
            What is not named takes its default; a warning tells what is without effect.

        Raises
        ------
        ValueError
            If a name is unknown or a value cannot be had here.

        Notes
        -----
        The thresholds of seeds keep their values. They are compared with a movie binned to a fifth
        of the decay time, in which peaks stand higher above the noise than in single frames.

        Examples
        --------
        >>> CnmfeParams.from_caiman({"gSig": (3, 3), "min_corr": 0.8, "min_pnr": 10}).min_pnr
        10
        """
        return cls(**translate(values))

    @property
    def half_sizes_px(self) -> tuple[float, ...]:
        """Half-size of a cell along rows and columns, once it is known."""
        return known_half_sizes(self.gsig_px)

    @property
    def shared(self) -> CnmfParams:
        """Return what CNMF has as well; the background it has left to fit is one constant."""
        names = {field.name for field in fields(CnmfParams)} & {
            field.name for field in fields(self)
        }
        return CnmfParams(gnb=1, **{name: getattr(self, name) for name in names})
