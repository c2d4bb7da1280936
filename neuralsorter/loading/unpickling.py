"""Pickles of others: lists, numbers and numpy arrays, and nothing that could run."""

from __future__ import annotations

import importlib
import io
import pickle
import re
from collections.abc import Iterator
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

_CONTAINERS = (
    "list",
    "dict",
    "tuple",
    "set",
    "frozenset",
    "bytearray",
    "complex",
    "int",
    "float",
    "str",
    "bytes",
    "bool",
)
_ALLOWED = {("builtins", name) for name in _CONTAINERS}
_ALLOWED |= {("collections", "OrderedDict"), ("collections", "defaultdict"), ("_codecs", "encode")}
_ALLOWED |= {("numpy", "dtype"), ("numpy", "ndarray")}
for _core in ("numpy.core", "numpy._core"):  # before and after NumPy 2
    _ALLOWED |= {(f"{_core}.multiarray", "_reconstruct"), (f"{_core}.multiarray", "scalar")}
    _ALLOWED |= {(f"{_core}.numeric", "_frombuffer")}


class PlainUnpickler(pickle.Unpickler):
    """An unpickler that builds containers, numbers and numpy arrays, and refuses every other name."""

    def find_class(self, module: str, name: str) -> Any:
        """Return an allowed class or function."""
        if module == "__builtin__":  # Python 2
            module = "builtins"
        if (module, name) not in _ALLOWED:
            raise pickle.UnpicklingError(f"{module}.{name} is not allowed in a spike_dict")
        return getattr(importlib.import_module(module.replace("numpy.core", "numpy._core")), name)

    def persistent_load(self, pid: Any) -> Any:
        """Refuse: a persistent id names something outside the file."""
        raise pickle.UnpicklingError(f"the persistent id {pid!r} is not allowed in a spike_dict")


def plain(file: BinaryIO, rows: str) -> Any:
    """Return what a pickle holds; a long list of small arrays in the dictionary's entry `rows` comes as one array.

    A million small arrays cost the unpickler over a kilobyte each. So they are taken out of the stream on its way in,
    as the bytes they are, and numbers put in their place. Where the count is wrong then, the pickle is read as it is.
    """
    start = file.tell()
    try:
        value = _thinned(file, rows)
    except MemoryError:
        raise
    except Exception:  # noqa: BLE001 - a damaged pickle raises anything; what is wrong with it is said below
        value = None
    if value is None:
        file.seek(start)
        value = PlainUnpickler(file, encoding="latin1").load()
    return value


def _thinned(file: BinaryIO, rows: str) -> Any:
    thin = _Thin(file)
    unpickler = _RowUnpickler(io.BufferedReader(thin, _PIECE), encoding="latin1")
    value = unpickler.load()
    if isinstance(value, np.ndarray) and value.size == 1:  # numpy.save makes an array of the dictionary
        value = value.item()
    listed = value.get(rows) if isinstance(value, dict) else None
    if not isinstance(listed, list) or unpickler.form is None:
        return None
    value[rows] = _one_array(listed, thin, *unpickler.form)
    return None if value[rows] is None else value


def _one_array(listed: list[Any], thin: _Thin, dtype: Any, shape: Any) -> NDArray[Any] | None:
    """Return the rows taken out, behind the first ones, which were not: they say what the others refer to."""
    first = len(listed) - thin.count
    if first < 0 or listed[first:] != list(range(thin.count)) or not isinstance(dtype, np.dtype):
        return None  # some were taken out of another list, or stand twice in this one
    if not all(isinstance(row, np.ndarray) and (row.dtype, row.shape) == (dtype, shape) for row in listed[:first]):
        return None
    thin.taken[:0] = b"".join(row.tobytes() for row in listed[:first])
    if dtype.kind not in "biuf":
        return None
    flat = np.frombuffer(thin.taken, dtype)
    return (_narrowed(flat) if dtype == np.float64 else flat).reshape(len(listed), *shape)


def _narrowed(values: NDArray[np.float64]) -> NDArray[np.float32]:
    """Return values as float32 in the memory they are in."""
    narrow = values.view(np.float32)[: len(values)]
    for start in range(0, len(values), _PIECE):
        narrow[start : start + _PIECE] = values[start : start + _PIECE]
    return narrow


class _RowUnpickler(PlainUnpickler):
    """Builds what `_Thin` leaves of a pickle; the first row taken out says type and shape of all."""

    form: tuple[Any, Any] | None = None

    def persistent_load(self, pid: Any) -> Any:
        """Return the number of the first row taken out."""
        if self.form is not None or not isinstance(pid, tuple):
            return super().persistent_load(pid)
        dtype, shape, number = pid
        self.form = dtype, shape
        return number


