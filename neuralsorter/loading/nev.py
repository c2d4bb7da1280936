"""Blackrock and Ripple NEV files, versions 2.1 to 3.0, read by what the packets say.

Our own reader because the packet count is the truth: libraries that group packets by time count events twice where
the recorder's clock restarts, and turn the codes 0 (unclassified) and 255 (noise) into units.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from neuralsorter.errors import LoadError
from neuralsorter.plugins import Loader
from neuralsorter.spikes import Spikes

from .codes import from_vendor

UNCLASSIFIED, VENDOR_NOISE = 0, 255
ELECTRODES = (1, 2048)  # packet ids of spikes; 0 is the digital port, higher ones are comments, video, stimulation

BASIC = struct.Struct("<8sBBHIIII16s32s256sI")
EXTENDED_BYTES = 32
ELECTRODE = np.dtype(
    {
        "names": ["tag", "id", "nv_per_bit", "high", "low", "sorted", "sample_bytes", "width"],
        "formats": ["S8", "<u2", "<u2", "<i2", "<i2", "u1", "u1", "<u2"],
        "offsets": [0, 8, 12, 16, 18, 20, 21, 22],
        "itemsize": EXTENDED_BYTES,
    }
)

_WAVEFORMS_16_BIT = 1  # bit of the header's flags
_PTP_HZ = 1_000_000_000  # clocks that count ns since 1970
CROSSING = "crossing at sample "  # the comment of files that NeuralSorter writes: the format has no place for it
_PRE_SAMPLES = 10  # of 48 at 30 kHz: the recorder's setting, which its files do not hold
_PRE_MS = _PRE_SAMPLES / 30
_RESTART_S = 0.1  # packets may be out of order by ms; a step back by more is a restarted clock


@dataclass(frozen=True)
class Header:
    """What the headers of a NEV file say; `packet` is the structured type of its data packets."""

    version: tuple[int, int]
    flags: int
    header_bytes: int
    packet_bytes: int
    clock_hz: int
    sampling_rate: int
    electrodes: NDArray[Any]
    comment: str = ""

    @property
    def pre_samples(self) -> int:
        """Samples before the crossing, as our own files say it, else as the recorder has it."""
        told = self.comment.removeprefix(CROSSING)
        if told != self.comment and told.isdecimal() and len(told) < 6:
            return int(told)
        return round(_PRE_MS * self.sampling_rate / 1000)

    @property
    def time_bytes(self) -> int:
        """Bytes of a packet's time: 8 since version 3.0."""
        return 8 if self.version >= (3, 0) else 4

    @property
    def packet(self) -> np.dtype[Any]:
        """time, id, unit (reason of a digital packet) and the rest: waveform or digital value."""
        t = self.time_bytes
        return np.dtype(
            {
                "names": ["time", "id", "unit", "reserved", "data"],
                "formats": [f"<u{t}", "<u2", "u1", "u1", ("u1", (self.packet_bytes - t - 4,))],
                "offsets": [0, t, t + 2, t + 3, t + 4],
                "itemsize": self.packet_bytes,
            }
        )


def read_header(path: Path) -> Header:
    """Read and check the basic and extended headers."""
    with path.open("rb") as file:
        start = file.read(BASIC.size)
        if start[:8] not in {b"NEURALEV", b"BREVENTS"}:
            raise LoadError(path, "does not start as a NEV file does", "Give it the suffix of its real format")
        if len(start) < BASIC.size:
            raise LoadError(path, f"ends at byte {len(start)}, inside the header of {BASIC.size} bytes", _COPY)
        _, major, minor, flags, header_bytes, packet_bytes, clock, rate, *_, comment, n_extended = BASIC.unpack(start)
        if header_bytes != BASIC.size + n_extended * EXTENDED_BYTES:
            what = f"has {n_extended} extended headers at byte 336 but says that its data start at byte {header_bytes}"
            raise LoadError(path, what, _COPY)
        extended = file.read(header_bytes - BASIC.size)
    if len(extended) < header_bytes - BASIC.size:
        size = BASIC.size + len(extended)
        raise LoadError(path, f"ends at byte {size}, inside the header of {header_bytes} bytes", _COPY)
    least = 14 if (major, minor) >= (3, 0) else 10  # one sample
    if not least <= packet_bytes <= 65_536 or not clock or not rate:
        what = (
            f"has packets of {packet_bytes} bytes, a clock of {clock} Hz and {rate} samples/s in the header (byte 16)"
        )
        raise LoadError(path, what, _COPY)
    electrodes = np.frombuffer(extended, ELECTRODE)
    electrodes = electrodes[electrodes["tag"] == b"NEUEVWAV"]
    told = comment.rstrip(b"\0").decode("latin1")
    return Header((major, minor), flags, header_bytes, packet_bytes, clock, rate, electrodes, told)


