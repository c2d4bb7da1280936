"""How the journal looks on disk: its tables, the bytes of its rows, and the chain of hashes that binds them."""

from __future__ import annotations

import hashlib
import json
import os
import sqlite3
import zlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from neuralsorter.edit import Action
from neuralsorter.errors import ProjectError

from .codec import pack_codes, pack_rows, unpack_codes, unpack_rows

APPLICATION_ID = 0x4E535254  # "NSRT"
FORMAT = 1
BUSY_S = 10.0
PAGE_BYTES = 4096
ROOT_HASH = bytes(32)

SCHEMA = f"""
PRAGMA application_id = {APPLICATION_ID};
PRAGMA user_version = {FORMAT};
CREATE TABLE action(
  id INTEGER PRIMARY KEY,
  uid BLOB NOT NULL UNIQUE CHECK(length(uid) = 16),
  parent INTEGER NOT NULL,
  at_us INTEGER NOT NULL,
  author TEXT NOT NULL,
  session TEXT NOT NULL,
  kind TEXT NOT NULL,
  target INTEGER REFERENCES action(id),
  label TEXT NOT NULL,
  params TEXT NOT NULL,
  n_events INTEGER NOT NULL,
  hash BLOB NOT NULL CHECK(length(hash) = 32));
CREATE TABLE edit(
  action INTEGER NOT NULL REFERENCES action(id),
  experiment INTEGER NOT NULL,
  channel INTEGER NOT NULL,
  n INTEGER NOT NULL CHECK(n > 0),
  rows BLOB NOT NULL,
  old BLOB NOT NULL,
  new BLOB NOT NULL,
  crc INTEGER NOT NULL);
CREATE UNIQUE INDEX edit_by_action ON edit(action, channel, experiment);
CREATE INDEX edit_by_channel ON edit(channel, action, experiment);
CREATE TABLE mark(
  action INTEGER NOT NULL REFERENCES action(id),
  kind TEXT NOT NULL,
  channel INTEGER NOT NULL,
  unit INTEGER NOT NULL,
  old TEXT NOT NULL,
  new TEXT NOT NULL,
  PRIMARY KEY(action, kind, channel, unit)) WITHOUT ROWID;
""" + "".join(
    f"CREATE TRIGGER {table}_no_{verb.lower()} BEFORE {verb} ON {table}"
    " BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END;\n"
    for table in ("action", "edit", "mark")
    for verb in ("UPDATE", "DELETE")
)

ACTION_FIELDS = "id, uid, parent, at_us, author, session, kind, target, label, params, n_events"
BLOCK_FIELDS = "experiment, channel, n, rows, old, new, crc"


_SAFE = ("trusted_schema = OFF", "cache_size = -16000")
_READING = ("query_only = ON", *_SAFE)
# TRUNCATE + FULL is the fastest mode that loses nothing in a power failure and needs no shared memory; fullfsync is for
# macOS, where syncing stops at the drive's cache otherwise.
_WRITING = (
    f"page_size = {PAGE_BYTES}",
    "journal_mode = TRUNCATE",
    "synchronous = FULL",
    "fullfsync = ON",
    "foreign_keys = ON",
    *_SAFE,
)


class Block(NamedTuple):
    """What an action did to one channel of one experiment; `rows` count from the channel's first event."""

    experiment: int
    channel: int
    rows: NDArray[np.int64]
    before: NDArray[np.int32]
    after: NDArray[np.int32]


class JournalDamagedError(ProjectError):
    """A row of the journal that is not as it was written."""


Rows = NDArray[np.int64]
Codes = NDArray[np.int32]
Packed = tuple[int, int, int, bytes, bytes, bytes, int]


def chain(previous: bytes, fields: Iterable[Any], packed: Iterable[tuple[Any, ...]], said: Iterable[Any]) -> bytes:
    """Return the hash of an action: of the one before, its own fields, and everything it changed."""
    digest = hashlib.sha256(previous)
    plain = [value.hex() if isinstance(value, bytes) else value for value in fields]
    digest.update(json.dumps([plain, [list(row) for row in said]]).encode())
    for experiment, channel, n, rows, old, new, crc in packed:
        digest.update(f"{experiment},{channel},{n},{len(rows)},{len(old)},{len(new)},{crc};".encode())
        digest.update(rows + old + new)
    return digest.digest()


