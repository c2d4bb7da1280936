"""train-cleaner."""

from __future__ import annotations

import argparse
import dataclasses
import json
from typing import Any

from .inputs import read, share, show, whole_number_from


def add(commands: Any, common: argparse.ArgumentParser) -> None:
    """Add the commands of this group."""
    parser = commands.add_parser(
        "train-cleaner",
        parents=[common],
        help="train a cleaner on events that a person has curated",
        description="Units are spikes, unit 0 is noise; units labelled noise are noise, unsorted ones are left out.",
    )
    parser.add_argument("curated", nargs="+", metavar="CURATED", help="files or projects")
    parser.add_argument("-o", "--output", required=True, metavar="NAME.keras")
    parser.add_argument("--network", metavar="NAME", help="default: the setting `network`; a file in models/")
    parser.add_argument(
        "--split", choices=("channel", "experiment"), default="channel",
        help="a quarter of these is held out whole and only says how good the result is (default: channel)",
    )  # fmt: skip
    parser.add_argument("--epochs", type=whole_number_from(1), default=20, metavar="N", help="passes over the events")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="of the split and the order")
    parser.add_argument("--json", action="store_true", help="the result as JSON")
    parser.set_defaults(run=_train)


def _train(options: argparse.Namespace) -> None:
    from neuralsorter.training import train_cleaner

    spikes = read(options.curated)
    with share("training") as update:
        result = train_cleaner(
            spikes,
            options.output,
            network=options.network,
            split_by=options.split,
            epochs=options.epochs,
            seed=options.seed,
            progress=update,
        )
    if options.json:
        show(json.dumps(dataclasses.asdict(result)))
        return
    show(f"{result.path}: trained on {result.n_trained} events. {result.split}")
    for name, scores in (("this network", result.scores), ("the shipped one", result.shipped_scores)):
        told = ", ".join(f"{key.replace('_', ' ')} {value:.3f}" for key, value in scores.items() if key != "n")
        show(f"{result.n_held_out} events held out, {name}: {told}")
