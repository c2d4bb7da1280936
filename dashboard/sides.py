"""Two small pictures: every waveform, and the mean, of what would go and of what would stay."""

from __future__ import annotations

from typing import Any

import numpy as np
import panel as pn
import panel_material_ui as pmui
from bokeh.models import ColumnDataSource, Range1d
from bokeh.plotting import figure
from numpy.typing import NDArray

from neuralsorter.density import density
from neuralsorter.means import unit_means
from neuralsorter.palette import rgb
from neuralsorter.project import Project

from .evidence import WIDTH

GO, STAY = "#a8661a", "#1a9af6"
MOST = 20_000  # events drawn: enough to see every kind, few enough to follow the mouse
PIXELS = 160, 110
FAINTEST = 0.18
AIR = 0.05
RANGE_PERCENT = 0.5, 99.5
_NOTHING: dict[str, Any] = {"image": [], "x": [], "y": [], "dw": [], "dh": []}


class Sides(pn.viewable.Viewer):
    """The densities beside each other in one scale. `draw` draws some of the events given, evenly taken."""

    def __init__(self, **params: Any) -> None:
        super().__init__(**params)
        self._y = Range1d(-100, 100)
        self._images = [ColumnDataSource(dict(_NOTHING)) for _ in range(2)]
        self._means = [ColumnDataSource({"x": [], "y": []}) for _ in range(2)]
        self.plots = [self._plot(i, title) for i, title in enumerate(("goes", "stays"))]
        self._raw: NDArray[Any] = np.zeros((0, 2), np.int16)
        self._chosen: NDArray[np.int64] = np.zeros(0, np.int64)
        self._scale = self._step = self._first = 1.0

    def __panel__(self) -> Any:
        return pmui.Row(*(pn.pane.Bokeh(plot) for plot in self.plots), margin=0)

    def _plot(self, side: int, title: str) -> figure:
        plot = figure(width=WIDTH // 2 + (12 if side == 0 else -12), height=165, toolbar_location=None, tools="",
                      title=title, y_range=self._y, x_axis_label="ms", name=title)  # fmt: skip
        plot.image_rgba("image", "x", "y", "dw", "dh", source=self._images[side], level="image")
        plot.line("x", "y", source=self._means[side], line_color="#000000", line_width=1.5, line_dash="dashed")
        plot.grid.grid_line_alpha = 0.25
        plot.x_range.range_padding = 0
        plot.title.text_font_size = "12px"
        plot.yaxis.visible = side == 0
        plot.xaxis.ticker.desired_num_ticks = 4
        return plot

    def hold(self, project: Project, rows: NDArray[np.int64]) -> None:
        """Take the waveforms of some of `rows`, evenly, so that `draw` need not read them again."""
        self._chosen = np.arange(0, len(rows), max(-(-len(rows) // MOST), 1))
        raw = np.asarray(project.raw(rows[self._chosen]))
        self._raw, self._scale = raw, project.uv_per_bit
        self._step = 1000 / project.sampling_rate
        self._first = -project.pre_samples * self._step
        low, high = _range(raw, self._scale)
        air = AIR * (high - low)
        self._y.update(start=low - air, end=high + air)

    def draw(self, stays: NDArray[np.bool_]) -> None:
        """Draw both sides of the rows held: `stays`, (n,), one per row given to `hold`."""
        if not len(self._chosen):
            self.clear()
            return
        side = np.asarray(stays)[self._chosen].astype(np.int64)
        flat = self._raw.reshape(len(self._raw), -1)
        seen = density(
            flat, side, *PIXELS, (0, flat.shape[1] - 1), (self._y.start, self._y.end), uv_per_bit=self._scale
        )
        means = unit_means(flat, side, self._scale)
        counts = np.bincount(side, minlength=2)
        width = (flat.shape[1] - 1) * self._step
        times = self._first + np.arange(flat.shape[1]) * self._step
        for number, (colour, name) in enumerate(((GO, "goes"), (STAY, "stays"))):
            self.plots[number].title.text = f"{name}: {counts[number]:,} drawn"
            found = np.flatnonzero(seen.units == number)
            if not len(found):
                self._images[number].data = dict(_NOTHING)
                self._means[number].data = {"x": [], "y": []}
                continue
            self._images[number].data = {
                "image": [_ink(seen.counts[found[0]], colour)], "x": [self._first], "y": [self._y.start],
                "dw": [width], "dh": [self._y.end - self._y.start],
            }  # fmt: skip
            self._means[number].data = {"x": times, "y": means.mean[np.flatnonzero(means.units == number)[0]]}

    def clear(self) -> None:
        """Show nothing."""
        for image, mean in zip(self._images, self._means, strict=True):
            image.data = dict(_NOTHING)
            mean.data = {"x": [], "y": []}

    def ink_for(self, *, dark: bool) -> None:
        """Draw the means so that they stand out from the background."""
        for plot in self.plots:
            plot.renderers[1].glyph.line_color = "#ffffff" if dark else "#000000"


def _range(raw: NDArray[Any], scale: float) -> tuple[float, float]:
    with np.errstate(invalid="ignore"):
        values = np.asarray(raw[:: max(len(raw) // 2000, 1)], np.float32) * scale
    values = values[np.isfinite(values)]
    if not len(values):
        return -100.0, 100.0
    low, high = np.percentile(values, RANGE_PERCENT)
    middle, reach = float(low + high) / 2, max(float(high - low), 1.0)
    return middle - reach, middle + reach


def _ink(counts: NDArray[np.int32], colour: str) -> NDArray[np.uint32]:
    """Return counts as opacity of a colour, logarithmic, packed as Bokeh takes them."""
    share = np.log1p(counts) / max(float(np.log1p(counts.max())), 1e-9)
    rgba = np.zeros((*counts.shape, 4), np.uint8)
    rgba[..., :3] = rgb(colour)
    rgba[..., 3] = np.where(counts > 0, 255 * (FAINTEST + (1 - FAINTEST) * share), 0)
    return rgba.view(np.uint32).reshape(counts.shape)
