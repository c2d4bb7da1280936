"""The journal of a project: one SQLite file to which actions are appended, and nothing else."""

from __future__ import annotations

import sqlite3
import threading
import time
import uuid
import weakref
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from .edit import Action, Mark, current_author
from .errors import ProjectError
from .storage.disk import PARTIAL, journal_bytes, sync_file, sync_folder
from .storage.schema import (
    ACTION_FIELDS,
    BLOCK_FIELDS,
    ROOT_HASH,
    SCHEMA,
    Block,
    Codes,
    JournalDamagedError,
    Rows,
    action_of,
    chain,
    check_format,
    connect,
    pack,
    params_to_json,
    unpack,
    unpack_after,
)

SESSION = uuid.uuid4().hex[:12]

# SQL is put together from constants only.
INSERT_ACTION = f"INSERT INTO action({ACTION_FIELDS}, hash) VALUES({', '.join('?' * 12)})"
INSERT_BLOCK = f"INSERT INTO edit(action, {BLOCK_FIELDS}) VALUES({', '.join('?' * 8)})"
INSERT_MARK = "INSERT INTO mark(action, kind, channel, unit, old, new) VALUES(?, ?, ?, ?, ?, ?)"
_ACTIONS = f"SELECT {ACTION_FIELDS} FROM action WHERE id > ? ORDER BY id"  # noqa: S608
_ACTION = f"SELECT {ACTION_FIELDS} FROM action WHERE id = ?"  # noqa: S608
_IMPORTS = f"SELECT {ACTION_FIELDS} FROM action WHERE kind = 'import' ORDER BY id"  # noqa: S608
_BLOCKS_OF_ACTION = f"SELECT {BLOCK_FIELDS} FROM edit WHERE action = ? ORDER BY experiment, channel"  # noqa: S608
_BLOCKS_OF_CHANNEL = (
    f"SELECT action, {BLOCK_FIELDS} FROM edit WHERE channel = ? AND action > ? AND action <= ?"  # noqa: S608
    " ORDER BY action, experiment"
)
_MARKS = (
    "SELECT action, kind, channel, unit, old, new FROM mark WHERE action > ? AND action <= ?"
    " ORDER BY action, kind, channel, unit"
)


