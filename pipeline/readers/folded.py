"""Lines of a scan, one after the other, folded into frames."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.readers.inflate import Inflated


class InflatedLines:
    """Lines of an image that is packed in the file."""

    def __init__(self, content: Inflated, dtype: np.dtype[Any], offset: int, shape: Any) -> None:
        """Remember where the pixels begin among the unpacked bytes."""
        self._content, self._offset = content, offset
        self.dtype, self.shape = dtype, shape

    def __getitem__(self, lines: slice) -> NDArray[Any]:
        first, stop, _ = lines.indices(self.shape[0])
        n_bytes = self.shape[1] * self.dtype.itemsize
        data = self._content.read(self._offset + first * n_bytes, (stop - first) * n_bytes)
        return np.frombuffer(data, self.dtype).reshape(-1, self.shape[1])


class FoldedFrames:
    """Lines of a scan as ``(n_frames, n_rows, n_cols)``."""

    def __init__(self, lines: Any, first: int, n_rows: int) -> None:
        """Fold the lines from the first one on; those of a frame that is not whole are left."""
        self._lines, self._first = lines, first
        self.shape = ((lines.shape[0] - first) // n_rows, n_rows, int(lines.shape[1]))
        self.dtype = np.dtype(lines.dtype)

    def __getitem__(self, index: tuple[slice, slice, slice]) -> NDArray[Any]:
        frames = range(*index[0].indices(self.shape[0]))
        if frames.step == 1:
            return self._read(frames)[:, index[1], index[2]]
        blocks = [self._read(range(n, n + 1))[:, index[1], index[2]] for n in frames]
        return np.concatenate(blocks)

    def _read(self, frames: range) -> NDArray[Any]:
        n_rows = self.shape[1]
        lines = slice(self._first + frames.start * n_rows, self._first + frames.stop * n_rows)
        return np.asarray(self._lines[lines]).reshape(len(frames), *self.shape[1:])
