"""What the detector makes of the light."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.simulate.params import TwoPhotonParams

MAX_GREY = np.iinfo(np.uint16).max


@dataclass(frozen=True, kw_only=True, slots=True)
class Detector:
    """Photon noise, gain, read noise and offset; each frame has chance of its own."""

    params: TwoPhotonParams
    """Gain, read noise and offset."""

    seed: int
    """Together with its number, what the noise of a frame depends on."""

    def expose(self, frames: slice, light: NDArray[np.float32]) -> NDArray[np.uint16]:
        """Turn noiseless grey levels into a recording."""
        recorded = np.empty(light.shape, np.uint16)
        for offset, image in enumerate(light):
            rng = np.random.default_rng([self.seed, frames.start + offset])
            recorded[offset] = self._expose_frame(image, rng)
        return recorded

    def _expose_frame(
        self, image: NDArray[np.float32], rng: np.random.Generator
    ) -> NDArray[np.float32]:
        """Expose one frame."""
        gain = self.params.gain
        grey = np.float32(gain) * rng.poisson(image / gain).astype(np.float32)
        grey += np.float32(self.params.read_noise) * rng.standard_normal(image.shape, np.float32)
        grey += np.float32(self.params.offset)
        return np.asarray(np.clip(np.rint(grey), 0, MAX_GREY))
