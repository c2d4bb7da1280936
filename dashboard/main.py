"""`panel serve dashboard --args FILES`: one App per browser tab."""

from __future__ import annotations

import panel as pn

from .app import App
from .launch import startup

pn.extension("tabulator", "codeeditor", "filedropper", notifications=True, reconnect=True)

start = startup()
app = App(start.roots)
pn.state.on_session_destroyed(lambda _, app=app: app.close())  # by then this module's names are gone
pn.state.onload(lambda: start.begin(app.workspace, app.files))
app.page().servable(title="NeuralSorter")
