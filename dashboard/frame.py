"""The page's frame, shown at once: the server answers with it until the libraries behind the page are loaded."""

from __future__ import annotations

import threading
from typing import Any

from tornado.web import RequestHandler

LOADING = "X-NeuralSorter-Loading"
FRAME = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>NeuralSorter</title><style>
:root { color-scheme: light dark; --bar: #205abd; --line: #ddd; --page: #fff; --text: #444 }
@media (prefers-color-scheme: dark) { :root { --bar: #16263d; --line: #333; --page: #121212; --text: #bbb } }
body { margin: 0; font: 15px system-ui, sans-serif; background: var(--page); color: var(--text) }
header { background: var(--bar); color: #fff; height: 64px; line-height: 64px; padding: 0 24px; font-size: 20px }
aside { position: fixed; top: 64px; bottom: 0; width: 290px; border-right: 1px solid var(--line) }
main { position: fixed; top: 64px; bottom: 0; left: 291px; right: 0; display: grid; place-items: center }
</style></head><body><header>NeuralSorter</header><aside></aside><main role="status">Starting …</main><script>
const look = async () => {
  try {
    const answer = await fetch(location.href, { method: 'HEAD', cache: 'no-store' });
    if (!answer.headers.has('X-NeuralSorter-Loading')) { location.reload(); return; }
  } catch { /* busy, or stopped: look again */ }
  setTimeout(look, 150);
};
look();
</script></body></html>
"""


class Frame(RequestHandler):
    """Answers with the frame; the frame then asks, without a body, until it is no longer answered by this."""

    def initialize(self, *, loading: bool) -> None:
        """Take what is to be answered."""
        self.loading = loading

    def prepare(self) -> None:
        """Answer, and do nothing else."""
        if self.loading:
            self.set_header(LOADING, "yes")
        self.set_header("Cache-Control", "no-store")
        self.finish("" if self.request.method == "HEAD" else FRAME)


class Loading:
    """Whether the libraries behind the page are loaded; loads them in a thread."""

    def __init__(self) -> None:
        self._done = threading.Event()

    @property
    def done(self) -> bool:
        """Whether the page can be built without waiting."""
        return self._done.is_set()

    def start(self, *steps: Any) -> None:
        """Do the first step, say that the page can be built, then do the others."""

        def run() -> None:
            try:
                steps[0]()
            finally:
                self._done.set()  # a page that cannot be built says why itself
            for step in steps[1:]:
                step()

        threading.Thread(target=run, name="warm", daemon=True).start()
