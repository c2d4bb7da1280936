"""What to do about a damaged journal: find out, and save the longest part that is whole."""

from __future__ import annotations

import json
import shutil
import sqlite3
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from neuralsorter.errors import ProjectError
from neuralsorter.journal import INSERT_ACTION, INSERT_BLOCK, INSERT_MARK, Journal

from .backups import listed
from .disk import PARTIAL, sync_file, sync_folder
from .schema import ACTION_FIELDS, BLOCK_FIELDS, PAGE_BYTES, ROOT_HASH, chain, check_format, crc_of, params_to_json

_ACTION = f"SELECT {ACTION_FIELDS}, hash FROM action WHERE id = ?"  # noqa: S608 - constants
_BLOCKS = f"SELECT {BLOCK_FIELDS} FROM edit WHERE action = ? ORDER BY experiment, channel"  # noqa: S608 - constants
_BLOCKS_BY_SCAN = _BLOCKS.replace("FROM edit", "FROM edit NOT INDEXED")
_MARKS = "SELECT kind, channel, unit, old, new FROM mark WHERE action = ? ORDER BY kind, channel, unit"

StoredAction = tuple[tuple[Any, ...], list[Any], list[Any]]


def problems(db: sqlite3.Connection) -> list[str]:
    """Return what is wrong with a journal, as sentences."""
    found = []
    try:
        check = db.execute("PRAGMA integrity_check(3)").fetchall()
        if check != [("ok",)]:
            found.append(f"The journal's file is damaged ({'; '.join(str(row[0]) for row in check)}).")
        count, last = db.execute("SELECT count(*), coalesce(max(id), 0) FROM action").fetchone()
        whole = sum(1 for _ in whole_actions(db))
        strays = sum(
            db.execute(f"SELECT count(*) FROM {table} WHERE action NOT IN (SELECT id FROM action)").fetchone()[0]  # noqa: S608 - constants
            for table in ("edit", "mark")
        )
    except (sqlite3.DatabaseError, UnicodeDecodeError) as cause:
        return [*found, f"The journal cannot be read ({cause})."]
    if not whole == count == last:
        found.append(f"The journal's chain breaks after action {whole} of {max(count, last)}.")
    if strays:
        found.append(f"The journal has {strays} changes of no action.")
    return found


def whole_actions(db: sqlite3.Connection) -> Iterator[StoredAction]:
    """Yield (action with its hash, blocks, marks), oldest first, up to the first that is not as it was written."""
    number, previous = 1, ROOT_HASH
    while (stored := _whole_action(db, number, previous)) is not None:
        yield stored
        number, previous = number + 1, stored[0][-1]


def _whole_action(db: sqlite3.Connection, number: int, previous: bytes) -> StoredAction | None:
    for query in (_BLOCKS, _BLOCKS_BY_SCAN):  # the second one does without a damaged index
        try:
            action = db.execute(_ACTION, (number,)).fetchone()
            if action is None:
                return None
            blocks, marks = (db.execute(q, (number,)).fetchall() for q in (query, _MARKS))
            *fields, digest = action
            sound = all(crc == crc_of(number, *block) for *block, crc in blocks)
            if sound and fields[2] == number - 1 and chain(previous, fields, blocks, marks) == digest:
                return action, blocks, marks
        except (sqlite3.DatabaseError, TypeError, ValueError, AttributeError, UnicodeError):
            continue
    return None


def copy_prefix(
    source: sqlite3.Connection, target: Path, upto: int | None = None, digests: Sequence[str] | None = None
) -> int:
    """Write the whole actions of a journal, up to one of them, to a new file; return how many.

    `digests` names the manifests of the experiments where the new file lies, if they are others.
    """
    partial = target.with_name(target.name + PARTIAL)
    partial.unlink(missing_ok=True)
    Journal(partial).close()
    n, previous = 0, ROOT_HASH
    with closing(sqlite3.connect(partial, isolation_level=None)) as db:
        db.execute("BEGIN")
        for action, blocks, marks in whole_actions(source):
            if upto is not None and action[0] > upto:
                break
            fields = action[:-1] if digests is None else _bound_to(action[:-1], digests)
            previous = chain(previous, fields, blocks, marks)
            db.execute(INSERT_ACTION, (*fields, previous))
            db.executemany(INSERT_BLOCK, [(action[0], *row) for row in blocks])
            db.executemany(INSERT_MARK, [(action[0], *row) for row in marks])
            n += 1
        db.execute("COMMIT")
    with partial.open("rb+") as file:
        sync_file(file)
    partial.replace(target)
    sync_folder(target.parent)
    return n


def _bound_to(fields: tuple[Any, ...], digests: Sequence[str]) -> tuple[Any, ...]:
    if fields[6] != "import":
        return fields
    facts = json.loads(fields[9])
    facts["manifest_sha256"] = digests[facts["experiment"]]
    return (*fields[:9], params_to_json(facts), *fields[10:])


def recover(journal: Path, backups: Path) -> str:
    """Put the longest whole part of a damaged journal in its place, keep the damaged file, and say so."""
    kept = journal.with_name(f"{journal.stem}.damaged-{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}.db")
    rescued = journal.with_name("curation.rescued.db")
    with tempfile.TemporaryDirectory(dir=journal.parent) as scratch:
        candidates = [*_readings_of(journal, Path(scratch)), *reversed(listed(backups))]
        best, length = None, -1
        for path in candidates:
            n = _length(path)
            if n > length:
                best, length = path, n
        if best is None or length < 0:
            Journal(rescued).close()
        else:
            with closing(_reader(best)) as db:
                copy_prefix(db, rescued)
    if journal.exists():
        journal.replace(kept)
    hot = journal.with_name(journal.name + "-journal")
    if hot.exists():
        hot.replace(kept.with_name(kept.name + "-journal"))
    rescued.replace(journal)
    sync_folder(journal.parent)
    n = max(length, 0)
    source = "" if best is None or best.parent != backups else f" from the copy {best.name}"
    damaged = f"the damaged file is kept as {kept.name}" if kept.exists() else "there was no file"
    return f"The journal was damaged: its first {n:,} actions are recovered{source}, and {damaged}."


def _readings_of(journal: Path, scratch: Path) -> list[Path]:
    """Return copies of a damaged file to read from: as it is, and with a sound first page.

    The first page holds SQLite's header and our table definitions. It is the same in every journal but for sizes.
    """
    if not journal.exists():
        return []
    plain, mended = scratch / "plain.db", scratch / "mended.db"
    hot = journal.with_name(journal.name + "-journal")
    shutil.copyfile(journal, plain)
    if hot.exists():
        shutil.copyfile(hot, plain.with_name(plain.name + "-journal"))
    fresh = scratch / "fresh.db"
    Journal(fresh).close()
    page, data = bytearray(fresh.read_bytes()[:PAGE_BYTES]), bytearray(journal.read_bytes())
    page[28:32] = (len(data) // PAGE_BYTES).to_bytes(4, "big")
    data[:PAGE_BYTES] = page
    mended.write_bytes(data)
    return [plain, mended]


def _length(path: Path) -> int:
    try:
        with closing(_reader(path)) as db:
            check_format(db, path)
            return sum(1 for _ in whole_actions(db))
    except (sqlite3.Error, ProjectError, OSError):
        return -1


def _reader(path: Path) -> sqlite3.Connection:
    db = sqlite3.connect(path, isolation_level=None)
    db.text_factory = lambda data: data.decode("utf-8", "surrogateescape")
    return db
