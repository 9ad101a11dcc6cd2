"""The cells as they are being found."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from pipeline.scratch import some_rows


class Cells(NamedTuple):
    """What is known of the cells."""

    footprints: sparse.csc_array
    """``(n_pixels, n_rois)``."""

    calcium: NDArray[np.float32]
    """``(n_rois, n_frames)``."""

    @property
    def shine(self) -> bool:
        """Whether any of them has a course."""
        return any(self.calcium[rows].any() for rows in some_rows(self.calcium))

    def peaks(self) -> NDArray[np.float32]:
        """Return the highest value that a cell reaches at each pixel, ``(n_pixels,)``."""
        highest = np.zeros(len(self.calcium), np.float32)
        for rows in some_rows(self.calcium):
            highest[rows] = self.calcium[rows].max(axis=1, initial=0)
        known = np.zeros(self.footprints.shape[0], np.float32)
        entries = sparse.coo_array(self.footprints @ sparse.diags_array(highest))
        np.maximum.at(known, entries.row, entries.data)
        return known
