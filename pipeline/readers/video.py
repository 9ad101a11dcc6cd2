"""Videos in AVI and Matroska (MKV), as miniscopes write them: grey, any codec of OpenCV's FFmpeg.

The container is walked before anything decodes the file: its frames are counted, and what is no
video, as a list of other files, never reaches the decoder.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.readers.avi import count_avi_frames
from pipeline.readers.header_values import MAX_LENGTH, check_rate
from pipeline.readers.matroska import matroska_times_s
from pipeline.readers.registry import register_reader
from pipeline.readers.stack import Stack

GRAY_16 = int.from_bytes(b"Y1\0\x10", "little")
DEPTHS = range(9, 33)
"""Bits of a pixel that would be cut to 8, where a format tells them in its last byte."""
LETTER = 32
MAX_TINT = 16
"""Grey levels by which the colours of a grey video may differ, from its compression."""
HALF_FRAME = 0.5
MAX_PX = 1 << 28
COLOUR_NDIM = 3


class VideoArray:
    """Frames that are decoded when they are asked for, while their file is open."""

    def __init__(self, path: Path, n_frames: int) -> None:
        """Decode the first frame, which tells size and type.

        Raises
        ------
        ValueError
            If no codec decodes it, or the video is in colour or has a depth that would be cut.
        """
        self._path = path.resolve()
        self._is_deep = False
        self._lock = threading.Lock()
        with self._opened() as video:
            self._is_deep = _is_deep(video, path.name)
            self.rate_hz = video.get(cv2.CAP_PROP_FPS)
            n_px = video.get(cv2.CAP_PROP_FRAME_WIDTH) * video.get(cv2.CAP_PROP_FRAME_HEIGHT)
            if not 0 < n_px <= MAX_PX:
                raise ValueError(f"{path.name} is damaged: its frames have {n_px:.3g} pixels.")
        with self._opened() as video:
            frame = self._decode(video, 0)
        self.shape: tuple[int, ...] = (n_frames, *frame.shape[:2])
        self.dtype = frame.dtype
        _refuse_colour(frame, path.name)

    def __getitem__(self, index: tuple[slice, slice, slice]) -> NDArray[Any]:
        frames = range(*index[0].indices(self.shape[0]))
        rows, cols = (range(*s.indices(n)) for s, n in zip(index[1:], self.shape[1:], strict=True))
        block = np.empty((len(frames), len(rows), len(cols)), self.dtype)
        if not frames:
            return block
        with self._lock, self._opened() as video:
            self._seek(video, frames[0])
            for place, number in enumerate(range(frames[0], frames[-1] + 1)):
                if place % frames.step:
                    video.grab()
                    continue
                block[place // frames.step] = self._gray(video, number)[index[1], index[2]]
        return block

    @contextmanager
    def _opened(self) -> Iterator[cv2.VideoCapture]:
        """Open the video for a while."""
        options = [cv2.CAP_PROP_N_THREADS, 1]
        options += [cv2.CAP_PROP_CONVERT_RGB, 0] if self._is_deep else []
        video = cv2.VideoCapture(str(self._path), cv2.CAP_FFMPEG, options)
        try:
            if not video.isOpened():
                raise ValueError(
                    f"{self._path.name} cannot be decoded: it is damaged, or its codec is not "
                    "known; save it as FFV1 with ffmpeg (-c:v ffv1)."
                )
            yield video
        finally:
            video.release()

    def _seek(self, video: cv2.VideoCapture, number: int) -> None:
        """Go to a frame, and refuse to be elsewhere."""
        if number and not (
            video.set(cv2.CAP_PROP_POS_FRAMES, number)
            and round(video.get(cv2.CAP_PROP_POS_FRAMES)) == number
        ):
            raise ValueError(
                f"frame {number} of {self._path.name} cannot be found; save the video as FFV1 in "
                "an AVI file with ffmpeg (-c:v ffv1)."
            )

    def _decode(self, video: cv2.VideoCapture, number: int) -> NDArray[Any]:
        is_read, frame = video.read()
        if not is_read or frame is None or frame.ndim not in (COLOUR_NDIM - 1, COLOUR_NDIM):
            raise ValueError(
                f"frame {number} of {self._path.name} cannot be decoded; the file is damaged: copy "
                "it again from where it was recorded."
            )
        decoded: NDArray[Any] = np.asarray(frame)
        return decoded

    def _gray(self, video: cv2.VideoCapture, number: int) -> NDArray[Any]:
        frame = self._decode(video, number)
        gray = (
            np.asarray(cv2.cvtColor(frame, cv2.COLOR_BGR2GRAY))
            if frame.ndim == COLOUR_NDIM
            else frame
        )
        if gray.shape != self.shape[1:] or gray.dtype != self.dtype:
            raise ValueError(
                f"frame {number} of {self._path.name} has {gray.shape} pixels and not "
                f"{self.shape[1:]} as the first; the file is damaged."
            )
        return gray


@register_reader(".avi", ".mkv")
def read_video(path: Path, item: str | None) -> list[Stack]:
    """Read a video of grey values.

    Parameters
    ----------
    path : Path
        The file.
    item : str or None
        Must be None: the file holds one video.

    Returns
    -------
    list of Stack
        One.

    Raises
    ------
    ValueError
        If the file is damaged or cut short, is in colour, or its frames are not evenly spaced.

    Notes
    -----
    Lossy codecs (MJPEG, XVID) have changed the pixels before they are read here; FFV1 and raw
    grey have not.
    """
    if item is not None:
        raise ValueError(f"{path.name} holds one video; leave out '::{item}'.")
    is_avi = path.suffix.lower() == ".avi"
    times_s = None if is_avi else matroska_times_s(path)
    n_frames = count_avi_frames(path) if times_s is None else len(times_s)
    if n_frames > MAX_LENGTH:
        raise ValueError(f"{path.name} is damaged: it speaks of {n_frames} frames.")
    array = VideoArray(path, n_frames)
    rate_hz = check_rate(array.rate_hz, path.name)
    _check_even(times_s, rate_hz, path.name)
    array[(slice(n_frames - 1, n_frames), slice(0, 1), slice(0, 1))]  # the last one is there
    return [
        Stack(
            name=path.name,
            array=array,
            axes="TYX",
            rate_hz=rate_hz,
            metadata={"origin": "AVI" if is_avi else "Matroska"},
            files=frozenset([path.resolve()]),
        )
    ]


def _is_deep(video: cv2.VideoCapture, name: str) -> bool:
    """Tell 16-bit grey, and refuse other depths, of which bits would be lost."""
    code = int(video.get(cv2.CAP_PROP_CODEC_PIXEL_FORMAT))
    bits, is_word = code >> 24, (code >> 16) & 0xFF >= LETTER
    if code == GRAY_16:
        return True
    if bits in DEPTHS and not is_word and bits % 8:
        raise ValueError(
            f"{name} has {bits} bits a pixel, which would be cut to 8; save it as 16-bit grey with "
            "ffmpeg (-pix_fmt gray16le -c:v ffv1)."
        )
    return False


def _refuse_colour(frame: NDArray[Any], name: str) -> None:
    """Refuse a frame whose colours differ by more than compression makes them."""
    if frame.ndim == COLOUR_NDIM and int(np.ptp(frame.astype(np.int16), axis=2).max()) > MAX_TINT:
        raise ValueError(
            f"{name} is not a movie of grey values but in colour; save the channel with the "
            "indicator as grey (ffmpeg -pix_fmt gray -c:v ffv1)."
        )


def _check_even(times_s: NDArray[np.float64] | None, rate_hz: float | None, name: str) -> None:
    """Refuse frames that are not evenly spaced: they could not be found by their number."""
    if times_s is None or rate_hz is None:
        return
    off_frames = np.abs((times_s - times_s[0]) * rate_hz - np.arange(len(times_s)))
    if off_frames.max() >= HALF_FRAME:
        raise ValueError(
            f"the frames of {name} are not evenly spaced (frame {int(off_frames.argmax())} is "
            f"{off_frames.max():.1f} frames off at {rate_hz:g} Hz): some were dropped, or the rate "
            "varies; save it with a constant rate with ffmpeg (-r RATE -c:v ffv1)."
        )
