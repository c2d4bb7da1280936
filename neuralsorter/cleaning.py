"""How likely each event is a spike: the cleaners and the one function that runs them on a recording."""

from __future__ import annotations

import hashlib
import json
import re
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

import numpy as np
import param
from numpy.typing import NDArray
from scipy.special import expit
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]  # it has no stubs

from . import batch, plugins
from .compiled import Compiled
from .cores import cores
from .errors import Cancelled, NeuralSorterError, PluginError
from .kernel import kernel
from .networks import Network, load_weights
from .spikes import Spikes
from .waveforms import to_common

SHIPPED = "spike_cnn"
_NETWORK_SUFFIXES = (".keras", ".h5", ".hdf5")
_NETWORK_NAME = re.compile(rf"(.+(?:{'|'.join(map(re.escape, _NETWORK_SUFFIXES))}))(?::([01]))?")
_READ_TIMEOUT_S = 120.0
_READ_MEMORY_MB = 2048.0


class CnnCleaner(plugins.Cleaner):
    """A small convolutional network that sees shape, and size in units of the channel's noise."""

    network: Any = param.String(default="", doc="A .keras or .h5 file, or its name in models/; empty: the shipped one.")
    spike_output: Any = param.Integer(
        default=1, bounds=(0, 1), doc="Which of two outputs means spike, for networks of the 2020 program."
    )

    def spike_probability(self, waveforms: NDArray[Any], sampling_rate: float, pre_samples: int) -> NDArray[np.float32]:
        """Return P(spike) of the events of one channel, (n_spikes,); 0 for waveforms without any shape."""
        p = np.zeros(len(waveforms), np.float32)
        shaped = np.flatnonzero(_has_shape(waveforms))
        if len(shaped):
            run = shipped().probability if not self.network else self._own
            chosen = waveforms if len(shaped) == len(waveforms) else waveforms[shaped]
            p[shaped] = run(chosen, sampling_rate, pre_samples)
        return p

    def _own(self, waveforms: NDArray[Any], sampling_rate: float, pre_samples: int) -> NDArray[Any]:
        path = find_network(self.network)
        network = read_network(path, path.stat().st_mtime_ns)
        if Compiled.fits(network):
            return Compiled(network).probability(waveforms, sampling_rate, pre_samples)
        return _as_in_2020(network, path, waveforms, sampling_rate, pre_samples, self.spike_output)


BUNDLED: dict[str, type] = {"cnn": CnnCleaner}


def spike_probability(
    spikes: Spikes,
    cleaner: str | plugins.Cleaner | None = None,
    *,
    progress: Callable[[int, int], None] | None = None,
    cancel: threading.Event | None = None,
    jobs: int | None = None,
) -> NDArray[np.float32]:
    """Return how likely each event is a spike.

    Parameters
    ----------
    spikes : Spikes
        Events; each channel of each experiment is judged in its own noise.
    cleaner : str or Cleaner, optional
        Name of a cleaner or of a network in models/, or a cleaner; the setting `cleaner` by default. "old.h5:0" is a
        network of the 2020 program whose first output means spike, not its second.
    progress : callable, optional
        Called with the number of channels done and of all.
    cancel : threading.Event, optional
        Set it to stop before the next channel.
    jobs : int, optional
        Processes to work in, see `batch.map_channels`; by default threads of this one. The result is the same.

    Returns
    -------
    ndarray, (n_spikes,), float32
        0 noise to 1 spike.

    """
    judge = _cleaner(cleaner)
    p = np.zeros(len(spikes), np.float32)
    groups = _groups(spikes)
    if jobs is not None:
        # A user's own cleaner is found by its name wherever the work is done; its class could not travel.
        sent = cleaner if isinstance(cleaner, str) else judge
        tasks = ((sent, spikes.take(rows)) for rows in groups)
        for index, own in batch.map_channels(judge_channel, tasks, jobs, progress, cancel, total=len(groups)):
            p[groups[index]] = own
        return p
    # A matrix product of this size is fastest on one core; channels are spread over the cores instead.
    n_threads = cores() if isinstance(judge, CnnCleaner) else 1
    with threadpool_limits(1, user_api="blas"), ThreadPoolExecutor(n_threads) as pool:
        for done, (rows, own) in enumerate(_each(pool, groups, lambda rows: _judged(judge, spikes, rows, cancel))):
            p[rows] = own
            if progress is not None:
                progress(done + 1, len(groups))
    return p


