"""clean, sort and run."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .inputs import (
    add_work,
    jobs,
    probability,
    progress,
    read,
    require_writable,
    tell,
    whole_number_from,
    work,
    write,
)

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from neuralsorter.spikes import Spikes


def add(commands: Any, common: argparse.ArgumentParser) -> None:
    """Add the commands of this group."""
    inputs = argparse.ArgumentParser(add_help=False)
    inputs.add_argument("input", nargs="+", metavar="IN", help="files or projects; a project is read, not changed")
    inputs.add_argument("-o", "--output", required=True, metavar="OUT", help="its suffix names the format")
    add_work(inputs)
    cleaning = argparse.ArgumentParser(add_help=False)
    cleaning.add_argument(
        "--cleaner", metavar="NAME", help="default: the setting `cleaner`; old.h5:0 where output 0 means spike"
    )
    cleaning.add_argument("--threshold", type=probability, metavar="P", help="events below are noise; default 0.5")
    cleaning.add_argument("--scores", metavar="S.npy", help="write P(spike) of each input row here")
    sorting = argparse.ArgumentParser(add_help=False)
    sorting.add_argument("--sorter", metavar="NAME", help="default: the setting `sorter`")
    sorting.add_argument("--seed", type=int, default=0, metavar="N", help="the same seed gives the same units")
    sorting.add_argument("--unit", type=whole_number_from(1), metavar="U", help="sort this unit of each channel alone")
    sorting.add_argument(
        "--like", metavar="EARLIER", help="number units as in this project or sorted file, where that is sure"
    )
    common_parents = [common, inputs]
    for name, parents, steps, text in (
        ("clean", [cleaning], (_clean,), "send events that are no spikes to noise (unit 0)"),
        ("sort", [sorting], (_sort,), "sort the events of each channel into units"),
        ("run", [cleaning, sorting], (_clean, _sort), "clean, then sort"),
    ):
        parser = commands.add_parser(name, parents=[*common_parents, *parents], help=text)
        parser.set_defaults(run=_run, steps=steps)


def _run(options: argparse.Namespace) -> None:
    require_writable(options.output, options.input)
    scores = getattr(options, "scores", None)
    if scores:
        _require_npy(scores)
        require_writable(scores, options.input)
    spikes = read(options.input)
    require_writable(options.output, spikes.sources)
    locked = _locked(options.input, spikes)
    with work(options):
        for step in options.steps:
            spikes = step(spikes, locked, options)
        write(spikes, options.output)


def _clean(spikes: Spikes, locked: NDArray[np.bool_], options: argparse.Namespace) -> Spikes:
    import numpy as np

    from neuralsorter.cleaning import spike_probability
    from neuralsorter.settings import settings
    from neuralsorter.spikes import NOISE

    threshold = settings().threshold if options.threshold is None else options.threshold
    with progress("cleaning") as update:
        p = spike_probability(
            spikes, options.cleaner or settings().cleaner, progress=update, jobs=jobs(options, spikes)
        )
    if options.scores:
        _save_scores(Path(options.scores), p)
    below = (p < threshold) & ~locked
    sent = int((below & (spikes.unit != NOISE)).sum())
    if sys.stderr.isatty():
        tell([f"{sent} of {len(spikes)} events are below {threshold:g} and noise now."])
    return spikes.with_unit(np.where(below, NOISE, spikes.unit))


def _sort(spikes: Spikes, locked: NDArray[np.bool_], options: argparse.Namespace) -> Spikes:
    from neuralsorter.errors import DataError
    from neuralsorter.settings import settings
    from neuralsorter.sorting import sort
    from neuralsorter.spikes import NOISE

    wanted = (spikes.unit != NOISE) & ~locked
    if options.unit is not None:
        wanted &= spikes.unit == options.unit
        if not wanted.any():
            raise DataError(f"No channel has an unlocked unit {options.unit} to sort. Choose one that `info` lists.")
    with progress("sorting") as update:
        units = sort(
            spikes,
            sorter=options.sorter or settings().sorter,
            seed=options.seed,
            rows=wanted,
            jobs=jobs(options, spikes),
            progress=update,
        )
    # A label was given to events that may be in other units now.
    resorted = set(zip(spikes.channel[wanted].tolist(), spikes.unit[wanted].tolist(), strict=True))
    labels = {pair: text for pair, text in spikes.labels.items() if pair not in resorted}
    found = spikes.with_unit(units, labels)
    return found if options.like is None else _like(found, locked, options)


def _like(spikes: Spikes, locked: NDArray[np.bool_], options: argparse.Namespace) -> Spikes:
    """Give units the numbers of an earlier recording and its labels, and say how sure each is."""
    import numpy as np

    from neuralsorter.sorting import like

    earlier = read([options.like])
    units, matches = like(spikes, earlier)
    sure = [
        (channel, m.unit, m.other, m.confidence)
        for channel, found in matches.items()
        for m in found
        if m.other is not None
    ]
    n = sum(map(len, matches.values()))
    tell([f"{len(sure)} of {n} units have the number of a unit in {options.like}."])
    tell(f"channel {c}: unit {mine} is {theirs} there, {p:.0%} sure." for c, mine, theirs, p in sure)
    kept = {pair: text for pair, text in earlier.labels.items() if pair in {(c, theirs) for c, _, theirs, _ in sure}}
    return spikes.with_unit(np.where(locked, spikes.unit, units), {**spikes.labels, **kept})


def _locked(paths: list[str], spikes: Spikes) -> NDArray[np.bool_]:
    """Mark the events of units that are locked in the projects read, (n_spikes,)."""
    import numpy as np

    locked = np.zeros(len(spikes), bool)
    folders = [path for path in paths if (Path(path) / "project.json").is_file()]
    if not folders or len(paths) > 1:
        return locked
    from neuralsorter.project import Project

    with Project.open(folders[0], read_only=True) as project:
        for channel, unit in project.locked:
            locked |= (spikes.channel == channel) & (spikes.unit == unit)
    return locked


def _require_npy(path: str) -> None:
    from neuralsorter.errors import SaveError

    if Path(path).suffix.lower() != ".npy":
        raise SaveError(path, "does not end in .npy, as scores do", "Name a .npy file")


def _save_scores(path: Path, p: NDArray[np.float32]) -> None:
    import numpy as np

    from neuralsorter.saving import written_whole

    with written_whole(path) as file:
        np.save(file, np.asarray(p, np.float32), allow_pickle=False)
