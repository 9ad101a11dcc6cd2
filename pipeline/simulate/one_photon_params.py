"""What a simulated one-photon movie shows."""

from dataclasses import dataclass

from pipeline.checks import check_in_range
from pipeline.simulate.params import TwoPhotonParams

LIMITS = {
    "blur_um": (0.1, 100),
    "focus_spread_um": (0, 100),
    "background_photons": (0, 100_000),
    "haze_photons": (0, 100_000),
    "haze_fluctuation": (0, 1),
    "n_vessels": (0, 50),
    "vessel_width_um": (1, 500),
    "vessel_absorption": (0, 1),
    "vignetting": (0, 1),
}


@dataclass(frozen=True, kw_only=True, slots=True)
class OnePhotonParams:
    """Settings of a simulated movie of a miniature one-photon microscope.

    Raises
    ------
    ValueError
        If a value is out of its range, or the frame has no room for a cell.
    """

    n_frames: int = 1500
    """Length of the movie."""

    n_rows: int = 256
    """Height of a frame, in pixels."""

    n_cols: int = 256
    """Width of a frame, in pixels."""

    rate_hz: float = 20.0
    """Frames per second."""

    pixel_size_um: float = 1.6
    """Side of a square pixel, in micrometres."""

    n_cells: int = 190
    """Number of cells, all of them part of the truth, however blurred."""

    cell_radius_um: float = 7.0
    """Mean radius of a cell body, in micrometres."""

    min_distance_um: float = 9.0
    """Smallest distance between the centres of two cells, in micrometres; they overlap."""

    blur_um: float = 3.0
    """Blur of a cell in focus (standard deviation), by scattering, in micrometres."""

    focus_spread_um: float = 4.0
    """Standard deviation of the blur that cells out of focus have more, in micrometres."""

    decay_time_s: float = 0.6
    """Time constant with which the calcium transient of a spike decays, in seconds."""

    rise_time_s: float = 0.06
    """Time constant with which it rises, in seconds; 0 for an instant rise."""

    burst_rate_hz: float = 0.1
    """Mean rate of bursts of a cell, per second; each cell has at least two in the movie."""

    spikes_per_burst: float = 3.0
    """Mean number of spikes of a burst."""

    dff_per_spike: float = 0.35
    """Mean peak of the transient of one spike, relative to the cell's own light at rest."""

    cell_photons: float = 100.0
    """Mean photons a pixel and frame of a cell at rest, in its brightest pixel before blur."""

    background_photons: float = 400.0
    """Mean photons a pixel and frame of the static background."""

    haze_photons: float = 400.0
    """Mean photons a pixel and frame of the fluctuating light from out of focus."""

    haze_fluctuation: float = 0.25
    """How much the haze varies in time (standard deviation, relative)."""

    n_vessels: int = 3
    """Number of blood vessels that enter the field, each with branches."""

    vessel_width_um: float = 26.0
    """Width of the widest vessels, in micrometres."""

    vessel_absorption: float = 0.5
    """Part of the light that a vessel takes away."""

    vignetting: float = 0.45
    """Part of the light that is lost in the corners of the frame."""

    bleached_fraction: float = 0.08
    """Fraction of the fluorescence that is lost by the end, exponentially in time."""

    max_shift_px: float = 0.0
    """Largest rigid shift along an axis, in pixels; 0 for a still movie."""

    jump_rate_hz: float = 0.0
    """Mean rate of sudden movements, per second."""

    max_deviation_px: float = 0.0
    """Largest deviation of a pixel from the rigid shift along an axis, in pixels; 0 for none."""

    gain: float = 2.0
    """Grey levels a photon."""

    read_noise: float = 6.0
    """Standard deviation of the read noise, in grey levels."""

    offset: float = 120.0
    """Grey level of darkness."""

    def __post_init__(self) -> None:
        for name, (low, high) in LIMITS.items():
            check_in_range(name, getattr(self, name), low, high)
        _ = self.shared  # checks what is not checked above

    @classmethod
    def moderate(cls) -> "OnePhotonParams":
        """Return 190 cells under haze that varies more than the cells."""
        return cls()

    @classmethod
    def hard(cls) -> "OnePhotonParams":
        """Return 165 dimmer cells, further out of focus, under more haze and more vessels."""
        return cls(
            n_cells=165,
            cell_photons=60.0,
            focus_spread_um=5.5,
            haze_photons=600.0,
            haze_fluctuation=0.3,
            n_vessels=5,
        )

    @property
    def shared(self) -> TwoPhotonParams:
        """Return what both kinds of microscope have: cells, their activity, motion, a detector."""
        names = TwoPhotonParams.__dataclass_fields__.keys() & self.__dataclass_fields__.keys()
        values = {name: getattr(self, name) for name in names - {"background_photons"}}
        return TwoPhotonParams(**values)