def provenance(cleaner: str | plugins.Cleaner | None = None) -> dict[str, Any]:
    """Return what the history keeps of a cleaner: its name, settings, network and hash, and the program's version."""
    from . import __version__

    judge = _cleaner(cleaner)
    told: dict[str, Any] = {"cleaner": cleaner if isinstance(cleaner, str) else type(judge).__name__}
    told |= {name: getattr(judge, name) for name in judge.param if name != "name"}
    if isinstance(judge, CnnCleaner):
        path = plugins.folder("models") / _told()["weights"] if not judge.network else find_network(judge.network)
        told |= {"network": path.name, "sha256": hashlib.sha256(path.read_bytes()).hexdigest()}
    return {**told, "version": __version__}


def judge_channel(task: tuple[str | plugins.Cleaner, Spikes]) -> NDArray[np.float32]:
    """Return the probabilities of the events of one channel."""
    cleaner, events = task
    judge = _named(cleaner) if isinstance(cleaner, str) else cleaner
    with threadpool_limits(1, user_api="blas"):
        return _judged(judge, events, np.arange(len(events)), None)


@lru_cache(maxsize=4)
def _named(name: str) -> plugins.Cleaner:
    """Return a cleaner by name; looking for plug-ins takes longer than a small channel."""
    return _cleaner(name)


def _each(
    pool: ThreadPoolExecutor, groups: list[NDArray[np.int64]], judge: Callable[[NDArray[np.int64]], NDArray[np.float32]]
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.float32]]]:
    """Yield each group and its probabilities as they come; after an error, start no other group."""
    waiting = {pool.submit(judge, rows): rows for rows in groups}
    try:
        for future in as_completed(waiting):
            yield waiting[future], future.result()
    finally:
        for future in waiting:
            future.cancel()


def _judged(
    judge: plugins.Cleaner, spikes: Spikes, rows: NDArray[np.int64], cancel: threading.Event | None
) -> NDArray[np.float32]:
    """Return the probabilities of one channel's events, whatever the cleaner does."""
    if cancel is not None and cancel.is_set():
        raise Cancelled("Stopped; nothing was changed.")
    waveforms = single_wire(spikes, rows)
    name = type(judge).__name__
    try:
        p = np.asarray(judge.spike_probability(waveforms, spikes.sampling_rate, spikes.pre_samples), np.float32)
    except NeuralSorterError:
        raise
    except Exception as cause:
        raise PluginError(f"The cleaner {name} failed: {type(cause).__name__}: {cause}") from cause
    if p.shape != (len(rows),) or not np.isfinite(p).all() or ((p < 0) | (p > 1)).any():
        raise PluginError(f"The cleaner {name} must return one probability from 0 to 1 per event. Got shape {p.shape}.")
    return p


def _cleaner(cleaner: str | plugins.Cleaner | None) -> plugins.Cleaner:
    if isinstance(cleaner, plugins.Cleaner):
        return cleaner
    if cleaner is None:
        from .settings import settings

        cleaner = settings().cleaner
    network = _NETWORK_NAME.fullmatch(cleaner)
    if network:
        return CnnCleaner(network=network[1], spike_output=int(network[2] or 1))
    return plugins.get("cleaners", cleaner)()


def _groups(spikes: Spikes) -> list[NDArray[np.int64]]:
    """Return the rows of each channel of each experiment."""
    if not len(spikes):
        return []
    key = spikes.experiment.astype(np.int64) << 32 | (spikes.channel.astype(np.int64) & 0xFFFFFFFF)
    order = np.argsort(key, kind="stable")
    return np.split(order, np.flatnonzero(np.diff(key[order])) + 1)


def single_wire(spikes: Spikes, rows: NDArray[np.int64]) -> NDArray[np.float32]:
    """Return what a cleaner sees of some events, (n_spikes, n_samples) in µV: of several channels the largest."""
    raw = spikes.raw[rows]
    chosen = _largest_channel(raw) if raw.ndim == 3 else raw
    return np.multiply(chosen, np.float32(spikes.uv_per_bit), dtype=np.float32)