def read_packets(path: Path, header: Header) -> NDArray[Any]:
    """Map the data packets, (n_packets,)."""
    rest = path.stat().st_size - header.header_bytes
    n, over = divmod(rest, header.packet_bytes)
    if over:
        start = header.header_bytes + n * header.packet_bytes
        place = f"byte {header.header_bytes + rest} inside packet {n + 1}, which starts at byte {start}"
        remedy = f"Copy the file again, or cut its last {over} bytes to read the {n} whole packets"
        raise LoadError(path, f"is cut off: it ends at {place} and needs {header.packet_bytes} bytes", remedy)
    if not n:
        return np.zeros(0, header.packet)
    return np.asarray(np.memmap(path, header.packet, "r", header.header_bytes, (n,)))


def is_spike(packets: NDArray[Any]) -> NDArray[np.bool_]:
    """Mark the packets that hold a waveform, (n_packets,)."""
    ids = packets["id"]
    return (ids >= ELECTRODES[0]) & (ids <= ELECTRODES[1])


class NevLoader(Loader):
    """Blackrock and Ripple NEV 2.1 to 3.0: events, thresholds, digital triggers; the clock may restart."""

    suffixes: ClassVar[tuple[str, ...]] = (".nev",)

    def load(self, path: Path) -> Spikes:
        """Return the spike packets in file order."""
        header = read_header(path)
        packets = read_packets(path, header)
        spike = is_spike(packets)
        rows = np.flatnonzero(spike)
        channel = packets["id"][rows].astype(np.int32)
        times = seconds(packets["time"], header)
        segment = np.zeros(len(packets), np.int32)
        restarts = np.flatnonzero(np.diff(times[rows]) < -_RESTART_S) + 1
        segment[rows[restarts]] = 1
        segment = np.cumsum(segment, dtype=np.int32)
        raw, uv_per_bit = _waveforms(path, packets, rows, channel, header)
        unit, labels = from_vendor(channel, packets["unit"][rows].astype(np.int32), UNCLASSIFIED, VENDOR_NOISE)
        return Spikes(
            raw=raw,
            times_s=times[rows],
            channel=channel,
            unit=unit,
            experiment=np.zeros(len(rows), np.int32),
            segment=segment[rows],
            sampling_rate=float(header.sampling_rate),
            pre_samples=min(header.pre_samples, raw.shape[1] - 1),
            uv_per_bit=uv_per_bit,
            labels=labels,
            channels=_channels(channel, header),
            triggers=_triggers(packets, times, segment),
            sources=(str(path),),
        )


_COPY = "The file is damaged: copy it again from where it was recorded"


def seconds(ticks: NDArray[Any], header: Header) -> NDArray[np.float64]:
    """Return the times of packets in s since the start of the file's clock, (n_packets,)."""
    if header.clock_hz == _PTP_HZ and len(ticks):
        ticks = ticks - ticks[0]  # ns since 1970 would cost a float its microseconds
        ticks = ticks.astype(np.int64)  # unsigned numbers that went below the first wrap back
    return np.asarray(ticks / header.clock_hz, np.float64)