# One small array as pickle protocols 3 and 4 write it, and as 5 does; what is put in the memo is kept.
_PUT, _GET, _SIZE = rb"(\x94|q.|r.{4})", rb"(?:h.|j.{4})", rb"(?:K.|M..)"
_SHAPE, _DTYPE = rb"(?P<shape>%s(?:\x85|%s\x86))" % (_SIZE, _SIZE), rb"(?P<dtype>%s)" % _GET
_KINDS = (
    (_GET + _GET + rb"K\x00\x85" + _PUT + _GET + rb"\x87" + _PUT + b"R" + _PUT + rb"\(K\x01" + _SHAPE + _PUT + _DTYPE
     + rb"\x89", _PUT + b"t" + _PUT + b"b"),
    (_GET + rb"\(", _PUT + _DTYPE + _SHAPE + _PUT + _GET + b"t" + _PUT + b"R" + _PUT),
)  # fmt: skip
_LENGTHS = {b"C": 1, b"B": 4, b"\x96": 8, b"X": 4, b"\x8d": 8, b"\x8e": 8}  # bytes of the length behind these codes
_BYTES = rb"(?P<code>C(?=(?P<n1>.))|B(?=(?P<n4>.{4}))|\x96(?=(?P<n8>.{8})))"
_FRAME, _FRAMED_FROM = b"\x95", 4
_PIECE = 1 << 20
_SMALLEST, _LARGEST = 16, 1 << 16  # bytes of a row worth taking out
_BATCH = 1000  # rows a pickle writes between two marks


class _Thin(io.RawIOBase):
    """A pickle without its frames and without the bytes of its rows, which go to `taken`."""

    def __init__(self, file: BinaryIO) -> None:
        self.taken, self.count, self._form = bytearray(), 0, b""
        self._pieces, self._waiting = self._thin(_unframed(file)), memoryview(b"")

    def readable(self) -> bool:
        """Tell that this can be read."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Fill a buffer with what comes next."""
        while not self._waiting:
            piece = next(self._pieces, None)
            if piece is None:
                return 0
            self._waiting = memoryview(piece)
        n = min(len(buffer), len(self._waiting))
        buffer[:n], self._waiting = self._waiting[:n], self._waiting[n:]
        return n

    def _thin(self, pieces: Iterator[bytes]) -> Iterator[bytes]:
        row, rest = None, b""
        for piece in pieces:
            rest += piece
            row = row or _row_in(rest)
            if row is None:
                yield rest[:-_LARGEST]
                rest = rest[-_LARGEST:]
                continue
            out, at = [], 0
            while found := row.search(rest, at):
                n, instead = self._take(found)
                out += [rest[at : found.start()], instead]
                at = found.start() + n * len(found[0])
            keep = max(at, len(rest) - 2 * _LARGEST)
            yield b"".join([*out, rest[at:keep]])
            rest = rest[keep:]
        yield rest

    def _take(self, found: re.Match[bytes]) -> tuple[int, bytes]:
        """Take the bytes of a row and of those like it that follow; return how many, and what to read instead.

        That is the number of each among all, and what it puts into the memo; the first brings its type and shape.
        """
        form = found["dtype"] + found["shape"]
        if self._form not in {b"", form}:
            return 1, found[0]
        block, samples, puts = _alike(found)
        if not self._form:
            block, self._form = block[:1], form
        self.taken += np.ascontiguousarray(block[:, samples]).tobytes()
        n = len(block)
        numbers = np.arange(self.count, self.count + n, dtype="<u4").view(np.uint8).reshape(n, 4)
        made = np.concatenate([np.full((n, 1), ord("J"), np.uint8), numbers, block[:, puts]], axis=1).tobytes()
        instead = made if self.count else form + made[:5] + b"\x87Q" + made[5:]
        self.count += n
        return n, instead


def _alike(found: re.Match[bytes]) -> tuple[NDArray[np.uint8], slice, list[int]]:
    """Return the rows from one on that differ in samples and places in the memo alone, and which bytes these are."""
    length, start = len(found[0]), found.start()
    count = min((len(found.string) - start) // length, _BATCH)
    block = np.frombuffer(found.string, np.uint8, count * length, start).reshape(count, length)
    named = set(found.re.groupindex.values())
    spans = [(first - start, last - start) for i, (first, last) in enumerate(found.regs) if i and i not in named]
    first, last = found.span("bytes")
    samples = slice(first - start, last - start)
    free = np.zeros(length, bool)
    free[samples] = True
    for first, last in spans:
        free[first + 1 : last] = True
    differs = (block[:, ~free] != block[0, ~free]).any(axis=1)
    n = int(differs.argmax()) if differs.any() else count
    return block[:n], samples, [column for first, last in spans for column in range(first, last)]


def _row_in(piece: bytes) -> re.Pattern[bytes] | None:
    """Return the pattern of the rows of the length that is the first in a piece."""
    for head, end in _KINDS:
        for found in re.finditer(head + _BYTES, piece, re.DOTALL):
            told = found["n1"] or found["n4"] or found["n8"]
            n = int.from_bytes(told, "little")
            if _SMALLEST <= n <= _LARGEST:
                row = re.compile(head + re.escape(found["code"] + told) + b"(?P<bytes>.{%d})" % n + end, re.DOTALL)
                if row.match(piece, found.start()):
                    return row
    return None


def _unframed(file: BinaryIO) -> Iterator[bytes]:
    """Yield a pickle in pieces, without the frames that protocol 4 and later cut it into."""
    head = file.read(2)
    yield head
    if head[1:] < bytes([_FRAMED_FROM]):
        yield from iter(lambda: file.read(_PIECE), b"")
        return
    while code := file.read(1):
        length = b"" if code == b"." else file.read(8 if code == _FRAME else _LENGTHS[code])
        if code != _FRAME:  # what is too large for a frame lies between two
            yield code + length
        left = int.from_bytes(length, "little")
        while left and (piece := file.read(min(left, _PIECE))):
            left -= len(piece)
            yield piece
