"""The events of one experiment: immutable, sorted by channel, memory-mapped, hashed, whole or absent."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from .errors import ProjectError
from .spikes import NO_UNIT, Spikes, empty_channels, empty_triggers
from .storage.columns import UNREADABLE, mapped, table_from_json, table_to_json, write_array, write_bytes, write_header
from .storage.disk import PARTIAL, READ_ONLY_MODE, remove_tree, sha256_of, sync_file, sync_folder

MANIFEST = "manifest.json"
FORMAT = 1
_PIECE_ROWS = 65_536
_COLUMNS = {
    "times": "times_s",
    "channel": "channel",
    "unit": "unit",
    "old_unit": "old_unit",
    "segment": "segment",
    "source_row": "source_row",
}
_TYPES = {"times": np.dtype(np.float64), "source_row": np.dtype(np.int64)}  # all others are int32
_OMITTED_WHEN = {"segment": 0, "old_unit": NO_UNIT}  # a column that is this everywhere takes no file

Progress = Callable[[float, str], None]  # the fraction done, and what is being done


@dataclass(frozen=True, eq=False)
class Experiment:
    """Events of one file, sorted by channel, segment, time, input order.

    Attributes
    ----------
    raw, times_s, channel, unit, old_unit, segment :
        As in `Spikes`; `unit` holds the units the file came with.
    source_row : ndarray, (n_spikes,), int64
        Position of each event in its file.
    channel_ptr : ndarray, (n_channels, 3), int64
        Channel, first row, row after the last.
    first_row : int
        Events in the files that the project got before this one.
    raw_rows : ndarray or None
        Where each event's waveform lies in `raw`; None: in row order.
    digest : str
        SHA-256 of the manifest, which holds the SHA-256 of every file; empty in memory.

    """

    name: str
    source: str
    raw: NDArray[Any]
    times_s: NDArray[np.float64]
    channel: NDArray[np.int32]
    unit: NDArray[np.int32]
    old_unit: NDArray[np.int32]
    segment: NDArray[np.int32]
    source_row: NDArray[np.int64]
    channel_ptr: NDArray[np.int64]
    sampling_rate: float
    pre_samples: int
    uv_per_bit: float
    first_row: int = 0
    labels: dict[tuple[int, int], str] = field(default_factory=dict)
    channels: pd.DataFrame = field(default_factory=empty_channels)
    triggers: pd.DataFrame = field(default_factory=empty_triggers)
    raw_rows: NDArray[np.int64] | None = None
    folder: Path | None = None
    digest: str = ""

    def __len__(self) -> int:
        return len(self.source_row)

    def fresh_unit(self) -> NDArray[np.int32]:
        """Return the initial units as an array of one's own; memory is used only where it is written to."""
        if self.folder is None:
            return np.array(self.unit)
        return mapped(self.folder / "unit.npy", "c")


def arrange(spikes: Spikes, first_row: int = 0) -> Iterator[Experiment]:
    """Yield one experiment in memory for each experiment number in `spikes`, those without events included.

    `raw` stays in input order until `sort_raw` or `write` puts it in row order: recordings may be larger than memory.
    """
    for number in range(max(len(spikes.sources), int(spikes.experiment.max(initial=0)) + 1)):
        inside = np.flatnonzero(spikes.experiment == number)
        keys = (spikes.times_s[inside], spikes.segment[inside], spikes.channel[inside])
        order = inside[np.lexsort(keys)]
        channel = spikes.channel[order]
        ids, starts, counts = np.unique(channel, return_index=True, return_counts=True)
        known = spikes.sources[number] if number < len(spikes.sources) else ""
        yield Experiment(
            name=Path(known).name or f"experiment {number}",
            source=known,
            raw=spikes.raw,
            times_s=spikes.times_s[order],
            channel=channel,
            unit=spikes.unit[order],
            old_unit=spikes.old_unit[order],
            segment=spikes.segment[order],
            source_row=order.astype(np.int64),
            raw_rows=order,
            channel_ptr=np.c_[ids, starts, starts + counts].astype(np.int64),
            sampling_rate=float(spikes.sampling_rate),
            pre_samples=int(spikes.pre_samples),
            uv_per_bit=float(spikes.uv_per_bit),
            first_row=first_row,
            labels=dict(spikes.labels),
            channels=spikes.channels,
            triggers=_triggers_of(spikes, number),
        )


