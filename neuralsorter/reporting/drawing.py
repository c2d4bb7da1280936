"""Line drawings as SVG text: frames with axes, and what is drawn in them."""

from __future__ import annotations

import base64
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from html import escape
from typing import Any
from urllib.parse import quote

import numpy as np
from numpy.typing import NDArray

INK, FAINT = "#333333", "#767676"
_SAFE = " /:;,=+()!*@?$"  # what a URL in an attribute may hold as it is


@dataclass
class Frame:
    """A rectangle of a drawing with its own coordinates.

    Attributes
    ----------
    left, top, width, height : float
        Place in the drawing, in pixels.
    x_range, y_range : tuple of float
        What the edges stand for.

    """

    left: float
    top: float
    width: float
    height: float
    x_range: tuple[float, float]
    y_range: tuple[float, float]
    parts: list[str] = field(default_factory=list)

    def x(self, values: Any) -> Any:
        """Return pixels from the left."""
        low, high = self.x_range
        return self.left + (np.asarray(values) - low) / (high - low) * self.width

    def y(self, values: Any) -> Any:
        """Return pixels from the top."""
        low, high = self.y_range
        return self.top + (high - np.asarray(values)) / (high - low) * self.height

    def axes(self, x_label: str = "", y_label: str = "") -> None:
        """Draw the axes with round numbers."""
        bottom, right = self.top + self.height, self.left + self.width
        self.parts.append(f'<path d="M{self.left:g} {self.top:g}V{bottom:g}H{right:g}" fill="none" stroke="{FAINT}"/>')
        for value in ticks(*self.x_range, most=max(int(self.width / 60), 3)):
            self.text(float(self.x(value)), bottom + 13, f"{value:g}", anchor="middle", size=10)
        for value in ticks(*self.y_range, most=max(int(self.height / 35), 2)):
            self.text(self.left - 4, float(self.y(value)) + 3.5, f"{value:g}", anchor="end", size=10)
        if x_label:
            self.text(self.left + self.width / 2, bottom + 28, x_label, anchor="middle")
        if y_label:
            self.text(self.left, self.top - 6, y_label, anchor="start")

    def line(self, x: Any, y: Any, colour: str, *, width: float = 1.6, dash: str = "") -> None:
        """Draw a line through points; it is broken where a value is NaN."""
        broken = f' stroke-dasharray="{dash}"' if dash else ""
        path = "".join("M" + _points(self.x(xs), self.y(ys)) for xs, ys in _whole(x, y))
        if path:
            self.parts.append(f'<path d="{path}" fill="none" stroke="{colour}" stroke-width="{width:g}"{broken}/>')

    def band(self, x: Any, low: Any, high: Any, colour: str) -> None:
        """Fill what lies between two lines."""
        for xs, ys in _whole(np.r_[x, np.asarray(x)[::-1]], np.r_[high, np.asarray(low)[::-1]], several=False):
            self.parts.append(f'<path d="M{_points(self.x(xs), self.y(ys))}Z" fill="{colour}" fill-opacity="0.18"/>')

    def bars(self, edges: NDArray[Any], counts: NDArray[Any], colour: str) -> None:
        """Draw a histogram."""
        x, y = self.x(edges), self.y(counts)
        steps = "".join(f"V{top:.4g}H{right:.4g}" for top, right in zip(y, x[1:], strict=True))
        bottom = float(self.y(0))
        self.parts.append(f'<path d="M{x[0]:.4g} {bottom:.4g}{steps}V{bottom:.4g}Z" fill="{colour}"/>')

    def text(self, x: float, y: float, text: str, *, anchor: str = "start", size: int = 11) -> None:
        """Write at a place in pixels."""
        self.parts.append(
            f'<text x="{x:.4g}" y="{y:.4g}" font-size="{size}" text-anchor="{anchor}">{escape(text)}</text>'
        )

    def picture(self, png: bytes) -> None:
        """Fill the frame with an image."""
        data = base64.b64encode(png).decode()
        self.parts.append(
            f'<image x="{self.left:g}" y="{self.top:g}" width="{self.width:g}" height="{self.height:g}"'
            f' preserveAspectRatio="none" href="data:image/png;base64,{data}"/>'
        )


def drawing(width: float, height: float, frames: Iterable[Frame], title: str) -> str:
    """Return an SVG file that needs nothing else."""
    parts = "".join(part for frame in frames for part in frame.parts)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:g}" height="{height:g}"'
        f' viewBox="0 0 {width:g} {height:g}" font-family="system-ui,sans-serif" fill="{INK}">'
        f"<title>{escape(title)}</title>{parts}</svg>"
    )


def as_url(svg: str) -> str:
    """Return an SVG as a `data:` address, safe in an attribute."""
    return "data:image/svg+xml," + quote(svg, safe=_SAFE)


def ticks(low: float, high: float, most: int) -> list[float]:
    """Return at most about `most` round numbers of a range."""
    if not high > low:
        return [low]
    rough = (high - low) / max(most, 1)
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * m for m in (1, 2, 5, 10) if power * m >= rough)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [round(k * step, 10) + 0.0 for k in range(first, last + 1)]


def _points(x: NDArray[Any], y: NDArray[Any]) -> str:
    return " ".join(f"{a:.4g},{b:.4g}" for a, b in zip(x, y, strict=True))


def _whole(x: Any, y: Any, *, several: bool = True) -> Sequence[tuple[NDArray[Any], NDArray[Any]]]:
    """Return the stretches without NaN, or all points but those."""
    xs, ys = np.asarray(x, float), np.asarray(y, float)
    known = np.isfinite(xs) & np.isfinite(ys)
    if not several:
        return [(xs[known], ys[known])] if known.any() else []
    runs = np.split(np.arange(len(xs)), np.flatnonzero(np.diff(known.astype(int))) + 1)
    return [(xs[run], ys[run]) for run in runs if len(run) > 1 and known[run[0]]]