class Journal:
    """Appends actions and reads them back. Every method may be called from any thread.

    Parameters
    ----------
    path : Path or None
        The SQLite file, made if absent; None keeps it in memory.
    read_only : bool
        Never write.
    fence : callable, optional
        Called inside each transaction; raises when this process may no longer write.

    """

    def __init__(self, path: Path | None, *, read_only: bool = False, fence: Callable[[], None] | None = None) -> None:
        self.path, self.read_only, self._fence = path, read_only, fence
        self._lock = threading.RLock()
        new = path is None or not path.exists()
        self._db = connect(path, read_only=read_only)
        try:
            if new and not read_only:
                self._db.executescript(f"BEGIN IMMEDIATE;{SCHEMA}COMMIT;")
                if path is not None:
                    sync_folder(path.parent)
            check_format(self._db, path)
            if not read_only:
                self._db.execute("BEGIN IMMEDIATE")  # lets the last edit of a writer just overtaken come to its end
            self.head, self.head_hash = self._read_head()
            self._version = self._data_version()
            if not read_only:
                self._db.execute("COMMIT")
        except BaseException:
            self._db.close()
            raise
        weakref.finalize(self, self._db.close)

    def append(
        self,
        kind: str,
        label: str,
        *,
        blocks: Iterable[Block] = (),
        marks: Mapping[Mark, tuple[str, str]] | None = None,
        params: Mapping[str, Any] | None = None,
        target: int | None = None,
        uid: bytes | None = None,
    ) -> Action:
        """Append one action and return once it is on disk.

        Raises
        ------
        ProjectError
            When another process has written meanwhile, or this one may not write.
        OSError, sqlite3.Error
            When the disk refuses; nothing was appended.

        """
        said = [(m.kind, m.channel, m.unit, old, new) for m, (old, new) in sorted((marks or {}).items())]
        with self._lock:
            number = self.head + 1
            packed = sorted(pack(number, block) for block in blocks)
            fields = (
                number,
                uid or uuid.uuid4().bytes,
                self.head,
                time.time_ns() // 1000,
                current_author(),
                SESSION,
                kind,
                target,
                label,
                params_to_json(params or {}),
                sum(row[2] for row in packed),
            )
            digest = chain(self.head_hash, fields, packed, said)
            with journal_bytes:
                self._write((*fields, digest), packed, said)
            self.head, self.head_hash = number, digest
        return action_of(fields)

    def _write(self, action: tuple[Any, ...], packed: list[Any], said: list[Any]) -> None:
        db, number = self._db, action[0]
        try:
            db.execute("BEGIN IMMEDIATE")
            if self._fence is not None:
                self._fence()
            self._require_head()
            db.execute(INSERT_ACTION, action)
            db.executemany(INSERT_BLOCK, [(number, *row) for row in packed])
            db.executemany(INSERT_MARK, [(number, *row) for row in said])
            db.execute("COMMIT")
        except BaseException:
            self._roll_back()
            raise

    def _require_head(self) -> None:
        on_disk = self._db.execute("SELECT coalesce(max(id), 0) FROM action").fetchone()[0]
        if on_disk != self.head:
            raise ConflictError(
                f"{self.path}: another process has edited this project meanwhile (action {on_disk}, here {self.head})."
                " Look at its edits and edit again."
            )

    def _roll_back(self) -> None:
        try:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
        except sqlite3.Error:
            self._db.close()  # the next opening takes back what is half written

    def actions(self, after: int = 0) -> list[Action]:
        """Return the actions with a number above `after`, oldest first."""
        return [action_of(row) for row in self._all(_ACTIONS, after)]

    def imports(self) -> list[Action]:
        """Return the imports, oldest first."""
        return [action_of(row) for row in self._all(_IMPORTS)]

    def action(self, number: int) -> Action | None:
        """Return one action, or None."""
        rows = self._all(_ACTION, number)
        return action_of(rows[0]) if rows else None

    def steps(self, after: int = 0) -> list[tuple[int, str, int | None]]:
        """Return number, kind and target of the actions after one, oldest first."""
        return self._all("SELECT id, kind, target FROM action WHERE id > ? ORDER BY id", after)

    def find(self, uid: bytes) -> int | None:
        """Return the number of the action that was appended with `uid`."""
        rows = self._all("SELECT id FROM action WHERE uid = ?", uid)
        return int(rows[0][0]) if rows else None

    def blocks(self, action: int) -> list[Block]:
        """Return what one action changed."""
        return [unpack(action, row) for row in self._all(_BLOCKS_OF_ACTION, action)]

    def blocks_of(self, channel: int, after: int = 0, upto: int | None = None) -> Iterator[tuple[int, Block]]:
        """Yield (action, what it changed) for one channel, oldest first."""
        for action, *row in self._all(_BLOCKS_OF_CHANNEL, channel, after, self.head if upto is None else upto):
            yield action, unpack(action, tuple(row))

    def codes_of(self, channel: int, upto: int | None = None) -> Iterator[tuple[int, int, Rows, Codes]]:
        """Yield (action, experiment, rows, codes after it) for one channel, oldest first: what a replay needs."""
        for action, *row in self._all(_BLOCKS_OF_CHANNEL, channel, 0, self.head if upto is None else upto):
            yield action, *unpack_after(action, tuple(row))

    def marks(self, after: int = 0, upto: int | None = None) -> Iterator[tuple[int, Mark, str, str]]:
        """Yield (action, mark, old text, new text), oldest first."""
        for action, kind, channel, unit, old, new in self._all(_MARKS, after, self.head if upto is None else upto):
            yield action, Mark(kind, channel, unit), old, new

    def channels_changed(self) -> set[int]:
        """Return the channels that any action touched."""
        return {row[0] for row in self._all("SELECT DISTINCT channel FROM edit")}

    def refresh(self) -> bool:
        """Look whether another process has appended; if so, move the head and return True."""
        with self._lock:
            version = self._data_version()
            if version == self._version:
                return False
            self._version, before = version, self.head
            self.head, self.head_hash = self._read_head()
            return self.head != before

    def copy(self, target: Path) -> None:
        """Write a second journal and return once it is on disk."""
        partial = target.with_name(target.name + PARTIAL)
        partial.unlink(missing_ok=True)
        copy = sqlite3.connect(partial)
        try:
            with self._lock:
                self._db.backup(copy)
        finally:
            copy.close()
        with partial.open("rb+") as file:
            sync_file(file)
        partial.replace(target)
        sync_folder(target.parent)

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """Lend the connection, for reading."""
        with self._lock:
            yield self._db

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._db.close()

    def _all(self, query: str, *values: Any) -> list[Any]:
        with self._lock:
            try:
                return self._db.execute(query, values).fetchall()
            except (sqlite3.DatabaseError, UnicodeDecodeError) as cause:
                if isinstance(cause, sqlite3.OperationalError) and "no such" not in str(cause):
                    raise ProjectError(
                        f"{self.path}: the journal cannot be read now ({cause}). Check the disk and try again."
                    ) from cause
                raise JournalDamagedError(
                    f"{self.path}: the journal cannot be read ({cause}). Close the project and open it again; what is"
                    " whole will be recovered."
                ) from cause

    def _read_head(self) -> tuple[int, bytes]:
        rows = self._all("SELECT id, hash FROM action ORDER BY id DESC LIMIT 1")
        return (int(rows[0][0]), bytes(rows[0][1])) if rows else (0, ROOT_HASH)

    def _data_version(self) -> int:
        return int(self._all("PRAGMA data_version")[0][0])


class ConflictError(ProjectError):
    """Another process has appended to the journal."""
