"""Who may use a running page: `panel serve --auth-module` loads this file.

A link with a token logs a browser in; with a users' file, a name and a password do. Sessions are kept by the server,
so that they end with it. `python -m neuralsorter.login NAME` asks for a password and prints a line for that file.
"""

from __future__ import annotations

import getpass
import hashlib
import hmac
import os
import re
import secrets
import signal
import sys
import threading
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

from tornado.web import RequestHandler

login_url = "/login"
logout_url = "/logout"

COOKIE = "neuralsorter"
TOKEN_HEADER = "X-NeuralSorter-Token"  # noqa: S105 - the name of a header
LOCAL = "local"  # who has the link: the system's user
TOKEN, FIRST_TOKEN, USERS, LAUNCHER = (f"NEURALSORTER_{name}" for name in ("TOKEN", "FIRST_TOKEN", "USERS", "LAUNCHER"))

_TRIES, _PER_S = 5, 60.0
_SECRET = re.compile(r"(?:[0-9a-fA-F]{2}){8,}\$[0-9a-fA-F]{128}")  # SALT$HASH, a hash of 64 bytes
_SCRYPT = {"n": 2**14, "r": 8, "p": 1}

# Taken out of the environment at once: no process that the page starts may see them.
_token = os.environ.pop(TOKEN, "")
_first_tokens = {os.environ.pop(FIRST_TOKEN, "")} - {""}  # for the browser we open: others can see its command line
_users_file = os.environ.pop(USERS, "")
_launcher = int(os.environ.pop(LAUNCHER, "0"))

_sessions: dict[str, str] = {}  # session -> user
_failures: defaultdict[str, list[float]] = defaultdict(list)  # address or name -> times of wrong attempts


def given_token() -> str:
    """Return the token that the environment gave this process, for a proxy that sends it along; empty for none."""
    return _token


def get_user(handler: RequestHandler) -> str | None:
    """Return who asks, None when nobody is logged in; a proxy that has the token answers for its own people."""
    sent = handler.request.headers.get(TOKEN_HEADER, "")
    if _token and hmac.compare_digest(sent.encode(), _token.encode()):
        return os.environ.get("JUPYTERHUB_USER", LOCAL)
    session = handler.get_signed_cookie(COOKIE)
    return _sessions.get(session.decode()) if session else None


class LoginHandler(RequestHandler):
    """Take a token from the link, or a name and a password from the form."""

    def get(self) -> None:
        """Log in by the link, or show the form."""
        if get_user(self):
            self.redirect(f"{_prefix(self)}/")
        elif self.get_query_argument("token", ""):
            self._attempt("", self.get_query_argument("token"))
        else:
            self._form("")

    def post(self) -> None:
        """Log in by the form."""
        self._attempt(self.get_body_argument("name", ""), self.get_body_argument("secret", ""))

    def _attempt(self, name: str, secret: str) -> None:
        now = time.monotonic()
        who = {f"at {self.request.remote_ip}"} | ({f"for {name}"} if name else set())  # many addresses help nobody
        _forget(now)
        if any(len(_failures.get(key, ())) >= _TRIES for key in who):
            self.set_status(429)
            self._form("Too many attempts: wait a minute.")
            return
        user = _user_of(name, secret)
        if user is None:
            for key in who:
                _failures[key].append(now)
            self.set_status(401)
            self._form("That is not right. Use the link that the server printed, or your name and password.")
            return
        session = secrets.token_urlsafe(32)
        _sessions[session] = user
        self.set_signed_cookie(
            COOKIE,
            session,
            expires_days=None,
            httponly=True,
            samesite="Strict",
            secure=self.request.protocol == "https",
        )
        self.redirect(f"{_prefix(self)}/")

    def _form(self, told: str) -> None:
        self.set_header("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'")
        self.set_header("Cache-Control", "no-store")
        name = '<p><label>Name <input name="name" autocomplete="username"></label></p>' if _users_file else ""
        word = "Password" if _users_file else "Token"
        self.finish(
            "<!doctype html><html lang='en'><title>NeuralSorter: log in</title>"
            "<body style='font: 16px sans-serif; max-width: 24em; margin: 4em auto'><h1>NeuralSorter</h1>"
            f"<p role='alert'>{told}</p><form method='post'>{name}<p><label>{word} "
            "<input name='secret' type='password' autocomplete='current-password'></label></p>"
            f"{self.xsrf_form_html()}<button>Log in</button></form></body></html>"
        )


def _prefix(handler: RequestHandler) -> str:
    return str(getattr(handler.application, "prefix", ""))  # the path at which a proxy shows the server


def _forget(now: float) -> None:
    for key, times in list(_failures.items()):
        _failures[key] = [at for at in times if now - at < _PER_S]
        if not _failures[key]:
            del _failures[key]


class LogoutHandler(RequestHandler):
    """End a session."""

    def get(self) -> None:
        """Forget the session here and in the browser."""
        session = self.get_signed_cookie(COOKIE)
        if session:
            _sessions.pop(session.decode(), None)
        self.clear_cookie(COOKIE)
        self.redirect(f"{_prefix(self)}{login_url}")


def hashed(password: str, salt: bytes | None = None) -> str:
    """Return SALT$HASH of a password, hexadecimal, by scrypt."""
    salt = salt or secrets.token_bytes(16)
    return f"{salt.hex()}${hashlib.scrypt(password.encode(), salt=salt, **_SCRYPT).hex()}"


def read_users(path: str | Path) -> dict[str, str]:
    """Return {name: SALT$HASH} of a users' file, lines NAME:SALT$HASH.

    Raises
    ------
    ValueError
        When a line is of another form.

    """
    users = {}
    for number, line in enumerate(Path(path).read_text("utf-8").splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        name, colon, secret = line.strip().partition(":")
        if not (name and colon and _SECRET.fullmatch(secret)):
            raise ValueError(f"line {number} is not NAME:SALT$HASH")
        if name in {LOCAL, "default_user", "guest"}:
            raise ValueError(f"line {number} names {name}, which stands for nobody in particular; choose another name")
        users[name] = secret
    return users


def _user_of(name: str, secret: str) -> str | None:
    if not _users_file:
        for first in list(_first_tokens):
            if hmac.compare_digest(secret.encode(), first.encode()):
                _first_tokens.discard(first)
                return LOCAL
        return LOCAL if _token and hmac.compare_digest(secret.encode(), _token.encode()) else None
    known = read_users(_users_file).get(name)
    salt, _, _ = (known or hashed("")).partition("$")  # an unknown name takes as long as a wrong password
    right = hmac.compare_digest(hashed(secret, bytes.fromhex(salt)), known or "")
    return name if known and right else None


def _end_with_launcher(launcher: int) -> None:
    while os.getppid() == launcher:
        time.sleep(1.0)
    os.kill(os.getpid(), signal.SIGTERM)


def _main(arguments: list[str]) -> Any:
    if len(arguments) != 1 or ":" in arguments[0]:
        return "usage: python -m neuralsorter.login NAME"
    print(f"{arguments[0]}:{hashed(getpass.getpass())}")  # noqa: T201 - a line for the users' file
    return 0


if _launcher:
    threading.Thread(target=_end_with_launcher, args=(_launcher,), daemon=True).start()
if __name__ == "__main__":
    sys.exit(_main(sys.argv[1:]))
