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
    info.add_argument("--columns", action="store_true", help="list the columns of a table or MATLAB file, and guess")
    info.set_defaults(run=_info)
    convert = commands.add_parser("convert", parents=[common], help="write files in another format")
    convert.add_argument("input", nargs="+", metavar="IN")
    convert.add_argument("output", metavar="OUT", help="its suffix names the format")
    convert.add_argument(
        "--curation", metavar="JSON",
        help="put SpikeInterface's curation (labels, merges, splits, removals) onto the events first",
    )  # fmt: skip
    convert.add_argument(
        "--columns", type=_pairs, metavar="OURS=THEIRS,...",
        help="read one table or MATLAB file by these columns, such as Waveforms=w*,ChannelID=probe,TimeStamps=t",
    )  # fmt: skip
    convert.add_argument("--rate", type=float, metavar="HZ", help="with --columns: sampling rate")
    convert.add_argument("--pre-samples", type=int, metavar="N", help="with --columns: samples before the crossing")
    convert.add_argument("--uv-per-unit", type=float, metavar="X", help="with --columns: µV of one unit")
    convert.add_argument(
        "--seconds-per-unit", type=float, metavar="X", help="with --columns: seconds of one unit of time"
    )
    convert.set_defaults(run=_convert)


def _info(options: argparse.Namespace) -> None:
    if options.columns:
        _show_columns(options.file, as_json=options.json)
        return
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
    require_writable(options.output, options.input)
    spikes = read(options.input) if options.columns is None else _read_by_columns(options)
    if options.curation is not None:
        from neuralsorter.loading.curation import apply_curation

        spikes = apply_curation(spikes, options.curation)
    write(spikes, options.output)


def _pairs(text: str) -> dict[str, str]:
    """Return {ours: theirs}, for argparse."""
    pairs = [part.partition("=") for part in text.split(",")]
    if not all(ours and middle and theirs for ours, middle, theirs in pairs):
        raise argparse.ArgumentTypeError(f"must be OURS=THEIRS, separated by commas, not {text!r}")
    return {ours.strip(): theirs.strip() for ours, _, theirs in pairs}


def _read_by_columns(options: argparse.Namespace) -> Spikes:
    from dataclasses import replace

    from neuralsorter.errors import DataError
    from neuralsorter.loading.columns import load_as, propose

    if len(options.input) > 1:
        raise DataError("--columns reads one file. Convert each by itself, then both together.")
    told = {
        "sampling_rate": options.rate,
        "pre_samples": options.pre_samples,
        "uv_per_unit": options.uv_per_unit,
        "seconds_per_unit": options.seconds_per_unit,
    }
    guessed, _ = propose(options.input[0])
    given = {name: value for name, value in told.items() if value is not None}
    return load_as(options.input[0], replace(guessed, fields=options.columns, **given))


def _show_columns(path: str, *, as_json: bool) -> None:
    from neuralsorter.loading.columns import propose

    guessed, table = propose(path)
    if as_json:
        show(json.dumps({"columns": table.to_dict("records"), "guess": dict(guessed.fields)}))
        return
    show(table.to_string(index=False))
    fields = ",".join(f"{ours}={theirs}" for ours, theirs in guessed.fields.items())
    show(f"As it seems: neuralsorter convert {path} OUT --columns '{fields}' --rate {guessed.sampling_rate:g}")
