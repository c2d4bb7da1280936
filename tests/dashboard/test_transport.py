"""Changes reach the browser, whatever else is on its way."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from bokeh.document import Document
from panel.io import document

from dashboard.transport import mend


class Socket:
    """Stands for an open websocket."""


class Connection:
    """A browser's; what is made for it is the message itself."""

    def __init__(self) -> None:
        self._socket, self.protocol = Socket(), self

    def create(self, _: str, events: list[Any]) -> Any:
        """Return the message of some events."""
        return events[0]


def test_a_change_scheduled_in_the_moment_another_has_been_sent_is_sent_too(monkeypatch: pytest.MonkeyPatch) -> None:
    mend()
    sent: list[str] = []

    async def scenario() -> None:
        doc, connection = Document(), Connection()
        writing = asyncio.get_running_loop().create_future()

        def write(_: Any, msg: str) -> list[Any]:
            sent.append(msg)
            return [writing] if msg == "first" else []

        monkeypatch.setitem(document.extra_socket_handlers, Socket, write)
        document.schedule_write_events(doc, [connection], ["first"])
        await asyncio.sleep(0)
        writing.set_result(None)
        document.schedule_write_events(doc, [connection], ["second"])
        for _ in range(10):
            await asyncio.sleep(0)

    # Playwright leaves a loop running in the main thread of a whole run, so this one gets a thread to itself.
    with ThreadPoolExecutor(1) as thread:
        thread.submit(asyncio.run, scenario()).result()
    assert sent == ["first", "second"]
