"""Who gets through the door, before every route of the server, whatever Bokeh, Panel or a plug-in adds to it.

Without a login only the person at this computer is let in; with one, nobody who is not logged in gets more than the
form. Every answer carries headers that keep other sites out of the page.
"""

from __future__ import annotations

import ipaddress
import os
import socket
import sys
import time
from typing import Any
from urllib.parse import urlsplit

import bokeh.server.server
from bokeh.server.auth_provider import AuthModule, NullAuth
from bokeh.server.tornado import BokehTornado
from bokeh.server.util import check_allowlist
from bokeh.settings import settings
from panel.config import config
from tornado.httputil import HTTPHeaders, HTTPServerRequest
from tornado.web import OutputTransform, RequestHandler

from .frame import Frame, Loading

SCRIPTS = "NEURALSORTER_SCRIPTS"  # "off": nobody runs source of their own
USER = "X-NeuralSorter-User"  # set here, never taken from a client
OPEN_UP = (
    "Only this computer can use the page. To let others in: neuralsorter serve --host ADDRESS --users FILE"
    " --certfile FILE --keyfile FILE."
)
NOT_HERE = "This server answers its own page alone, not what another site's page asks for."
FORWARDED = ("Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Real-Ip")  # written by a proxy for somebody else
TRIES, PER_S = 5, 60.0  # posts to a login form, for each address
HEADERS = {
    # Bokeh compiles its templates in the browser, and components are modules made on the spot.
    "Content-Security-Policy": "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval' blob:; "
    "style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; font-src 'self' data:; worker-src 'self' blob:; "
    "connect-src 'self' data: blob:; object-src 'none'; base-uri 'self'; form-action 'self'; frame-ancestors 'self'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "SAMEORIGIN",
}


def stranger(request: HTTPServerRequest) -> bool:
    """Return whether a request comes, or may come, from another computer.

    What counts is the other end of the connection, which no header can change; a header of a proxy, or a name of this
    computer that is not its own, can only keep a request out.
    """
    context = getattr(request.connection, "context", None)
    family, address = getattr(context, "address_family", None), getattr(context, "address", None)
    if any(name in request.headers for name in FORWARDED) or not _is_loopback(_host_name(request.host)):
        return True
    if family == getattr(socket, "AF_UNIX", None):
        return False
    return not address or not _is_loopback(str(address[0]))


def _host_name(host: str) -> str:
    return host[1:].partition("]")[0] if host.startswith("[") else host.partition(":")[0]


def _is_loopback(name: str) -> bool:
    try:
        address = ipaddress.ip_address(name.partition("%")[0])
    except ValueError:
        return name.lower() == "localhost"
    mapped = getattr(address, "ipv4_mapped", None)
    return (mapped or address).is_loopback


class SafeHeaders(OutputTransform):
    """Adds the headers to every answer that does not have its own."""

    def __init__(self, request: HTTPServerRequest) -> None:
        """Take no notice of the request: every answer gets them."""

    def transform_first_chunk(
        self, status_code: int, headers: HTTPHeaders, chunk: bytes, finishing: bool  # noqa: ARG002, FBT001 - Tornado's
    ) -> tuple[int, HTTPHeaders, bytes]:  # fmt: skip
        """Complete the headers."""
        for name, value in HEADERS.items():
            headers.setdefault(name, value)
        return status_code, headers, chunk


class Refusal(RequestHandler):
    """The answer to whoever is not let in, to any method."""

    def initialize(self, status: int, told: str) -> None:
        """Take what is to be answered."""
        self.status, self.told = status, told

    def prepare(self) -> None:
        """Answer, and do nothing else."""
        self.set_status(self.status)
        self.set_header("Content-Type", "text/plain; charset=utf-8")
        self.set_header("Cache-Control", "no-store")
        self.finish(self.told + "\n")


