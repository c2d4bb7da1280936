"""Reading recordings for a project: one form for all, and units that mean the same in each."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from neuralsorter.errors import DataError
from neuralsorter.spikes import NOISE, Spikes
from neuralsorter.store import Experiment, Progress

Pair = tuple[int, int]

PART = ", part "  # `saving` takes it off again


def recordings(
    files: Sequence[str | Path], like: Experiment | None, progress: Progress | None, cancel: Any = None
) -> Iterator[Spikes]:
    """Read files one by one, brought to the rate and window of `like`, else of the first."""
    from neuralsorter.loading import conform, load_with_notes
    from neuralsorter.loading.remarks import remark

    form = None if like is None else (like.sampling_rate, like.pre_samples, like.raw.shape[1:])
    for number, file in enumerate(files):
        if progress is not None:
            progress(number / len(files), f"reading {Path(file).name}")
        spikes, notes = load_with_notes(file, cancel=cancel)
        for note in notes:
            remark(note.replace(str(file), Path(file).name, 1))
        told = Path(file).absolute()  # what the file is called from any folder: export must know it again
        form = form or (spikes.sampling_rate, spikes.pre_samples, spikes.raw.shape[1:])
        if spikes.raw.shape[1:-1] != form[2][:-1]:
            raise DataError(f"{file} has waveforms of another number of channels. Make a project of its own of it.")
        yield replace(
            conform(spikes, form[0], pre_samples=form[1], n_samples=form[2][-1]), sources=sources_of(told, spikes)
        )


def sources_of(file: str | Path, spikes: Spikes) -> tuple[str, ...]:
    """Return what each experiment of a file is called: the file itself, or its parts."""
    count = int(spikes.experiment.max(initial=0)) + 1
    return (str(file),) if count == 1 else tuple(f"{file}{PART}{number + 1}" for number in range(count))


def part_of(progress: Progress | None, low: float, high: float) -> Progress | None:
    """Return a progress that runs from `low` to `high` of the whole."""
    return progress and (lambda done, what: progress(low + done * (high - low), what))


def agreed(tables: Sequence[Spikes]) -> list[Spikes]:
    """Give unsorted events of a channel the same unit in every table, clear of its sorted units."""
    if len(tables) < 2:
        return list(tables)
    from neuralsorter.loading.codes import agree

    sizes = [len(t) for t in tables]
    bare = Spikes(
        raw=np.zeros((sum(sizes), 1), np.int16),  # agreement is about units only
        times_s=np.zeros(sum(sizes)),
        channel=np.concatenate([t.channel for t in tables]),
        unit=np.concatenate([t.unit for t in tables]),
        experiment=np.repeat(np.arange(len(tables), dtype=np.int32), sizes),
        pre_samples=0,
    )
    one = agree(bare, tuple(t.labels for t in tables))
    units = np.split(one.unit, np.cumsum(sizes)[:-1])
    return [replace(t, unit=unit, labels=one.labels) for t, unit in zip(tables, units, strict=True)]


def fitted(
    spikes: Spikes,
    channels: Sequence[int],
    labels: Mapping[Pair, str],
    counts: Callable[[int], Mapping[int, int]],
    fresh: Callable[[int], int],
) -> Spikes:
    """Renumber the units of a further recording that mean another thing in the project it is added to.

    Unsorted events join the unsorted unit of their channel; a unit whose number stands for unsorted events there, or
    the other way round, gets a number never used.

    Parameters
    ----------
    spikes : Spikes
        What is added.
    channels, labels :
        The project's.
    counts, fresh : callable
        Of a channel of the project: the units present, and a number never used.

    """
    from neuralsorter.loading.codes import UNSORTED

    unit, names = np.array(spikes.unit), dict(spikes.labels)
    for channel in sorted({*channels} & {*np.unique(spikes.channel).tolist()}):
        inside = spikes.channel == channel
        own = [u for u in np.unique(spikes.unit[inside]).tolist() if u != NOISE]
        there = counts(channel)
        pool = [u for u in there if labels.get((channel, u)) == UNSORTED]
        number = max([fresh(channel) - 1, *own])
        for u in own:
            unsorted = spikes.labels.get((channel, u)) == UNSORTED
            if u not in there or unsorted == (u in pool):
                continue
            text = names.pop((channel, u), "")
            target = pool[0] if unsorted and pool else (number := number + 1)
            unit[inside & (spikes.unit == u)] = target
            if text:
                names[channel, target] = text
    return replace(spikes, unit=unit, labels=names)
