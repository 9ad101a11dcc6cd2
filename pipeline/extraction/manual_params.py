"""Settings of ROIs that are given."""

from dataclasses import dataclass

from pipeline.checks import check_in_range


@dataclass(frozen=True, kw_only=True, slots=True)
class ManualParams:
    """Settings of ROIs that are given, and only measured.

    Raises
    ------
    ValueError
        If a value is out of its range.
    """

    weighted: bool = True
    """Whether each pixel counts by its weight, of a drawn shape by the part of it that is inside;
    otherwise those with at least half of the largest weight count alike."""

    neuropil_px: float | None = None
    """Width of the ring around each ROI whose mean is its neuropil, in pixels; the ring begins 2
    pixels away and leaves other ROIs out. None: no neuropil is measured."""

    neuropil_coefficient: float = 0.7
    """How much of the neuropil, where there is one, is taken for light under the ROI and subtracted
    from its raw trace, 0 to 2; 0 leaves the trace as it is in the movie."""

    decay_time_s: float = 0.7
    """Time in which a transient falls to 1/e, in seconds; fitted for each ROI around it."""

    p: int = 1
    """Order of the autoregressive calcium model: 1 has an instant rise, 2 a finite one; 0 is none,
    so that the denoised trace is what exceeds the baseline, and there are no spikes."""

    dff_window_s: float = 30.0
    """Length of the running window of the dF/F baseline, in seconds."""

    dff_percentile: float | None = None
    """Percentile of the running baseline, 0 to 100; None finds the mode of each trace."""

    def __post_init__(self) -> None:
        if self.neuropil_px is not None:
            check_in_range("neuropil_px", self.neuropil_px, 1, 100)
        check_in_range("neuropil_coefficient", self.neuropil_coefficient, 0, 2)
        check_in_range("decay_time_s", self.decay_time_s, 0.01, 60)
        check_in_range("dff_window_s", self.dff_window_s, 0.1, 36_000)
        if self.dff_percentile is not None:
            check_in_range("dff_percentile", self.dff_percentile, 0, 100)
        if self.p not in (0, 1, 2):
            raise ValueError(f"p must be 0, 1 or 2; got {self.p!r}.")