def _of_electrodes(channel: NDArray[np.int32], header: Header, name: str, default: int) -> NDArray[np.int64]:
    """Return a header field of each event's electrode, (n_spikes,)."""
    table = np.full(ELECTRODES[1] + 1, default, np.int64)
    known = header.electrodes[header.electrodes["id"] <= ELECTRODES[1]]
    table[known["id"]] = known[name]
    return np.asarray(table[channel], np.int64)


def _waveforms(
    path: Path,
    packets: NDArray[Any],
    rows: NDArray[np.int64],
    channel: NDArray[np.int32],
    header: Header,
) -> tuple[NDArray[Any], float]:
    """Return int16 samples with one scale, or float32 µV where electrodes differ in scale or width."""
    size = header.packet_bytes - header.time_bytes - 4
    nv_per_bit = _of_electrodes(channel, header, "nv_per_bit", 250)
    if len(rows) and not nv_per_bit.all():
        what = f"gives electrode {channel[nv_per_bit == 0][0]} a scale of 0 nV per bit in its NEUEVWAV header"
        raise LoadError(path, what, "Export the file again with the scale of that electrode")
    sample_bytes = np.maximum(_of_electrodes(channel, header, "sample_bytes", 2), 1)
    if header.flags & _WAVEFORMS_16_BIT:
        sample_bytes[:] = 2
    width = _of_electrodes(channel, header, "width", 0)
    widths = np.where(width > 0, width, size // sample_bytes)
    n_samples = int(min(widths.max(), size // sample_bytes.max())) if len(rows) else size // 2
    data = packets["data"]
    if (sample_bytes == 2).all():
        raw = np.ascontiguousarray(data[:, : 2 * n_samples]).view("<i2")
        raw = raw if len(rows) == len(raw) else raw[rows]
        return _scaled(raw, nv_per_bit)
    raw = np.zeros((len(rows), n_samples), np.int16)
    for n_bytes in np.unique(sample_bytes):
        of_size = sample_bytes == n_bytes
        if n_bytes not in {1, 2}:
            what = f"has waveform samples of {n_bytes} bytes on electrode {channel[of_size][0]}"
            raise LoadError(path, what, "Export the file again with 16-bit waveforms")
        chosen = np.ascontiguousarray(data[rows[of_size], : n_samples * n_bytes])
        raw[of_size] = chosen.view(f"<i{n_bytes}")
    return _scaled(raw, nv_per_bit)


def _scaled(raw: NDArray[Any], nv_per_bit: NDArray[np.int64]) -> tuple[NDArray[Any], float]:
    scales = np.unique(nv_per_bit)
    if len(scales) <= 1:
        return raw, float(scales[0]) / 1000 if len(scales) else 0.25
    return (raw * (nv_per_bit[:, None] / 1000)).astype(np.float32), 1.0


def _channels(channel: NDArray[np.int32], header: Header) -> pd.DataFrame:
    """Return the electrodes with events and the threshold each had."""
    present = np.unique(channel)
    low, high, nv = (_of_electrodes(present, header, name, 0) for name in ("low", "high", "nv_per_bit"))
    bits = np.where(low != 0, low, high)
    unknown = np.full(len(present), np.nan)
    threshold = np.where(bits != 0, bits * nv / 1000, np.nan)
    return pd.DataFrame({"id": present.astype(np.int64), "x_um": unknown, "y_um": unknown, "threshold_uv": threshold})


def _triggers(packets: NDArray[Any], times: NDArray[np.float64], segment: NDArray[np.int32]) -> pd.DataFrame:
    """Return the digital packets: time, value of the port, reason, segment."""
    rows = np.flatnonzero(packets["id"] == 0)
    value = np.ascontiguousarray(packets["data"][rows, :2]).view("<u2")[:, 0] if len(rows) else np.zeros(0, np.uint16)
    return pd.DataFrame(
        {
            "time_s": times[rows],
            "code": value.astype(np.int64),
            "reason": packets["unit"][rows].astype(np.int64),
            "segment": segment[rows].astype(np.int64),
        }
    )
