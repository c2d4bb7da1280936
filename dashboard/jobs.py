"""Long work off the page's event loop: progress, Cancel, and the result applied on the page's thread."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from typing import Any

import panel as pn
import param

from neuralsorter.edit import acting_as, current_author
from neuralsorter.errors import Cancelled, NeuralSorterError

Report = Callable[[float, str], None]


class Jobs(param.Parameterized):
    """One piece of work at a time for one page."""

    running = param.Boolean(default=False, doc="Whether work is under way.")
    title = param.String(doc="What is being done.")
    progress = param.Number(default=0.0, bounds=(0, 1), doc="Share done.")
    message = param.String(doc="What is happening just now.")

    def __init__(self, **params: Any) -> None:
        super().__init__(**params)
        self._cancel = threading.Event()

    def start(
        self,
        title: str,
        work: Callable[[Report, threading.Event], Any],
        done: Callable[[Any], None],
        failed: Callable[[str], None],
        stopped: Callable[[str], None] | None = None,
    ) -> bool:
        """Run `work(report, cancel)` in a thread, then `done(result)` on the page's event loop.

        Returns False, and starts nothing, while other work is under way. `failed` gets a sentence; after Cancel
        `stopped` does, or else `failed`: `report` then raises, so that work which only reports can be stopped.
        """
        if self.running:
            failed(f"{self.title} is still running. Wait for it or cancel it first.")
            return False
        self._cancel = threading.Event()
        self.param.update(running=True, title=title, progress=0.0, message="")
        page = pn.state.curdoc, pn.state.block_expiration()
        author = current_author()

        def signed(report: Report, cancel: threading.Event) -> Any:
            with acting_as(author):
                return work(report, cancel)

        threading.Thread(
            target=self._run,
            args=(signed, done, failed, stopped or failed, self._cancel, page),
            name=title,
            daemon=True,
        ).start()
        return True

    def cancel(self) -> None:
        """Ask the work to stop; its result is dropped whatever it does."""
        self._cancel.set()

    def _run(
        self,
        work: Callable[[Report, threading.Event], Any],
        done: Callable[[Any], None],
        failed: Callable[[str], None],
        stopped: Callable[[str], None],
        cancel: threading.Event,
        page: tuple[Any, AbstractContextManager[None]],
    ) -> None:
        document, awake = page
        last = 0.0

        def report(share: float, message: str) -> None:
            nonlocal last
            if cancel.is_set():
                raise Cancelled(f"{self.title}: cancelled.")
            now = time.monotonic()
            if now - last > 0.1:
                last = now
                on_page(document, lambda: self.param.update(progress=min(max(share, 0.0), 1.0), message=message))

        try:
            result = work(report, cancel)
            finish = (lambda: stopped(f"{self.title}: cancelled.")) if cancel.is_set() else (lambda: done(result))
        except Cancelled:
            finish = lambda: stopped(f"{self.title}: cancelled.")  # noqa: E731 - one of four ways to finish
        except NeuralSorterError as error:
            sentence = str(error)
            finish = lambda: failed(sentence)  # noqa: E731
        except Exception as error:  # noqa: BLE001 - whatever a plug-in raises becomes a sentence on the page
            sentence = f"{self.title} failed: {type(error).__name__}: {error}. Nothing was changed."
            finish = lambda: failed(sentence)  # noqa: E731
        on_page(document, lambda: self._finish(finish, failed, awake))

    def _finish(
        self, finish: Callable[[], None], failed: Callable[[str], None], awake: AbstractContextManager[None]
    ) -> None:
        with awake:  # a page that lost its connection meanwhile was kept; from here on it may expire again
            self.param.update(running=False, progress=0.0, message="")
            try:
                finish()
            except NeuralSorterError as error:
                failed(str(error))


_cell: ContextVar[Any] = ContextVar("cell", default=None)


@contextmanager
def in_cell(cell: Any) -> Iterator[None]:
    """Let what is built inside the block be part of a notebook's cell, which takes the place of a page's document."""
    token = _cell.set(cell)
    try:
        yield
    finally:
        _cell.reset(token)


def this_page() -> Any:
    """Return the document, or the notebook's cell, that is being built; None in a script."""
    return pn.state.curdoc or _cell.get()


def on_page(document: Any, call: Callable[[], object], *, after_ms: int = 0) -> None:
    """Run `call` on the event loop of a page, holding its document; at once where there is no page (tests)."""
    if document is None or document.session_context is None:
        call()
    elif after_ms:
        document.add_timeout_callback(lambda: _in_turn(call), after_ms)
    else:
        document.add_next_tick_callback(lambda: _in_turn(call))


def _in_turn(call: Callable[[], object]) -> None:
    """Send changes the way that Panel sends those of a click: by another way they could overtake what they change."""
    with pn.io.unlocked():
        call()
