"""Bytes of an edit: which rows, and their codes."""

from __future__ import annotations

import zlib

import numpy as np
from numpy.typing import NDArray

_CONSTANT, _VARYING = b"c", b"z"


def pack_rows(rows: NDArray[np.int64]) -> bytes:
    """Return sorted distinct rows as their first differences in the narrowest width, compressed."""
    steps = np.diff(rows, prepend=0)
    most = int(steps.max(initial=0))
    width = "1" if most < 1 << 8 else "2" if most < 1 << 16 else "4" if most < 1 << 32 else "8"
    return width.encode() + zlib.compress(steps.astype(f"<u{width}").tobytes(), 1)


def unpack_rows(data: bytes) -> NDArray[np.int64]:
    """Return what `pack_rows` packed."""
    return np.cumsum(np.frombuffer(zlib.decompress(data[1:]), f"<u{data[:1].decode()}"), dtype=np.int64)


def pack_codes(codes: NDArray[np.int32]) -> bytes:
    """Return codes as five bytes where all are equal, which is the usual case, else compressed."""
    if codes.size and (codes == codes[0]).all():
        return _CONSTANT + int(codes[0]).to_bytes(4, "little", signed=True)
    return _VARYING + zlib.compress(codes.astype("<i4").tobytes(), 1)


def unpack_codes(data: bytes, n: int) -> NDArray[np.int32]:
    """Return the `n` codes that `pack_codes` packed."""
    if data[:1] == _CONSTANT:
        return np.full(n, int.from_bytes(data[1:5], "little", signed=True), np.int32)
    return np.frombuffer(zlib.decompress(data[1:]), "<i4").astype(np.int32, copy=False)
