"""Writing NWB: one row of the Units table per unit, noise included, with every waveform."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from typing import IO, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from neuralsorter.spikes import NOISE, Spikes

_UNKNOWN_START = datetime(1980, 1, 1, tzinfo=UTC)

# Columns of ours in the Units table, so that nothing is lost on the way back.
OWN_COLUMNS = {
    "channel": "Electrode number in the recording.",
    "unit": "Number of the unit on its channel; 0 is noise.",
    "experiment": "Number of the recording, in the order loaded.",
    "segment": "Number of clock restarts before these spikes.",
}
ROW = "row"
_ELECTRODE_COLUMNS = {"x_um": "rel_x", "y_um": "rel_y", "threshold_uv": "threshold_uv"}


def write_nwb(spikes: Spikes, file: IO[bytes]) -> list[str]:
    """Write units with spike times, waveforms (V), electrodes and quality; one row per unit, experiment and segment."""
    import h5py
    from pynwb import NWBHDF5IO, NWBFile
    from pynwb.file import Subject

    digest = hashlib.sha256(spikes.times_s.tobytes() + spikes.raw.tobytes() + spikes.unit.tobytes()).hexdigest()
    nwb = NWBFile("Spike waveforms, sorted and curated.", digest[:32], _UNKNOWN_START)
    nwb.subject = Subject(subject_id="unknown", sex="U", species="unknown", age="P0D/", description="unknown")
    electrodes = _add_electrodes(nwb, spikes)
    if len(spikes):
        nwb.units = _units(nwb, spikes, electrodes)
    _add_triggers(nwb, spikes)
    with h5py.File(file, "w") as target, NWBHDF5IO(file=target, mode="w") as io:
        io.write(nwb)
    return _lost(spikes)


def _add_electrodes(nwb: Any, spikes: Spikes) -> dict[int, int]:
    """Add a row per electrode; return {channel: its first row}."""
    device = nwb.create_device("recording system", description="unknown")
    group = nwb.create_electrode_group("electrodes", description="electrodes", location="unknown", device=device)
    nwb.add_electrode_column("channel", "Electrode number in the recording.")
    known = spikes.channels.drop_duplicates("id").set_index("id").dropna(axis="columns", how="all")
    if "threshold_uv" in known:
        nwb.add_electrode_column("threshold_uv", "Threshold of the event detector in microvolt.")
    width = spikes.raw.shape[1] if spikes.raw.ndim == 3 else 1
    rows: dict[int, int] = {}
    for number in np.unique(spikes.channel).tolist():
        told = known.loc[number] if number in known.index else pd.Series(dtype=np.float64)
        rows[number] = len(rows) * width
        for _ in range(width):
            more = {
                _ELECTRODE_COLUMNS[name]: float(told.get(name, np.nan)) for name in known if name in _ELECTRODE_COLUMNS
            }
            nwb.add_electrode(location="unknown", group=group, channel=number, **more)
    return rows


def _units(nwb: Any, spikes: Spikes, electrodes: dict[int, int]) -> Any:
    from hdmf.common import (  # type: ignore[import-untyped]  # it has no types
        DynamicTableRegion,
        ElementIdentifiers,
        VectorData,
        VectorIndex,
    )
    from pynwb.misc import Units

    keys = np.stack([getattr(spikes, name).astype(np.int64) for name in OWN_COLUMNS], axis=1)
    rows, of_row = np.unique(keys, axis=0, return_inverse=True)
    order = np.lexsort((spikes.times_s, of_row))
    ends = np.cumsum(np.bincount(of_row, minlength=len(rows)))
    width = spikes.raw.shape[1] if spikes.raw.ndim == 3 else 1
    waveforms = (spikes.waveforms[order] * np.float32(1e-6)).reshape(-1, spikes.n_samples)

    def indexed(name: str, data: NDArray[Any], index: NDArray[Any], text: str) -> list[Any]:
        column = VectorData(name=name, description=text, data=data)
        return [VectorIndex(name=f"{name}_index", target=column, data=index), column]

    per_spike = np.arange(width, len(order) * width + 1, width)
    flat = indexed("waveforms", waveforms, per_spike, "Waveform of each spike, electrode after electrode, in volt.")
    outer = VectorIndex(name="waveforms_index_index", target=flat[0], data=ends)
    first = np.array([electrodes[channel] for channel in rows[:, 0].tolist()])
    region = DynamicTableRegion(
        name="electrodes",
        data=(first[:, None] + np.arange(width)).ravel(),
        description="The electrodes of each unit.",
        table=nwb.electrodes,
    )
    quality = [_quality(spikes, channel, unit) for channel, unit in rows[:, :2].tolist()]
    columns = [
        *indexed("spike_times", spikes.times_s[order], ends, "Times of the spikes in s."),
        outer,
        *flat,
        *indexed(ROW, order, ends, "Place of each spike in the order of the recording."),
        *indexed("old_unit", spikes.old_unit[order], ends, "Unit of each spike before its last change, -1 for none."),
        VectorIndex(name="electrodes_index", target=region, data=np.arange(1, len(rows) + 1) * width),
        region,
        VectorData(name="quality", description="good, mua, noise, unsorted or free text.", data=quality),
        *(
            VectorData(name=name, description=text, data=rows[:, i])
            for i, (name, text) in enumerate(OWN_COLUMNS.items())
        ),
    ]
    return Units(
        name="units",
        description="Units and noise of each electrode.",
        id=ElementIdentifiers(name="id", data=np.arange(len(rows))),
        columns=columns,
        colnames=["spike_times", "waveforms", ROW, "old_unit", "electrodes", "quality", *OWN_COLUMNS],
        waveform_rate=float(spikes.sampling_rate),
        waveform_unit="volts",
        resolution=1 / spikes.sampling_rate,
        waveform_time_before_peak_in_ms=spikes.pre_samples * 1000 / spikes.sampling_rate,
        electrode_table=nwb.electrodes,
    )


def _quality(spikes: Spikes, channel: int, unit: int) -> str:
    return spikes.labels.get((channel, unit), "") or ("noise" if unit == NOISE else "")


def _add_triggers(nwb: Any, spikes: Spikes) -> None:
    from pynwb.base import TimeSeries

    if len(spikes.triggers):
        times, codes = (spikes.triggers[name].to_numpy() for name in ("time_s", "code"))
        text = "Digital events: value of the port."
        nwb.add_acquisition(TimeSeries(name="triggers", data=codes, unit="n/a", timestamps=times, description=text))


def _lost(spikes: Spikes) -> list[str]:
    notes = []
    if not np.isfinite(spikes.times_s).all():
        notes.append("NWB asks for a time of each spike: unknown ones are NaN in the file.")
    if set(spikes.triggers) - {"time_s", "code"}:
        notes.append("Of triggers, NWB holds times and codes.")
    return notes
