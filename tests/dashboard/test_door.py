"""`panel serve dashboard` listens on every address and answers the person at this computer alone."""

from __future__ import annotations

import http.client
import json
import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from tornado.httputil import HTTPHeaders

from neuralsorter.plugins import folder

WEBSOCKET = {
    "Connection": "Upgrade",
    "Upgrade": "websocket",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA==",
    "Sec-WebSocket-Protocol": "bokeh, x",
}
OWN, FOREIGN = {"Origin": "http://localhost:{port}"}, {"Origin": "http://evil.example"}
# `panel` that says which routes it serves, of whatever part of it or of a plug-in, before it serves them.
TELLING = """
import json, runpy, sys
from bokeh.server.tornado import BokehTornado

def rules(router):
    for rule in router.rules:
        yield from rules(rule.target) if hasattr(rule.target, "rules") else [rule.matcher.regex.pattern]

def start(app, begin=BokehTornado.start):
    print("ROUTES", json.dumps([*rules(app.default_router)]), file=sys.stderr, flush=True)
    begin(app)

BokehTornado.start = start
sys.argv[0] = "panel"
runpy.run_module("panel", run_name="__main__", alter_sys=True)
"""
Route = tuple[str, str, dict[str, str]]


def path_of(pattern: str) -> str:
    """Return a path that goes to the route with a pattern."""
    path = pattern.removesuffix("$").replace("/?", "/").replace("(.*)", "x.js")
    assert re.match(pattern, path), pattern
    return path


def every_route(served: Served) -> list[Route]:
    """Return all that can be asked of a running server: each of its routes by each method, and files that are there."""
    paths = [*map(path_of, served.routes()), "/static/js/bokeh.min.js", "/static/extensions/panel/panel.min.js",
             "/dashboard", "/dashboard/autoload.js?bokeh-autoload-element=1", "/no-such-page"]  # fmt: skip
    methods = ("GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS")
    sockets = [("GET", path, WEBSOCKET | more) for path in paths if path.endswith("/ws") for more in ({}, OWN, FOREIGN)]
    return [(method, path, {}) for path in paths for method in methods] + sockets


PRETENDING = (
    {"Host": "localhost:{port}"},
    {"X-Forwarded-For": "127.0.0.1"},
    {"X-Real-Ip": "127.0.0.1", "Host": "127.0.0.1:{port}"},
    {"X-NeuralSorter-User": "anna"},
)
ELSEWHERE = ({"X-Forwarded-For": "10.0.0.7"}, {"Forwarded": "for=10.0.0.7"}, {"Host": "evil.example"})
ABROAD = tuple(
    {"Origin": origin} for origin in ("http://evil.example", "http://localhost.evil.example:{port}", "http://localhost:1",
                                      "http://[::1]:1", "http://[", "null", "")
)  # fmt: skip
HARDENING = ("Content-Security-Policy", "Referrer-Policy", "X-Content-Type-Options", "X-Frame-Options")


def own_address() -> str:
    """Return an address of this computer that is not loopback; skip where there is none."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # sends nothing: asks which address would be used
            address = str(probe.getsockname()[0])
        except OSError:
            address = "127.0.0.1"
    if address.startswith("127."):
        pytest.skip("this computer has no address but loopback")
    return address


def answer(host: str, port: int, method: str, path: str, headers: dict[str, str]) -> tuple[int, HTTPHeaders, bytes]:
    """Return status, headers and the beginning of the body of one request."""
    connection = http.client.HTTPConnection(host, port, timeout=60)
    try:
        connection.request(method, path, headers={n: v.replace("{port}", str(port)) for n, v in headers.items()})
        response = connection.getresponse()
        held = b"" if response.status == 101 else response.read(4096)
        return response.status, HTTPHeaders(dict(response.getheaders())), held
    finally:
        connection.close()


class Served:
    """`panel serve dashboard` with some flags, listening on every address."""

    def __init__(self, work: Path, *flags: str, **environment: str) -> None:
        with socket.socket() as free:
            free.bind(("", 0))
            self.port = int(free.getsockname()[1])
        self._log = work / "door.log"
        with self._log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-c", TELLING, "serve", str(folder("dashboard")), "--port", str(self.port), *flags],
                cwd=work, env=os.environ | environment, stdout=log, stderr=log,
            )  # fmt: skip
        end = time.monotonic() + 90
        while time.monotonic() < end and self.process.poll() is None:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0 and "ROUTES" in self.said():
                    return
            time.sleep(0.1)
        pytest.fail(f"The server did not start:\n{self.said()}")

    def said(self) -> str:
        return self._log.read_text()

    def routes(self) -> list[str]:
        (line,) = re.findall("^ROUTES (.*)", self.said(), re.MULTILINE)
        return list(json.loads(line))

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(30)


@pytest.fixture(scope="module")
def as_typed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """`panel serve dashboard --liveness`, without a login."""
    served = Served(tmp_path_factory.mktemp("door"), "--liveness")
    yield served
    served.stop()


@pytest.fixture(scope="module")
def with_login(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """The same with NeuralSorter's own login."""
    from neuralsorter import login

    work = tmp_path_factory.mktemp("login")
    (work / "users").write_text(f"anna:{login.hashed('right')}\n")
    served = Served(
        work, "--liveness", "--use-xheaders", "--auth-module", login.__file__, BOKEH_COOKIE_SECRET="s" * 43,
        NEURALSORTER_USERS=str(work / "users"),
    )  # fmt: skip
    yield served
    served.stop()


