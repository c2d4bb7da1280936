"""The browser's part of the widgets, given to a notebook once: Panel would send all of it along with every widget."""

from __future__ import annotations

import base64
import json
import re
from pathlib import Path

from panel_material_ui.base import BUNDLE_PATH, DIST_PATH, MaterialComponent

from .joining import SCRIPT

NAME = "neuralsorter/panel-material-ui"  # as in bundle.js
_FONTS = re.compile("material-icons|roboto-latin-[0-9]")
ICONS = """.material-icons {
  font-family: 'Material Icons'; font-size: 24px; line-height: 1; letter-spacing: normal; text-transform: none;
  display: inline-block; white-space: nowrap; word-wrap: normal; direction: ltr; font-feature-settings: 'liga';
}"""
_SCRIPT = """(() => {
  const name = %(name)s;
  if (window[name]) return;
  window[name] = URL.createObjectURL(new Blob([%(code)s], { type: 'text/javascript' }));
  const map = { imports: { [name]: window[name] } };
  if (window.importShim) {
    importShim.addImportMap(map);
  } else {  // read by the shim when it comes
    const script = document.createElement('script');
    script.type = 'importmap-shim';
    script.textContent = JSON.stringify(map);
    document.head.append(script);
  }
  const style = document.createElement('style');
  style.textContent = %(fonts)s;
  document.head.append(style);
  %(joining)s
  %(arriving)s
})();"""


def by_name() -> None:
    """Let every widget ask for the bundle by its name, in place of bringing it along."""
    MaterialComponent._bundle = Path(__file__).with_name("bundle.js")  # noqa: SLF001 - how its makers say where it is


def script() -> str:
    """Return the JavaScript that gives a page the bundle under its name, and its fonts."""
    code = Path(BUNDLE_PATH).read_text("utf-8")
    return _SCRIPT % {
        "name": json.dumps(NAME),
        "code": json.dumps(code),
        "fonts": json.dumps(_fonts()),
        "joining": SCRIPT,
        "arriving": Path(__file__).with_name("arriving.js").read_text("utf-8"),
    }


def _fonts() -> str:
    """Return the faces of icons and Latin letters, each with its font inside."""
    css = Path(DIST_PATH, "material-icons.css").read_text("utf-8")

    def inside(match: re.Match[str]) -> str:
        data = base64.b64encode(Path(DIST_PATH, match[1]).read_bytes()).decode()
        return f'url("data:font/woff2;base64,{data}") format("woff2")'

    faces = [face for face in re.findall(r"@font-face {[^}]*}", css) if _FONTS.search(face)]
    return "\n".join(re.sub(r'url\("\./([^"]+\.woff2)"\)[^;]*', inside, face) for face in faces)
