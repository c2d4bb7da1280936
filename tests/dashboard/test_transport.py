"""Changes reach the browser, whatever else is on its way."""

from __future__ import annotations

import asyncio
import gc
import socket
import struct
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

import panel_material_ui as pmui
import pytest
from bokeh.document import Document
from bokeh.model import DataModel, Model
from bokeh.server.views.ws import WSHandler
from panel.io import document
from tornado.httpserver import HTTPServer
from tornado.testing import bind_unused_port
from tornado.web import Application
from tornado.websocket import WebSocketHandler

from dashboard.transport import mend

HANDSHAKE = (
    b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
)


class Socket:
    """Stands for an open websocket."""


class Connection:
    """A browser's; what is made for it is the message itself."""

    def __init__(self) -> None:
        self._socket, self.protocol = Socket(), self

    def create(self, _: str, events: list[Any]) -> Any:
        """Return the message of some events."""
        return events[0]


def run(scenario: Coroutine[Any, Any, None]) -> None:
    """Run it in a thread: Playwright leaves a loop running in the main one of a whole run."""
    with ThreadPoolExecutor(1) as thread:
        thread.submit(asyncio.run, scenario).result()


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

    run(scenario())
    assert sent == ["first", "second"]


def test_a_browser_that_goes_while_it_is_sent_something_leaves_no_traceback() -> None:
    mend()
    opened: list[WebSocketHandler] = []
    complaints: list[Any] = []

    class Page(WebSocketHandler):
        def open(self) -> None:
            opened.append(self)

    async def scenario() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context))
        listening, port = bind_unused_port()
        server = HTTPServer(Application([("/", Page)]))
        server.add_socket(listening)
        received, browser = await asyncio.open_connection("127.0.0.1", port)
        browser.write(HANDSHAKE)
        await received.readuntil(b"\r\n\r\n")
        broken = struct.pack("ii", 1, 0)  # as when a browser is killed
        browser.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, broken)
        browser.close()
        await asyncio.sleep(0.1)
        for _ in range(3):  # the parts of one message; nobody waits for them
            opened[0].write_message(b"x" * 100_000, binary=True)
        await asyncio.sleep(0.1)
        gc.collect()
        server.stop()

    run(scenario())
    assert complaints == []


def test_what_a_browser_sent_before_it_went_is_dropped() -> None:
    mend()
    gone: Any = SimpleNamespace(connection=SimpleNamespace(_session=None))
    run(WSHandler.on_message(gone, "{}"))
    WSHandler.on_close(gone)


def test_a_change_of_the_page_looks_at_no_other_part_of_it() -> None:
    mend()
    child = pmui.Column(*(pmui.Button(label=str(i)) for i in range(3)))
    page = pmui.Column(child, pmui.Typography(object="a"))
    root = page.get_root(Document())
    marks = [model.tags for model in root.references() if isinstance(model, DataModel)]
    assert len(marks) == 6
    assert all(f"__ref:{root.ref['id']}" in mark for mark in marks)  # each, when it was made
    with patch.object(Model, "references", side_effect=AssertionError("all parts were gone through")):
        page[1].object = "b"
        page.param.update(margin=3)