def sort_raw(experiment: Experiment) -> Experiment:
    """Return what `arrange` made with its waveforms in row order, in memory."""
    rows, raw = experiment.raw_rows, experiment.raw
    if rows is None:
        return experiment
    in_order = len(rows) == len(raw) and bool((np.diff(rows) == 1).all())
    return replace(experiment, raw=raw if in_order else raw[rows], raw_rows=None)


def write(experiment: Experiment, folder: Path, progress: Progress | None = None) -> Experiment:
    """Write an experiment as `folder`, whole or not at all, and return it memory-mapped."""
    return put(write_beside(experiment, folder, progress), folder)


def put(partial: Path, folder: Path) -> Experiment:
    """Give what was written beside `folder` its name, and return it memory-mapped."""
    partial.rename(folder)
    sync_folder(folder.parent)
    return read(folder)


def write_beside(experiment: Experiment, folder: Path, progress: Progress | None = None) -> Path:
    """Write an experiment under a name that nobody opens, and return that; the next try clears it away."""
    partial = folder.with_name(folder.name + PARTIAL)
    if partial.exists():
        remove_tree(partial)
    partial.mkdir(parents=True)
    try:
        files = _write_waveforms(experiment, partial, progress)
        for name, attribute in _COLUMNS.items():
            column = getattr(experiment, attribute)
            if name not in _OMITTED_WHEN or (column != _OMITTED_WHEN[name]).any():
                files[f"{name}.npy"] = {"sha256": write_array(partial / f"{name}.npy", column)}
        files["channel_ptr.npy"] = {"sha256": write_array(partial / "channel_ptr.npy", experiment.channel_ptr)}
        for name in ("channels", "triggers"):
            data = table_to_json(getattr(experiment, name))
            files[f"{name}.json"] = {"sha256": write_bytes(partial / f"{name}.json", data)}
        write_bytes(partial / MANIFEST, _manifest(experiment, files))
        sync_folder(partial)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise
    return partial


def read(folder: Path) -> Experiment:
    """Return a stored experiment, memory-mapped: the time does not depend on its size.

    Raises
    ------
    ProjectError
        When a file is missing or is not what it should be.

    """
    try:
        data = (folder / MANIFEST).read_bytes()
        facts = json.loads(data)
        n = facts["n_spikes"]
        columns = {attribute: _column(folder, name, n, facts["files"]) for name, attribute in _COLUMNS.items()}
        experiment = Experiment(
            name=facts["name"],
            source=facts["source"],
            raw=mapped(folder / "waveforms.npy"),
            **columns,
            channel_ptr=_bounds(folder, n),
            sampling_rate=facts["sampling_rate"],
            pre_samples=facts["pre_samples"],
            uv_per_bit=facts["uv_per_bit"],
            first_row=facts["first_row"],
            labels={(c, u): text for c, u, text in facts["labels"]},
            channels=table_from_json((folder / "channels.json").read_bytes()),
            triggers=table_from_json((folder / "triggers.json").read_bytes()),
            folder=folder,
            digest=hashlib.sha256(data).hexdigest(),
        )
    except UNREADABLE as cause:
        raise ProjectError(
            f"{folder}: the stored events cannot be read ({cause}). Run `neuralsorter verify` and restore the folder"
            " from a copy, or import the original file again."
        ) from cause
    if not len(experiment.raw) == len(experiment.times_s) == n:
        raise ProjectError(f"{folder}: the stored columns have unequal lengths. Restore the folder from a copy.")
    return experiment


def digest_of(folder: Path) -> str:
    """Return the SHA-256 of a stored experiment's manifest; empty where it cannot be read."""
    try:
        return sha256_of(folder / MANIFEST)
    except OSError:
        return ""


def problems(folder: Path) -> list[str]:
    """Return a sentence for each file of a stored experiment that is not as it was written."""
    try:
        files = json.loads((folder / MANIFEST).read_bytes())["files"]
    except (OSError, ValueError, KeyError, TypeError) as cause:
        return [f"{folder / MANIFEST} cannot be read ({cause})."]
    found = []
    for name, facts in files.items():
        path = folder / name
        if not path.is_file():
            found.append(f"{path} is missing.")
        elif sha256_of(path) != facts["sha256"]:
            where = _damaged_channels(path, folder, facts) if "channels" in facts else ""
            found.append(f"{path} differs from what was written{where}.")
    return found


