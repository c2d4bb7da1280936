"""The `.npz` interchange format: plain arrays, checked before they are read, never pickled."""

from __future__ import annotations

import errno
import json
import re
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from tokenize import TokenError
from typing import Any, ClassVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from neuralsorter.errors import DataError, LoadError
from neuralsorter.plugins import Loader
from neuralsorter.spike_dict import COLUMNS, from_columns
from neuralsorter.spikes import DEFAULT_RATE_HZ, Spikes, empty_channels, empty_triggers

REQUIRED = ("ChannelID", "Waveforms")
EXTRA = ("Segment", "SamplingRate", "PreSamples", "UnitLabels", "ChannelTable", "TriggerTable", "Sources")

_FREE_BYTES = 64 << 20  # what even the best packed array may unpack to
_MOST_PACKED = 200  # spike waveforms pack to a half; a file packed tighter than this is a trap
_REMEDY = "Save it with numpy.savez and the arrays of docs/formats.md"


class NpzLoader(Loader):
    """NeuralSorter's interchange file: the six columns as arrays, µV and seconds."""

    suffixes: ClassVar[tuple[str, ...]] = (".npz",)

    def load(self, path: Path) -> Spikes:
        """Return the rows in file order."""
        try:
            arrays = _read(path)
        # What zipfile raises for damage: NotImplementedError for a compression it does not know, RuntimeError for a
        # member that claims to be encrypted.
        except (zipfile.BadZipFile, NotImplementedError, EOFError, RuntimeError, UnicodeError, zlib.error) as cause:
            raise LoadError(path, f"is not a whole .npz file ({cause})", "Save or copy it again") from None
        except OSError as cause:
            if cause.errno != errno.EINVAL:
                raise
            raise LoadError(path, "is not a whole .npz file (it points before its start)", "Copy it again") from None
        columns = {name: arrays[name] for name in COLUMNS if name in arrays}
        rate = _scalar(path, arrays, "SamplingRate", DEFAULT_RATE_HZ)
        pre = _scalar(path, arrays, "PreSamples", None)
        rest: dict[str, Any] = {"labels": _labels(path, arrays), "sources": _sources(path, arrays)}
        rest["channels"] = table_in(path, arrays, "ChannelTable", empty_channels())
        rest["triggers"] = table_in(path, arrays, "TriggerTable", empty_triggers())
        if "Segment" in arrays:
            rest["segment"] = arrays["Segment"]
        try:
            return from_columns(columns, rate or 0.0, None if pre is None else round(pre), **rest)
        except DataError as error:
            raise LoadError(path, str(error).rstrip("."), "Correct the array and save the file again") from None


def _read(path: Path) -> dict[str, NDArray[Any]]:
    """Check what every array declares against the bytes there, then read."""
    with zipfile.ZipFile(path) as archive:
        members = {info.filename.removesuffix(".npy"): info for info in archive.infolist()}
        missing = [name for name in REQUIRED if name not in members]
        if missing:
            found = ", ".join(sorted(members)[:12]) or "nothing"
            raise LoadError(path, f"lacks the arrays {' and '.join(missing)} (it holds {found})", _REMEDY)
        wanted = [name for name in (*COLUMNS, *EXTRA) if name in members]
        for name in wanted:
            _check_member(path, archive, members[name], name)
        return {name: _read_member(archive, members[name]) for name in wanted}


def _check_member(path: Path, archive: zipfile.ZipFile, info: zipfile.ZipInfo, name: str) -> None:
    if info.file_size > _FREE_BYTES + _MOST_PACKED * info.compress_size:
        packed = f"unpacks from {info.compress_size} to {info.file_size} bytes"
        raise LoadError(path, f"holds an array {name} that {packed}", "Do not open it: it is made to fill the memory")
    with archive.open(info) as member:
        try:
            version = np.lib.format.read_magic(member)
            read_header = (
                np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
            )
            shape, _, dtype = read_header(member)
        except (ValueError, SyntaxError, TokenError) as cause:  # a header is text of Python's to numpy
            told = cause.args[0] if cause.args else type(cause).__name__
            raise LoadError(path, f"holds {name}, which is no array ({told})", _REMEDY) from None
        if dtype.hasobject:
            raise LoadError(path, f"holds Python objects in {name}, which could run code", _REMEDY)
        declared = dtype.itemsize * int(np.prod(shape, dtype=object)) if shape else dtype.itemsize
        there = info.file_size - member.tell()
    if declared != there:
        raise LoadError(path, f"declares {declared} bytes of {name}, but {there} are there", "Save or copy it again")


def _read_member(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> NDArray[Any]:
    with archive.open(info) as member:
        array: NDArray[Any] = np.lib.format.read_array(member, allow_pickle=False)
        return array


def _scalar(path: Path, arrays: dict[str, NDArray[Any]], name: str, default: float | None) -> float | None:
    if name not in arrays:
        return default
    value = arrays[name]
    if value.size != 1 or value.dtype.kind not in "iuf" or not np.isfinite(value).all():
        raise LoadError(path, f"must hold one number in {name}", _REMEDY)
    return float(value.item())


def _json(path: Path, arrays: Mapping[str, NDArray[Any]], name: str) -> Any:
    value = arrays[name]
    try:
        return json.loads(str(value.item()))
    except (ValueError, RecursionError):
        raise LoadError(path, f"must hold one JSON string in {name}", _REMEDY) from None


def _labels(path: Path, arrays: dict[str, NDArray[Any]]) -> dict[tuple[int, int], str]:
    """Read {"channel": {"unit": "label"}}, or the two numbers in one key, such as "3,1"."""
    if "UnitLabels" not in arrays:
        return {}
    try:
        table = _json(path, arrays, "UnitLabels")
        nested = {key: told for key, told in table.items() if isinstance(told, dict)}
        labels = {(int(c), int(u)): str(text) for c, units in nested.items() for u, text in units.items()}
        for key in table.keys() - nested.keys():
            channel, unit = re.findall(r"\d+", key)
            labels[int(channel), int(unit)] = str(table[key])
        return labels  # noqa: TRY300 - the whole of it may raise
    except (AttributeError, TypeError, ValueError):
        example = '{"channel": {"unit": "label"}}'
        raise LoadError(path, f"must hold {example} in UnitLabels", _REMEDY) from None


def _sources(path: Path, arrays: dict[str, NDArray[Any]]) -> tuple[str, ...]:
    if "Sources" not in arrays:
        return (str(path),)
    names = _json(path, arrays, "Sources")
    return tuple(str(name) for name in names) if isinstance(names, list) else (str(path),)


def table_in(path: Path, arrays: Mapping[str, NDArray[Any]], name: str, empty: pd.DataFrame) -> pd.DataFrame:
    """Read {"column": [values]}; columns that the empty table has must be there and hold numbers."""
    if name not in arrays:
        return empty
    try:
        table = pd.DataFrame(_json(path, arrays, name))
        return table.astype({column: empty[column].dtype for column in empty})
    except MemoryError:
        raise
    except Exception:  # noqa: BLE001 - pandas, and what it stands on, raises anything on a damaged table
        raise LoadError(path, f"must hold a JSON table with {', '.join(map(str, empty))} in {name}", _REMEDY) from None
