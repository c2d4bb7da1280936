"""Quality metrics of units: one table for the page, the command line and scripts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped] # it comes without types

from neuralsorter.spikes import DEFAULT_RATE_HZ, NOISE, Spikes
from neuralsorter.spiketrain import stretches

from . import isolation, shapes, trains
from .declared import METRICS, Metric, flags
from .whole import Recording, recording, recording_of

__all__ = ["METRICS", "Metric", "Recording", "flags", "metrics", "recording", "recording_of", "unit_metrics"]

NAMES = tuple(
    name
    for metric in METRICS
    for name in ((metric.name, f"{metric.name}_low", f"{metric.name}_high") if metric.has_interval else (metric.name,))
)


def metrics(
    spikes: Spikes,
    *,
    units: Iterable[tuple[int, int]] | None = None,
    of: Recording | None = None,
    refractory_ms: float | None = None,
    dead_time_ms: float | None = None,
    block_s: float = 60.0,
    by_experiment: bool = False,
) -> pd.DataFrame:
    """Judge every unit.

    Parameters
    ----------
    spikes : Spikes
        All events of the channels to judge, noise included (it tells of dead time and length, and is no unit).
    units : iterable of (channel, unit), optional
        Only these: those an edit touched.
    of : Recording, optional
        `recording(...)` of the whole recording where `spikes` is a part of it.
    refractory_ms : float, optional
        Refractory period; by default 1.5 ms, or half a millisecond more than the dead time where that is longer.
    dead_time_ms : float, optional
        Dead time of the detector; by default learnt from all intervals.
    block_s : float
        Blocks of time for presence and drift.
    by_experiment : bool
        A row for each experiment and unit, instead of all experiments together.

    Returns
    -------
    DataFrame
        Columns (experiment,) channel, unit, then those declared in `METRICS` and their confidence limits, then
        refractory_ms; a row per unit with events, NaN where a metric is undefined.

    """
    whole = of or recording(spikes)
    dead = whole.dead_time_ms if dead_time_ms is None else dead_time_ms
    period = Recording(dead_time_ms=dead).refractory_ms if refractory_ms is None else refractory_ms
    wanted = None if units is None else set(units)
    rows = []
    with threadpool_limits(1):  # the matrices are small: more threads only wait for each other
        for key, part in _channels(spikes, by_experiment=by_experiment):
            own = {s: t for s, t in whole.durations_s.items() if not by_experiment or s >> 32 == key["experiment"]}
            present = np.unique(part.unit[part.unit > NOISE]).tolist()
            chosen = [unit for unit in present if wanted is None or (key["channel"], unit) in wanted]
            found = _of_channel(part, chosen, Recording(own, dead), period, block_s)
            rows += [key | {"unit": unit} | values | {"refractory_ms": period} for unit, values in found.items()]
    names = [*(["experiment"] if by_experiment else []), "channel", "unit", *NAMES, "refractory_ms"]
    table = pd.DataFrame(rows, columns=names)
    return table.astype(dict.fromkeys((*names[: names.index("unit") + 1], "count", "isi_violations"), np.int64))


def unit_metrics(
    waveforms: NDArray[Any],
    times_s: NDArray[np.float64],
    stretch: NDArray[np.int64],
    of: Recording,
    *,
    sampling_rate: float = DEFAULT_RATE_HZ,
    noise_uv: float = np.nan,
    refractory_ms: float = 1.5,
    block_s: float = 60.0,
) -> dict[str, float]:
    """Return the metrics of one unit that need its own events only, by name.

    Parameters
    ----------
    waveforms : ndarray, (n_spikes, n_samples) or (n_spikes, n_channels, n_samples)
        µV; NaN where the source has no sample.
    times_s, stretch : ndarray, (n_spikes,)
        Seconds (NaN where unknown), and the stretch of continuous clock.
    of : Recording
        Lengths of the stretches and dead time.
    sampling_rate, noise_uv : float
        Hz; SD of the channel's noise in µV.
    refractory_ms, block_s : float
        As for `metrics`.

    """
    known = np.isfinite(times_s)
    times, where = times_s[known], stretch[known]
    n_events, duration_s = len(times), of.duration_s
    refractory_s, dead_s = refractory_ms / 1000, of.dead_time_ms / 1000
    short = trains.n_short_intervals(times, where, refractory_s)
    pairs = trains.n_close_pairs(times, where, refractory_s, sampling_rate)
    lengths = (n_events, duration_s, refractory_s, dead_s)
    wire = shapes.best_wire(waveforms)
    mean = shapes.mean_waveform(wire)
    sizes = shapes.amplitudes(wire, mean)
    order = np.flatnonzero(known)[np.lexsort((times, where))]
    return {
        "count": len(waveforms),
        **_limits("rate_hz", *trains.with_interval(lambda n: n / duration_s if duration_s > 0 else np.nan, n_events)),
        "snr": shapes.snr(mean, noise_uv),
        "snr_residual": shapes.snr_residual(wire, mean),
        "isi_violations": short,
        **_limits("isi_violation_ratio", *trains.with_interval(lambda n: trains.violation_ratio(n, *lengths), short)),
        **_limits("contamination", *trains.with_interval(lambda n: trains.contamination(n, *lengths), pairs)),
        "sliding_contamination": trains.sliding_contamination(times, where, duration_s, sampling_rate, dead_s),
        "presence_ratio": trains.presence_ratio(times, where, dict(of.durations_s), block_s),
        "amplitude_cutoff": shapes.amplitude_cutoff(sizes),
        "drift_percent": shapes.amplitude_drift(times, where, sizes[known], block_s),
        "shape_stability": shapes.shape_stability(wire, order),
        "dead_time_ms": of.dead_time_ms,
    }


def _of_channel(
    part: Spikes, units: list[int], of: Recording, refractory_ms: float, block_s: float
) -> dict[int, dict[str, float]]:
    if not units:
        return {}
    waveforms, where = part.waveforms, stretches(part)
    noise_uv = shapes.channel_noise(waveforms, part.pre_samples)
    spikes = np.flatnonzero(part.unit > NOISE)
    clusters = isolation.Clusters(isolation.features(waveforms, spikes), part.unit[spikes])
    found = {}
    for unit in units:
        rows = np.flatnonzero(part.unit == unit)
        found[unit] = unit_metrics(
            waveforms[rows],
            part.times_s[rows],
            where[rows],
            of,
            sampling_rate=part.sampling_rate,
            noise_uv=noise_uv,
            refractory_ms=refractory_ms,
            block_s=block_s,
        )
        distance, l_ratio = clusters.mahalanobis(unit)
        hit, miss = isolation.nearest_neighbours(clusters.inside(unit), clusters.outside(unit))
        false, missed = clusters.misassigned(unit)
        found[unit] |= {
            "isolation_distance": distance,
            "l_ratio": l_ratio,
            "d_prime": clusters.nearest_d_prime(unit),
            "nn_hit": hit,
            "nn_miss": miss,
            "silhouette": clusters.silhouette(unit),
            "expected_fp": false,
            "expected_fn": missed,
        }
    return found


def _channels(spikes: Spikes, *, by_experiment: bool) -> Iterator[tuple[dict[str, int], Spikes]]:
    keys = spikes.channel.astype(np.int64)
    if by_experiment:
        keys = keys | spikes.experiment.astype(np.int64) << 32
    order = np.argsort(keys, kind="stable")
    found, starts = np.unique(keys[order], return_index=True)
    for key, rows in zip(found.tolist(), np.split(order, starts[1:]), strict=True) if len(found) else ():
        in_order = len(rows) == rows[-1] - rows[0] + 1 and bool((np.diff(rows) == 1).all())
        part = spikes.take(slice(int(rows[0]), int(rows[-1]) + 1) if in_order else rows)
        named = {"channel": int(part.channel[0])}
        yield ({"experiment": key >> 32} if by_experiment else {}) | named, part


def _limits(name: str, value: float, low: float, high: float) -> dict[str, float]:
    return {name: value, f"{name}_low": low, f"{name}_high": high}
