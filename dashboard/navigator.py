"""The left side: experiments, channels, units of the channel, and where selected events are sent."""

from __future__ import annotations

import time
from typing import Any

import panel as pn
import panel_material_ui as pmui

from neuralsorter.palette import unit_colour
from neuralsorter.spikes import NOISE

from .actions import send
from .jobs import on_page, this_page
from .listing import Listing
from .workspace import Workspace, attempt

ALL = "all"
EVERY_EXPERIMENT = "all experiments"
NEW_UNIT = "new unit"
COUNTING_S = 0.1  # in one go, before the page is drawn: of a very large recording the counts follow


class Navigator(pn.viewable.Viewer):
    """Lists that follow the focus and change it."""

    def __init__(self, workspace: Workspace, **params: Any) -> None:
        super().__init__(**params)
        self.workspace, self._document = workspace, this_page()
        self._counted: set[int] = set()
        self._more = False
        self.experiment = pmui.Select(label="Experiment", options=[EVERY_EXPERIMENT], visible=False, size="small",
                                      sizing_mode="stretch_width", margin=(8, 0))  # fmt: skip
        self.channels = Listing(
            self._channel_message, caption="Channels", stylesheets=_share(30), sizing_mode="stretch_width"
        )
        self.units = Listing(
            self._unit_message, caption="Units of the channel", switches=True, stylesheets=_share(28),
            sizing_mode="stretch_width",
        )  # fmt: skip
        self.target = pmui.Select(label="Send to", options=["noise", "1", NEW_UNIT], value="1", size="small", width=120)
        self.send = pmui.Button(label="Send selected", size="small", color="primary", variant="outlined",
                                on_click=lambda _: self._send(), margin=(14, 4))  # fmt: skip
        heading = {"variant": "subtitle2", "margin": (10, 0, 2, 0)}
        self._pane = pmui.Column(
            self.experiment,
            pmui.Typography(object="Channels", **heading),
            self.channels,
            pmui.Typography(object="Units of this channel", **heading),
            self.units,
            pmui.Row(self.target, self.send, margin=(8, 0, 0, 0)),
            sizing_mode="stretch_width",
            margin=0,
        )
        self.experiment.param.watch(self._experiment_chosen, "value")
        workspace.param.watch(lambda *_: self._opened(), "focus")
        workspace.param.watch(lambda *_: self.refresh(), ["edits", "dark"])

    def __panel__(self) -> Any:
        return self._pane

    def _opened(self) -> None:
        focus, project = self.workspace.focus, self.workspace.project
        if focus is None or project is None:
            return
        self._counted = set()
        focus.param.watch(lambda *_: self.refresh(), ["shown", "channel", "unit", "hidden", "experiment"])
        self.refresh()

    def refresh(self) -> None:
        """Bring both lists up to date with the project and the focus."""
        focus, project = self.workspace.focus, self.workspace.project
        if focus is None or project is None:
            return
        names = [f"{number} · {name}" for number, name in enumerate(project.experiments)]
        shown = EVERY_EXPERIMENT if focus.experiment is None else names[focus.experiment]
        self.experiment.param.update(options=[EVERY_EXPERIMENT, *names], value=shown, visible=len(names) > 1)
        self.channels.param.update(rows=self._channel_rows(project.channels()), current=str(focus.channel))
        if focus.channel is None:
            return
        counts = project.counts(focus.channel, focus.experiment)
        whole = {"id": ALL, "name": "All units", "detail": f"{sum(n for u, n in counts.items() if u > NOISE):,}"}
        rows = [whole, *(self._unit_row(unit, counts[unit]) for unit in sorted(counts, key=lambda u: (u == NOISE, u)))]
        self.units.param.update(rows=rows, current=ALL if focus.unit is None else str(focus.unit))
        numbers = [str(unit) for unit in sorted(counts) if unit > NOISE]
        extra = [str(unit) for unit in range(1, 10) if str(unit) not in numbers]
        options = ["noise", *numbers, *extra, NEW_UNIT]
        self.target.param.update(
            options=options, value=self.target.value if self.target.value in options else options[1]
        )

    def _channel_rows(self, channels: list[int]) -> list[dict[str, Any]]:
        """Return a row per channel, those not counted yet without numbers, and see to it that they are counted soon."""
        rows, end = [], time.monotonic() + COUNTING_S
        for channel in channels:
            if channel in self._counted or time.monotonic() < end:
                self._counted.add(channel)
                rows.append(self._channel_row(channel))
            else:
                rows.append({"id": str(channel), "name": str(channel), "detail": "…"})
        if len(self._counted) < len(channels) and not self._more:
            self._more = True
            on_page(self._document, self._go_on, after_ms=1)
        return rows

    def _go_on(self) -> None:
        self._more = False
        self.refresh()

    def _channel_row(self, channel: int) -> dict[str, Any]:
        project = self.workspace.project
        if project is None:
            return {}
        counts = project.counts(channel)
        events, noise = sum(counts.values()), counts.get(NOISE, 0)
        units = sum(1 for unit in counts if unit > NOISE)
        state = f"{units} u" + (f" · {noise / events:.0%} noise" if noise else "")
        state = f"✓ {state}" if channel in project.reviewed else state
        tip = f"Channel {channel}: {events:,} events, {units} units, {noise:,} noise"
        return {"id": str(channel), "name": str(channel), "label": state, "detail": f"{events:,}", "tip": tip}

    def _unit_row(self, unit: int, count: int) -> dict[str, Any]:
        project, focus = self.workspace.project, self.workspace.focus
        if project is None or focus is None or focus.channel is None:
            return {}
        key = (int(focus.channel), unit)
        return {
            "id": str(unit),
            "name": f"Unit {unit}" if unit > NOISE else "Noise",
            "colour": unit_colour(unit, dark=self.workspace.dark),
            "detail": f"{count:,}",
            "label": project.labels.get(key, ""),
            "off": unit in focus.hidden,
            "locked": key in project.locked,
        }

    def _experiment_chosen(self, event: Any) -> None:
        if self.workspace.focus is not None:
            chosen = None if event.new == EVERY_EXPERIMENT else int(event.new.split(" · ")[0])
            self.workspace.focus.param.update(experiment=chosen)

    def _channel_message(self, kind: str, row: str) -> None:
        if kind == "current" and self.workspace.focus is not None:
            self.workspace.focus.param.update(channel=int(row), unit=None)

    def _unit_message(self, kind: str, row: str) -> None:
        focus, project = self.workspace.focus, self.workspace.project
        if focus is None or project is None or focus.channel is None:
            return
        if kind == "current":
            focus.param.update(unit=None if row == ALL else int(row))
        elif row == ALL:
            focus.param.update(hidden=frozenset({NOISE}))
        elif kind == "show":
            focus.param.update(hidden=focus.hidden ^ {int(row)})
        else:
            key = (int(focus.channel), int(row))
            attempt(self.workspace, lambda: project.lock(*key, key not in project.locked))
            self.refresh()

    def _send(self) -> None:
        chosen = self.target.value
        unit = {"noise": NOISE, NEW_UNIT: None}.get(chosen) if chosen in ("noise", NEW_UNIT) else int(chosen)
        attempt(self.workspace, lambda: send(self.workspace, unit))


def _share(percent: int) -> list[str]:
    """Return the style of a list that takes a share of the window's height, within reason, however long it is."""
    return [f".list {{ height: clamp(150px, {percent}vh, 480px); box-sizing: border-box; }}"]
