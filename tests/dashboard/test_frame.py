"""The server answers at once, with the page's frame, while the libraries behind the page load."""

from __future__ import annotations

import threading
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from tornado.httputil import HTTPHeaders


def _request(method: str, path: str, address: str = "127.0.0.1") -> Any:
    context = SimpleNamespace(address=(address, 1), address_family=2)
    connection = SimpleNamespace(context=context, set_close_callback=lambda _: None)
    return SimpleNamespace(
        connection=connection,
        host="localhost:5006",
        headers=HTTPHeaders(),
        method=method,
        path=path,
        protocol="http",
        remote_ip=address,
    )


@pytest.fixture
def server() -> Any:
    """A server whose libraries are not loaded."""
    from bokeh.application import Application

    from dashboard.door import GuardedTornado
    from dashboard.frame import Loading

    app = GuardedTornado({"/dashboard": Application()})
    app.loading = Loading()
    return app


def _answers(server: Any, *request: str) -> str:
    return str(server.find_handler(_request(*request)).handler_class.__name__)


def test_the_frame_stands_in_for_the_page_until_its_libraries_are_loaded(server: Any) -> None:
    go = threading.Event()
    server.loading.start(go.wait)
    assert [_answers(server, "GET", path) for path in ("/", "/dashboard", "/favicon.ico")] == [
        "Frame",
        "Frame",
        "IcoHandler",
    ]
    go.set()
    assert server.loading._done.wait(30)
    assert [_answers(server, "GET", path) for path in ("/", "/dashboard")] == ["RootHandler", "DocHandler"]
    assert _answers(server, "HEAD", "/dashboard") == "Frame"


def test_a_library_that_cannot_be_loaded_does_not_hide_the_page_that_says_so(server: Any) -> None:
    server.loading.start(lambda: None)
    assert server.loading._done.wait(30)
    assert _answers(server, "GET", "/dashboard") == "DocHandler"


def test_a_stranger_does_not_get_the_frame_either(server: Any) -> None:
    assert _answers(server, "GET", "/dashboard", "10.0.0.7") == "Refusal"


def test_collecting_garbage_does_not_go_through_the_libraries(printed: Callable[[str], str]) -> None:
    script = "import gc; from dashboard import app_hooks; app_hooks._import(); print(gc.get_freeze_count())"
    assert int(printed(script)) > 100_000
