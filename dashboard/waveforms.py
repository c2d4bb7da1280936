"""The main screen: every waveform of the focus, selection that means what the picture shows, and the status line."""

from __future__ import annotations

import html
from typing import Any

import numpy as np
import panel as pn
import panel_material_ui as pmui
import param
from numpy.typing import NDArray

from neuralsorter.focus import MODES
from neuralsorter.loading import readable
from neuralsorter.project import Project
from neuralsorter.spikes import NOISE
from neuralsorter.tally import tally

from .evidence import Evidence, Summary
from .jobs import on_page, this_page
from .painter import Painted, Painter, Scene
from .screen import TOOLS, Screen
from .workspace import Workspace

SHADINGS = ("equalised", "log", "linear", "heat")
ALIGNMENTS = ("crossing", "trough", "peak")
EMPTY_STATE = """
### Nothing is open yet

**Open…** (top left) shows the recordings on this computer. It reads {formats}.
Every edit you make is kept in a project folder beside the recording; the recording itself is never changed.

Just looking? Start `neuralsorter demo` for generated data. Press **?** for keys and gestures.
"""
MARGIN = 0.06
AMPLITUDE_SAMPLE, AMPLITUDE_PERCENT = 5000, (0.02, 99.98)


class Waveforms(pn.viewable.Viewer):
    """The picture, its toolbar and what it says about itself."""

    shading: Any = param.Selector(default=SHADINGS[0], objects=list(SHADINGS), doc="How counts become colours.")
    alignment: Any = param.Selector(default=ALIGNMENTS[0], objects=list(ALIGNMENTS), doc="Where waveforms are aligned.")
    tool: Any = param.Selector(default=TOOLS[0], objects=list(TOOLS), doc="What dragging does.")
    looked = param.Event(doc="Fires when another part of the plane is shown.")
    mode: Any = param.Selector(default=MODES[0], objects=list(MODES), doc="What a region does with the selection.")

    def __init__(self, workspace: Workspace, evidence: Evidence, **params: Any) -> None:
        super().__init__(**params)
        self.workspace, self.evidence = workspace, evidence
        self.screen = Screen(self._viewed, self.select, self.reset_view, tools=TOOLS, in_toolbar=False, crossing=True)
        self._document = this_page()
        self.painter = Painter(
            self._painted_elsewhere, self._summarised_elsewhere, self._trouble_elsewhere,
            lambda project: workspace.queue.recording(project).refractory_ms,
        )  # fmt: skip
        self._last: Painted | None = None
        self._summary: tuple[Scene, Summary] | None = None
        self._seen: tuple[Any, ...] = ()
        self.status = pmui.Typography(object="", variant="body2", margin=(0, 8), sx={"minHeight": "1.5em"})
        self.message = pn.pane.HTML("", margin=(0, 8), sizing_mode="stretch_width", min_height=22)
        self.empty = pmui.Paper(
            pmui.Typography(object=EMPTY_STATE.format(formats=readable())),
            elevation=4,
            margin=0,
            styles={"position": "absolute", "top": "150px", "left": "120px", "z-index": "5", "padding": "8px 28px"},
        )
        self.plot = pn.pane.Bokeh(self.screen.figure, sizing_mode="stretch_both", min_height=360)
        self.toolbar = self._toolbar()
        # The figure is there from the start: Bokeh lays a figure out badly that joins a page later.
        self._pane = pmui.Column(
            self.toolbar, self.empty, self.plot, self.status, self.message, sizing_mode="stretch_both", margin=0
        )
        workspace.param.watch(lambda *_: self._opened(), "focus")
        workspace.param.watch(lambda *_: self.refresh(), ["dark", "pixel_ratio", "moment"])
        workspace.param.watch(lambda event: self._region_changed(event.new), "region")
        self.param.watch(lambda *_: self.refresh(), "shading")
        self.param.watch(lambda *_: self.reset_view(), "alignment")
        self.param.watch(lambda event: self.screen.activate(event.new), "tool")
        self.param.watch(lambda event: setattr(self.screen, "mode", event.new), "mode")

    def __panel__(self) -> Any:
        return self._pane

    def _toolbar(self) -> pmui.Row:
        small = {"size": "small", "margin": (10, 2, 4, 2)}
        choices = [
            pmui.Select.from_param(self.param[name], label=label, width=width, **small)
            for name, label, width in (
                ("tool", "Drag", 92),
                ("mode", "Region", 105),
                ("alignment", "Align at (G)", 122),
                ("shading", "Shading (X)", 128),
            )
        ]
        buttons = [
            pmui.Button(label=label, description=tip, variant="outlined", on_click=call, size="small", margin=(10, 2))
            for label, tip, call in (
                ("All", "Select every event shown (A)", lambda _: self._select_by("select_all")),
                ("None", "Select nothing (Esc)", lambda _: self._select_by("clear")),
                ("Invert", "Select what is not selected (I)", lambda _: self._select_by("invert")),
                ("Noise", "Show or hide noise (O)", lambda _: self.toggle_noise()),
                ("Reset view", "Show the whole window (R or double click)", lambda _: self.reset_view()),
            )
        ]
        wrapping = {"flexWrap": "wrap"}  # on a narrow window in several lines, never over the side
        return pmui.Row(
            pmui.Row(*choices, margin=0, sx=wrapping), pmui.Row(*buttons, margin=0, sx=wrapping),
            margin=(4, 4, 0, 4), sizing_mode="stretch_width", sx=wrapping,
        )  # fmt: skip

    def _opened(self) -> None:
        focus, project = self.workspace.focus, self.workspace.project
        if focus is None or project is None:
            return
        self.empty.visible = False
        self.status.object = "Drawing … (the very first time on a computer this takes half a minute)"
        focus.param.watch(lambda *_: self._focus_changed(), ["shown", "selected", "time_range_s"])
        self._seen = ()
        self._focus_changed()

    def _focus_changed(self) -> None:
        focus = self.workspace.focus
        if focus is None:
            return
        seen = (id(focus), focus.experiments, focus.channels)
        if seen != self._seen:
            self._seen = seen
            self.forget_region()
            self.reset_view()
        else:
            if not len(focus.selected):
                self.forget_region()
            self.refresh()

    def scene(self) -> Scene | None:
        """Return what should be on screen, None while that is not known."""
        focus, project = self.workspace.focus, self.workspace.project
        view = self.screen.view(self.workspace.pixel_ratio)
        if focus is None or project is None or focus.channel is None or view is None:
            return None
        rows = focus.overlaid()
        moment = self.workspace.moment
        unit = project.unit_of(rows) if moment is None else project.unit_at(moment)[rows]
        visible = frozenset(tally(unit)) - focus.hidden
        if focus.unit is not None:
            visible = frozenset({int(focus.unit)})
        return Scene(project, focus.channels, focus.experiments, self.alignment, rows, unit, visible,
                     focus.selected, view, self.shading, self.workspace.dark, focus.time_range_s)  # fmt: skip

    def _viewed(self) -> None:
        self.refresh()
        self.param.trigger("looked")

    def refresh(self) -> None:
        """Wish for a new picture."""
        scene = self.scene()
        if scene is not None:
            self.painter.paint(scene)

    def reset_view(self) -> None:
        """Show the whole window of the waveforms, with a little air."""
        focus, project = self.workspace.focus, self.workspace.project
        if focus is None or project is None or focus.channel is None:
            return
        low, high = _amplitudes(project, focus.overlaid())
        air = max(high - low, 1.0) * MARGIN
        self.look_at(_times(project), (low - air, high + air))

    def look_at(self, times_ms: tuple[float, float], amplitudes_uv: tuple[float, float]) -> None:
        """Show a part of the plane."""
        self.screen.look_at(times_ms, amplitudes_uv)
        self._viewed()

    def select(self, polygon: NDArray[np.float64], mode: str) -> None:
        """Select the shown waveforms whose drawn line meets a polygon (ms, µV)."""
        focus = self.workspace.focus
        if focus is None:
            return
        self.screen.outline(polygon)
        outline = np.round(polygon, 4)  # as the history keeps it, so that it picks the same once more
        lasso = {"polygon_ms_uv": outline.tolist(), "mode": mode, "alignment": self.alignment}
        self.painter.pick(
            outline, lambda rows, how: on_page(self._document, lambda: self._picked(rows, mode, lasso | how))
        )

    def _picked(self, rows: NDArray[np.int64], mode: str, lasso: dict[str, Any]) -> None:
        focus = self.workspace.focus
        if focus is None:
            return
        before = [] if mode == "replace" or not len(focus.selected) else self.workspace.region.get("lassos")
        focus.select(rows, mode=mode)
        # A selection that was begun in another way, or in the past, is not told by its lassos.
        told = before is not None and len(focus.selected) and self.workspace.moment is None and not focus.time_range_s
        place: dict[str, Any] = {"channel": focus.channel, "experiment": focus.experiment}
        if focus.beside or focus.also:
            place |= {"channels": list(focus.channels), "experiments": focus.experiments and list(focus.experiments)}
        self.workspace.region = place | lasso | ({"lassos": [*(before or []), lasso]} if told else {})

    def forget_region(self) -> None:
        """Take the outline away; the selection, if any, no longer comes from a region."""
        self.screen.outline(None)
        self.workspace.region = {}

    def show_region(self, region: dict[str, Any]) -> None:
        """Draw the outline that the selection was made with, some time ago."""
        if "polygon_ms_uv" in region:
            self.screen.outline(np.asarray(region["polygon_ms_uv"], float))
        self.workspace.region = region

    def _region_changed(self, region: dict[str, Any]) -> None:
        """Take the outline away when the selection was made elsewhere."""
        if "polygon_ms_uv" not in region:
            self.screen.outline(None)

    def _select_by(self, method: str) -> None:
        if self.workspace.focus is not None:
            self.forget_region()
            getattr(self.workspace.focus, method)()

    def toggle_noise(self) -> None:
        """Show or hide noise."""
        focus = self.workspace.focus
        if focus is not None:
            focus.param.update(hidden=focus.hidden ^ {NOISE})

    def next_mode(self) -> None:
        """Go to the next thing that a region does with the selection."""
        self.mode = MODES[(MODES.index(self.mode) + 1) % len(MODES)]

    def next_shading(self) -> None:
        """Go to the next way of shading."""
        self.shading = SHADINGS[(SHADINGS.index(self.shading) + 1) % len(SHADINGS)]

    def next_alignment(self) -> None:
        """Go to the next alignment."""
        self.alignment = ALIGNMENTS[(ALIGNMENTS.index(self.alignment) + 1) % len(ALIGNMENTS)]

    def say(self, sentence: str, *, trouble: bool) -> None:
        """Show the last thing that happened."""
        colour = "#d05807" if trouble else "inherit"
        text = html.escape(sentence)
        self.message.object = (
            f'<div role="status" aria-live="polite" style="color:{colour};font:13px system-ui">{text}</div>'
        )

    def _painted_elsewhere(self, painted: Painted) -> None:
        on_page(self._document, lambda: self._painted(painted))

    def _summarised_elsewhere(self, scene: Scene, summary: Summary) -> None:
        on_page(self._document, lambda: self._summarised(scene, summary))

    def _trouble_elsewhere(self, sentence: str) -> None:
        on_page(self._document, lambda: self.workspace.complain(sentence))

    def _painted(self, painted: Painted) -> None:
        scene, self._last = painted.scene, painted
        self.screen.show(painted.rgba, scene.view)
        how = "" if painted.exact else " (a random part, the rest follows)"
        total = len(scene.rows)
        self.status.object = (
            f"{painted.n_drawn:,} of {total:,} waveforms drawn{how} · **{len(scene.selected):,} selected**"
            f" · {_places(scene)}{_between(scene.time_range_s)}{self._when()}"
        )

        if self._summary is not None:
            earlier, summary = self._summary
            if scene.block == earlier.block and (scene.visible, scene.dark) != (earlier.visible, earlier.dark):
                self._summarised(scene, summary)

    def _when(self) -> str:
        moment = self.workspace.moment
        return "" if moment is None else f" · as it was after action {moment}: any edit returns to now"

    def _summarised(self, scene: Scene, summary: Summary) -> None:
        self._summary = scene, summary
        self.evidence.display(summary, scene.visible, dark=scene.dark)

    def close(self) -> None:
        """Give back the painter's thread and memory."""
        self.painter.close()


