"""Who may write to a project: one process at a time, until it closes, dies or another takes over."""

from __future__ import annotations

import json
import os
import socket
import time
from pathlib import Path
from typing import Any

from neuralsorter.edit import current_author
from neuralsorter.errors import ProjectError

_PREFIX = "lock."
_LOCKED_BYTE = 1 << 30  # on Windows a locked byte cannot be read, so lock one far behind the text


class WriterLock:
    """An operating-system lock on `lock.N` in the project folder; the system frees it when the process dies.

    Taking over makes `lock.N+1`: the highest number rules, so a holder that still lives finds itself outranked at its
    next edit.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._descriptor = -1
        self._number = -1

    @property
    def held(self) -> bool:
        """Whether this process may write."""
        return self._descriptor >= 0 and self._number == self._highest()

    def acquire(self, *, take_over: bool = False) -> bool:
        """Try to become the writer; return whether it worked.

        Raises
        ------
        OSError
            When the folder cannot be written to.

        """
        self.release()
        number = max(self._highest(), 0)
        if self._try(number):
            return True
        return take_over and self._try(self._highest() + 1)

    def _try(self, number: int) -> bool:
        path = self.folder / f"{_PREFIX}{number}"
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        if not _locked(descriptor) or self._highest() != number:
            os.close(descriptor)
            return False
        self._descriptor, self._number = descriptor, number
        who = {"host": socket.gethostname(), "pid": os.getpid(), "user": current_author(), "since": time.time()}
        data = json.dumps(who).encode()
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, data, 0) if hasattr(os, "pwrite") else os.write(descriptor, data)
        self._remove_below(number)
        return True

    def require(self) -> None:
        """Raise unless this process is still the writer."""
        if not self.held:
            raise ProjectError(
                f"{self.folder}: {self.holder()} has taken over the editing of this project. Open it again with"
                " take-over to edit here."
            )

    def holder(self) -> str:
        """Return who writes, as in 'anna on lab3 (process 4711, since 14:02)'; empty where nobody does."""
        number = self._highest()
        if number < 0:
            return ""
        if number != self._number and self._free(number):
            return ""
        try:
            who: dict[str, Any] = json.loads((self.folder / f"{_PREFIX}{number}").read_bytes())
            since = time.strftime("%Y-%m-%d %H:%M", time.localtime(who["since"]))
            return f"{who['user']} on {who['host']} (process {who['pid']}, since {since})"
        except (OSError, ValueError, KeyError, TypeError):
            return "another process"

    def release(self) -> None:
        """Let others write."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
        self._descriptor, self._number = -1, -1

    def _highest(self) -> int:
        numbers = (path.name.removeprefix(_PREFIX) for path in self.folder.glob(f"{_PREFIX}*"))
        return max((int(number) for number in numbers if number.isdigit()), default=-1)

    def _free(self, number: int) -> bool:
        try:
            descriptor = os.open(self.folder / f"{_PREFIX}{number}", os.O_RDWR)
        except OSError:
            return False
        try:
            return _locked(descriptor)
        finally:
            os.close(descriptor)

    def _remove_below(self, number: int) -> None:
        for low in range(number):
            try:
                (self.folder / f"{_PREFIX}{low}").unlink(missing_ok=True)
            except OSError:  # Windows keeps a file that its old holder has open
                return


def _locked(descriptor: int) -> bool:
    """Lock an open file for this process; return False where another holds it."""
    try:
        if os.name == "nt":  # pragma: no cover - Windows
            import msvcrt

            os.lseek(descriptor, _LOCKED_BYTE, os.SEEK_SET)
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined,unused-ignore] # Windows only
            os.lseek(descriptor, 0, os.SEEK_SET)
        else:
            import fcntl

            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
