"""Files in and out of a command, and what it says while it works."""

from __future__ import annotations

import argparse
import contextlib
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from neuralsorter.spikes import Spikes


_SMALL = 20_000  # events


def tell(sentences: Iterable[str]) -> None:
    """Write what the user should know on stderr."""
    for sentence in sentences:
        print(f"neuralsorter: {sentence}", file=sys.stderr)  # noqa: T201 - the command line speaks


def show(text: str) -> None:
    """Write a result on stdout."""
    print(text)  # noqa: T201 - the command line speaks


def read(paths: Iterable[str]) -> Spikes:
    """Read files and projects into one table, with its remarks on stderr."""
    from neuralsorter.loading import load_with_notes

    spikes, notes = load_with_notes(*paths)
    tell(notes)
    return spikes


def require_writable(path: str, sources: Iterable[str] = ()) -> None:
    """Refuse an output that cannot be written, or is an input, before the work begins."""
    from neuralsorter.saving import check

    check(Path(path), sources)


def write(spikes: Spikes, path: str) -> None:
    """Say what the format cannot hold, then save the rows in input order."""
    from neuralsorter.saving import losses, save_with_notes

    lost = losses(spikes, path)
    tell(lost)
    tell(note for note in save_with_notes(spikes, path) if note not in lost)


@contextlib.contextmanager
def progress(text: str, unit: str = "channel") -> Iterator[Callable[[int, int], None]]:
    """Show a bar on a terminal, nothing when piped; yields a function of (done, total)."""
    if not sys.stderr.isatty():
        yield lambda _done, _total: None
        return
    from tqdm import tqdm

    with tqdm(desc=text, unit=unit, leave=False) as bar:

        def update(done: int, total: int) -> None:
            bar.total = total
            bar.update(done - bar.n)

        yield update


@contextlib.contextmanager
def share(text: str) -> Iterator[Callable[[float, str], None]]:
    """Show a bar of the share done on a terminal, nothing when piped; yields a function of (share, what)."""
    if not sys.stderr.isatty():
        yield lambda _done, _what: None
        return
    from tqdm import tqdm

    with tqdm(desc=text, total=1.0, leave=False, bar_format="{desc}: {percentage:3.0f} %|{bar}| {postfix}") as bar:

        def update(done: float, what: str) -> None:
            bar.set_postfix_str(what)
            bar.update(done - bar.n)

        yield update


def add_work(parser: argparse.ArgumentParser) -> None:
    """Add the flags that say where work is done."""
    parser.add_argument(
        "--jobs", type=whole_number_from(1), metavar="N",
        help="channels at a time, each in a process; default: as many as cores and memory allow",
    )  # fmt: skip
    parser.add_argument("--scheduler", default="", metavar="ADDRESS", help="work on this dask.distributed cluster")


@contextlib.contextmanager
def work(options: argparse.Namespace) -> Iterator[None]:
    """Work where the flags say; what is finished is kept beside the output until all is, in case of a kill."""
    from neuralsorter.batch import planned

    output = Path(options.output)
    with planned(options.scheduler, output.with_name(output.name + ".partial")):
        yield


def jobs(options: argparse.Namespace, spikes: Spikes) -> int:
    """Return in how many processes to work; starting some takes longer than a small recording."""
    import numpy as np

    from neuralsorter.batch import all_jobs

    if options.jobs or len(spikes) < _SMALL:
        return options.jobs or 1
    largest = int(np.unique(spikes.channel, return_counts=True)[1].max())
    return all_jobs(largest * int(np.prod(spikes.raw.shape[1:])) * 4)


def whole_number_from(least: int) -> Callable[[str], int]:
    """Return a type for argparse: whole numbers of `least` or more."""

    def parse(text: str) -> int:
        number = int(text)
        if number < least:
            raise argparse.ArgumentTypeError(f"must be {least} or more, not {number}")
        return number

    parse.__name__ = "whole number"
    return parse


def probability(text: str) -> float:
    """Return a number from 0 to 1, for argparse."""
    number = float(text)
    if not 0 <= number <= 1:
        raise argparse.ArgumentTypeError(f"must be from 0 to 1, not {text}")
    return number
