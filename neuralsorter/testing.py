"""Conformance checks for plug-ins: run them in the tests of your own cleaner, sorter, loader or utility.

Each raises PluginError with one sentence that says what the contract asks and what came instead.
"""

from __future__ import annotations

import hashlib
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .errors import LoadError, PluginError
from .plugins import Cleaner, Loader, Sorter
from .spikes import Spikes

_RATE_HZ, _PRE_SAMPLES = 20_000.0, 20


def spikes_to_test(n: int = 200, seed: int = 0) -> Spikes:
    """Return events of one channel: two units and threshold crossings of noise, 60 samples at 20 kHz."""
    rng = np.random.default_rng(seed)
    at_ms = (np.arange(60) - _PRE_SAMPLES) * (1000 / _RATE_HZ)
    narrow, wide = (-np.exp(-((at_ms / width) ** 2) / 2) for width in (0.1, 0.3))
    shapes = np.stack([np.zeros(60), 120 * narrow, 60 * wide])
    truth = rng.integers(0, 3, n)
    return Spikes(
        raw=(shapes[truth] + rng.normal(0, 6, (n, 60))).astype(np.float32),
        times_s=np.sort(rng.uniform(0, 60, n)),
        channel=np.ones(n, np.int32),
        unit=np.ones(n, np.int32),
        experiment=np.zeros(n, np.int32),
        sampling_rate=_RATE_HZ,
        pre_samples=_PRE_SAMPLES,
    )


def check_cleaner(cleaner: Cleaner) -> None:
    """Check that a cleaner returns a probability per event, whatever the events, and the same for the same events."""
    name = type(cleaner).__name__
    if not isinstance(cleaner, Cleaner):
        raise PluginError(f"{name} must derive from neuralsorter.Cleaner.")
    for case, waveforms, _ in _cases():
        given = waveforms.copy()
        p = np.asarray(cleaner.spike_probability(given, _RATE_HZ, _PRE_SAMPLES))
        place = f"{name}.spike_probability, given {case},"
        _require_untouched(place, given, waveforms)
        if p.shape != (len(waveforms),):
            raise PluginError(f"{place} must return one value per event, {len(waveforms)}. Got the shape {p.shape}.")
        if p.dtype.kind not in "fiub" or not ((p >= 0) & (p <= 1)).all():
            raise PluginError(f"{place} must return numbers from 0 to 1. Got {_range(p)}.")
        again = np.asarray(cleaner.spike_probability(waveforms.copy(), _RATE_HZ, _PRE_SAMPLES))
        if not np.array_equal(p, again):
            raise PluginError(f"{place} must return the same for the same events. Seed what is random in it.")


def check_sorter(sorter: Sorter) -> None:
    """Check that a sorter returns a label per event, whatever the events, and the same for the same seed."""
    name = type(sorter).__name__
    if not isinstance(sorter, Sorter):
        raise PluginError(f"{name} must derive from neuralsorter.Sorter.")
    for case, waveforms, times_s in _cases():
        given, given_times = waveforms.copy(), times_s.copy()
        labels = np.asarray(sorter.sort(given, given_times, _RATE_HZ, _PRE_SAMPLES, 0))
        place = f"{name}.sort, given {case},"
        _require_untouched(place, given, waveforms)
        _require_untouched(place, given_times, times_s)
        if labels.shape != (len(waveforms),):
            raise PluginError(f"{place} must return one label per event, {len(waveforms)}. Got {labels.shape}.")
        if labels.dtype.kind not in "iu":
            raise PluginError(f"{place} must return whole numbers. Got {labels.dtype}.")
        found = np.unique(labels[labels != -1])
        if not np.array_equal(found, np.arange(len(found))):
            raise PluginError(
                f"{place} must return labels 0, 1, ... k-1, or -1 for outliers. Got {found.tolist()[:9]}."
            )
        again = np.asarray(sorter.sort(waveforms.copy(), times_s.copy(), _RATE_HZ, _PRE_SAMPLES, 0))
        if not np.array_equal(labels, again):
            raise PluginError(f"{place} must return the same labels for the same seed. Use `seed` for what is random.")


