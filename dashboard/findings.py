"""What the last sort of the channel found: its units, the BIC curve, and which parts were merged and why."""

from __future__ import annotations

import html
import math
from typing import TYPE_CHECKING, Any

import numpy as np
import panel as pn
import panel_material_ui as pmui
from bokeh.models import ColumnDataSource, HoverTool, NumeralTickFormatter
from bokeh.plotting import figure

from neuralsorter.palette import unit_colour

from .jobs import Jobs
from .sortrun import Finding
from .workspace import Workspace

if TYPE_CHECKING:
    from neuralsorter.sorting.merging import Merge

WIDTH = 335  # px
INK = "#8a8a8a"  # lines seen on white and on black
NONE_YET = "No sort of this channel in this tab yet. **S** sorts what is shown."


class Findings(pn.viewable.Viewer):
    """Three small tabs about one channel."""

    def __init__(self, workspace: Workspace, **params: Any) -> None:
        super().__init__(**params)
        self.workspace = workspace
        self.active = False
        self._jobs = Jobs()
        self._stability: dict[int, Any] = {}  # by id of the finding
        self.about = pmui.Typography(object=NONE_YET, variant="body2", margin=(4, 8))
        self.table = pn.pane.HTML("", sizing_mode="stretch_width", margin=(4, 0))
        self.why = pmui.Typography(object="", variant="caption", sizing_mode="stretch_width")
        self._bic = ColumnDataSource({"k": [], "bic": []})
        self._best = ColumnDataSource({"k": [], "bic": []})
        self._lines = ColumnDataSource({"xs": [], "ys": [], "dash": [], "colour": [], "why": []})
        self._leaves = ColumnDataSource({"x": [], "y": [], "text": [], "colour": []})
        self.bic, self.tree = self._bic_figure(), self._tree_figure()
        bic, tree = (
            pmui.Column(pmui.Column(pn.pane.Bokeh(plot), margin=0), pmui.Typography(variant="caption"), margin=0)
            for plot in (self.bic, self.tree)  # in a column, which can be hidden: the pane alone stays so for good
        )
        self._about_bic, self._about_tree = bic, tree
        units = pmui.Column(self.table, self.why, margin=0)
        self.pages = pmui.Tabs(("Units", units), ("BIC", bic), ("Merges", tree), sizing_mode="stretch_width", margin=0)
        self._pane = pmui.Column(self.about, self.pages, sizing_mode="stretch_width", margin=0)
        workspace.param.watch(lambda *_: self._opened(), "focus")
        workspace.param.watch(lambda *_: self.refresh(), ["sorts", "edits", "dark"])

    def __panel__(self) -> Any:
        return self._pane

    def _bic_figure(self) -> Any:
        plot = figure(width=WIDTH, height=240, toolbar_location=None, tools="", name="bic",
                      x_axis_label="Gaussians", y_axis_label="BIC above the lowest")  # fmt: skip
        plot.line("k", "bic", source=self._bic, line_color="#205abd", line_width=2)
        dots = plot.scatter("k", "bic", source=self._bic, color="#205abd", size=6)
        plot.scatter("k", "bic", source=self._best, color="#d05807", size=11)
        plot.add_tools(HoverTool(renderers=[dots], tooltips=[("Gaussians", "@k"), ("BIC", "@bic{0,0}")]))
        plot.yaxis.formatter = NumeralTickFormatter(format="0,0")
        plot.grid.grid_line_alpha = 0.25
        return plot

    def _tree_figure(self) -> Any:
        plot = figure(width=WIDTH, height=290, toolbar_location=None, tools="", name="merge tree",
                      y_axis_label="SD between the means")  # fmt: skip
        lines = plot.multi_line("xs", "ys", source=self._lines, line_color="colour", line_dash="dash", line_width=2)
        plot.text("x", "y", "text", source=self._leaves, text_color="colour", text_align="center",
                  text_baseline="top", y_offset=4, text_font_size="12px", text_font_style="bold")  # fmt: skip
        plot.add_tools(HoverTool(renderers=[lines], tooltips=[("", "@why")], line_policy="interp"))
        plot.xaxis.visible = False
        plot.xgrid.visible = False
        plot.ygrid.grid_line_alpha = 0.25
        plot.y_range.range_padding = 0.12
        return plot

    def _opened(self) -> None:
        self._stability = {}
        if self.workspace.focus is not None:
            self.workspace.focus.param.watch(lambda *_: self.refresh(), "channel")

    def finding(self) -> Finding | None:
        """Return what is known about the channel shown."""
        focus = self.workspace.focus
        return None if focus is None else self.workspace.sorts.get(focus.channel)

    def refresh(self) -> None:
        """Show the finding of the channel; hidden, it does nothing."""
        if not self.active:
            return
        finding = self.finding()
        self.pages.visible = finding is not None
        if finding is None:
            self.about.object = NONE_YET
            return
        n, found = len(finding.found.rows), finding.found.result
        self.about.object = (
            f"{finding.name}, seed {finding.seed}: **{found.n_units} "
            f"{'unit' if found.n_units == 1 else 'units'}** in {n:,} events"
        )
        self.table.object = self._units(finding)
        self.why.object = "\n\n".join(
            f"**{number}** {_made_of(found.why(place))}" for place, number in enumerate(finding.numbers) if found.names
        )
        self._show_bic(found.bic)
        self._show_tree(finding)
        for page, known, text, none in (
            (self._about_bic, found.bic, BIC_HELP, NO_BIC), (self._about_tree, found.names, TREE_HELP, NO_TREE),
        ):  # fmt: skip
            page[0].visible = bool(known)
            page[1].object = text if known else none.format(finding.name)
        self._check_stability(finding)

    def _units(self, finding: Finding) -> str:
        table = finding.found.result.table()
        stable = self._stability.get(id(finding))
        head = "".join(f'<th title="{html.escape(tip)}" {CELL}>{name}</th>' for name, tip in COLUMNS)
        lines = []
        for place, number in enumerate(finding.numbers):
            row = table.iloc[place]
            colour = unit_colour(number, dark=self.workspace.dark)
            cells = [
                f'<span style="color:{colour};font-weight:700">{number}</span>',
                f"{int(row['events']):,}",
                _percent(float(row["expected_false_positives"])),
                _percent(float(row["expected_false_negatives"])),
                "…" if stable is None else _percent(float(stable[place])),
                f"{int(row['outliers']):,}",
                "mua" if row["mua"] else "",
            ]
            lines.append("<tr>" + "".join(f"<td {CELL}>{c}</td>" for c in cells) + "</tr>")
        return (
            '<table style="font:13px system-ui;border-collapse:collapse;width:100%" aria-label="Units found">'
            f"<thead><tr>{head}</tr></thead><tbody>{''.join(lines)}</tbody></table>"
        )

    def _show_bic(self, bic: list[float]) -> None:
        above = [value - min(bic) for value in bic]
        k = list(range(1, len(bic) + 1))
        best = int(np.argmin(bic)) if bic else 0
        self._bic.data = {"k": k, "bic": above}
        self._best.data = {"k": k[best : best + 1], "bic": above[best : best + 1]}

    def _show_tree(self, finding: Finding) -> None:
        tree = Tree(finding.found.result.merges, finding.found.result.names, finding.numbers, dark=self.workspace.dark)
        self._lines.data, self._leaves.data = tree.lines, tree.leaves

    def _check_stability(self, finding: Finding) -> None:
        """Sort once more with another seed, in the background, unless that is known."""
        project = self.workspace.project
        if id(finding) in self._stability or self._jobs.running or self.workspace.jobs.running or project is None:
            return

        def work(*_: Any) -> Any:
            from neuralsorter.sorting import stability_of

            return stability_of(finding.found, project.spikes, finding.sorter, finding.seed + 1)

        def done(stable: Any) -> None:
            self._stability[id(finding)] = stable
            self.refresh()

        self._jobs.start("Sorting with another seed", work, done, self.workspace.complain)


