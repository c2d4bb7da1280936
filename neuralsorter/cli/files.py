"""info and convert."""

from __future__ import annotations

import argparse
import json
from typing import TYPE_CHECKING, Any

from .inputs import read, require_writable, show, write

if TYPE_CHECKING:
    from neuralsorter.spikes import Spikes


def add(commands: Any, common: argparse.ArgumentParser) -> None:
    """Add the commands of this group."""
    info = commands.add_parser("info", parents=[common], help="say what a file or project holds")
    info.add_argument("file", metavar="FILE")
    info.add_argument("--json", action="store_true", help="as JSON")
    info.set_defaults(run=_info)
    convert = commands.add_parser("convert", parents=[common], help="write files in another format")
    convert.add_argument("input", nargs="+", metavar="IN")
    convert.add_argument("output", metavar="OUT", help="its suffix names the format")
    convert.set_defaults(run=_convert)


def _info(options: argparse.Namespace) -> None:
    spikes = read([options.file])
    content = summary(spikes)
    if options.json:
        show(json.dumps(content))
        return
    show(
        f"{content['events']} events on {content['channels']} channels, {content['experiments']} experiment(s), "
        f"{content['n_samples']} samples at {content['sampling_rate']:g} Hz"
    )
    for channel, counts in content["units"].items():
        labels = {unit: spikes.labels.get((int(channel), int(unit)), "") for unit in counts}
        told = (f"unit {unit}{f' ({labels[unit]})' if labels[unit] else ''}: {n}" for unit, n in counts.items())
        show(f"channel {channel}: {', '.join(told)}")


def summary(spikes: Spikes) -> dict[str, Any]:
    """Return what `info --json` prints."""
    from neuralsorter.loading.conform import experiments

    units = spikes.unit_counts()
    return {
        "events": len(spikes),
        "channels": len(units),
        "experiments": experiments(spikes),
        "n_samples": spikes.n_samples,
        "sampling_rate": spikes.sampling_rate,
        "units": {str(c): {str(u): n for u, n in counts.items()} for c, counts in units.items()},
    }


def _convert(options: argparse.Namespace) -> None:
    require_writable(options.output)
    spikes = read(options.input)
    write(spikes, options.output)
