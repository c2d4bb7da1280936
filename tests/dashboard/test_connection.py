"""A tab that comes back takes the place of the page that it had before."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from dashboard.connection import TAB, Connection


class Session:
    """As much of a server's session as counts here."""

    def __init__(self, tab: str, connection_count: int) -> None:
        self.document = SimpleNamespace(template_variables={TAB: tab}, session_context=None)
        self.connection_count, self.let_go = connection_count, False

    def request_expiration(self) -> None:
        self.let_go = True


def test_pages_that_a_tab_had_before_are_let_go_but_none_that_somebody_looks_at() -> None:
    left, looked_at, other, own = Session("a", 0), Session("a", 1), Session("b", 0), Session("", 0)
    sessions = [left, looked_at, other, own]
    document: Any = own.document
    document.session_context = SimpleNamespace(server_context=SimpleNamespace(sessions=sessions))
    connection = Connection()
    connection._document = document
    connection.tab = "a"
    assert [session.let_go for session in sessions] == [True, False, False, False]
    assert document.template_variables[TAB] == "a"


def test_what_waits_for_the_tab_is_done_once() -> None:
    done: list[str] = []
    connection = Connection()
    connection.when_known(lambda: done.append("at once, where there is no page"))
    connection.tab = "a"
    connection.when_known(lambda: done.append("known"))
    connection.tab = "b"
    assert done == ["at once, where there is no page", "known"]
