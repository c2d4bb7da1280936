"""What a page does about its connection: says when it is lost, and comes back by itself where it was."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import panel as pn
import param
from panel.custom import JSComponent
from panel.io.notifications import NotificationAreaBase

from .jobs import on_page, this_page

WAIT_MS = 1500
TAB = "neuralsorter_tab"  # where a page's document says whose it is


class Connection(JSComponent):
    """Tells the server which tab this is; tells the person when the server does not answer, and that edits wait.

    2026-11: Bokeh 3.9's own reconnecting asks for the whole document once more and then drops its binary parts, so that
    a page with a picture stays dead. A page loaded anew is right whatever happened meanwhile: the server may be another
    one, the session over, units edited by others. Nothing is lost by it, since edits and places are on the server's
    disk.
    """

    tab = param.String(doc="Which tab this is. Loading it again, or its crash, does not change that.")

    _esm = """
    const KEY = 'neuralsorter-tab', EVERY_MS = 500, LEAST_MS = 5000;  // between two loads of the page

    function tabOf() {
      const bytes = Array.from(crypto.getRandomValues(new Uint8Array(8)));
      const made = bytes.map((byte) => byte.toString(16).padStart(2, '0')).join('');
      try {
        const known = sessionStorage.getItem(KEY) || made;
        sessionStorage.setItem(KEY, known);
        return known;
      } catch { return made; }  // a browser that keeps nothing
    }

    function banner() {
      const bar = document.createElement('div');
      bar.setAttribute('role', 'alert');
      bar.style.cssText = 'position:fixed;z-index:99999;top:64px;left:0;right:0;padding:12px 24px;text-align:center;'
        + 'font:15px system-ui,sans-serif;background:#8a3b00;color:#fff';
      bar.textContent = `No connection to the server since ${new Date().toLocaleTimeString([], { hour12: false })}. `
        + 'Every edit shown here is saved. This page comes back by itself; until then it takes no edits.';
      return bar;
    }

    async function answers() {
      try {
        const answer = await fetch(location.href,
          { method: 'HEAD', cache: 'no-store', redirect: 'manual', signal: AbortSignal.timeout(5000) });
        return !answer.headers.has('X-NeuralSorter-Loading');
      } catch { return false; }
    }

    export function render({ model, view }) {
      model.tab = tabOf();
      let leaving = false;
      window.addEventListener('pagehide', () => { leaving = true; });
      window.addEventListener('beforeunload', () => { leaving = true; setTimeout(() => { leaving = false; }, 2000); });
      view.model.document.on_event('connection_lost', async () => {
        if (leaving || document.body.inert) return;
        document.body.inert = true;  // what is clicked or typed now would not reach the server
        document.body.style.opacity = '0.55';
        document.documentElement.append(banner());
        while (!await answers() || performance.now() < LEAST_MS) await new Promise((go) => setTimeout(go, EVERY_MS));
        location.reload();
      });
    }
    """

    def __init__(self, **params: Any) -> None:
        self._document = this_page()
        super().__init__(width=0, height=0, margin=0, **params)

    def when_known(self, call: Callable[[], object]) -> None:
        """Call once the browser has said which tab this is, or soon in any case."""
        waiting = [call]

        def once(*_: Any) -> None:
            if waiting:
                waiting.pop()()

        if self.tab:
            once()
        else:
            self.param.watch(once, "tab")
            on_page(self._document, once, after_ms=WAIT_MS)

    @param.depends("tab", watch=True)
    def _known(self) -> None:
        """Let go of the pages that this tab had before: nobody can come back to them."""
        if self._document is None or self._document.session_context is None:
            return
        self._document.template_variables[TAB] = self.tab
        for session in self._document.session_context.server_context.sessions:
            left = session.connection_count == 0 and session.document is not self._document
            if left and session.document.template_variables.get(TAB) == self.tab:
                session.request_expiration()


def let_go(context: Any) -> None:
    """Forget the notifications of a page that has ended: Panel 1.9 keeps them, and with them the page (2026-11)."""
    document, views = context._document, pn.state._views  # noqa: SLF001 - no public way
    left = [ref for ref, view in views.items() if view[2] is document and isinstance(view[0], NotificationAreaBase)]
    for ref in left:
        del views[ref]
