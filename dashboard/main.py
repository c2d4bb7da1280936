"""`panel serve dashboard --args FILES`: one App per browser tab."""

from __future__ import annotations

from functools import partial
from typing import Any

import panel as pn
from panel.io.resources import LOCAL_DIST

from .app import App
from .connection import let_go
from .launch import startup
from .transport import mend

mend()
pn.extension("tabulator", "codeeditor", "filedropper", notifications=True, disconnect_notification="")


def _close(closing: App, _: Any) -> None:
    """Close a tab's app: passed in, since this module's names are gone by then."""
    closing.close()


# Panel says where its styles are when it answers with the page. A browser that took longer to connect than an unused
# session lives gets another session, for which nothing said it: its styles would be looked for in the internet.
if pn.state.curdoc is not None:
    pn.state.curdoc.template_variables.setdefault("dist_url", LOCAL_DIST)
start = startup()
app = App(start.roots)
pn.state.on_session_destroyed(partial(_close, app))
pn.state.on_session_destroyed(let_go)
pn.state.onload(lambda: app.connection.when_known(lambda: app.place.begin(start, app.files)))
app.page().servable(title="NeuralSorter")
start.prepare()
