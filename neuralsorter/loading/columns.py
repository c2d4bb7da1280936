"""Tables and matrices whose columns have names of their own: what each might be, and reading them so."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from neuralsorter.errors import DataError, LoadError
from neuralsorter.spike_dict import from_columns
from neuralsorter.spikes import DEFAULT_RATE_HZ, Spikes

from .apart import parsed_apart
from .codes import from_vendor

FIELDS = ("Waveforms", "ChannelID", "UnitID", "TimeStamps", "ExperimentID")
SUFFIXES = (".csv", ".tsv", ".parquet", ".mat")
_FEWEST_SAMPLES = 5
_MOST_CHANNELS, _MOST_UNITS = 2048, 256
_NUMBERED = re.compile(r"(.*?)(\d+)")
_HINTS = {  # in the order they are tried; letters only, small
    "TimeStamps": ("timestamp", "spiketime", "time", "ts", "tms", "tsec", "sampleindex", "frame", "t"),
    "ChannelID": ("channel", "electrode", "chan", "elec", "tetrode", "site", "probe", "ch", "el"),
    "UnitID": ("unit", "cluster", "clu", "neuron", "cell", "class", "sortcode", "label", "id"),
    "ExperimentID": ("experiment", "recording", "session", "file"),
}
_REMEDY = "Name its columns, as in --columns Waveforms=w*,ChannelID=probe,TimeStamps=t"


@dataclass(frozen=True)
class Assignment:
    """Which column is what.

    Attributes
    ----------
    fields : dict
        {our name: their name} for Waveforms, ChannelID, UnitID, TimeStamps, ExperimentID; all but Waveforms may be
        missing. `w*` means the columns w0, w1 ... in the order of their numbers.
    sampling_rate : float
        Hz.
    pre_samples : int or None
        Samples before the crossing; 1 ms worth unless given.
    uv_per_unit, seconds_per_unit : float
        What a number of the waveforms and of the times is worth.

    """

    fields: Mapping[str, str] = field(default_factory=dict)
    sampling_rate: float = DEFAULT_RATE_HZ
    pre_samples: int | None = None
    uv_per_unit: float = 1.0
    seconds_per_unit: float = 1.0


def propose(path: str | Path) -> tuple[Assignment, pd.DataFrame]:
    """Return what each column might be, and what there is: name, shape, examples. Read in a process of its own.

    Parameters
    ----------
    path : str or Path
        CSV, TSV, Parquet or MATLAB.

    """
    told, table = _apart("proposed", path)
    return Assignment(**told), table


def load_as(path: str | Path, assignment: Assignment) -> Spikes:
    """Read a table or MATLAB file with its columns assigned; unit 0 becomes *unsorted*, as it is in other programs.

    Raises
    ------
    LoadError
        When a column is not there or does not fit.

    """
    spikes: Spikes = _apart("read", path, asdict(assignment))
    return spikes


def proposed(path: str) -> tuple[dict[str, Any], pd.DataFrame]:
    """Propose in this process: what the worker runs."""
    columns = _columns(Path(path))
    return asdict(guess(columns)), _listed(columns)


def read(path: str, told: dict[str, Any]) -> Spikes:
    """Read in this process: what the worker runs."""
    file = Path(path)
    try:
        return assigned(_columns(file), Assignment(**told), path)
    except DataError as error:
        raise LoadError(file, str(error).rstrip("."), _REMEDY) from None


def guess(columns: Mapping[str, NDArray[Any]]) -> Assignment:
    """Return the likeliest meaning of columns: by name first, then by what they hold."""
    fields: dict[str, str] = {}
    waves = _waveforms(columns)
    if waves:
        fields["Waveforms"] = waves
    n = _length(columns, waves)
    free = {name: values for name, values in columns.items() if not _belongs(name, waves)}
    flat = {name: v.ravel() for name, v in free.items() if v.size == n and v.dtype.kind in "biuf"}
    for ours, words in _HINTS.items():
        named = [name for word in words for name in flat if _letters(name).startswith(word)]
        fitting = [name for name in dict.fromkeys(named) if name not in fields.values() and _could_be(ours, flat[name])]
        if fitting:
            fields[ours] = fitting[0]
    for name, values in flat.items():
        if "TimeStamps" not in fields and name not in fields.values() and _rises(values):
            fields["TimeStamps"] = name
    rate = _scalar(columns, ("samplingrate", "rate", "sr", "fs", "samplefreq"), DEFAULT_RATE_HZ)
    return Assignment(fields, rate, None, 1.0, _seconds_per_unit(fields.get("TimeStamps", ""), rate))


def assigned(columns: Mapping[str, NDArray[Any]], assignment: Assignment, path: str) -> Spikes:
    """Return the events of columns with their meaning."""
    unknown = set(assignment.fields) - set(FIELDS)
    if unknown:
        raise DataError(f"Columns can be {', '.join(FIELDS)}. Got {min(unknown)}")
    waves = assignment.fields.get("Waveforms", "")
    if not waves:
        raise DataError("No column is assigned to Waveforms")
    raw = _matrix(columns, waves)
    plain: dict[str, Any] = {}
    for ours, theirs in assignment.fields.items():
        if ours == "Waveforms" or not theirs:
            continue
        if theirs not in columns:
            raise DataError(f"There is no column {theirs!r} for {ours}; there are {', '.join(list(columns)[:12])}")
        plain[ours] = columns[theirs].ravel()
    lengths = {len(values) for values in plain.values()}
    if raw.ndim == 2 and lengths == {raw.shape[1]} and raw.shape[0] != raw.shape[1]:
        raw = raw.T  # a row per sample, as MATLAB often has it
    plain.setdefault("ChannelID", np.ones(len(raw), np.int32))
    spikes = from_columns(
        plain | {"Waveforms": np.ascontiguousarray(raw, np.float32)},
        assignment.sampling_rate, assignment.pre_samples, assignment.uv_per_unit, assignment.seconds_per_unit,
        sources=(path,),
    )  # fmt: skip
    if "UnitID" not in plain:
        return spikes
    unit, labels = from_vendor(spikes.channel, np.array(spikes.unit), unclassified=0, noise=None)
    return Spikes(**{**spikes.__dict__, "unit": unit, "labels": labels})


def _apart(function: str, path: str | Path, *more: Any) -> Any:
    from . import require_readable

    place = Path(path).absolute()
    require_readable(place)
    if place.suffix.lower() not in SUFFIXES:
        raise LoadError(place, "is no table", f"Columns can be assigned in {', '.join(SUFFIXES)}")
    target = f"neuralsorter.loading.columns:{function}"
    return parsed_apart(target, place, *more)


def _columns(path: Path) -> dict[str, NDArray[Any]]:
    """Return every column or matrix of numbers or text by name."""
    if path.suffix.lower() == ".mat":
        from .matlab import variables_in

        found = {name: np.asarray(value) for name, value in variables_in(path).items()}
        return {name: value for name, value in found.items() if value.dtype.kind in "biufU" and value.size}
    from .table import table_in

    table = table_in(path)
    return {str(name): _stacked(table[name]) for name in table}


def _stacked(column: pd.Series[Any]) -> NDArray[Any]:
    """Return a column; one of equally long lists as a matrix."""
    if column.dtype == object and len(column) and isinstance(column.iloc[0], np.ndarray | list):
        lengths = {len(value) if isinstance(value, np.ndarray | list) else -1 for value in column}
        if len(lengths) == 1:
            return np.stack([np.asarray(value) for value in column])
    return np.asarray(column.to_numpy())


def _listed(columns: Mapping[str, NDArray[Any]]) -> pd.DataFrame:
    rows = [
        {
            "column": name,
            "shape": " x ".join(map(str, values.shape)),
            "kind": {"U": "text", "O": "text", "f": "numbers", "b": "yes or no"}.get(
                values.dtype.kind, "whole numbers"
            ),
            "examples": ", ".join(_short(value) for value in values.ravel()[:4].tolist()),
        }
        for name, values in columns.items()
    ]
    return pd.DataFrame(rows, columns=["column", "shape", "kind", "examples"])


def _short(value: Any) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)[:24]


def _waveforms(columns: Mapping[str, NDArray[Any]]) -> str:
    """Return the name of the widest matrix, or of the longest run of numbered columns, as `w*`."""
    matrices = {n: v for n, v in columns.items() if v.ndim >= 2 and min(v.shape) > 1 and v.dtype.kind in "iuf"}
    if matrices:
        return max(matrices, key=lambda name: matrices[name].size)
    runs: dict[str, int] = {}
    for name, values in columns.items():
        match = _NUMBERED.fullmatch(name.strip())
        if match and values.dtype.kind in "iuf":
            runs[match.group(1)] = runs.get(match.group(1), 0) + 1
    stem = max(runs, key=lambda name: runs[name], default="")
    return f"{stem}*" if runs.get(stem, 0) >= _FEWEST_SAMPLES else ""


def _belongs(name: str, waves: str) -> bool:
    if waves.endswith("*"):
        match = _NUMBERED.fullmatch(name.strip())
        return bool(match and match.group(1) == waves[:-1])
    return name == waves


def _matrix(columns: Mapping[str, NDArray[Any]], waves: str) -> NDArray[Any]:
    if not waves.endswith("*"):
        if waves not in columns or columns[waves].ndim < 2:
            raise DataError(f"There is no matrix {waves!r} for Waveforms; there are {', '.join(list(columns)[:12])}")
        return columns[waves]
    names = [name for name in columns if _belongs(name, waves)]
    if not names:
        raise DataError(f"There are no columns {waves} for Waveforms; there are {', '.join(list(columns)[:12])}")
    names.sort(key=lambda name: int(_NUMBERED.fullmatch(name.strip()).group(2)))  # type: ignore[union-attr]  # all match
    return np.stack([columns[name] for name in names], axis=1)


def _length(columns: Mapping[str, NDArray[Any]], waves: str) -> int:
    """Return the number of events: rows of the waveforms, or their columns where vectors have that length."""
    if not waves or waves.endswith("*"):
        return max((len(values) for values in columns.values()), default=0)
    rows, width = columns[waves].shape[:2]
    sizes = [values.size for name, values in columns.items() if name != waves]
    return width if sizes.count(width) > sizes.count(rows) else rows


def _letters(name: str) -> str:
    return re.sub(r"[^a-z]", "", name.casefold())


def _could_be(ours: str, values: NDArray[Any]) -> bool:
    if ours == "TimeStamps":
        return True
    whole = values.dtype.kind in "biu" or bool(np.isfinite(values).all() and (values == np.floor(values)).all())
    if not whole or not len(values) or values.min() < -1:
        return False
    return len(np.unique(values)) <= (_MOST_CHANNELS if ours == "ChannelID" else _MOST_UNITS)


def _rises(values: NDArray[Any]) -> bool:
    return (
        values.dtype.kind in "iuf" and len(np.unique(values)) > len(values) // 2 and bool((np.diff(values) >= 0).all())
    )


def _seconds_per_unit(name: str, rate: float) -> float:
    told = re.sub(r"[^a-z]+", "_", name.casefold()).strip("_").split("_")
    if {"sample", "samples", "frame", "frames", "index"} & set(told):
        return 1 / rate
    return 1e-3 if {"ms", "msec"} & set(told) else 1e-6 if {"us", "usec"} & set(told) else 1.0


def _scalar(columns: Mapping[str, NDArray[Any]], names: Sequence[str], default: float) -> float:
    for name, values in columns.items():
        one = values.ravel()[:1]
        if _letters(name) in names and values.dtype.kind in "iuf" and (values == one).all() and one[0] > 0:
            return float(one[0])
    return default
