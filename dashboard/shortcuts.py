"""Keys: which combination does what, and the listener that tells Python."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import param
from panel.custom import JSComponent

# Action -> its keys, the field's habits first, then plain ones that no browser or desktop takes.
KEYS: dict[str, tuple[str, ...]] = {
    "previous channel": ("ctrl+arrowup", "k"),
    "next channel": ("ctrl+arrowdown", "j"),
    "previous unit": ("shift+arrowup", "h"),
    "next unit": ("shift+arrowdown", "l"),
    **{f"send to {unit}": (f"alt+{unit}", str(unit)) for unit in range(10)},
    "send to new unit": ("n",),
    "selected to noise": ("ctrl+d", "d"),
    "clean": ("ctrl+c", "c"),
    "sort": ("ctrl+s", "s"),
    "split unit": ("shift+s",),
    "select strays": ("u",),
    "next suggestion": ("v",),
    "accept suggestion": ("t",),
    "reject suggestion": ("f",),
    "next concern": ("e",),
    "reviewed": ("w",),
    "next violation": ("shift+v",),
    "next view": ("]",),
    "previous view": ("[",),
    "cancel": ("ctrl+.", "."),
    "undo": ("ctrl+z", "z"),
    "redo": ("ctrl+shift+z", "ctrl+y", "y"),
    "merge shown units": ("m",),
    "select all": ("a",),
    "select none": ("escape",),
    "invert selection": ("i",),
    "reset view": ("r",),
    "lasso": ("q",),
    "box": ("b",),
    "line": ("shift+q",),
    "band": ("shift+b",),
    "next mode": ("shift+m",),
    "pan": ("p",),
    "noise on or off": ("o",),
    "next shading": ("x",),
    "next alignment": ("g",),
    "label good": ("alt+g",),
    "label mua": ("alt+m",),
    "label unsorted": ("alt+u",),
    "lock unit": ("alt+l",),
    "help": ("?", "shift+?", "f1"),
}
REPEATABLE = {"previous channel", "next channel", "previous unit", "next unit", "undo", "redo"}


def bindings(overrides: Mapping[str, str]) -> dict[str, dict[str, Any]]:
    """Return {combination: {action, repeat}}; `overrides` maps an action to one key that replaces its own."""
    keys = KEYS | {action: (key.lower(),) for action, key in overrides.items() if action in KEYS}
    return {
        key: {"action": action, "repeat": action in REPEATABLE} for action, combos in keys.items() for key in combos
    }


def spoken(key: str) -> str:
    """Return a combination as people write it, `Ctrl+Up`."""
    names = {"arrowup": "Up", "arrowdown": "Down", "escape": "Esc", "ctrl": "Ctrl", "alt": "Alt", "shift": "Shift"}
    parts = key.split("+") if key != "+" else [key]
    return "+".join(names.get(part, part.upper() if len(part) == 1 or part[0] == "f" else part) for part in parts)


class KeyMap(JSComponent):
    """Listens to the window, before anything else does, and sends the action of a known combination.

    Text being typed or copied is left alone, and so is an open dialogue, whose own keys close it. The device's pixel
    ratio comes along, for pictures of the real size.
    """

    keys = param.Dict(default={}, doc="Combination -> {action, repeat}.")
    hover = param.Boolean(default=False, doc="Whether keys count only while the pointer is over the page's block.")
    pixel_ratio = param.Number(default=1.0, doc="Device pixels per CSS pixel.")

    _esm = """
    const TYPING = 'input:not([type=checkbox]):not([type=radio]):not([type=range]), textarea, '
      + '[contenteditable=""], [contenteditable="true"], .ace_editor, .MuiDialog-root, '
      + '[role="listbox"]:not([data-shortcuts])';
    const CHOOSING = 'select, [role="combobox"]';  // letters and arrows choose there, nothing does with Ctrl or Alt

    function combination(event) {
      const digit = /^(Digit|Numpad)([0-9])$/.exec(event.code);
      const letter = event.altKey && /^Key([A-Z])$/.exec(event.code);
      const key = digit && !(event.shiftKey && !event.altKey) ? digit[2]
        : letter ? letter[1].toLowerCase() : event.key.toLowerCase();
      const shift = event.shiftKey && key !== '?';
      return (event.ctrlKey || event.metaKey ? 'ctrl+' : '') + (event.altKey ? 'alt+' : '')
        + (shift ? 'shift+' : '') + key;
    }

    function outermost(node) {
      for (let root = node.getRootNode(); root instanceof ShadowRoot; root = node.getRootNode()) node = root.host;
      return node;
    }

    export function render({ model, el }) {
      const listen = (event) => {
        if (document.body.inert) return;  // the server is away
        if (model.hover && !outermost(el).matches(':hover')) return;
        const keys = combination(event);
        const binding = model.keys[keys];
        if (!binding || event.isComposing || event.getModifierState('AltGraph')) return;
        // Inside a shadow root event.target is only the host, so the whole path is searched for a field.
        const within = (fields) => event.composedPath().some((node) => node.matches && node.matches(fields));
        if (within(TYPING) || (!event.ctrlKey && !event.metaKey && !event.altKey && within(CHOOSING))) return;
        if (keys === 'ctrl+c' && String(window.getSelection())) return;
        event.preventDefault();
        event.stopPropagation();
        if (!event.repeat || binding.repeat) model.send_msg({ action: binding.action });
      };
      const measure = () => { model.pixel_ratio = window.devicePixelRatio || 1; };
      measure();
      window.addEventListener('keydown', listen, { capture: true });
      window.addEventListener('resize', measure);
      model.on('remove', () => {
        window.removeEventListener('keydown', listen, { capture: true });
        window.removeEventListener('resize', measure);
      });
    }
    """

    def __init__(self, on_action: Callable[[str], None], **params: Any) -> None:
        super().__init__(width=0, height=0, margin=0, **params)
        self._on_action = on_action

    def _handle_msg(self, msg: dict[str, Any]) -> None:
        self._on_action(str(msg["action"]))
