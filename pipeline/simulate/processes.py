"""A two-photon movie of dendrites and axons: thin curved lines, each with a trace of its own."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.ndimage import gaussian_filter1d

from pipeline.checks import check_in_range
from pipeline.movie import Movie
from pipeline.simulate.activity import draw_fluorescence, draw_spikes, slow_noise
from pipeline.simulate.params import TwoPhotonParams

LIMITS = {
    "n_processes": (0, 1000),
    "length_um": (5, 2000),
    "width_um": (0.2, 20),
    "turn_um": (5, 1000),
    "varicosity": (0, 2),
}
STEP_PX = 0.5
FAINTEST = 0.05
VARICOSITY_UM = 4.0
NEUROPIL_S = 1.0


@dataclass(frozen=True, kw_only=True, slots=True)
class ProcessParams:
    """Settings of a simulated movie of processes.

    Raises
    ------
    ValueError
        If a value is out of its range.
    """

    n_frames: int = 1500
    """Length of the movie."""

    n_rows: int = 128
    """Height of a frame, in pixels."""

    n_cols: int = 128
    """Width of a frame, in pixels."""

    rate_hz: float = 30.0
    """Frames per second."""

    pixel_size_um: float = 0.8
    """Side of a square pixel, in micrometres."""

    n_processes: int = 24
    """Number of processes; they cross."""

    length_um: float = 45.0
    """Mean length of a process, in micrometres."""

    width_um: float = 1.0
    """Width of a process (standard deviation of its profile), in micrometres."""

    turn_um: float = 40.0
    """Length over which a process turns by about one radian, in micrometres."""

    varicosity: float = 0.3
    """Standard deviation of the logarithm of the brightness along a process."""

    photons: float = 6.0
    """Mean photons a pixel and frame of a process at rest, in its brightest pixel."""

    background_photons: float = 8.0
    """Mean photons a pixel and frame of the background, which fluctuates by a tenth."""

    gain: float = 20.0
    """Grey levels a photon."""

    def __post_init__(self) -> None:
        for name, (low, high) in LIMITS.items():
            check_in_range(name, getattr(self, name), low, high)
        _ = self.of_activity  # checks what is not checked above

    @property
    def of_activity(self) -> TwoPhotonParams:
        """Return what draws traces of as many cells."""
        names = ("n_frames", "n_rows", "n_cols", "rate_hz", "pixel_size_um", "gain")
        return TwoPhotonParams(
            **{name: getattr(self, name) for name in names},
            n_cells=self.n_processes,
            cell_photons=self.photons,
            background_photons=self.background_photons,
            cell_radius_um=1.0,
            dff_per_spike=0.5,
        )


@dataclass(frozen=True, kw_only=True)
class SimulatedProcesses:
    """A movie of processes, and its truth."""

    movie: Movie
    """What was recorded, ``(n_frames, n_rows, n_cols)``."""

    footprints: sparse.csc_array
    """``(n_pixels, n_processes)``, each with maximum 1."""

    traces: NDArray[np.float64]
    """Grey levels of each process, ``(n_processes, n_frames)``."""


def simulate_processes(params: ProcessParams, *, rng: np.random.Generator) -> SimulatedProcesses:
    """Simulate a still movie of processes, all of which lie in the frame with their middle.

    Parameters
    ----------
    params : ProcessParams
        What the movie shows.
    rng : numpy.random.Generator
        Source of chance; one state gives one movie.

    Returns
    -------
    SimulatedProcesses
        The movie, in memory, and the truth.
    """
    columns = [_draw_process(params, rng) for _ in range(params.n_processes)]
    n_pixels = params.n_rows * params.n_cols
    footprints = sparse.csc_array(
        np.stack([*columns, np.zeros(n_pixels, np.float32)], axis=1)[:, : len(columns)]
    )
    activity = params.of_activity
    photons = draw_fluorescence(activity, draw_spikes(activity, rng), rng)
    course = slow_noise((params.n_frames, 1), time_s=NEUROPIL_S, rate_hz=params.rate_hz, rng=rng)
    light = params.background_photons * np.exp(0.1 * course) + (footprints @ photons).T
    frames = params.gain * rng.poisson(light).astype(np.float32)
    frames += rng.normal(100, 10, frames.shape).astype(np.float32)
    movie = Movie(
        source=frames.reshape(params.n_frames, params.n_rows, params.n_cols),
        rate_hz=params.rate_hz,
        pixel_size_um=(params.pixel_size_um, params.pixel_size_um),
        name="simulated processes",
    )
    return SimulatedProcesses(movie=movie, footprints=footprints, traces=params.gain * photons)


def _draw_process(params: ProcessParams, rng: np.random.Generator) -> NDArray[np.float32]:
    """Draw a curved line with a soft edge and swellings, ``(n_pixels,)``."""
    length_px = params.length_um / params.pixel_size_um * rng.uniform(0.7, 1.3)
    n_steps = max(2, round(length_px / STEP_PX))
    turn = STEP_PX * params.pixel_size_um / params.turn_um
    angle = rng.uniform(0, 2 * np.pi) + np.cumsum(rng.normal(0, np.sqrt(turn), n_steps))
    path = np.cumsum(STEP_PX * np.stack([np.sin(angle), np.cos(angle)]), axis=1)
    size = np.array([params.n_rows, params.n_cols])
    path += (rng.uniform(0.15, 0.85, 2) * size)[:, np.newaxis] - path[:, [n_steps // 2]]
    width_steps = VARICOSITY_UM / params.pixel_size_um / STEP_PX
    swelling = gaussian_filter1d(rng.normal(size=n_steps), width_steps, mode="nearest")
    brightness = np.exp(params.varicosity * swelling / max(float(swelling.std()), 1e-9))
    rows, cols = np.indices((params.n_rows, params.n_cols)).reshape(2, -1)
    image = np.zeros(rows.size)
    width_px = params.width_um / params.pixel_size_um
    for (row, col), level in zip(path.T, brightness, strict=True):
        square = ((rows - row) ** 2 + (cols - col) ** 2) / width_px**2
        np.maximum(image, level * np.exp(-square / 2), out=image)
    image /= max(float(image.max()), 1e-9)
    return np.where(image > FAINTEST, image, 0).astype(np.float32)