def statuses(served: Served, host: str, more: dict[str, str]) -> dict[Any, int]:
    """Ask every route of a server, with some headers more, and return what it said."""
    return {
        (method, path, json.dumps(headers)): answer(host, served.port, method, path, headers | more)[0]
        for method, path, headers in every_route(served)
    }


def test_every_part_of_the_server_is_among_the_routes_asked(as_typed: Served, with_login: Served) -> None:
    for served, more in ((as_typed, set()), (with_login, {"/login", "/logout"})):
        asked = {path for _, path, _ in every_route(served)}
        known = {"/dashboard/ws", "/dashboard/metadata", "/dashboard/", "/favicon.ico", "/liveness", "/components/x.js"}
        assert known | more <= asked


def test_another_address_gets_nothing_by_any_route(as_typed: Served) -> None:
    host = own_address()
    got = {(m, p, json.dumps(h)): answer(host, as_typed.port, m, p, h) for m, p, h in every_route(as_typed)}
    assert {route for route, (status, _, _) in got.items() if status != 403} == set()
    assert all(b"bokeh" not in body.lower() for _, _, body in got.values())


@pytest.mark.parametrize("pretence", PRETENDING, ids=str)
def test_no_header_makes_another_address_this_computer(as_typed: Served, pretence: dict[str, str]) -> None:
    assert {*statuses(as_typed, own_address(), pretence).values()} == {403}


@pytest.mark.parametrize("more", [*ELSEWHERE, ABROAD[0]], ids=str)
def test_what_is_not_the_person_at_this_computer_gets_nothing_by_any_route(
    as_typed: Served, more: dict[str, str]
) -> None:
    assert {*statuses(as_typed, "127.0.0.1", more).values()} == {403}


def test_the_person_at_this_computer_gets_the_page_and_its_files(as_typed: Served) -> None:
    for host in ("127.0.0.1", "localhost"):
        assert answer(host, as_typed.port, "GET", "/static/js/bokeh.min.js", {})[0] == 200
        status, headers, body = answer(host, as_typed.port, "GET", "/dashboard", {})
        assert status == 200
        assert b"NeuralSorter" in body
        assert [name for name in HARDENING if name not in headers] == []


def test_a_websocket_without_the_token_of_a_page_is_closed_before_a_word(as_typed: Served) -> None:
    for told in ("bokeh", "bokeh, ", "x, bokeh", "bokeh, no.token"):
        asked = WEBSOCKET | OWN | {"Sec-WebSocket-Protocol": told}
        lines = [f"{name}: {value}".replace("{port}", str(as_typed.port)) for name, value in asked.items()]
        with socket.create_connection(("127.0.0.1", as_typed.port), timeout=30) as connection:
            head = "\r\n".join(["GET /dashboard/ws HTTP/1.1", f"Host: localhost:{as_typed.port}", *lines, "", ""])
            connection.sendall(head.encode())
            got = b"".join(iter(lambda: connection.recv(4096), b""))  # to the end: the server closes
        frames = got.partition(b"\r\n\r\n")[2]
        assert frames[:1] in {b"", b"\x88"} or got.startswith(b"HTTP/1.1 4"), (told, got)  # nothing but "closed"


def test_the_console_says_how_to_let_others_in(as_typed: Served) -> None:
    assert re.search(
        r"Only this computer can use the page\. To let others in: neuralsorter serve --host", as_typed.said()
    )


def test_with_a_login_nobody_gets_more_than_the_form_before_it(with_login: Served) -> None:
    for host in ("127.0.0.1", own_address()):
        for method, path, headers in every_route(with_login):
            if path in {"/login", "/logout"}:
                continue
            status, got, _ = answer(host, with_login.port, method, path, headers)
            to_the_form = status == 302 and got["Location"].partition("?")[0].lstrip(".") == "/login"
            assert to_the_form or status in {403, 405}, (host, method, path, status)


def test_another_sites_page_gets_nothing_by_any_route_of_a_server_with_a_login(with_login: Served) -> None:
    assert {*statuses(with_login, "127.0.0.1", ABROAD[0]).values()} == {403}


