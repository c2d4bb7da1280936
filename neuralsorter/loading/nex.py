"""NeuroExplorer NEX: waveform variables with their wire and unit numbers."""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pandas as pd

from neuralsorter.errors import LoadError
from neuralsorter.plugins import Loader
from neuralsorter.spikes import Spikes

from .codes import from_vendor

MAGIC = 0x3158454E  # "NEX1"
NEURON, EVENT, WAVEFORM = 0, 1, 3
TRIGGER = "trigger_"  # then the code: the name of an event variable that we write
FILE = np.dtype(
    {
        "names": ["magic", "version", "comment", "clock_hz", "begin", "end", "n_variables"],
        "formats": ["<i4", "<i4", "S256", "<f8", "<i4", "<i4", "<i4"],
        "offsets": [0, 4, 8, 264, 272, 276, 280],
        "itemsize": 544,
    }
)
VARIABLE = np.dtype(
    {
        "names": [
            "kind", "version", "name", "offset", "count", "wire", "unit", "x", "y", "rate", "mv_per_bit", "n_samples",
            "mv_offset", "pre_s",
        ],
        "formats": ["<i4", "<i4", "S64", "<i4", "<i4", "<i4", "<i4", "<f8", "<f8", "<f8", "<f8", "<i4", "<f8", "<f8"],
        "offsets": [0, 4, 8, 72, 76, 80, 84, 96, 104, 112, 120, 128, 140, 148],
        "itemsize": 208,
    }
)  # fmt: skip
_UNSORTED = 0
_HAS_OFFSET, _HAS_PRE = 102, 107  # versions of a variable since which it has these fields
_COPY = "Export it again from NeuroExplorer"


class NexLoader(Loader):
    """NeuroExplorer NEX: waveform variables; neurons without waveforms are left out."""

    suffixes: ClassVar[tuple[str, ...]] = (".nex",)

    def load(self, path: Path) -> Spikes:
        """Return the waveforms of every variable, in order of time."""
        content = path.read_bytes()
        header, variables = _headers(path, content)
        waves = variables[variables["kind"] == WAVEFORM]
        if not len(waves):
            raise LoadError(path, "holds no waveform variable", "Export it with waveforms from NeuroExplorer")
        first = waves[0]
        parts = []
        for row in waves:
            if (row["n_samples"], row["rate"]) != (first["n_samples"], first["rate"]):
                name = row["name"].decode("latin-1")
                raise LoadError(
                    path, f"has another rate or window in {name}", "Export each window to a file of its own"
                )
            parts.append(_waves(path, content, row))
        n_samples, rate = int(first["n_samples"]), float(first["rate"])
        counts = waves["count"]
        ticks = np.concatenate([part[0] for part in parts])
        raw = np.concatenate([part[1] for part in parts])
        scale, offset = (np.repeat(waves[name], counts) for name in ("mv_per_bit", "mv_offset"))
        offset = np.where(np.repeat(waves["version"], counts) >= _HAS_OFFSET, offset, 0.0)
        wire, unit = (np.repeat(waves[name], counts).astype(np.int32) for name in ("wire", "unit"))
        order = np.argsort(ticks, kind="stable")
        same = len(set(waves["mv_per_bit"].tolist())) == 1 and not offset.any()
        units, labels = from_vendor(wire, unit, _UNSORTED, noise=None)
        floats = raw if same else ((raw * scale[:, None] + offset[:, None]) * 1000).astype(np.float32)
        ahead = float(first["pre_s"]) * rate if first["version"] >= _HAS_PRE else 0.0
        pre = round(ahead) if math.isfinite(ahead) else 0
        return Spikes(
            raw=floats[order],
            times_s=ticks[order] / float(header["clock_hz"]),
            channel=wire[order],
            unit=units[order],
            experiment=np.zeros(len(order), np.int32),
            sampling_rate=rate,
            pre_samples=min(max(pre, 0), n_samples - 1),
            uv_per_bit=float(first["mv_per_bit"]) * 1000 if same else 1.0,
            labels=labels,
            triggers=_triggers(path, content, variables, float(header["clock_hz"])),
            sources=(str(path),),
        )


def _headers(path: Path, content: bytes) -> tuple[Any, Any]:
    if len(content) < FILE.itemsize or content[:4] != MAGIC.to_bytes(4, "little"):
        raise LoadError(path, f"does not start with the {FILE.itemsize} bytes of a NEX header", _COPY)
    header = np.frombuffer(content, FILE, 1)[0]
    count = int(header["n_variables"])
    end = FILE.itemsize + count * VARIABLE.itemsize
    if count < 0 or end > len(content):
        raise LoadError(path, f"has headers up to byte {end} and ends at byte {len(content)}", _COPY)
    if not (np.isfinite(header["clock_hz"]) and header["clock_hz"] > 0):
        raise LoadError(path, f"states a clock of {header['clock_hz']} Hz (byte 264)", _COPY)
    return header, np.frombuffer(content, VARIABLE, count, FILE.itemsize)


def _waves(path: Path, content: bytes, row: Any) -> tuple[Any, Any]:
    """Return (ticks (n,), samples (n, n_samples)) of a waveform variable."""
    name, count, n_samples, start = (
        row["name"].decode("latin-1"),
        *(int(row[k]) for k in ("count", "n_samples", "offset")),
    )
    end = start + count * (4 + 2 * n_samples)
    if count < 0 or n_samples < 1 or start < 0 or end > len(content):
        raise LoadError(path, f"is cut off: {name} needs bytes {start} to {end} of {len(content)}", _COPY)
    if not (row["rate"] > 0 and row["mv_per_bit"] > 0 and np.isfinite([row["rate"], row["mv_per_bit"]]).all()):
        raise LoadError(path, f"states no rate or scale of {name}", _COPY)
    ticks = np.frombuffer(content, "<i4", count, start).astype(np.int64)
    return ticks, np.frombuffer(content, "<i2", count * n_samples, start + 4 * count).reshape(count, n_samples)


def _triggers(path: Path, content: bytes, variables: Any, clock_hz: float) -> pd.DataFrame:
    """Return event variables: the code is that in a name of ours, else counts them from 1 in file order."""
    times, codes = [np.zeros(0)], [np.zeros(0, np.int64)]
    for code, row in enumerate(variables[variables["kind"] == EVENT], 1):
        start, count = int(row["offset"]), int(row["count"])
        if start < 0 or count < 0 or start + 4 * count > len(content):
            raise LoadError(path, f"is cut off in the event {row['name'].decode('latin-1')}", _COPY)
        times.append(np.frombuffer(content, "<i4", count, start) / clock_hz)
        own = re.fullmatch(rf"{TRIGGER}(-?\d{{1,18}})", row["name"].decode("latin-1"))
        codes.append(np.full(count, int(own.group(1)) if own else code, np.int64))
    table = pd.DataFrame({"time_s": np.concatenate(times), "code": np.concatenate(codes)})
    return table.sort_values("time_s", kind="stable", ignore_index=True)