def _places(scene: Scene) -> str:
    """Return which channels, and which of several experiments, a picture is of."""
    channels = ", ".join(map(str, scene.channels))
    several = scene.experiments if scene.experiments is not None and len(scene.experiments) > 1 else ()
    together = f" · experiments {', '.join(map(str, several))} together" if several else ""
    return f"channel {channels}{together}" if len(scene.channels) == 1 else f"channels {channels} together{together}"


def _between(time_range_s: tuple[float, ...] | None) -> str:
    return "" if time_range_s is None else f" · only {time_range_s[0]:,.1f} to {time_range_s[1]:,.1f} s"


def _times(project: Project) -> tuple[float, float]:
    """Return the window in ms; several channels lie side by side."""
    shape = project.raw(slice(0, 0)).shape
    step, channels = 1000 / project.sampling_rate, shape[1] if len(shape) == 3 else 1
    first = -project.pre_samples * step
    return first, first + (channels * (project.n_samples + 1) - 2) * step


def _amplitudes(project: Project, rows: NDArray[np.int64]) -> tuple[float, float]:
    """Return the range in µV that holds nearly all samples: a rare giant must not flatten everything else."""
    step = max(len(rows) // AMPLITUDE_SAMPLE, 1)
    some = np.asarray(project.raw(rows[::step]), np.float32) * project.uv_per_bit
    if not np.isfinite(some).any():
        return -100.0, 100.0
    low, high = np.nanpercentile(some, AMPLITUDE_PERCENT)
    return float(low), float(high) if high > low else float(low) + 1.0
