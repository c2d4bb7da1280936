"""Several files as one table: one rate, one window, experiments in the order given."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from neuralsorter.errors import DataError
from neuralsorter.spikes import Spikes

from .codes import agree

_CHUNK_ROWS = 20_000  # rows interpolated at a time: bounds the float64 copies


def conform(spikes: Spikes, sampling_rate: float, pre_samples: int, n_samples: int) -> Spikes:
    """Return the events at another rate and window, float32 µV; samples the source does not have are NaN.

    Parameters
    ----------
    spikes : Spikes
        Events at any rate and window.
    sampling_rate : float
        Hz.
    pre_samples, n_samples : int
        Samples before the crossing, and in all.

    """
    if (spikes.sampling_rate, spikes.pre_samples, spikes.n_samples) == (sampling_rate, pre_samples, n_samples):
        return spikes
    step = spikes.sampling_rate / sampling_rate
    at = spikes.pre_samples + (np.arange(n_samples) - pre_samples) * step
    inside = (at >= -1e-9) & (at <= spikes.n_samples - 1 + 1e-9)
    if not inside.any():
        window = "{:.2f} to {:.2f} ms".format(*spikes.window_ms)
        raise DataError(f"The waveforms from {window} share no sample with the window of the first file.")
    raw = np.full((*spikes.raw.shape[:-1], n_samples), np.nan, np.float32)
    whole = np.round(at[inside]).astype(int)
    if np.allclose(at[inside], whole, atol=1e-9):
        raw[..., inside] = spikes.raw[..., whole] * np.float32(spikes.uv_per_bit)
    else:
        _interpolate(spikes, at, inside, raw)
    return replace(spikes, raw=raw, uv_per_bit=1.0, sampling_rate=sampling_rate, pre_samples=pre_samples)


def combine(parts: Sequence[Spikes], names: Sequence[str]) -> tuple[Spikes, list[str]]:
    """Return one table of the parts, the experiments of each numbered on, and what was changed to fit.

    Parameters
    ----------
    parts : sequence of Spikes
        At least one; the first one's rate and window rule.
    names : sequence of str
        What to call each part in the notes.

    """
    if len(parts) == 1:
        return parts[0], []
    first, notes = parts[0], []
    fitted = []
    for part, name in zip(parts, names, strict=True):
        if part.raw.shape[1:-1] != first.raw.shape[1:-1]:
            raise DataError(
                f"{name} has waveforms of {_width(part)} channels, {names[0]} of {_width(first)}. Load them apart."
            )
        fitted.append(conform(part, first.sampling_rate, first.pre_samples, first.n_samples))
        if fitted[-1] is not part:
            notes.append(f"{name}: resampled from {_form(part)} to {_form(first)}, as in {Path(names[0]).name}.")
    return _stack(fitted), notes


def experiments(spikes: Spikes) -> int:
    """Return the number of experiments, those without events included."""
    return max(len(spikes.sources), int(spikes.experiment.max(initial=0)) + 1, 1)


def _stack(parts: Sequence[Spikes]) -> Spikes:
    counts = [experiments(part) for part in parts]
    starts = np.cumsum([0, *counts[:-1]])
    scale = parts[0].uv_per_bit
    alike = all(part.raw.dtype == parts[0].raw.dtype and part.uv_per_bit == scale for part in parts)
    columns: dict[str, Any] = {
        name: np.concatenate([getattr(part, name) for part in parts])
        for name in ("times_s", "channel", "unit", "old_unit", "segment")
    }
    sources: list[str] = []
    for part, count in zip(parts, counts, strict=True):
        sources += [*part.sources, *[""] * count][:count]
    stacked = replace(
        parts[0],
        raw=np.concatenate([part.raw if alike else part.waveforms for part in parts]),
        uv_per_bit=scale if alike else 1.0,
        experiment=np.concatenate([part.experiment + start for part, start in zip(parts, starts, strict=True)]),
        channels=_one_channel_table(parts),
        triggers=pd.concat(
            [_numbered(part.triggers, int(start)) for part, start in zip(parts, starts, strict=True)], ignore_index=True
        ),
        sources=tuple(sources),
        **columns,
    )
    of_part = np.repeat(np.arange(len(parts)), counts)
    return agree(stacked, tuple(parts[i].labels for i in of_part.tolist()))


def _numbered(triggers: pd.DataFrame, start: int) -> pd.DataFrame:
    return triggers.assign(experiment=triggers.get("experiment", 0) + np.int64(start))


def _one_channel_table(parts: Sequence[Spikes]) -> pd.DataFrame:
    """Return a row per electrode; the first file that knows it is right."""
    tables = pd.concat([part.channels for part in parts], ignore_index=True)
    return tables.drop_duplicates("id", ignore_index=True).sort_values("id", ignore_index=True)


def _interpolate(spikes: Spikes, at: NDArray[Any], inside: NDArray[Any], raw: NDArray[Any]) -> None:
    from scipy.interpolate import CubicSpline

    samples = np.arange(spikes.n_samples)
    for start in range(0, len(raw), _CHUNK_ROWS):
        rows = slice(start, start + _CHUNK_ROWS)
        source = spikes.raw[rows] * np.float64(spikes.uv_per_bit)
        known = ~np.isnan(source).reshape(-1, spikes.n_samples).any(axis=0)
        if known.sum() < 2:
            continue
        held = inside & (at >= samples[known][0] - 1e-9) & (at <= samples[known][-1] + 1e-9)
        spline = CubicSpline(samples[known], source[..., known], axis=-1)
        raw[rows][..., held] = spline(np.clip(at[held], 0, spikes.n_samples - 1))


def _form(spikes: Spikes) -> str:
    return f"{spikes.n_samples} samples at {spikes.sampling_rate:g} Hz ({spikes.pre_samples} before the crossing)"


def _width(spikes: Spikes) -> int:
    return spikes.raw.shape[1] if spikes.raw.ndim == 3 else 1
