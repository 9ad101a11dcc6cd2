"""Any part of a zlib stream, without unpacking what comes before it each time."""

import threading
import zlib
from pathlib import Path
from typing import Any, NamedTuple

MARK_BYTES = 1 << 23
"""A place to go on from is kept each so many unpacked bytes."""

PIECE_BYTES = 1 << 20


class Mark(NamedTuple):
    """A place from which unpacking can go on."""

    unpacked: int
    """Bytes that were unpacked before it."""

    packed: int
    """Bytes of the stream that were read before it."""

    tail: bytes
    """Bytes that were read and not used yet."""

    state: Any
    """The decompressor."""


class Inflated:
    """The unpacked bytes of a stream in a file; each mark keeps about 40 kB."""

    def __init__(self, path: Path, start: int, n_packed: int) -> None:
        """Remember where the stream lies."""
        self._path = path
        self._start = start
        self._n_packed = n_packed
        self._lock = threading.Lock()
        self._marks = [Mark(0, 0, b"", zlib.decompressobj())]

    def read(self, offset: int, n_bytes: int) -> bytearray:
        """Return unpacked bytes.

        Parameters
        ----------
        offset : int
            Unpacked bytes before them.
        n_bytes : int
            How many.

        Raises
        ------
        ValueError
            If the stream is damaged, or ends before.
        """
        with self._lock:
            return self._read(offset, n_bytes)

    def _read(self, offset: int, n_bytes: int) -> bytearray:
        mark = max((m for m in self._marks if m.unpacked <= offset), key=lambda m: m.unpacked)
        unpacked, packed, tail, state = *mark[:3], mark.state.copy()
        found = bytearray()
        with self._path.open("rb") as file:
            while unpacked < offset + n_bytes:
                if not tail:
                    file.seek(self._start + packed)
                    tail = file.read(min(PIECE_BYTES, self._n_packed - packed))
                    packed += len(tail)
                piece = self._unpack(state, tail)
                if not piece and not state.unconsumed_tail and packed >= self._n_packed:
                    raise ValueError(f"{self._path.name} is cut short: packed pixels are missing.")
                skipped = max(0, offset - unpacked)
                found += piece[skipped : offset + n_bytes - unpacked]
                unpacked += len(piece)
                tail = state.unconsumed_tail
                self._mark(Mark(unpacked, packed, tail, state))
        return found

    def _unpack(self, state: Any, packed: bytes) -> bytes:
        try:
            piece: bytes = state.decompress(packed, PIECE_BYTES)
        except zlib.error as error:
            raise ValueError(
                f"{self._path.name} is damaged ({error}); copy it again from where it was recorded."
            ) from error
        return piece

    def _mark(self, here: Mark) -> None:
        """Keep a place, where none is near before it."""
        if here.unpacked >= self._marks[-1].unpacked + MARK_BYTES and not here.state.eof:
            self._marks.append(here._replace(state=here.state.copy()))
