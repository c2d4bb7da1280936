"""What changes in the very moment in which a part joins the page is shown."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from .conftest import Server, Tab

pytestmark = pytest.mark.browser


DRAWN_AGAIN = """async () => {
  const button = [...Bokeh.documents[0]._all_models.values()].find((model) => model.data?.label === 'Invert');
  const view = Bokeh.index.find_one_by_id(button.id);
  const getter = view.model_getter;
  view.model_getter = (target, name) => {
    const found = getter(target, name);
    return name !== 'on' ? found : (property, ...rest) => {  // drawn already; from here on it listens
      if (property === 'label') button.data.setv({ label: 'Changed' });
      return found(property, ...rest);
    };
  };
  view.render();
  await new Promise((later) => setTimeout(later, 1000));
  return view.shadow_el.textContent;
}"""


def test_no_change_is_lost_between_drawing_and_listening(
    serve: Callable[..., Server], open_tab: Callable[..., Tab]
) -> None:
    tab = open_tab(serve("--demo"))
    tab.wait_for("waveforms drawn")
    shown: str = tab.page.evaluate(DRAWN_AGAIN)
    assert "Changed" in shown