class GuardedTornado(BokehTornado):
    """Bokeh's application behind the door; while the page's libraries load, the page is its frame."""

    loading = Loading()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        provider = kwargs.get("auth_provider", NullAuth())
        self._has_login = not isinstance(provider, NullAuth)
        self._own_form = self._has_login and not isinstance(provider, AuthModule)  # Panel's, which knows no XSRF field
        self._tries: dict[str, list[float]] = {}
        kwargs["xsrf_cookies"] = not self._own_form
        kwargs["xsrf_cookie_kwargs"] = {"httponly": True, "samesite": "Strict"}
        origins = set(kwargs.get("extra_websocket_origins") or ())
        if not self._has_login:  # the other names of this computer, which the address bar may show
            ports = {origin.rpartition(":")[2] for origin in origins if _is_loopback(_host_name(origin))}
            origins |= {f"{name}:{port}" for name in ("localhost", "127.0.0.1", "[::1]") for port in ports}
        kwargs["extra_websocket_origins"] = origins
        super().__init__(*args, **kwargs)
        self.add_transform(SafeHeaders)
        self._pages = {self.prefix + path for path in ("", "/", *self.app_paths)}
        if self._has_login:
            os.environ.setdefault(SCRIPTS, "off")
        else:
            print(OPEN_UP, file=sys.stderr, flush=True)  # noqa: T201 - whoever starts the server reads it

    def find_handler(self, request: HTTPServerRequest, **kwargs: Any) -> Any:
        """Return who answers a request: the route asked for, or a refusal."""
        request.headers.pop(USER, None)
        if request.protocol == "https":  # here or at a proxy
            self.settings["xsrf_cookie_kwargs"]["secure"] = True
        if request.host.startswith("["):  # 2026-11: Panel 1.9 cannot read an address that has colons
            request.host = "localhost" + request.host.rpartition("]")[2]
        refused = self._refused(request)
        if refused is not None:
            status, told = refused
            return self.get_handler_delegate(request, Refusal, {"status": status, "told": told})
        let_in = USER in request.headers or not self._has_login
        asks = request.method == "HEAD" or (request.method == "GET" and not self.loading.done)
        if let_in and asks and request.path in self._pages:
            return self.get_handler_delegate(request, Frame, {"loading": not self.loading.done})
        return super().find_handler(request, **kwargs)

    def _refused(self, request: HTTPServerRequest) -> tuple[int, str] | None:
        if self._from_elsewhere(request.headers.get("Origin")):
            return 403, NOT_HERE
        if not self._has_login:
            return (403, OPEN_UP) if stranger(request) else None
        if request.path in {self.prefix + route for route, *_ in self.auth_provider.endpoints}:
            too_often = self._own_form and request.method == "POST" and self._tried_too_often(request)
            return (429, "Too many attempts: wait a minute.") if too_often else None
        user = self._user(request)
        if user:
            request.headers[USER] = user
            return None
        if request.path in self._pages and request.method == "GET":
            return None  # sent to the login by Bokeh itself
        return 403, "Log in first."

    def _from_elsewhere(self, origin: str | None) -> bool:
        """Return whether a page of another site asks: what Bokeh asks of a websocket is asked of every route."""
        if origin is None:
            return False
        try:
            name = urlsplit(origin).netloc.lower()
            return not check_allowlist(name, settings.allowed_ws_origin() or list(self.websocket_origins))
        except ValueError:
            return True

    def _user(self, request: HTTPServerRequest) -> str | None:
        """Return who is logged in; None for nobody."""
        handler, provider = RequestHandler(self, request), self.auth_provider
        if provider.get_user is not None:
            return provider.get_user(handler)
        known = handler.get_signed_cookie("user", max_age_days=config.oauth_expiry)  # of Panel's OAuth, checked again
        return known.decode() if known else None  # by the page and its websocket

    def _tried_too_often(self, request: HTTPServerRequest) -> bool:
        now = time.monotonic()
        recent = {who: [at for at in times if now - at < PER_S] for who, times in self._tries.items()}
        self._tries = {who: times for who, times in recent.items() if times}
        tries = self._tries.setdefault(request.remote_ip or "", [])
        tries.append(now)
        return len(tries) > TRIES


def guard() -> None:
    """Let every server that Bokeh starts from here on stand behind the door."""
    if bokeh.server.server.BokehTornado is BokehTornado:
        bokeh.server.server.BokehTornado = GuardedTornado
