"""What a simulated two-photon movie shows."""

import math
from dataclasses import dataclass

from pipeline.checks import check_in_range

LIMITS = {
    "n_frames": (1, 10_000_000),
    "n_rows": (16, 8192),
    "n_cols": (16, 8192),
    "rate_hz": (0.1, 1000),
    "pixel_size_um": (0.05, 20),
    "n_cells": (0, 100_000),
    "cell_radius_um": (0.5, 100),
    "min_distance_um": (0, 1000),
    "ring_fraction": (0, 1),
    "decay_time_s": (0.01, 20),
    "rise_time_s": (0, 5),
    "burst_rate_hz": (0, 50),
    "spikes_per_burst": (1, 100),
    "dff_per_spike": (0, 20),
    "cell_photons": (0, 10_000),
    "background_photons": (0, 10_000),
    "neuropil_photons": (0, 10_000),
    "neuropil_fluctuation": (0, 2),
    "bleached_fraction": (0, 0.95),
    "max_shift_px": (0, 200),
    "jump_rate_hz": (0, 50),
    "max_deviation_px": (0, 20),
    "gain": (0.01, 10_000),
    "read_noise": (0, 10_000),
    "offset": (0, 60_000),
}

SHAPE_MARGIN = 1.7
"""How much further than its radius an irregular cell with its soft edge can reach."""


@dataclass(frozen=True, kw_only=True, slots=True)
class TwoPhotonParams:
    """Settings of a simulated two-photon movie.

    Raises
    ------
    ValueError
        If a value is out of its range, or the frame has no room for a cell.
    """

    n_frames: int = 1000
    """Length of the movie."""

    n_rows: int = 256
    """Height of a frame, in pixels."""

    n_cols: int = 256
    """Width of a frame, in pixels."""

    rate_hz: float = 30.0
    """Frames per second."""

    pixel_size_um: float = 1.2
    """Side of a square pixel, in micrometres."""

    n_cells: int = 120
    """Number of cells."""

    cell_radius_um: float = 6.6
    """Mean radius of a cell body, in micrometres."""

    min_distance_um: float = 11.0
    """Smallest distance between the centres of two cells, in micrometres."""

    ring_fraction: float = 0.5
    """Fraction of the cells whose nucleus is dim."""

    decay_time_s: float = 0.7
    """Time constant with which the calcium transient of a spike decays, in seconds."""

    rise_time_s: float = 0.05
    """Time constant with which it rises, in seconds; 0 for an instant rise."""

    burst_rate_hz: float = 0.15
    """Mean rate of bursts of a cell, per second; each cell has at least two in the movie."""

    spikes_per_burst: float = 3.0
    """Mean number of spikes of a burst."""

    dff_per_spike: float = 0.25
    """Mean peak of the transient of one spike, relative to the fluorescence at rest."""

    cell_photons: float = 12.0
    """Mean photons a pixel and frame of a cell at rest, in its brightest pixel."""

    background_photons: float = 8.0
    """Mean photons a pixel and frame of the static background."""

    neuropil_photons: float = 4.0
    """Mean photons a pixel and frame of the fluctuating neuropil."""

    neuropil_fluctuation: float = 0.4
    """Standard deviation of the logarithm of the neuropil over time."""

    neuropil_width_um: float | None = None
    """Width over which the neuropil fluctuates alike, in micrometres; None: wide waves that span
    an eighth of the frame and more."""

    bleached_fraction: float = 0.1
    """Fraction of the fluorescence that is lost by the end, exponentially in time."""

    max_shift_px: float = 6.0
    """Largest rigid shift along an axis, in pixels; 0 for a still movie."""

    jump_rate_hz: float = 0.15
    """Mean rate of sudden movements, per second."""

    max_deviation_px: float = 1.5
    """Largest deviation of a pixel from the rigid shift along an axis, in pixels; 0 for none."""

    gain: float = 20.0
    """Grey levels a photon."""

    read_noise: float = 10.0
    """Standard deviation of the read noise, in grey levels."""

    offset: float = 100.0
    """Grey level of darkness."""

    def __post_init__(self) -> None:
        for name, (low, high) in LIMITS.items():
            check_in_range(name, getattr(self, name), low, high)
        if self.neuropil_width_um is not None:
            check_in_range(
                "neuropil_width_um", self.neuropil_width_um, 5 * self.pixel_size_um, 2000
            )
        shorter = min(self.n_rows, self.n_cols)
        if self.n_cells and 2 * self.cell_margin_px >= shorter:
            raise ValueError(
                f"a frame of {self.n_rows} x {self.n_cols} pixels has no room for a cell "
                f"whose centre stays {self.cell_margin_px} pixels from its edges; enlarge it, "
                "or lower cell_radius_um or max_shift_px."
            )

    @property
    def cell_margin_px(self) -> int:
        """Distance of the centres of the cells from the edges, so that none ever leaves."""
        reach = SHAPE_MARGIN * self.cell_radius_um / self.pixel_size_um
        return math.ceil(reach + self.max_shift_px + self.max_deviation_px)
