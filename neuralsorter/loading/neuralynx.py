"""Neuralynx NSE, NST and NTT: one electrode, stereotrode or tetrode per file.

Our own reader because libraries open the folder around the file.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import ClassVar

import numpy as np
import pandas as pd

from neuralsorter.errors import LoadError
from neuralsorter.plugins import Loader
from neuralsorter.spikes import Spikes

from .codes import from_vendor
from .remarks import remark

_HEADER_BYTES = 16_384
_N_SAMPLES, _PRE_SAMPLES = 32, 8
_WIDTHS = {".nse": 1, ".nst": 2, ".ntt": 4}
_US = 1e-6
_COPY = "Copy the file again from where it was recorded"


class NeuralynxLoader(Loader):
    """Neuralynx spikes: NSE, NST (2 channels) and NTT (4 channels), 32 samples each."""

    suffixes: ClassVar[tuple[str, ...]] = tuple(_WIDTHS)

    def load(self, path: Path) -> Spikes:
        """Return the records in file order; the acquisition entity's number is the channel."""
        width = _WIDTHS[path.suffix.lower()]
        record = np.dtype(
            [("time", "<u8"), ("entity", "<u4"), ("cell", "<u4"), ("features", "<u4", (8,)),
             ("samples", "<i2", (_N_SAMPLES, width))]
        )  # fmt: skip
        content = path.read_bytes()
        header = content[:_HEADER_BYTES].decode("latin-1").replace("\0", "\n")
        if len(content) < _HEADER_BYTES or not header.lstrip().startswith("#"):
            raise LoadError(path, f"does not start with the {_HEADER_BYTES} bytes of a Neuralynx header", _COPY)
        n, over = divmod(len(content) - _HEADER_BYTES, record.itemsize)
        if over:
            place = f"it ends at byte {len(content)} inside record {n + 1}"
            raise LoadError(path, f"is cut off: {place} and needs {record.itemsize} bytes", _COPY)
        records = np.frombuffer(content, record, n, _HEADER_BYTES)
        volts, rates, before = (
            _numbers(path, header, name) for name in ("ADBitVolts", "SamplingFrequency", "AlignmentPt")
        )
        rate = rates[0] if rates else 0.0
        if len(volts) not in {1, width} or rate <= 0 or min(volts) <= 0:
            raise LoadError(path, "states no SamplingFrequency or ADBitVolts in its header", _COPY)
        sign = -1.0 if "true" in "".join(_values(header, "InputInverted")).casefold() else 1.0
        raw = np.moveaxis(records["samples"], 2, 1) * (np.array(volts)[:, None] * (1e6 * sign))
        channel = records["entity"].astype(np.int32)
        start = int(records["time"].min()) if n else 0
        if n:
            remark(f"counts its time from {start} µs; times are from the first event on.")
        unit, labels = from_vendor(channel, records["cell"].astype(np.int32), unclassified=0, noise=None)
        return Spikes(
            raw=(raw[:, 0] if width == 1 else raw).astype(np.float32),
            times_s=(records["time"] - np.uint64(start)).astype(np.float64) * _US,
            channel=channel,
            unit=unit,
            experiment=np.zeros(n, np.int32),
            sampling_rate=rate,
            pre_samples=int(min(max(before[0], 0), _N_SAMPLES - 1)) if before else _PRE_SAMPLES,
            labels=labels,
            channels=_thresholds(channel, header, sign),
            sources=(str(path),),
        )


def _values(header: str, name: str) -> list[str]:
    """Return the values of a line `-Name value value ...`."""
    found = re.search(rf"^\s*-{name}\s+([^\r\n]*)", header, re.MULTILINE)
    return found.group(1).replace('"', "").split() if found else []


def _numbers(path: Path, header: str, name: str) -> list[float]:
    """Return the numbers of a line of the header."""
    try:
        numbers = [float(text) for text in _values(header, name)]
    except ValueError as cause:
        raise LoadError(path, f"has a damaged line -{name} in its header ({cause})", _COPY) from None
    if not np.isfinite(numbers).all():
        raise LoadError(path, f"has a line -{name} in its header that is no finite number", _COPY)
    return numbers


def _thresholds(channel: np.ndarray[tuple[int, ...], np.dtype[np.int32]], header: str, sign: float) -> pd.DataFrame:
    """Return the electrode with its threshold in µV, as the header has it."""
    told = _values(header, "ThreshVal")
    uv = float(told[0]) * sign if told and re.fullmatch(r"-?\d+(\.\d+)?", told[0]) else np.nan
    present = np.unique(channel).astype(np.int64)
    return pd.DataFrame({"id": present, "x_um": np.nan, "y_um": np.nan, "threshold_uv": uv})
