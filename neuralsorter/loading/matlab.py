"""MATLAB files: wave_clus, Spike2 WaveMark, our own columns, and matrices with telling names."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from neuralsorter.errors import DataError, LoadError
from neuralsorter.plugins import Loader
from neuralsorter.spike_dict import COLUMNS, from_columns
from neuralsorter.spikes import Spikes, empty_channels, empty_triggers

from .codes import from_vendor, unsorted_everywhere
from .hdf5 import opened
from .npz import table_in
from .remarks import remark

Variables = Mapping[str, Any]

_WAVE_CLUS_RATE, _WAVE_CLUS_PRE = 24_000.0, 20
_SPIKE2_RATE = 1e6 / 60  # the usual one where the export has left it out
_MS = 1e-3
_REMEDY = (
    "Say which is which (`neuralsorter info FILE --columns` lists them), or save the six columns of docs/formats.md"
)


class MatlabLoader(Loader):
    """MATLAB: wave_clus `*_spikes` and `times_*`, Spike2 WaveMark exports, or the six columns by name."""

    suffixes: ClassVar[tuple[str, ...]] = (".mat",)

    def load(self, path: Path) -> Spikes:
        """Return the rows in file order."""
        variables = variables_in(path)
        try:
            return _spikes(path, variables)
        except DataError as error:
            raise LoadError(path, str(error).rstrip("."), "Correct it and save the file again") from None


def _spikes(path: Path, variables: Variables) -> Spikes:
    mark = next((value for value in variables.values() if _is_wavemark(value)), None)
    if {"ChannelID", "Waveforms"} <= set(variables):
        return _own(path, variables)
    if mark is not None:
        return _wavemark(path, mark)
    if {"adc", "tspx"} <= set(variables):
        return _plain_wavemark(path, variables)
    if "spikes" in variables:
        return _wave_clus(path, variables)
    found = ", ".join(sorted(variables)[:12]) or "nothing"
    raise LoadError(path, f"holds no spikes under a name known here (it holds {found})", _REMEDY)


def variables_in(path: Path) -> dict[str, Any]:
    """Return the variables of a file of any version by name."""
    with path.open("rb") as file:
        if b"MATLAB 7.3" in file.read(128):
            return _read_hdf5(path)
    from scipy.io import loadmat

    try:
        content = loadmat(path, squeeze_me=False, struct_as_record=True, chars_as_strings=True)
    except MemoryError:
        raise
    except Exception as cause:
        if getattr(cause, "errno", None):
            raise
        raise LoadError(path, f"is not a whole MATLAB file ({cause})", "Save or copy it again") from None
    return {name: value for name, value in content.items() if not name.startswith("__")}


def _read_hdf5(path: Path) -> dict[str, Any]:
    """Return the matrices and structs of a version 7.3 file, turned as MATLAB shows them."""
    import h5py

    def value(item: Any) -> Any:
        if isinstance(item, h5py.Dataset):
            return item[()].T if item.dtype.kind in "biuf" else None
        return {name: value(item[name]) for name in item}

    with opened(path) as file:
        return {name: value(file[name]) for name in file if not name.startswith("#")}


def _field(struct: Any, *names: str) -> Any:
    """Return a field of a 1 x 1 struct in either version, None without it."""
    for name in names:
        if isinstance(struct, Mapping) and name in struct:
            return struct[name]
        if isinstance(struct, np.ndarray) and struct.dtype.names and name in struct.dtype.names and struct.size:
            return struct.ravel()[0][name]
    return None


def _number(value: Any, default: float) -> float:
    array = np.asarray(value)
    good = array.size == 1 and array.dtype.kind in "biuf"
    return float(array.ravel()[0]) if good else default


def _matrix(path: Path, value: Any, name: str) -> NDArray[Any]:
    array = np.asarray(value)
    if array.ndim != 2 or array.dtype.kind not in "biuf":
        raise LoadError(path, f"holds {name} as something else than a matrix of numbers", _REMEDY)
    return array


def _own(path: Path, variables: Variables) -> Spikes:
    columns = {name: np.asarray(variables[name]) for name in COLUMNS if name in variables}
    columns = {name: value if name == "Waveforms" else value.ravel() for name, value in columns.items()}
    rate = _number(variables.get("SamplingRate"), 20_000.0)
    pre = variables.get("PreSamples")
    rest: dict[str, Any] = {"sources": (str(path),), "labels": _labels(path, variables)}
    texts = {name: np.asarray(variables[name]) for name in ("ChannelTable", "TriggerTable") if name in variables}
    rest["channels"] = table_in(path, texts, "ChannelTable", empty_channels())
    rest["triggers"] = table_in(path, texts, "TriggerTable", empty_triggers())
    if "Segment" in variables:
        rest["segment"] = np.asarray(variables["Segment"]).ravel()
    return from_columns(columns, rate, None if pre is None else int(_number(pre, 0)), **rest)


def _labels(path: Path, variables: Variables) -> dict[tuple[int, int], str]:
    """Read the JSON list of {channel, unit, label} that we write."""
    value = np.asarray(variables.get("UnitLabels", "[]")).ravel()
    try:
        rows = json.loads(str(value[0])) if value.size and value.dtype.kind == "U" else []
        return {(int(row["channel"]), int(row["unit"])): str(row["label"]) for row in rows}
    except (KeyError, TypeError, ValueError):
        raise LoadError(path, "holds UnitLabels that are no list of channel, unit and label", _REMEDY) from None


def _wave_clus(path: Path, variables: Variables) -> Spikes:
    """Read `spikes` with `cluster_class` [class, time in ms], with `index` (times in ms), or alone."""
    raw = _matrix(path, variables["spikes"], "spikes")
    parameters = variables.get("par")
    rate = _number(_field(parameters, "sr"), _number(variables.get("sr"), 0.0))
    if rate <= 0:
        rate = _WAVE_CLUS_RATE
        remark(f"states no sampling rate: {rate:g} Hz is assumed, as wave_clus does.")
    pre = (
        int(_number(_field(parameters, "w_pre"), _WAVE_CLUS_PRE)) - 1
    )  # MATLAB counts from 1: the peak is sample w_pre
    channel = np.ones(len(raw), np.int32)
    times = np.full(len(raw), np.nan)
    unit, labels = unsorted_everywhere(channel)
    if "cluster_class" in variables:
        table = _matrix(path, variables["cluster_class"], "cluster_class")
        if table.shape != (len(raw), 2):
            raise LoadError(path, f"has {len(raw)} spikes and cluster_class of shape {table.shape}", _REMEDY)
        unit, labels = from_vendor(channel, table[:, 0].astype(np.int32), unclassified=0, noise=None)
        times = table[:, 1] * _MS
    elif "index" in variables and np.size(variables["index"]) == len(raw):
        times = np.asarray(variables["index"], np.float64).ravel() * _MS
    else:
        remark("states no times.")
    columns = {"ChannelID": channel, "UnitID": unit, "TimeStamps": times, "Waveforms": raw}
    pre = min(max(pre, 0), raw.shape[1] - 1)
    return from_columns(columns, rate, pre, labels=labels, sources=(str(path),))


def _is_wavemark(value: Any) -> bool:
    return all(_field(value, name) is not None for name in ("values", "times", "codes", "interval"))


def _wavemark(path: Path, mark: Any) -> Spikes:
    """Read a WaveMark channel as Spike2 exports it: values in volts or its own unit, first code = unit, 0 unsorted."""
    raw = np.asarray(_field(mark, "values"), np.float64)
    if raw.ndim == 3:  # events x samples x traces
        raw = np.moveaxis(raw, 2, 1)
        raw = raw[:, 0] if raw.shape[1] == 1 else raw
    codes = _matrix(path, _field(mark, "codes"), "codes")
    times = np.asarray(_field(mark, "times"), np.float64).ravel()
    interval = _number(_field(mark, "interval"), 0.0)
    if interval <= 0:
        raise LoadError(path, "states no sampling interval for its WaveMark channel", "Export it again from Spike2")
    channel = np.ones(len(raw), np.int32)
    unit, labels = from_vendor(channel, codes[:, 0].astype(np.int32), unclassified=0, noise=None)
    columns = {"ChannelID": channel, "UnitID": unit, "TimeStamps": times, "Waveforms": raw.astype(np.float32)}
    units = str(np.asarray(_field(mark, "units")).ravel()[0]) if np.size(_field(mark, "units")) else ""
    scale = {"volt": 1e6, "v": 1e6, "mv": 1e3}.get(units.strip().casefold().rstrip("s"), 1.0)
    pre = int(_number(_field(mark, "trigger"), round(raw.shape[-1] / 3)))
    return from_columns(columns, 1 / interval, min(pre, raw.shape[-1] - 1), scale, labels=labels, sources=(str(path),))


def _plain_wavemark(path: Path, variables: Variables) -> Spikes:
    """Read `adc` (events x samples, counts) and `tspx` (s): one sorted unit."""
    raw = _matrix(path, variables["adc"], "adc")
    times = np.asarray(variables["tspx"], np.float64).ravel()
    rate = _number(variables.get("rate"), 0.0)
    if rate <= 0:
        rate = _SPIKE2_RATE
        remark(f"states no sampling rate: {rate:.1f} Hz is assumed, the usual one of Spike2.")
    remark("holds ADC counts without a scale: they are taken for µV.")
    columns = {"ChannelID": np.ones(len(raw), np.int32), "TimeStamps": times, "Waveforms": raw.astype(np.int16)}
    triggers = _triggers(variables)
    pre = min(round(rate * _MS / 1.5), raw.shape[1] - 1)
    return from_columns(columns, rate, pre, sources=(str(path),), **triggers)


def _triggers(variables: Variables) -> dict[str, Any]:
    import pandas as pd

    times, codes = (np.asarray(variables.get(name, [])).ravel() for name in ("tevents", "cevents"))
    if not len(times) or len(times) != len(codes):
        return {}
    return {"triggers": pd.DataFrame({"time_s": times.astype(np.float64), "code": codes.astype(np.int64)})}
