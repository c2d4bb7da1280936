"""Mends of how Bokeh 3.9 and Panel 1.9 talk to the browser (2026-11).

Without them a page now and then stands still, keys wait, and a page that is closed leaves tracebacks on the console.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

from bokeh.model import DataModel
from bokeh.server.views.ws import WSHandler
from panel.io import document
from panel.reactive import ReactiveCustomBase, Syncable
from tornado.websocket import WebSocketClosedError, WebSocketHandler

_dispatch = document._dispatch_msgs  # noqa: SLF001 - no public way to any of this
_write, _hear, _close = WebSocketHandler.write_message, WSHandler.on_message, WSHandler.on_close


async def _dispatched(doc: Any) -> None:
    """Send what waits, then what began to wait while that was sent.

    Panel takes its sign that something waits away when it has sent the first part. A second part scheduled in the same
    moment then stayed where it was until something else changed on the page.
    """
    await _dispatch(doc)
    if doc in document._WRITE_MSGS and doc not in document._WRITE_BLOCK:  # noqa: SLF001
        document._WRITE_BLOCK[doc] = True  # noqa: SLF001
        document._dispatch_write_task(doc, _dispatched, doc)  # noqa: SLF001


def _written(socket: Any, message: Any, binary: bool = False) -> asyncio.Future[None]:  # noqa: FBT001, FBT002 - Tornado's
    """Write at once, in order; what is for a browser that has gone is dropped without a word.

    A page is often closed while a picture is on its way. Tornado raises then, for each part of the message, and Panel
    looks at the first part alone.
    """
    try:
        writing = _write(socket, message, binary)
    except WebSocketClosedError:
        writing = asyncio.get_running_loop().create_future()
        writing.set_result(None)
    return asyncio.ensure_future(_finished(writing))


async def _finished(writing: asyncio.Future[None]) -> None:
    with contextlib.suppress(WebSocketClosedError):
        await writing


def _gone(socket: Any) -> bool:
    """Tell whether Bokeh has let go of the connection; Tornado may still hold messages that came before."""
    return socket.connection is not None and socket.connection._session is None  # noqa: SLF001


async def _heard(socket: Any, fragment: str | bytes) -> None:
    if not _gone(socket):
        await _hear(socket, fragment)


def _closed(socket: Any) -> None:
    if not _gone(socket):  # Tornado says it twice where a write has found out first
        _close(socket)


def _marked(_: type[Any], data: Any, ref: str) -> None:
    """Mark the data of one component as those of a page, for when the page is closed.

    Panel goes through all that a component holds, on each of its changes, to mark the data of the others too, which
    have been marked when they were made: 40 ms for the page, which says twice with each key that it is busy.
    """
    mark = f"__ref:{ref}"
    if isinstance(data, DataModel) and mark not in data.tags:
        data.tags.append(mark)


def mend() -> None:
    """Let no change and no key be lost on the way, and a page go quietly; again is as once.

    A key or click that comes within 50 ms of another change is handled without the document's lock unless marked as
    Panel's own `with_lock` does; whatever it then changes of a plain Bokeh figure raises.
    """
    for handles in (Syncable._event_coroutine, Syncable._change_coroutine):  # noqa: SLF001
        handles.lock = True  # type: ignore[union-attr] # a mark, not an attribute Panel declares
    document._dispatch_msgs = _dispatched  # noqa: SLF001
    WebSocketHandler.write_message = _written  # type: ignore[method-assign, assignment]
    WSHandler.on_message, WSHandler.on_close = _heard, _closed
    marked: Any = classmethod(_marked)
    ReactiveCustomBase._patch_datamodel_ref = marked  # type: ignore[method-assign] # noqa: SLF001