CELL = 'style="text-align:right;padding:1px 5px"'
COLUMNS = (
    ("unit", "Number of the unit"),
    ("events", "Events in it"),
    ("FP", "Expected share of its events that belong to others"),
    ("FN", "Expected events of it that are in others, relative to its size"),
    ("stable", "Agreement (F1) between two seeds"),
    ("strays", "Events unlike the unit; U selects those of all units shown"),
    ("", "Multi-unit: events pile up at the threshold"),
)
BIC_HELP = (
    "How well 1, 2, .. Gaussians fit the channel; the orange one fits best. They are parts, more than there are units:"
    " parts without a gap between them are merged afterwards."
)
NO_BIC = "{} does not tell how well other numbers of Gaussians fit."
NO_TREE = "{} does not merge parts, or does not tell which."
TREE_HELP = (
    "From the bottom: parts that were merged into units (lines in their colour), then the gaps that keep units apart"
    " (grey, dashed). Point at a line for the reason."
)


class Tree:
    """Lines of a dendrogram: merges within units, and above them which units lie nearest to each other."""

    def __init__(self, merges: list[Merge], names: list[int], numbers: tuple[int, ...], *, dark: bool) -> None:
        self._made = {merge.into: merge for merge in merges if merge.merged}
        self._next = 0.0
        self.lines: dict[str, list[Any]] = {"xs": [], "ys": [], "dash": [], "colour": [], "why": []}
        self.leaves: dict[str, list[Any]] = {"x": [], "y": [], "text": [], "colour": []}
        tops = {}
        for name, number in zip(names, numbers, strict=False):
            colour = unit_colour(number, dark=dark)
            start = self._next
            tops[name] = self._unit(name, colour)
            self.leaves["x"].append((start + self._next - 1) / 2)
            self.leaves["y"].append(0.0)
            self.leaves["text"].append(str(number))
            self.leaves["colour"].append(colour)
        self._apart([m for m in merges if not m.merged and m.first in tops and m.second in tops], tops)

    def _unit(self, name: int, colour: str) -> tuple[float, float]:
        """Draw the merges that made a part; return where its top is."""
        merge = self._made.get(name)
        if merge is None:
            x = self._next
            self._next += 1
            self._line([x, x], [0, 0.15], "solid", colour, "A part that BIC found")
            return x, 0.15
        low, high = self._unit(merge.first, colour), self._unit(merge.second, colour)
        return self._join(low, high, merge, "solid", colour)

    def _apart(self, merges: list[Merge], tops: dict[int, tuple[float, float]]) -> None:
        group = {name: name for name in tops}
        for merge in sorted(merges, key=lambda m: m.distance):
            one, other = group[merge.first], group[merge.second]
            if one != other:
                tops[one] = self._join(tops[one], tops[other], merge, "dashed", INK)
                group = {name: one if top == other else top for name, top in group.items()}

    def _join(
        self, low: tuple[float, float], high: tuple[float, float], merge: Merge, dash: str, colour: str
    ) -> tuple[float, float]:
        y = max(merge.distance, low[1], high[1])
        xs, ys = [low[0], low[0], high[0], high[0]], [low[1], y, y, high[1]]
        self._line(xs, ys, dash, colour, f"{merge.reason} (p = {merge.p:.2g}, {merge.distance:.1f} SD apart)")
        return (low[0] + high[0]) / 2, y

    def _line(self, xs: list[float], ys: list[float], dash: str, colour: str, why: str) -> None:
        for key, value in zip(self.lines, (xs, ys, dash, colour, why), strict=True):
            self.lines[key].append(value)


def _made_of(merges: list[Merge]) -> str:
    if not merges:
        return "one part from the start."
    reasons = [f"{m.reason} (p = {m.p:.2g}, {m.distance:.1f} SD)" for m in merges[:3]]
    more = f" and {len(merges) - 3} more" if len(merges) > 3 else ""
    return f"{len(merges) + 1} parts, merged: {'; '.join(reasons)}{more}."


def _percent(share: float) -> str:
    return "?" if math.isnan(share) else f"{share:.1%}"