def _triggers_of(spikes: Spikes, number: int) -> pd.DataFrame:
    if "experiment" in spikes.triggers:
        return spikes.triggers[spikes.triggers["experiment"] == number].reset_index(drop=True)
    return spikes.triggers if number == 0 else spikes.triggers.iloc[:0]


def _manifest(experiment: Experiment, files: dict[str, dict[str, Any]]) -> bytes:
    facts = {
        "format": FORMAT,
        "name": experiment.name,
        "source": experiment.source,
        "n_spikes": len(experiment),
        "sampling_rate": experiment.sampling_rate,
        "pre_samples": experiment.pre_samples,
        "uv_per_bit": experiment.uv_per_bit,
        "first_row": experiment.first_row,
        "labels": [[c, u, text] for (c, u), text in experiment.labels.items()],
        "files": files,
    }
    return json.dumps(facts, indent=1).encode()


def _write_waveforms(experiment: Experiment, folder: Path, progress: Progress | None) -> dict[str, dict[str, Any]]:
    raw, rows = experiment.raw, experiment.raw_rows
    path, whole, by_channel = folder / "waveforms.npy", hashlib.sha256(), {}
    with path.open("wb") as file:
        shape = (len(experiment), *raw.shape[1:])
        write_header(file, raw.dtype, shape)
        file.flush()
        whole.update(path.read_bytes())
        for channel, start, stop in experiment.channel_ptr.tolist():
            digest = hashlib.sha256()
            for at in range(start, stop, _PIECE_ROWS):
                part = slice(at, min(at + _PIECE_ROWS, stop))
                piece = np.ascontiguousarray(raw[part] if rows is None else raw[rows[part]])
                file.write(piece.data)
                digest.update(piece.data)
                whole.update(piece.data)
            by_channel[str(channel)] = digest.hexdigest()
            if progress is not None:
                progress(stop / max(len(experiment), 1), experiment.name)
        sync_file(file)
    path.chmod(READ_ONLY_MODE)
    return {path.name: {"sha256": whole.hexdigest(), "channels": by_channel}}


def _column(folder: Path, name: str, n: int, files: dict[str, Any]) -> NDArray[Any]:
    if f"{name}.npy" in files:
        column = mapped(folder / f"{name}.npy")
        if column.dtype != _TYPES.get(name, np.dtype(np.int32)):
            raise ValueError(f"{name}.npy holds {column.dtype}")
        return column
    return np.broadcast_to(np.int32(_OMITTED_WHEN[name]), (n,))


def _bounds(folder: Path, n: int) -> NDArray[np.int64]:
    """Return `channel_ptr`, which must divide all rows among the channels: other numbers would show wrong events."""
    bounds = np.load(folder / "channel_ptr.npy", allow_pickle=False)
    whole = bounds.dtype == np.int64 and bounds.ndim == 2 and bounds.shape[1] == 3
    cuts = np.r_[0, bounds[:, 2]] if whole else np.zeros(0, np.int64)
    if not (whole and np.array_equal(cuts[:-1], bounds[:, 1]) and cuts[-1] == n and (np.diff(cuts) > 0).all()):
        raise ValueError("channel_ptr.npy does not divide the rows among the channels")
    if (np.diff(bounds[:, 0]) <= 0).any():
        raise ValueError("channel_ptr.npy does not have its channels in order")
    return np.asarray(bounds)


def _damaged_channels(path: Path, folder: Path, facts: dict[str, Any]) -> str:
    try:
        raw, bounds = mapped(path), np.load(folder / "channel_ptr.npy", allow_pickle=False)
        bad = [
            str(channel)
            for channel, start, stop in bounds.tolist()
            if hashlib.sha256(np.ascontiguousarray(raw[start:stop]).data).hexdigest() != facts["channels"][str(channel)]
        ]
    except UNREADABLE:
        return ""
    return f" (channels {', '.join(bad)})" if bad else " (its header)"
