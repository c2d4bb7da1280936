"""Tables: CSV, TSV and Parquet, columns found by name."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pandas as pd

from neuralsorter.errors import DataError, LoadError, NeuralSorterError
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
_ROWS_AT_ONCE = 50_000
_REMEDY = (
    "Say which is which (`neuralsorter info FILE --columns` lists them),"
    " or name them ChannelID, UnitID, TimeStamps and uv_0 to uv_N"
)


class TableLoader(Loader):
    """CSV, TSV or Parquet with a row per event: ChannelID, UnitID, TimeStamps (s) and a column per sample (µV)."""

    suffixes: ClassVar[tuple[str, ...]] = (".csv", ".tsv", ".parquet")

    def load(self, path: Path) -> Spikes:
        """Return the rows in file order."""
        flat, rest, names = bytearray(), [], []
        try:
            for table in _pieces(path):
                table.columns = [str(name) for name in table]
                known, samples, unknown = mapping(table.columns.tolist())
                if not samples or "ChannelID" not in known.values():
                    left = f"; not understood: {', '.join(unknown[:9])}" if unknown else ""
                    raise LoadError(path, f"has no column for the channel or none for samples{left}", _REMEDY)
                values = table[list(samples)].to_numpy()
                if values.dtype.kind not in "iuf":
                    raise DataError("The columns of samples must hold numbers.")
                flat += np.ascontiguousarray(values, np.float32).tobytes()
                rest.append(table[list(known)].rename(columns=known))
                names = list(samples.values())
            whole = pd.concat(rest, ignore_index=True)
            columns = {str(name): column for name, column in whole.items()}
            return _spikes(path, columns, np.frombuffer(flat, np.float32).reshape(-1, len(names)), names)
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
    return pd.concat(_pieces(path), ignore_index=True)


def _pieces(path: Path) -> Iterator[pd.DataFrame]:
    """Yield a table some thousand rows at a time, once where there are none: a million wide rows never lie twice."""
    try:
        if path.suffix.lower() == ".parquet":
            yield from _parquet_pieces(path)
            return
        with pd.read_csv(path, sep="\t" if path.suffix.lower() == ".tsv" else ",", chunksize=_ROWS_AT_ONCE) as reader:
            yield from reader
    except (MemoryError, NeuralSorterError):
        raise
    except Exception as cause:
        if getattr(cause, "errno", None):
            raise
        raise LoadError(
            path,
            f"is not a table ({(str(cause).strip().splitlines() or [type(cause).__name__])[0]})",
            "Export it again",
        ) from None


def _parquet_pieces(path: Path) -> Iterator[pd.DataFrame]:
    from pyarrow import parquet

    with parquet.ParquetFile(path) as file:
        if not file.metadata.num_rows:
            yield file.read().to_pandas()
        for batch in file.iter_batches(_ROWS_AT_ONCE):
            yield batch.to_pandas()


def _spikes(path: Path, columns: dict[str, Any], flat: np.ndarray[Any, Any], order: list[tuple[int, int]]) -> Spikes:
    width = len({electrode for electrode, _ in order})
    if flat.shape[1] % width:
        raise DataError("There must be equally many columns of samples for each electrode.")
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
    plain["Waveforms"] = raw
    spikes = from_columns(plain, rate or 0.0, None if pre is None else round(pre), **rest)
    if label is None:
        return spikes
    told = pd.DataFrame({"channel": spikes.channel, "unit": spikes.unit, "label": label}).dropna().drop_duplicates()
    labels = {(channel, unit): str(text) for channel, unit, text in told.itertuples(index=False) if str(text)}
    return replace(spikes, labels=labels)


def _one(column: Any, default: float | None, name: str) -> float | None:
    if column is None or not len(column):
        return default
    values = column.unique()
    if len(values) != 1 or not np.issubdtype(values.dtype, np.number):
        raise DataError(f"{name} must be the same number in every row.")
    return float(values[0])
