"""Parts of the page that join it when they are first looked at."""

from __future__ import annotations

from pathlib import Path

import panel as pn
import panel_material_ui as pmui
from bokeh.document import Document

from dashboard.app import App
from dashboard.joining import SCRIPT, Later, when_opened


def shown(page: pn.viewable.Viewable) -> list[str]:
    """Return what the buttons of a page say."""
    data = [model.data for model in page.get_root(Document()).select({"type": pn.models.esm.ReactComponent})]
    return sorted(label for d in data if (label := getattr(d, "label", None)))


def test_a_part_joins_when_it_is_let_and_once() -> None:
    later = Later(pmui.Button(label="later"))
    page = pmui.Column(pmui.Button(label="now"), later)
    assert shown(page) == ["now"]
    later.join()
    later.join()
    assert shown(page) == ["later", "now"]


def test_what_a_dialogue_holds_joins_when_it_is_opened() -> None:
    dialog = when_opened(pmui.Dialog(pmui.Button(label="inside")))
    page = pmui.Column(dialog)
    assert shown(page) == []
    dialog.open = True
    dialog.open = False
    assert shown(page) == ["inside"]


def test_a_new_page_has_only_what_is_looked_at_first() -> None:
    app = App([Path.cwd()])
    root = app.panel().get_root(Document())
    assert len(root.references()) < 400
    app.side.active = 2
    assert len(root.references()) > 400
    app.close()


def test_the_code_that_the_script_changes_is_still_there() -> None:
    library = (Path(pn.__file__).parent / "dist" / "panel.min.js").read_text("utf-8")
    for place in ("react_proxy.on(prop, cb, true)", "target.on_child_render(child, () => {"):
        assert place in SCRIPT
        assert library.count(place) == 1
    assert "[value, setValue] = React.useState(targetModel.attributes[resolvedProp])" in library
