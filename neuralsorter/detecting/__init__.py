"""Raw recordings to events: band-pass, threshold, align and cut, stretch by stretch, on all cores."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from neuralsorter import workers
from neuralsorter.cores import cores
from neuralsorter.errors import DataError
from neuralsorter.spikes import Spikes

from .crossings import SIGNS, Crossings, Detector, apart, band_passed, find, noise_sd
from .sources import ArrayRecording, Recording, opened

__all__ = ["RAW_SUFFIXES", "SIGNS", "Detector", "detect", "detect_in", "thresholds", "thresholds_of"]

RAW_SUFFIXES = (
    ".ns1", ".ns2", ".ns3", ".ns4", ".ns5", ".ns6", ".rhd", ".rhs", ".raw", ".abf", ".edf", ".vhdr", ".xdat", ".rec",
    ".brw", ".nix", ".wcp",
)  # fmt: skip
"""Files that hold continuous signals and no events: what the Open dialogue offers to detect events in."""

_STRETCH_VALUES = 4_000_000  # samples x channels of a stretch: about 100 MB while it is filtered
_SHORTEST_S = 0.5
_LOOKS, _LOOK_S = 20, 0.5  # stretches from which the noise is told, spread over the recording
_TIMEOUT_S = 24 * 3600.0
_MEMORY_MB = 16_384
Progress = Callable[[float, str], None]


def detect(
    path: str | Path,
    detector: Detector | None = None,
    *,
    stream: str | None = None,
    on_progress: Progress | None = None,
    cancel: Any = None,
) -> Spikes:
    """Return the events of a continuous recording, every one unsorted, read in a process of its own.

    Parameters
    ----------
    path : str or Path
        A file or folder that neo opens, or a recording that SpikeInterface saved where that is installed.
    detector : Detector, optional
        Threshold, sign, dead time, band and window.
    stream : str, optional
        Name or number of the stream; the one with the most channels unless given.
    on_progress : callable, optional
        Called with the share done and what is happening.
    cancel : threading.Event, optional
        Ends the work when set.

    Raises
    ------
    LoadError
        When there is no continuous signal; it says what there is.

    """
    spikes: Spikes = _apart_from_here("found", path, detector, stream, on_progress, cancel)
    return spikes


def thresholds(
    path: str | Path, detector: Detector | None = None, *, stream: str | None = None, cancel: Any = None
) -> pd.DataFrame:
    """Return what each channel's threshold would be, before the run.

    Returns
    -------
    DataFrame
        A row per channel: channel, noise_uv (SD), threshold_uv, events_per_s in the stretches looked at.

    """
    table: pd.DataFrame = _apart_from_here("looked", path, detector, stream, None, cancel)
    return table


def detect_in(signal: NDArray[Any], sampling_rate: float, detector: Detector | None = None) -> Spikes:
    """Return the events of signals in memory, (n_samples, n_channels), µV."""
    return run(ArrayRecording(np.asarray(signal), sampling_rate), detector or Detector())


def thresholds_of(recording: Recording, detector: Detector) -> pd.DataFrame:
    """Return the table of `thresholds` for an open recording."""
    looks = [band_passed(recording.read(s, a, b), recording.sampling_rate, detector) for s, a, b in _looks(recording)]
    looks = [look for look in looks if len(look)]
    if not looks:
        raise DataError("The recording holds no sample. Choose another file or stream.")
    noise = noise_sd(np.concatenate(looks))
    level = noise * detector.threshold
    rate, dead = recording.sampling_rate, detector.samples(detector.dead_time_ms, recording.sampling_rate)
    count = np.zeros(len(noise), np.int64)
    for look in looks:
        seen = find(look, level, 0, len(look), rate, detector)
        kept = apart(seen.crossing, seen.channel, dead)
        count += np.bincount(seen.channel[kept], minlength=len(noise))
    sign = {"negative": -1.0, "positive": 1.0, "both": 1.0}[detector.sign]
    seconds = sum(len(look) for look in looks) / rate
    return pd.DataFrame(
        {
            "channel": recording.channels,
            "noise_uv": noise,
            "threshold_uv": sign * level,
            "events_per_s": count / seconds,
        }
    )


def run(
    recording: Recording, detector: Detector, on_progress: Progress | None = None, stretch_s: float | None = None
) -> Spikes:
    """Detect in an open recording; the events do not depend on `stretch_s`, the seconds taken at a time."""
    table = thresholds_of(recording, detector)
    level = np.abs(table["threshold_uv"].to_numpy(np.float64))
    found: list[tuple[int, Crossings]] = []
    total = sum(recording.sizes)
    for segment, stop, crossings in _stretches(recording, detector, level, stretch_s):
        found.append((segment, crossings))
        if on_progress is not None:
            done = sum(recording.sizes[:segment]) + stop
            on_progress(done / max(total, 1), f"{sum(len(c.peak) for _, c in found):,} crossings")
    return _table(recording, detector, table, found)


def found(path: str, settings: dict[str, Any], stream: str | None) -> Spikes:
    """Detect in this process: what the worker runs."""
    spikes = run(opened(Path(path), stream), _detector(settings), workers.progress)
    return replace(spikes, sources=(path,))


def looked(path: str, settings: dict[str, Any], stream: str | None) -> pd.DataFrame:
    """Return thresholds in this process: what the worker runs."""
    return thresholds_of(opened(Path(path), stream), _detector(settings))


def _detector(settings: dict[str, Any]) -> Detector:
    low, high = settings["band_hz"]
    return Detector(**{**settings, "band_hz": (low, high)})


def _apart_from_here(
    function: str, path: str | Path, detector: Detector | None, stream: str | None, on_progress: Any, cancel: Any
) -> Any:
    from neuralsorter.loading import require_readable

    place = Path(path).absolute()
    require_readable(place)
    return workers.call(
        f"neuralsorter.detecting:{function}",
        str(place),
        asdict(detector or Detector()),
        stream,
        timeout_s=_TIMEOUT_S,
        memory_mb=_MEMORY_MB,
        on_progress=on_progress,
        cancel=cancel,
        readable=[place, *_same_stem(place)],
    )


def _same_stem(path: Path) -> list[Path]:
    """Return the files of the same recording beside one of them."""
    if path.is_dir():
        return []
    return [f for f in path.parent.iterdir() if f.stem == path.stem and f.is_file() and not f.is_symlink()]


def _looks(recording: Recording) -> Iterator[tuple[int, int, int]]:
    """Yield (segment, start, stop) of stretches spread evenly over the recording, whatever the run takes at a time."""
    length = int(_LOOK_S * recording.sampling_rate)
    total = sum(recording.sizes)
    for segment, size in enumerate(recording.sizes):
        n = max(round(_LOOKS * size / max(total, 1)), 1)
        if size <= n * length:
            yield segment, 0, size
            continue
        for start in np.linspace(0, size - length, n).astype(int).tolist():
            yield segment, start, start + length


def _stretches(
    recording: Recording, detector: Detector, level: NDArray[np.float64], stretch_s: float | None
) -> Iterator[tuple[int, int, Crossings]]:
    """Yield (segment, last sample, crossings) in order; stretches are worked on side by side, never many in memory."""
    rate, margin = recording.sampling_rate, detector.margin(recording.sampling_rate)
    length = int((stretch_s or max(_STRETCH_VALUES / len(level) / rate, _SHORTEST_S)) * rate)

    def work(segment: int, start: int) -> Crossings:
        low = max(start - margin, 0)
        stop = min(start + length, recording.sizes[segment])
        signal = recording.read(segment, low, min(stop + margin, recording.sizes[segment]))
        crossings = find(band_passed(signal, rate, detector), level, start - low, stop - low, rate, detector)
        return replace(crossings, crossing=crossings.crossing + low, peak=crossings.peak + low)

    orders = [(s, start) for s, size in enumerate(recording.sizes) for start in range(0, size, max(length, 1))]
    n_workers = cores()
    with ThreadPoolExecutor(n_workers) as pool:
        waiting: deque[tuple[int, int, Future[Crossings]]] = deque()
        for segment, start in orders:
            waiting.append((segment, start, pool.submit(work, segment, start)))
            if len(waiting) > n_workers:
                yield _finished(recording, length, *waiting.popleft())
        while waiting:
            yield _finished(recording, length, *waiting.popleft())


def _finished(
    recording: Recording, length: int, segment: int, start: int, future: Future[Crossings]
) -> tuple[int, int, Crossings]:
    return segment, min(start + length, recording.sizes[segment]), future.result()


def _table(recording: Recording, detector: Detector, table: pd.DataFrame, found: list[tuple[int, Crossings]]) -> Spikes:
    """Apply the dead time across stretches and return the events in order of time."""
    rate = recording.sampling_rate
    dead = detector.samples(detector.dead_time_ms, rate)
    segment = np.concatenate([np.full(len(c.peak), number, np.int32) for number, c in found])
    at, channel, peak, waveforms = (
        np.concatenate([getattr(c, name) for _, c in found]) for name in ("crossing", "channel", "peak", "waveforms")
    )
    order = np.lexsort((at, channel, segment))
    kept = order[apart(at[order], segment[order] * np.int64(len(table)) + channel[order], dead)]
    kept = kept[np.lexsort((channel[kept], peak[kept], segment[kept]))]
    ids = np.array(recording.channels, np.int32)
    number = ids[channel[kept]]
    return Spikes(
        raw=waveforms[kept],
        times_s=peak[kept] / rate,
        channel=number,
        unit=np.ones(len(kept), np.int32),
        experiment=np.zeros(len(kept), np.int32),
        segment=segment[kept],
        sampling_rate=rate,
        pre_samples=min(detector.samples(detector.before_ms, rate), waveforms.shape[1] - 1),
        labels={(int(one), 1): "unsorted" for one in np.unique(number)},
        channels=pd.DataFrame(
            {"id": ids.astype(np.int64), "x_um": np.nan, "y_um": np.nan, "threshold_uv": table["threshold_uv"]}
        ).sort_values("id", ignore_index=True),
    )
