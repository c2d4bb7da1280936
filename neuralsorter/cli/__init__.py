"""The command line: what the page does, without it.

Exit status 0: done; 1: one sentence on stderr; 2: wrong usage. Heavy libraries are imported by the commands that use
them, so that the others answer at once.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

from neuralsorter import __version__
from neuralsorter.errors import NeuralSorterError

from . import algorithms, detection, files, pages, projects, recipes, reports, training

DONE, FAILED = 0, 1

_GROUPS = (pages, files, detection, algorithms, training, reports, recipes, projects)


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    parser, commands = _parser()
    if not arguments or (arguments[0] not in commands and arguments[0] not in {"-h", "--help", "--version"}):
        arguments = ["serve", *arguments]  # neuralsorter a.nev opens the page
    options = parser.parse_args(arguments)
    if options.plugins:
        os.environ["NEURALSORTER_PLUGINS"] = os.path.abspath(options.plugins)  # noqa: PTH100 - workers inherit it too
    try:
        options.run(options)
    except NeuralSorterError as error:
        return _say(str(error))
    except KeyboardInterrupt:
        return _say("Stopped; nothing was written.")
    except BrokenPipeError:  # neuralsorter info a.nev | head
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return FAILED
    except MemoryError:
        return _say("There is not enough memory for this. Give fewer files at once.")
    except Exception as error:
        if os.environ.get("NEURALSORTER_DEBUG"):
            raise
        told = f"An error of NeuralSorter itself: {type(error).__name__}: {error}."
        return _say(f"{told} Please report it, with what NEURALSORTER_DEBUG=1 shows.")
    return DONE


def _say(sentence: str) -> int:
    print(f"neuralsorter: {sentence}", file=sys.stderr)  # noqa: T201 - the command line speaks
    return FAILED


def _parser() -> tuple[argparse.ArgumentParser, set[str]]:
    parser = argparse.ArgumentParser(
        prog="neuralsorter",
        description="Clean, sort and curate spike waveforms. Without a command: open the page (serve).",
    )
    parser.add_argument("--version", action="version", version=f"neuralsorter {__version__}")
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument(
        "--plugins", metavar="DIR", help="folder of your own cleaners, sorters, loaders, utilities, models"
    )
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    for group in _GROUPS:
        group.add(commands, common)
    return parser, set(commands.choices)
