"""Older copies of the journal: ten of late, and one a day for a month."""

from __future__ import annotations

import time
from pathlib import Path

from neuralsorter.journal import Journal

EVERY_ACTIONS = 500
EVERY_S = 30 * 60.0
KEEP_LAST, KEEP_DAYS = 10, 30
_NAME = "curation-{at}-{head:08d}.db"


def back_up(journal: Journal, folder: Path) -> Path:
    """Copy the journal into `folder`, unless its newest copy is as new, and drop copies no longer needed."""
    have = listed(folder)
    if have and head_of(have[-1]) == journal.head:
        return have[-1]
    folder.mkdir(exist_ok=True)
    path = folder / _NAME.format(at=time.strftime("%Y%m%dT%H%M%SZ", time.gmtime()), head=journal.head)
    journal.copy(path)
    for old in spare(listed(folder)):
        old.unlink(missing_ok=True)
    return path


def listed(folder: Path) -> list[Path]:
    """Return the copies, oldest first."""
    return sorted(folder.glob("curation-*.db"))


def head_of(path: Path) -> int:
    """Return the number of the last action in a copy."""
    number = path.stem.rpartition("-")[2]
    return int(number) if number.isdigit() else -1


def spare(copies: list[Path]) -> list[Path]:
    """Return the copies that may go: neither among the last ones nor a recent day's last."""
    last_of_day = {path.name.split("-")[1][:8]: path for path in copies}
    days = sorted(last_of_day)[-KEEP_DAYS:]
    kept = {*copies[-KEEP_LAST:], *(last_of_day[day] for day in days)}
    return [path for path in copies if path not in kept]
