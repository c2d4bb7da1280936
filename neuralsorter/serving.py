"""Starting the page: on this computer alone unless users and TLS say otherwise, for who has the link."""

from __future__ import annotations

import contextlib
import ipaddress
import os
import secrets
import signal
import socket
import ssl
import subprocess
import sys
import time
import webbrowser
from collections.abc import Iterator, Sequence
from pathlib import Path
from urllib.parse import urlsplit

from . import login
from .errors import LoadError, NeuralSorterError
from .plugins import folder

DEFAULT_PORT = 5006
DEMO = "--demo"

_PORTS_TRIED = 100
_START_S = 120.0
_STOP_S = 10.0
_UNUSED_MS, _CHECK_MS = 30_000, 5_000  # a page without its browser is let go: who comes back gets it anew


class ServingError(NeuralSorterError):
    """A page that cannot be served as asked."""


def serve(
    files: Sequence[str],
    *,
    host: str = "127.0.0.1",
    port: int | None = None,
    open_browser: bool = True,
    users: str | None = None,
    certfile: str | None = None,
    keyfile: str | None = None,
    behind_proxy: str | None = None,
    allow_scripts: bool = False,
) -> None:
    """Serve the page until Ctrl+C.

    Parameters
    ----------
    files : sequence of str
        Recordings or one project to open, or "--demo".
    host : str
        Address to listen on. Beyond this computer `users`, `certfile` and `keyfile` are needed.
    port : int, optional
        0 for any free one. Default: 5006, or the next that is free.
    open_browser : bool
        Open the page in the browser.
    users : str, optional
        File of those who may log in.
    certfile, keyfile : str, optional
        TLS certificate and its key.
    behind_proxy : str, optional
        The address that people use, of a reverse proxy that does TLS: https://lab.example.org or with a path.
    allow_scripts : bool
        Let those who log in run scripts that they write. Without users everybody may: it is their own computer.

    Raises
    ------
    ServingError
        When the address may not be used, or the server does not start.

    """
    _require_files(files)
    shared = not _is_here(host) or behind_proxy is not None
    _require_safe(host, users, certfile, keyfile, behind_proxy)
    port = _free_port(host, port)
    token, first = login.given_token() or secrets.token_urlsafe(32), secrets.token_urlsafe(32)
    environment = _environment(token, first, users) | {
        "NEURALSORTER_SCRIPTS": "on" if allow_scripts or not users else "off"
    }
    command = _command(files, host, port, certfile, keyfile, behind_proxy, shared=shared)
    address = (behind_proxy or f"{'https' if certfile else 'http'}://{_spoken(host)}:{port}").rstrip("/")
    with _stopped_by_signals(), _child(command, environment) as process:
        _await_start(process, host, port)
        link = "/login?token="
        _say(
            f"NeuralSorter is at {address}/" if users else f"NeuralSorter is at {address}{link}{token} (Ctrl+C ends it)"
        )
        if open_browser:
            webbrowser.open(f"{address}/" if users else f"{address}{link}{first}")
        try:
            status = process.wait()
        except KeyboardInterrupt:
            return
        raise ServingError(f"The server of the page ended with exit status {status}; see above. Start it again.")


def _require_files(files: Sequence[str]) -> None:
    for name in files:
        if name != DEMO and not Path(name).exists():
            raise LoadError(name, "does not exist", "Check the spelling of its name")


def _require_safe(
    host: str, users: str | None, certfile: str | None, keyfile: str | None, behind_proxy: str | None
) -> None:
    _require_way_in(host, behind_proxy, users=bool(users), tls=bool(certfile and keyfile))
    if bool(certfile) != bool(keyfile):
        raise ServingError("TLS needs both --certfile and --keyfile. Give the other one too.")
    for name in filter(None, (users, certfile, keyfile)):
        if not Path(name).is_file():
            raise ServingError(f"{name} does not exist. Check the spelling of its name.")
    for name in filter(None, (users, keyfile)):
        if os.name == "posix" and Path(name).stat().st_mode & 0o077:
            raise ServingError(f"{name} can be read by others. Run: chmod 600 {name}")
    if users:
        _require_somebody(users)
    if certfile and keyfile:
        _require_certificate(certfile, keyfile)


def _require_somebody(users: str) -> None:
    try:
        named = login.read_users(users)
    except ValueError as cause:
        raise ServingError(f"{users}: {cause}. Make its lines with python -m neuralsorter.login NAME.") from None
    if not named:
        raise ServingError(f"{users} names nobody. Add a line with python -m neuralsorter.login NAME.")


