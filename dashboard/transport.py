"""Two mends of how Panel 1.9 brings changes to the browser (2026-11); without them a page now and then stands still."""

from __future__ import annotations

from typing import Any

from panel.io import document
from panel.reactive import Syncable

_dispatch = document._dispatch_msgs  # noqa: SLF001 - no public way to any of this


async def _dispatched(doc: Any) -> None:
    """Send what waits, then what began to wait while that was sent.

    Panel takes its sign that something waits away when it has sent the first part. A second part scheduled in the same
    moment then stayed where it was until something else changed on the page.
    """
    await _dispatch(doc)
    if doc in document._WRITE_MSGS and doc not in document._WRITE_BLOCK:  # noqa: SLF001
        document._WRITE_BLOCK[doc] = True  # noqa: SLF001
        document._dispatch_write_task(doc, _dispatched, doc)  # noqa: SLF001


def mend() -> None:
    """Let no change and no key be lost on the way; again is as once.

    A key or click that comes within 50 ms of another change is handled without the document's lock unless marked as
    Panel's own `with_lock` does; whatever it then changes of a plain Bokeh figure raises.
    """
    for handles in (Syncable._event_coroutine, Syncable._change_coroutine):  # noqa: SLF001
        handles.lock = True  # type: ignore[union-attr] # a mark, not an attribute Panel declares
    document._dispatch_msgs = _dispatched  # noqa: SLF001