def _largest_channel(raw: NDArray[Any]) -> NDArray[Any]:
    """Return, of events with several channels, the one with the largest swing: (n_spikes, n_samples)."""
    with np.errstate(invalid="ignore"):
        lowest, highest = _extremes(raw)
    swing = np.nan_to_num(highest.astype(np.float32) - lowest, nan=0.0)
    return raw[np.arange(len(raw)), swing.argmax(axis=1)]


@kernel
def _has_shape(waveforms: NDArray[Any]) -> NDArray[np.bool_]:  # pragma: no cover - compiled
    """Return which waveforms have two samples that differ: not flat, not NaN throughout."""
    found = np.zeros(len(waveforms), np.bool_)
    for row in range(len(waveforms)):
        first = np.nan
        for value in waveforms[row]:
            if first < value or value < first:
                found[row] = True
                break
            if not first == first:  # noqa: PLR0124, SIM201 - NaN so far
                first = value
    return found


def _extremes(waveforms: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return each waveform's lowest and highest sample; NaN where it has none."""
    return np.fmin.reduce(waveforms, axis=-1), np.fmax.reduce(waveforms, axis=-1)


@lru_cache(maxsize=1)
def shipped() -> Compiled:
    """Return the network that comes with the program, ready to run."""
    return Compiled(shipped_network())


def shipped_network() -> Network:
    """Return the layers and weights of the network that comes with the program; their hash is checked."""
    told = _told()
    return load_weights(plugins.folder("models") / told["weights"], told["sha256"])


def _told() -> dict[str, Any]:
    told: dict[str, Any] = json.loads((plugins.folder("models") / f"{SHIPPED}.json").read_text("utf-8"))
    return told


def find_network(name: str) -> Path:
    """Return the file of a network: a path, or a name in the user's or the bundled models/."""
    given = Path(name).expanduser()
    places = [given, plugins.user_folder() / "models" / name, plugins.folder("models") / name]
    for place in places:
        if place.is_file() and place.suffix in _NETWORK_SUFFIXES:
            return place.resolve()
    raise PluginError(
        f"There is no network {name!r}. Give the path of a .keras or .h5 file, or put it in {places[1].parent}."
    )


@lru_cache(maxsize=8)
def read_network(path: Path, changed: int) -> Network:  # noqa: ARG001 - a file that changed is read again
    """Read a network's weights in a process of its own; nothing in the file is ever run."""
    from . import workers

    read: Literal["neuralsorter.foreign:read"] = "neuralsorter.foreign:read"
    data = workers.call(read, str(path), timeout_s=_READ_TIMEOUT_S, memory_mb=_READ_MEMORY_MB)
    return Network.from_bytes(data)


def _as_in_2020(
    network: Network, path: Path, waveforms: NDArray[Any], sampling_rate: float, pre_samples: int, spike_output: int
) -> NDArray[Any]:
    """Run a network of the 2020 program: 60 samples scaled to [0, 1] by themselves, two outputs."""
    if network.input_shape not in {(60,), (60, 1)} or network.n_outputs > 2:
        raise PluginError(
            f"{path} takes {network.input_shape} and gives {network.n_outputs} values. NeuralSorter runs its own"
            " networks and those with one 60-sample input and one or two outputs."
        )
    values = to_common(waveforms, sampling_rate, pre_samples).values
    lowest = values.min(axis=1, keepdims=True)
    scaled = (values - lowest) / np.maximum(values.max(axis=1, keepdims=True) - lowest, np.float32(1e-12))
    parts = [network(scaled[i : i + 4096].reshape(-1, *network.input_shape)) for i in range(0, len(scaled), 4096)]
    out = np.concatenate(parts).reshape(len(scaled), -1)
    if out.shape[1] == 1:
        p = out[:, 0] if spike_output else 1 - out[:, 0]
    elif np.allclose(out.sum(axis=1), 1, atol=1e-3):
        p = out[:, spike_output]
    else:
        p = expit(out[:, spike_output] - out[:, 1 - spike_output])
    return np.clip(p, 0, 1)
