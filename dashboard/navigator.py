"""The left side: experiments, channels, units of the channel, and where selected events are sent."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from functools import partial
from typing import Any

import panel as pn
import panel_material_ui as pmui

from neuralsorter.palette import unit_colour
from neuralsorter.project import Project
from neuralsorter.spikes import NOISE

from .actions import send
from .deciding import leave
from .jobs import on_page, this_page
from .latest import Latest
from .listing import Listing
from .workspace import Workspace, attempt

ALL = "all"
EVERY_EXPERIMENT = "All experiments"
UNITS_OF_ONE, UNITS_OF_SEVERAL = "Units of this channel", "Units of these channels"
TOGETHER = "Ctrl-click or Shift-click draws several together"
NEW_UNIT = "new unit"
COUNTING_S = 0.1  # before the page is drawn: of a very large recording the counts follow
HEADER_AND_BUTTONS_PX = 370  # above, between and below the lists, so that Clean and Sort are seen in a low window too


class Navigator(pn.viewable.Viewer):
    """Lists that follow the focus and change it."""

    def __init__(self, workspace: Workspace, **params: Any) -> None:
        super().__init__(**params)
        self.workspace, self._document = workspace, this_page()
        self.counting = Latest()
        self._channels: dict[int, dict[str, Any]] = {}
        heading = {"variant": "subtitle2", "margin": (10, 0, 2, 0)}
        self.experiments = Listing(
            self._experiment_message, caption="Experiments", several=True, stylesheets=_share(20, least=90),
            sizing_mode="stretch_width",
        )  # fmt: skip
        self._experiments = pmui.Column(
            pmui.Typography(object="Experiments", **heading), self.experiments, visible=False,
            sizing_mode="stretch_width", margin=0,
        )  # fmt: skip
        self.channels = Listing(
            self._channel_message, caption="Channels", several=True, stylesheets=_share(52),
            sizing_mode="stretch_width",
        )  # fmt: skip
        self.units = Listing(
            self._unit_message, caption="Units of the channel", switches=True, stylesheets=_share(48),
            sizing_mode="stretch_width",
        )  # fmt: skip
        self.target = pmui.Select(label="Send to", options=["noise", "1", NEW_UNIT], value="1", size="small", width=120)
        self.send = pmui.Button(label="Send selected", size="small", color="primary", variant="outlined",
                                on_click=lambda _: self._send(), margin=(14, 4))  # fmt: skip
        self._heading = pmui.Typography(object=UNITS_OF_ONE, **heading)
        self._pane = pmui.Column(
            self._experiments,
            pmui.Typography(object="Channels", **heading),
            self.channels,
            self._heading,
            self.units,
            pmui.Row(self.target, self.send, margin=(8, 0, 0, 0)),
            sizing_mode="stretch_width",
            margin=0,
        )
        workspace.param.watch(lambda *_: self._opened(), "focus")
        workspace.param.watch(lambda *_: self.refresh(), ["edits", "dark"])

    def __panel__(self) -> Any:
        return self._pane

    def _opened(self) -> None:
        focus, project = self.workspace.focus, self.workspace.project
        if focus is None or project is None:
            return
        self._channels = {}
        focus.param.watch(
            lambda *_: self.refresh(), ["shown", "channel", "beside", "unit", "hidden", "experiment", "also"]
        )
        self.refresh()

    def refresh(self) -> None:
        """Bring both lists up to date with the project and the focus."""
        focus, project = self.workspace.focus, self.workspace.project
        if focus is None or project is None:
            return
        names = [{"id": str(i), "name": f"{i} · {name}", "tip": TOGETHER} for i, name in enumerate(project.experiments)]
        self._experiments.visible = len(names) > 1
        self.experiments.param.update(
            rows=[{"id": ALL, "name": EVERY_EXPERIMENT}, *names],
            current=ALL if focus.experiment is None else str(focus.experiment), beside=_texts(focus.also),
        )  # fmt: skip
        self.channels.param.update(
            rows=self._channel_rows(project, COUNTING_S), current=str(focus.channel),
            beside=_texts(focus.beside),
        )  # fmt: skip
        self._heading.object = UNITS_OF_SEVERAL if focus.beside else UNITS_OF_ONE
        if focus.channel is None:
            return
        counts = focus.counts()
        whole = {"id": ALL, "name": "All units", "detail": f"{sum(n for u, n in counts.items() if u > NOISE):,}"}
        rows = [whole, *(self._unit_row(unit, counts[unit]) for unit in sorted(counts, key=lambda u: (u == NOISE, u)))]
        self.units.param.update(rows=rows, current=ALL if focus.unit is None else str(focus.unit))
        numbers = [str(unit) for unit in sorted(counts) if unit > NOISE]
        extra = [str(unit) for unit in range(1, 10) if str(unit) not in numbers]
        options = ["noise", *numbers, *extra, NEW_UNIT]
        self.target.param.update(
            options=options, value=self.target.value if self.target.value in options else options[1]
        )

    def _channel_rows(self, project: Project, within_s: float) -> list[dict[str, Any]]:
        """Return a row per channel; those that take too long now as they were, and see to it that they follow."""
        channels, reviewed, end = project.channels(), project.reviewed, time.monotonic() + within_s
        for n, channel in enumerate(channels):
            if time.monotonic() > end:
                self.counting.wish(partial(self._count, project, channels[n:]))
                break
            self._channels[channel] = _channel_row(project, channel, reviewed)
        return [self._channels.get(c, {"id": str(c), "name": str(c), "detail": "…"}) for c in channels]

    def _count(self, project: Project, channels: Sequence[int]) -> None:
        """Count events, in a thread; the project remembers the counts, so that the page gets at them at once."""
        for channel in channels:
            began = time.monotonic()
            project.counts(channel)
            time.sleep(time.monotonic() - began)  # the page comes first: half of the time is its
        on_page(self._document, lambda: self._counted(project))

    def _counted(self, project: Project) -> None:
        if project is self.workspace.project:
            self.channels.rows = self._channel_rows(project, math.inf)

    def _unit_row(self, unit: int, count: int) -> dict[str, Any]:
        project, focus = self.workspace.project, self.workspace.focus
        if project is None or focus is None or focus.channel is None:
            return {}
        keys = [(channel, unit) for channel in focus.channels if unit in project.counts(channel)]
        labels = {project.labels.get(key, "") for key in keys}
        return {
            "id": str(unit),
            "name": f"Unit {unit}" if unit > NOISE else "Noise",
            "colour": unit_colour(unit, dark=self.workspace.dark),
            "detail": f"{count:,}",
            "label": " / ".join(sorted(labels - {""})),
            "off": unit in focus.hidden,
            "locked": project.locked.issuperset(keys),
        }

    def _experiment_message(self, kind: str, row: str) -> None:
        focus = self.workspace.focus
        if focus is None:
            return
        if row == ALL:
            focus.param.update(experiment=None)
        elif kind == "current" or focus.experiment is None:
            focus.param.update(experiment=int(row), also=frozenset())
        else:
            here = [int(other["id"]) for other in self.experiments.rows if other["id"] != ALL]
            focus.overlay_experiments(_chosen(kind, int(row), focus.experiment, focus.experiments or (), here))

    def _channel_message(self, kind: str, row: str) -> None:
        focus, project = self.workspace.focus, self.workspace.project
        if focus is None or project is None:
            return
        if kind == "current" or focus.channel is None:
            focus.param.update(channel=int(row), beside=frozenset(), unit=None)
        else:
            focus.overlay(_chosen(kind, int(row), focus.channel, focus.channels, project.channels()))

    def _unit_message(self, kind: str, row: str) -> None:
        focus, project = self.workspace.focus, self.workspace.project
        if focus is None or project is None or focus.channel is None:
            return
        if kind == "current" and row == ALL and self.workspace.case is not None:
            leave(self.workspace)  # it had hidden the other units
        elif kind == "current":
            focus.param.update(unit=None if row == ALL else int(row))
        elif row == ALL:
            focus.param.update(hidden=frozenset({NOISE}))
        elif kind == "show":
            focus.param.update(hidden=focus.hidden ^ {int(row)})
        else:
            channels = [channel for channel in focus.channels if int(row) in project.counts(channel)]
            on = not project.locked.issuperset((channel, int(row)) for channel in channels)
            for channel in channels:
                if ((channel, int(row)) in project.locked) != on:
                    attempt(self.workspace, lambda channel=channel: project.lock(channel, int(row), on))
            self.refresh()

    def _send(self) -> None:
        chosen = self.target.value
        unit = {"noise": NOISE, NEW_UNIT: None}.get(chosen) if chosen in ("noise", NEW_UNIT) else int(chosen)
        attempt(self.workspace, lambda: send(self.workspace, unit))


def _channel_row(project: Project, channel: int, reviewed: frozenset[int]) -> dict[str, Any]:
    counts = project.counts(channel)
    events, noise = sum(counts.values()), counts.get(NOISE, 0)
    units = sum(1 for unit in counts if unit > NOISE)
    state = f"{units} u" + (f" · {noise / events:.0%} noise" if noise else "")
    state = f"✓ {state}" if channel in reviewed else state
    tip = f"Channel {channel}: {events:,} events, {units} units, {noise:,} noise. {TOGETHER}."
    return {"id": str(channel), "name": str(channel), "label": state, "detail": f"{events:,}", "tip": tip}


def _chosen(kind: str, row: int, main: int, chosen: Sequence[int], all_rows: Sequence[int]) -> set[int]:
    """Return what is chosen after a Ctrl-click ("toggle") or a Shift-click ("range", from the main row on) on a row."""
    if kind == "toggle":
        return {*chosen} ^ {row}
    low, high = sorted((main, row))
    return {other for other in all_rows if low <= other <= high}


def _texts(numbers: frozenset[int]) -> list[str]:
    return [str(number) for number in sorted(numbers)]


def _share(percent: int, least: int = 110) -> list[str]:
    """Return the style of a list that takes a share of what header and buttons leave, however long it is."""
    left = f"calc((100vh - {HEADER_AND_BUTTONS_PX}px) * {percent / 100})"
    return [f".list {{ height: clamp({least}px, {left}, 480px); box-sizing: border-box; }}"]
