"""What the server does before the first page: put up the door, load what the page needs in the background."""

from __future__ import annotations

import gc
import importlib
from typing import Any

import bokeh.server.server

from .door import USER, guard
from .memory import give_back_soon, share_arenas

guard()  # this file runs before the server is made
share_arenas()


def on_server_loaded(server_context: Any) -> None:  # noqa: ARG001 - the name and argument are Bokeh's
    """Load the page's libraries, then its kernels, so that neither the first page nor the first gesture waits."""
    bokeh.server.server.BokehTornado.loading.start(_import, _warm)


def on_session_destroyed(session_context: Any) -> None:  # noqa: ARG001 - as above
    """Give back the memory of a page that is gone."""
    give_back_soon()


def process_request(request: Any) -> dict[str, str]:
    """Tell the page who is logged in, in words that the browser cannot change."""
    return {"person": request.headers.get(USER, "")}


def _import() -> None:
    importlib.import_module(".app", __package__)
    gc.freeze()  # libraries are never garbage: going through them at each full collection stopped every page for 0.3 s


def _warm() -> None:
    from neuralsorter.warmup import warm

    warm()