def test_no_other_way_of_writing_an_origin_is_the_pages_own(as_typed: Served) -> None:
    for more in ABROAD:
        for path, headers in (("/dashboard", {}), ("/static/js/bokeh.min.js", {}), ("/dashboard/ws", WEBSOCKET)):
            assert answer("127.0.0.1", as_typed.port, "GET", path, headers | more)[0] == 403, more
    for path in ("/dashboard", "/static/js/bokeh.min.js"):
        assert answer("127.0.0.1", as_typed.port, "GET", path, OWN)[0] == 200


def test_every_answer_before_the_login_is_hardened_too(with_login: Served) -> None:
    for path in ("/", "/login", "/favicon.ico", "/no-such-page"):
        _, headers, _ = answer("127.0.0.1", with_login.port, "GET", path, {})
        assert [name for name in HARDENING if name not in headers] == []


def test_logging_in_needs_the_forms_own_field_and_makes_a_cookie_for_this_site_alone(with_login: Served) -> None:
    body = "name=anna&secret=right"
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    assert _post(with_login, body, form)[0] == 403
    _, headers, page = answer("127.0.0.1", with_login.port, "GET", "/login", {})
    cookie = headers["Set-Cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Strict" in cookie
    field = re.search(rb'name="_xsrf" value="([^"]+)"', page)
    assert field is not None
    secret = field[1].decode()
    status, headers = _post(with_login, f"{body}&_xsrf={secret}", form | {"Cookie": cookie.split(";")[0]})
    assert status == 302
    assert "HttpOnly" in headers["Set-Cookie"]
    assert "SameSite=Strict" in headers["Set-Cookie"]
    logged_in = {"Cookie": headers["Set-Cookie"].split(";")[0]}
    assert answer("127.0.0.1", with_login.port, "GET", "/favicon.ico", logged_in)[0] == 200


def test_behind_a_proxy_that_does_tls_every_cookie_is_kept_from_plain_connections(with_login: Served) -> None:
    _, headers, _ = answer("127.0.0.1", with_login.port, "GET", "/login", {})
    assert "Secure" not in headers["Set-Cookie"]
    _, headers, _ = answer("127.0.0.1", with_login.port, "GET", "/login", {"X-Forwarded-Proto": "https"})
    assert "Secure" in headers["Set-Cookie"]


def test_the_sixth_guess_within_a_minute_is_not_looked_at(with_login: Served) -> None:
    _, headers, page = answer("127.0.0.1", with_login.port, "GET", "/login", {})
    field = re.search(rb'name="_xsrf" value="([^"]+)"', page)
    assert field is not None
    sent = {"Content-Type": "application/x-www-form-urlencoded", "Cookie": headers["Set-Cookie"].split(";")[0]}
    guesses = [f"name=anna&secret={word}&_xsrf={field[1].decode()}" for word in ("a", "b", "c", "d", "e", "right")]
    assert [_post(with_login, guess, sent)[0] for guess in guesses] == [401] * 5 + [429]


def _post(served: Served, body: str, headers: dict[str, str]) -> tuple[int, HTTPHeaders]:
    connection = http.client.HTTPConnection("127.0.0.1", served.port, timeout=60)
    try:
        connection.request("POST", "/login", body, headers)
        response = connection.getresponse()
        return response.status, HTTPHeaders(dict(response.getheaders()))
    finally:
        connection.close()


@pytest.fixture
def stranger() -> Callable[..., bool]:
    from dashboard.door import stranger as judge  # type: ignore[import-untyped,unused-ignore] # found by conftest.py

    def ask(address: str, host: str = "localhost:5006", family: int = socket.AF_INET, **headers: str) -> bool:
        context = SimpleNamespace(address=(address, 1), address_family=family)
        request: Any = SimpleNamespace(
            connection=SimpleNamespace(context=context), host=host, headers=HTTPHeaders(headers)
        )
        return bool(judge(request))

    return ask


def test_loopback_is_known_in_every_way_of_writing_it(stranger: Callable[..., bool]) -> None:
    here = ("127.0.0.1", "127.8.9.1", "::1", "::ffff:127.0.0.1", "::1%lo")
    elsewhere = (
        "10.0.0.7",
        "::ffff:10.0.0.7",
        "fe80::1%eth0",
        "0.0.0.0",  # noqa: S104 - asked about, not bound
        "::",
        "",
        "127.0.0.1.evil.example",
        "::7f00:1",
    )
    assert [address for address in here if stranger(address)] == []
    assert [address for address in elsewhere if not stranger(address)] == []


def test_a_connection_of_unknown_origin_is_a_strangers(stranger: Callable[..., bool]) -> None:
    from dashboard.door import stranger as judge  # type: ignore[import-untyped,unused-ignore] # found by conftest.py

    nothing: Any = SimpleNamespace(connection=None, host="localhost", headers=HTTPHeaders())
    assert judge(nothing)
    for host in ("", "evil.example", "localhost.evil.example", "[fd00::2]:5006", "10.0.0.7:5006"):
        assert stranger("127.0.0.1", host)
    for host in ("localhost", "127.0.0.1:5006", "[::1]:5006", "LOCALHOST:1"):
        assert not stranger("127.0.0.1", host)
