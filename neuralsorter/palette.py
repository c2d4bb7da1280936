"""Colours of units: calm, told apart by colour-blind readers, the same on every view and in every script."""

from __future__ import annotations

# Okabe and Ito's hues and a violet, shifted so that any two of the eight stay apart (>= 0.095 in Oklab) for normal,
# protan, deutan and tritan eyes, and every one reaches 3:1 against its background.
_ON_LIGHT = ("#205abd", "#a8661a", "#079273", "#e36ab0", "#1a9af6", "#b39107", "#424480", "#655207")
_ON_DARK = ("#07aef9", "#d05807", "#07926e", "#e871ba", "#a5daf9", "#f8d030", "#8d5bcb", "#a8b35a")
_NOISE = ("#8a8a8a", "#808080")
_SHADES = (0.0, -0.4, 0.35)  # share of black (negative) or white mixed in: units 1-8, 9-16, 17-24, then again


def unit_colour(unit: int, *, dark: bool = False) -> str:
    """Return the colour of a unit as "#rrggbb"; noise (0) is grey.

    Parameters
    ----------
    unit : int
        0 is noise. Units 1 to 8 are safe for colour-blind readers; later ones repeat the hues darker, then lighter.
    dark : bool
        Whether the background is dark.

    """
    if unit <= 0:
        return _NOISE[dark]
    lap, index = divmod(unit - 1, len(_ON_LIGHT))
    return _mixed((_ON_DARK if dark else _ON_LIGHT)[index], _SHADES[lap % len(_SHADES)])


def rgb(colour: str) -> tuple[int, int, int]:
    """Return red, green and blue, 0 to 255, of "#rrggbb"."""
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)


def _mixed(colour: str, share: float) -> str:
    target = 255 if share > 0 else 0
    return "#" + "".join(f"{round(part + abs(share) * (target - part)):02x}" for part in rgb(colour))