def _require_certificate(certfile: str, keyfile: str) -> None:
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(certfile, keyfile, password="")
    except (OSError, ValueError) as cause:
        raise ServingError(
            f"{certfile} and {keyfile} are not a PEM certificate and its key, without a passphrase ({cause})."
            " Give the two that belong together."
        ) from None


def _require_way_in(host: str, behind_proxy: str | None, *, users: bool, tls: bool) -> None:
    """Refuse to let other computers in without a login, and without TLS, here or at a proxy."""
    if behind_proxy is not None:
        told = urlsplit(behind_proxy)
        if told.scheme != "https" or not told.hostname:
            raise ServingError(f"--behind-proxy takes the address that people use, https://NAME. Got {behind_proxy}.")
        if not users:
            raise ServingError("--behind-proxy lets other computers in: give --users too, or leave it out.")
    elif not _is_here(host) and not (users and tls):
        raise ServingError(
            f"--host {host} lets other computers in: give --users, --certfile and --keyfile too, or leave --host out."
        )


def _is_here(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _free_port(host: str, port: int | None) -> int:
    """Return a port that can be listened on now."""
    wanted = range(DEFAULT_PORT, DEFAULT_PORT + _PORTS_TRIED) if port is None else [port]
    for number in wanted:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            if os.name == "posix":  # a port whose last server just ended is free
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((host, number))
            except OverflowError:
                raise ServingError(f"--port must be 0 to 65535. Got {number}.") from None
            except OSError as cause:
                if port is not None:
                    why = cause.strerror or cause
                    raise ServingError(f"{host}:{number} cannot be used ({why}). Choose another --port.") from None
                continue
            return int(probe.getsockname()[1])
    raise ServingError(f"Ports {wanted[0]} to {wanted[-1]} are all taken. Name a free one with --port.")


def _environment(token: str, first: str, users: str | None) -> dict[str, str]:
    home = str(Path(__file__).resolve().parents[1])
    paths = [home, *filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))]
    return os.environ | {
        "PYTHONPATH": os.pathsep.join(paths),
        "BOKEH_COOKIE_SECRET": secrets.token_urlsafe(32),
        login.TOKEN: token,
        login.FIRST_TOKEN: first,
        login.USERS: str(Path(users).absolute()) if users else "",
        login.LAUNCHER: str(os.getpid()) if os.name == "posix" else "0",
    }


def _command(
    files: Sequence[str], host: str, port: int, certfile: str | None, keyfile: str | None, behind_proxy: str | None,
    *, shared: bool,
) -> list[str]:  # fmt: skip
    names = {_spoken(host), socket.gethostname(), socket.getfqdn()} if shared else {"127.0.0.1", "localhost"}
    origins = {f"{name}:{port}" for name in names}
    command = [sys.executable, "-P", "-m", "panel", "serve", str(folder("dashboard"))]
    command += ["--address", host, "--port", str(port), "--log-level", "warning"]
    command += ["--auth-module", str(Path(login.__file__).resolve()), "--enable-xsrf-cookies"]
    command += ["--unused-session-lifetime", str(_UNUSED_MS), "--check-unused-sessions", str(_CHECK_MS)]
    if behind_proxy is not None:
        public = urlsplit(behind_proxy)
        origins = {public.netloc}
        command += ["--use-xheaders", *(["--prefix", public.path] if public.path.strip("/") else [])]
    for origin in sorted(origins):
        command += ["--allow-websocket-origin", origin]
    if certfile and keyfile:
        command += ["--ssl-certfile", certfile, "--ssl-keyfile", keyfile]
    return [*command, "--args", *files] if files else command


def _spoken(host: str) -> str:
    """Return the name to put in an address."""
    if host in {"0.0.0.0", "::"}:  # noqa: S104 - compared, not bound
        return socket.gethostname()
    return f"[{host}]" if ":" in host else host


@contextlib.contextmanager
def _child(command: list[str], environment: dict[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    """Start the server; end it on the way out, whatever that is."""
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL)
    try:
        yield process
    finally:
        if process.poll() is None:
            process.terminate()
        try:
            process.wait(_STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@contextlib.contextmanager
def _stopped_by_signals() -> Iterator[None]:
    """Let SIGTERM end the page as Ctrl+C does."""

    def stop(_number: int, _frame: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _await_start(process: subprocess.Popen[bytes], host: str, port: int) -> None:
    reached = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - compared, not bound
    deadline = time.monotonic() + _START_S
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise ServingError(f"The page did not start (exit status {process.returncode}); see above.")
        with contextlib.suppress(OSError), socket.create_connection((reached, port), 1.0):
            return
        time.sleep(0.1)
    raise ServingError(f"The page did not start within {_START_S:g} s. Try again when the computer is less busy.")


def _say(sentence: str) -> None:
    print(sentence, flush=True)  # noqa: T201 - the command line speaks
