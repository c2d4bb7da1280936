from __future__ import annotations

from pathlib import Path

import pytest

from neuralsorter import login


def test_a_password_is_known_by_its_hash_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    users = tmp_path / "users"
    users.write_text(f"# who may\nanna:{login.hashed('right')}\n\n")
    monkeypatch.setattr(login, "_users_file", str(users))
    assert login._user_of("anna", "right") == "anna"
    assert login._user_of("anna", "wrong") is None
    assert login._user_of("bert", "right") is None
    assert login._user_of("", "") is None
    assert "right" not in users.read_text()


def test_the_browsers_own_token_works_once_and_the_printed_one_always(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(login, "_token", "printed")
    monkeypatch.setattr(login, "_first_tokens", {"first"})
    assert [login._user_of("", secret) for secret in ("first", "first", "printed", "printed", "")] == [
        "local", None, "local", "local", None,
    ]  # fmt: skip


def test_without_a_token_nobody_gets_in() -> None:
    assert login._user_of("", "") is None


def test_nobody_is_named_as_those_without_a_name_are(tmp_path: Path) -> None:
    (tmp_path / "users").write_text(f"local:{login.hashed('x')}\n")
    with pytest.raises(ValueError, match="names local"):
        login.read_users(tmp_path / "users")


@pytest.mark.parametrize("line", ["anna", "anna:secret", ":00$00", "anna:zz$zz", "anna:00$00"])
def test_a_line_of_another_form_is_refused(tmp_path: Path, line: str) -> None:
    (tmp_path / "users").write_text(line)
    with pytest.raises(ValueError, match="line 1 is not"):
        login.read_users(tmp_path / "users")
