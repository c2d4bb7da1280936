"""What the server does before the first page: put up the door, compile the kernels in the background."""

from __future__ import annotations

import threading
from typing import Any

from .door import USER, guard

guard()  # this file runs before the server is made


def on_server_loaded(server_context: Any) -> None:  # noqa: ARG001 - the name and argument are Bokeh's
    """Get the drawing and picking kernels ready, so that the first gesture need not wait for the compiler."""
    threading.Thread(target=_warm, name="warm", daemon=True).start()


def process_request(request: Any) -> dict[str, str]:
    """Tell the page who is logged in, in words that the browser cannot change."""
    return {"person": request.headers.get(USER, "")}


def _warm() -> None:
    from neuralsorter.warmup import warm

    warm()
