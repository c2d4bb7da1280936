"""Tables: CSV, TSV and Parquet, columns found by name."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pandas as pd

from neuralsorter.errors import DataError, LoadError
from neuralsorter.plugins import Loader
from neuralsorter.spike_dict import COLUMNS, from_columns
from neuralsorter.spikes import DEFAULT_RATE_HZ, NO_UNIT, Spikes

# What other programs call our columns; letters only, small.
NAMES = {
    "experimentid": "ExperimentID", "experiment": "ExperimentID", "recording": "ExperimentID",
    "channelid": "ChannelID", "channel": "ChannelID", "electrode": "ChannelID", "ch": "ChannelID",
    "unitid": "UnitID", "unit": "UnitID", "cluster": "UnitID", "clusterid": "UnitID", "label": "Label",
    "oldid": "OldID",
    "timestamps": "TimeStamps", "timestamp": "TimeStamps", "time": "TimeStamps", "times": "TimeStamps",
    "spiketimes": "TimeStamps", "spiketime": "TimeStamps", "timess": "TimeStamps", "timesec": "TimeStamps",
    "segment": "Segment", "samplingrate": "SamplingRate", "presamples": "PreSamples",
}  # fmt: skip
_SAMPLE = re.compile(r"(?:(uv|waveform|waveforms|wf|sample|s|v|w)[_ ]?)?(\d+)(?:_(\d+))?", re.IGNORECASE)
_REMEDY = (
    "Say which is which (`neuralsorter info FILE --columns` lists them),"
    " or name them ChannelID, UnitID, TimeStamps and uv_0 to uv_N"
)


class TableLoader(Loader):
    """CSV, TSV or Parquet with a row per event: ChannelID, UnitID, TimeStamps (s) and a column per sample (µV)."""

    suffixes: ClassVar[tuple[str, ...]] = (".csv", ".tsv", ".parquet")

    def load(self, path: Path) -> Spikes:
        """Return the rows in file order."""
        table = table_in(path)
        known, samples, unknown = mapping([str(name) for name in table])
        if not samples or "ChannelID" not in known.values():
            left = f"; not understood: {', '.join(unknown[:9])}" if unknown else ""
            raise LoadError(path, f"has no column for the channel or none for samples{left}", _REMEDY)
        columns = {ours: table[theirs] for theirs, ours in known.items()}
        try:
            return _spikes(path, columns, table[list(samples)].to_numpy(), list(samples.values()))
        except (ValueError, TypeError, OverflowError) as error:  # DataError, or numbers too large for their columns
            raise LoadError(path, str(error).rstrip("."), "Correct the table and save it again") from None


def mapping(names: list[str]) -> tuple[dict[str, str], dict[str, tuple[int, int]], list[str]]:
    """Return what each column is: {name: our name}, {name: (electrode, sample)} in their order, and names not known."""
    known: dict[str, str] = {}
    samples: dict[str, tuple[int, int]] = {}
    unknown = []
    for name in names:
        ours = NAMES.get(re.sub(r"[^a-z]", "", name.casefold()))
        sample = _SAMPLE.fullmatch(name.strip())
        if sample:
            _, first, second = sample.groups()
            samples[name] = (int(first), int(second)) if second else (0, int(first))
        elif ours and ours not in known.values():
            known[name] = ours
        else:
            unknown.append(name)
    return known, dict(sorted(samples.items(), key=lambda item: item[1])), unknown


def table_in(path: Path) -> pd.DataFrame:
    """Return the table of a CSV, TSV or Parquet file."""
    try:
        if path.suffix.lower() == ".parquet":
            return pd.read_parquet(path)
        return pd.read_csv(path, sep="\t" if path.suffix.lower() == ".tsv" else ",")
    except MemoryError:
        raise
    except Exception as cause:
        if getattr(cause, "errno", None):
            raise
        raise LoadError(
            path,
            f"is not a table ({(str(cause).strip().splitlines() or [type(cause).__name__])[0]})",
            "Export it again",
        ) from None


def _spikes(path: Path, columns: dict[str, Any], flat: np.ndarray[Any, Any], order: list[tuple[int, int]]) -> Spikes:
    width = len({electrode for electrode, _ in order})
    if flat.dtype.kind not in "iuf" or flat.shape[1] % width:
        raise DataError("The columns of samples must hold numbers, equally many for each electrode.")
    raw = flat.reshape(len(flat), width, -1) if width > 1 else flat
    rate = _one(columns.pop("SamplingRate", None), DEFAULT_RATE_HZ, "SamplingRate")
    pre = _one(columns.pop("PreSamples", None), None, "PreSamples")
    rest: dict[str, Any] = {"sources": (str(path),)}
    if (segment := columns.pop("Segment", None)) is not None:
        rest["segment"] = segment.to_numpy()
    label = columns.pop("Label", None)
    plain = {name: column.to_numpy() for name, column in columns.items() if name in COLUMNS}
    if "OldID" in plain:
        plain["OldID"] = columns["OldID"].fillna(NO_UNIT).to_numpy(np.int64)
    plain["Waveforms"] = raw.astype(np.float32)
    spikes = from_columns(plain, rate or 0.0, None if pre is None else round(pre), **rest)
    if label is None:
        return spikes
    told = ["" if pd.isna(text) else str(text) for text in label.tolist()]
    pairs = zip(spikes.channel.tolist(), spikes.unit.tolist(), told, strict=True)
    labels = {(channel, unit): text for channel, unit, text in pairs if text}
    return from_columns(plain, rate or 0.0, None if pre is None else round(pre), labels=labels, **rest)


def _one(column: Any, default: float | None, name: str) -> float | None:
    if column is None or not len(column):
        return default
    values = column.unique()
    if len(values) != 1 or not np.issubdtype(values.dtype, np.number):
        raise DataError(f"{name} must be the same number in every row.")
    return float(values[0])
