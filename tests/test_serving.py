"""What `serve` agrees to listen to, before anything listens."""

from __future__ import annotations

from pathlib import Path

import pytest

from neuralsorter import login, serving


@pytest.fixture
def users(tmp_path: Path) -> str:
    """A users' file that only its owner can read."""
    path = tmp_path / "users"
    path.write_text(f"anna:{login.hashed('a')}\n")
    path.chmod(0o600)
    return str(path)


@pytest.mark.parametrize("proxy", ["http://lab.example.org", "lab.example.org", "https://", ""])
def test_a_proxy_must_do_tls(users: str, proxy: str) -> None:
    with pytest.raises(serving.ServingError, match="--behind-proxy takes"):
        serving.serve([], users=users, behind_proxy=proxy, open_browser=False)


def test_neither_a_proxy_nor_tls_replaces_the_login(tmp_path: Path) -> None:
    with pytest.raises(serving.ServingError, match="give --users"):
        serving.serve([], behind_proxy="https://lab.example.org", open_browser=False)
    key = tmp_path / "key.pem"
    key.touch(0o600)
    with pytest.raises(serving.ServingError, match="give --users"):
        serving.serve([], host="0.0.0.0", certfile=str(key), keyfile=str(key), open_browser=False)  # noqa: S104 - refused


def test_users_alone_do_not_open_the_computer(users: str) -> None:
    with pytest.raises(serving.ServingError, match="lets other computers in"):
        serving.serve([], host="192.0.2.1", users=users, open_browser=False)


def test_behind_a_proxy_only_its_address_may_open_a_websocket() -> None:
    command = serving._command([], "127.0.0.1", 5006, None, None, "https://lab.example.org/sorter/", shared=True)
    flags = [command[at + 1] for at, word in enumerate(command) if word == "--allow-websocket-origin"]
    assert flags == ["lab.example.org"]
    assert command[command.index("--prefix") + 1] == "/sorter/"
    assert "--use-xheaders" in command


def test_a_certificate_that_is_none_is_said_before_anything_listens(users: str, tmp_path: Path) -> None:
    names = [str(tmp_path / name) for name in ("cert.pem", "key.pem")]
    for name in names:
        Path(name).write_text("no certificate\n")
        Path(name).chmod(0o600)
    with pytest.raises(serving.ServingError, match="are not a PEM certificate and its key"):
        serving.serve([], users=users, certfile=names[0], keyfile=names[1], open_browser=False)


def test_a_page_that_is_closed_is_let_go_within_a_minute() -> None:
    command = serving._command([], "127.0.0.1", 5006, None, None, None, shared=False)
    told = [command[command.index(flag) + 1] for flag in ("--unused-session-lifetime", "--check-unused-sessions")]
    assert sum(map(int, told)) < 60_000