def check_format(db: sqlite3.Connection, path: Path | None) -> None:
    """Refuse a file that is no journal, or one written by a later version."""
    try:
        application, version = (
            db.execute(f"PRAGMA {name}").fetchone()[0] for name in ("application_id", "user_version")
        )
    except sqlite3.OperationalError:
        raise
    except sqlite3.DatabaseError as cause:
        raise JournalDamagedError(f"{path}: the journal cannot be read ({cause}).") from cause
    if application != APPLICATION_ID:
        raise JournalDamagedError(f"{path}: it is not a NeuralSorter journal.")
    if version > FORMAT:
        raise ProjectError(
            f"{path}: it was written by a newer NeuralSorter (journal format {version}, this one knows {FORMAT})."
            " Update NeuralSorter to open it."
        )


def connect(path: Path | None, *, read_only: bool = False) -> sqlite3.Connection:
    """Open the file so that each commit is on disk when it returns."""
    if path is None:
        return sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
    writable = os.access(path.parent, os.W_OK) and (not path.exists() or os.access(path, os.W_OK))
    # A reader that may write takes back what a killed writer left half done.
    mode = "rwc" if not read_only else "rw" if writable else "ro"
    where = f"{path.resolve().as_uri()}?mode={mode}"
    db = sqlite3.connect(where, uri=True, timeout=BUSY_S, isolation_level=None, check_same_thread=False)
    try:
        for setting in _READING if read_only else _WRITING:
            db.execute(f"PRAGMA {setting}")
    except UnicodeDecodeError as cause:  # damaged names of tables, which SQLite's own message repeats
        db.close()
        raise sqlite3.DatabaseError("its table definitions are damaged") from cause
    except sqlite3.Error:
        db.close()
        raise
    return db


def pack(action: int, block: Block) -> Packed:
    """Return the stored form of a block."""
    parts = pack_rows(block.rows), pack_codes(block.before), pack_codes(block.after)
    head = (block.experiment, block.channel, len(block.rows))
    return (*head, *parts, crc_of(action, *head, *parts))


def unpack(action: int, row: Packed) -> Block:
    """Return the block of a stored row.

    Raises
    ------
    JournalDamagedError
        When a bit of it has changed.

    """
    _require_whole(action, row)
    experiment, channel, n, rows, old, new, _ = row
    return Block(experiment, channel, unpack_rows(rows), unpack_codes(old, n), unpack_codes(new, n))


def unpack_after(action: int, row: Packed) -> tuple[int, Rows, Codes]:
    """Return experiment, rows and codes after the action, which is all that a replay needs."""
    _require_whole(action, row)
    return row[0], unpack_rows(row[3]), unpack_codes(row[5], row[2])


def _require_whole(action: int, row: Packed) -> None:
    if row[-1] != crc_of(action, *row[:-1]):
        raise JournalDamagedError(
            f"The journal is damaged at action {action}, channel {row[1]}. Close the project and open it again; what"
            " is whole will be recovered."
        )


def crc_of(action: int, experiment: int, channel: int, n: int, rows: bytes, old: bytes, new: bytes) -> int:
    """Return the CRC of a stored block."""
    head = f"{action},{experiment},{channel},{n};".encode()
    return zlib.crc32(new, zlib.crc32(old, zlib.crc32(rows, zlib.crc32(head))))


def action_of(fields: tuple[Any, ...]) -> Action:
    """Return the history line of a stored action."""
    number, _, _, at_us, author, session, kind, target, label, params, n_events = fields
    return Action(number, at_us / 1e6, author, kind, label, n_events, True, target, session, params)


def params_to_json(params: Mapping[str, Any]) -> str:
    """Return parameters as JSON; numpy values become plain ones."""
    return json.dumps(_plain(params))


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, np.ndarray | np.generic):
        return _plain(value.tolist())
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(item) for item in value]
    if isinstance(value, float) and not np.isfinite(value):
        return str(value)  # JSON has no NaN
    return value if value is None or isinstance(value, bool | int | float | str) else str(value)