def check_loader(loader: Loader, path: str | Path) -> None:
    """Check a loader with a good file of its format: it reads it, changes nothing, and refuses damage by LoadError."""
    name, path = type(loader).__name__, Path(path)
    if not isinstance(loader, Loader):
        raise PluginError(f"{name} must derive from neuralsorter.Loader.")
    if not loader.suffixes or not all(suffix.startswith(".") and suffix.islower() for suffix in loader.suffixes):
        raise PluginError(f"{name}.suffixes must be a tuple such as ('.abc',), small letters. Got {loader.suffixes!r}.")
    if path.suffix.lower() not in loader.suffixes:
        raise PluginError(f"{name}.suffixes must have the suffix of {path.name}. Got {loader.suffixes!r}.")
    before = _digest(path)
    spikes = loader.load(path)
    if not isinstance(spikes, Spikes):
        raise PluginError(f"{name}.load must return Spikes. Got {type(spikes).__name__}.")
    again = loader.load(path)
    if not np.array_equal(spikes.raw, again.raw, equal_nan=spikes.raw.dtype.kind == "f"):
        raise PluginError(f"{name}.load must return the same events each time. The waveforms differ.")
    if _digest(path) != before:
        raise PluginError(f"{name}.load must not change the file. {path.name} is another one now.")
    content = path.read_bytes()
    with tempfile.TemporaryDirectory() as folder:
        for case, damaged in {"an empty file": b"", "a file cut in half": content[: len(content) // 2]}.items():
            copy = Path(folder) / path.name
            copy.write_bytes(damaged)
            _require_load_error(loader, copy, case)


def check_utility(path: str | Path) -> None:
    """Check that a script runs with its defaults on one channel, on one event and on none, and returns something."""
    from .scripting.script_runner import ScriptRunner
    from .scripting.scripts import describe

    script = describe(path)
    if script.error:
        raise PluginError(f"{path}: {script.error}")
    runner = ScriptRunner()
    try:
        for n, case in ((200, "200 events"), (1, "one event"), (0, "no events")):
            result = runner.run(script.source, script.name, spikes_to_test(n))
            if result.error:
                raise PluginError(f"{path}, given {case}, failed: {result.error.strip().splitlines()[-1]}")
            if result.kind == "none" and n > 1:
                raise PluginError(f"{path}: run must return a figure, a table, text or new units. Got nothing.")
    finally:
        runner.close()


def _cases() -> list[tuple[str, NDArray[Any], NDArray[Any]]]:
    """Return (what, waveforms, times) of everything a recording may bring."""
    usual = spikes_to_test()
    waveforms, times = np.array(usual.waveforms), np.array(usual.times_s)
    cut = waveforms.copy()
    cut[:, :5] = np.nan
    unknown = np.full(len(times), np.nan)
    return [
        ("200 events", waveforms, times),
        ("events without times", waveforms, unknown),
        ("events whose first samples are NaN", cut, times),
        ("flat waveforms", np.zeros_like(waveforms), times),
        ("one event", waveforms[:1], times[:1]),
        ("no events", waveforms[:0], times[:0]),
    ]


def _require_untouched(place: str, after: NDArray[Any], before: NDArray[Any]) -> None:
    if not np.array_equal(after, before, equal_nan=True):
        raise PluginError(f"{place} must not change the arrays it is given. Copy them first.")


def _require_load_error(loader: Loader, path: Path, case: str) -> None:
    name = type(loader).__name__
    try:
        loader.load(path)
    except LoadError:
        return
    except Exception as cause:
        told = f"{name}.load, given {case}, must raise LoadError. Got {type(cause).__name__}: {cause}."
        raise PluginError(told) from cause
    if case == "an empty file":
        raise PluginError(f"{name}.load, given {case}, must raise LoadError. It returned events.")


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _range(p: NDArray[Any]) -> str:
    if p.dtype.kind not in "fiub":
        return str(p.dtype)
    return "NaN" if np.isnan(p).any() else f"{p.min()} to {p.max()}"
