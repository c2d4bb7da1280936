"""The wire between a browser and a server, which a test can cut: what Playwright calls offline leaves websockets be."""

from __future__ import annotations

import contextlib
import socket
import threading
from pathlib import Path

from tests.browser.conftest import Server, free_port


class Wire:
    """Passes bytes on from one port to another, in threads, until it is cut; then it refuses."""

    def __init__(self, port: int, to: int) -> None:
        self.port, self.to = port, to
        self._ends: list[socket.socket] = []
        self.mend()

    def mend(self) -> None:
        """Pass everything on."""
        self._listening = socket.create_server(("127.0.0.1", self.port), backlog=64)
        threading.Thread(target=self._accept, args=(self._listening,), daemon=True).start()

    def cut(self) -> None:
        """Drop every connection and refuse new ones."""
        for end in (self._listening, *self._ends):
            with contextlib.suppress(OSError):  # closed by its other end
                end.shutdown(socket.SHUT_RDWR)
            end.close()
        self._ends.clear()

    def _accept(self, listening: socket.socket) -> None:
        with contextlib.suppress(OSError):  # cut
            while True:
                browser, _ = listening.accept()
                try:
                    server = socket.create_connection(("127.0.0.1", self.to))
                except OSError:  # the server is not up
                    browser.close()
                    continue
                self._ends += [browser, server]
                for a, b in ((browser, server), (server, browser)):
                    threading.Thread(target=_pass_on, args=(a, b), daemon=True).start()


def _pass_on(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):  # cut
        while data := source.recv(1 << 16):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)


class WiredServer(Server):
    """A server at the far end of a wire."""

    def __init__(self, work: Path, *arguments: str) -> None:
        self.wire = Wire(free_port(), free_port())
        super().__init__(work, *arguments, port=self.wire.port, listens_on=self.wire.to)
