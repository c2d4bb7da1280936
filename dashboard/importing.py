"""Before anything is opened: what a file holds, thresholds of a raw recording, columns of an unknown table."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

import pandas as pd
import panel as pn
import panel_material_ui as pmui

from neuralsorter import detecting, saving
from neuralsorter.detecting import RAW_SUFFIXES, SIGNS, Detector
from neuralsorter.errors import DataError, SaveError
from neuralsorter.loading import columns
from neuralsorter.loading.holding import holds
from neuralsorter.spikes import Spikes

from .workspace import Workspace

NOTHING = "(not there)"
_COLUMNS_UNKNOWN = "info FILE --columns"  # what a reader recommends when the names in a table tell it nothing
ROWS_SHOWN = 400  # of a table of channels or columns


def is_raw(path: Path) -> bool:
    """Tell whether a file holds continuous signals and no events."""
    return path.suffix.lower() in RAW_SUFFIXES


def asks_for_columns(sentence: str) -> bool:
    """Tell whether a table was not read only because the names of its columns are unknown here."""
    return _COLUMNS_UNKNOWN in sentence


class Importing(pn.viewable.Viewer):
    """One dialogue that shows what is there and asks what must be known.

    Parameters
    ----------
    open_files : callable
        Opens event files, as the Open dialogue does.

    """

    def __init__(self, workspace: Workspace, open_files: Callable[[Sequence[Path]], None], **params: Any) -> None:
        super().__init__(**params)
        self.workspace, self._open_files = workspace, open_files
        self._paths: list[Path] = []
        self._build()

    def _build(self) -> None:
        self.said = pmui.Typography(object="", variant="body2")
        self.table = pn.pane.HTML("", sizing_mode="stretch_width", max_height=340, styles={"overflow": "auto"})
        self.bar = pmui.LinearProgress(value=0, sizing_mode="stretch_width", visible=False)
        self.stop = pmui.Button(
            label="Cancel", size="small", visible=False, on_click=lambda _: self.workspace.jobs.cancel()
        )
        self.form = pmui.Column(sizing_mode="stretch_width")
        self.buttons = pmui.Row(sizing_mode="stretch_width")
        self.dialog = pmui.Dialog(
            pmui.Column(
                self.said, self.form, self.buttons, self.bar, self.stop, self.table, sizing_mode="stretch_width"
            ),
            title="Before opening", width_option="md", show_close_button=True, close_on_click=False,
        )  # fmt: skip
        number = {"size": "small", "width": 145}
        self.threshold = pmui.FloatInput(label="Threshold (SDs)", value=4.5, start=0.5, step=0.5, **number)
        self.sign = pmui.Select(label="Side", options=list(SIGNS), value="negative", **number)
        self.dead_time = pmui.FloatInput(label="Dead time (ms)", value=1.0, start=0.0, step=0.1, **number)
        self.low = pmui.FloatInput(label="Band from (Hz)", value=300.0, start=1.0, step=50.0, **number)
        self.high = pmui.FloatInput(label="Band to (Hz)", value=6000.0, start=2.0, step=500.0, **number)
        self.before = pmui.FloatInput(label="Cut before (ms)", value=1.0, start=0.0, step=0.1, **number)
        self.after = pmui.FloatInput(label="Cut after (ms)", value=2.0, start=0.1, step=0.1, **number)
        self.rate = pmui.FloatInput(label="Sampling rate (Hz)", value=20_000.0, start=1.0, **number)
        self.pre = pmui.IntInput(label="Samples before", value=20, start=0, **number)
        self.uv = pmui.FloatInput(label="µV per unit", value=1.0, **number)
        self.seconds = pmui.FloatInput(label="Seconds per unit", value=1.0, **number)
        self.fields = {
            name: pmui.Select(label=name, options=[NOTHING], size="small", width=180) for name in columns.FIELDS
        }
        self.workspace.jobs.param.watch(lambda *_: self._progress(), ["running", "progress", "message"])

    def ask(self, paths: Sequence[Path]) -> None:
        """Show what the files hold; a raw recording's thresholds can be tried, and its events taken."""
        self._paths = list(paths)
        raw = [path for path in paths if is_raw(path)]
        if raw and len(paths) > 1:
            self.workspace.complain(f"{raw[0].name} is a raw recording. Take its events by itself first.")
            return
        if raw:
            self._ask_for_detector(raw[0])
        else:
            self._lay_out(f"Reading {', '.join(path.name for path in paths)} …", [], [])
            self.workspace.jobs.start(
                "Looking", lambda _, cancel: [holds(path, cancel=cancel) for path in paths], self._tell, self._not_told
            )
        self.dialog.open = True

    def _not_told(self, sentence: str) -> None:
        if len(self._paths) == 1 and asks_for_columns(sentence):
            self.ask_for_columns(self._paths[0])
        else:
            self._fail(sentence)

    def ask_for_columns(self, path: Path) -> None:
        """Show the columns of a table whose names say nothing, with a guess."""
        self._paths = [path]
        self._lay_out(f"The columns of {path.name} have names unknown here. Which is what?", [], [])
        self.dialog.open = True
        self._start("Looking", lambda *_: columns.propose(path), self._tell_columns)

    def _tell(self, told: Sequence[Mapping[str, str]]) -> None:
        table = pd.DataFrame(list(told), index=[path.name for path in self._paths]).fillna("").T
        self._lay_out("What will be opened:", [], [self._button("Open", self._open)], table)

    def _open(self) -> None:
        self.dialog.open = False
        self._open_files(self._paths)

    def _ask_for_detector(self, path: Path) -> None:
        rows = [
            pmui.Row(self.threshold, self.sign, self.dead_time),
            pmui.Row(self.low, self.high, self.before, self.after),
        ]
        text = f"{path.name} is a raw recording. An event is where the band-passed signal crosses the threshold."
        buttons = [self._button("Show thresholds", self._look, plain=True), self._button("Take events", self._detect)]
        self._lay_out(text, rows, buttons)

    def _detector(self) -> Detector | None:
        try:
            return Detector(
                threshold=self.threshold.value or 0.0, sign=self.sign.value, dead_time_ms=self.dead_time.value or 0.0,
                band_hz=(self.low.value or 0.0, self.high.value or 0.0),
                before_ms=self.before.value or 0.0, after_ms=self.after.value or 0.0,
            )  # fmt: skip
        except DataError as error:
            self._fail(str(error))
            return None

    def _look(self) -> None:
        detector, path = self._detector(), self._paths[0]
        if detector:
            self._start(
                "Looking", lambda _, cancel: detecting.thresholds(path, detector, cancel=cancel), self._tell_table
            )

    def _tell_table(self, table: pd.DataFrame) -> None:
        shown = {
            "channel": table["channel"].astype(str),
            "noise (SD, µV)": table["noise_uv"].map("{:.1f}".format),
            "threshold (µV)": table["threshold_uv"].map("{:.1f}".format),
            "events per second": table["events_per_s"].map("{:.1f}".format),
        }
        self.table.object = _html(pd.DataFrame(shown), index=False)

    def _detect(self) -> None:
        detector, path = self._detector(), self._paths[0]
        if detector:
            self._start(
                "Taking events",
                lambda report, cancel: self._kept(
                    detecting.detect(path, detector, on_progress=report, cancel=cancel), path, "events"
                ),
                self._opened,
            )

    def _tell_columns(self, told: tuple[columns.Assignment, pd.DataFrame]) -> None:
        guess, table = told
        names = [NOTHING, *dict.fromkeys([*guess.fields.values(), *table["column"].tolist()])]
        for field, choice in self.fields.items():
            choice.param.update(options=names, value=guess.fields.get(field, NOTHING))
        self.rate.value, self.seconds.value = guess.sampling_rate, guess.seconds_per_unit
        rows = [pmui.FlexBox(*self.fields.values()), pmui.Row(self.rate, self.pre, self.uv, self.seconds)]
        self._lay_out(self.said.object, rows, [self._button("Open by these columns", self._read)], table, index=False)

    def _read(self) -> None:
        path = self._paths[0]
        chosen = {field: choice.value for field, choice in self.fields.items() if choice.value != NOTHING}
        told = columns.Assignment(chosen, self.rate.value, self.pre.value, self.uv.value, self.seconds.value)
        self._start("Reading", lambda *_: self._kept(columns.load_as(path, told), path, "read"), self._opened)

    def _kept(self, spikes: Spikes, path: Path, word: str) -> Path:
        """Save the events beside their source, or where projects go, under a name not taken; return it."""
        spare = self.workspace.settings.plugins_folder.parent / "projects"
        for folder in (path.parent, spare):
            try:
                folder.mkdir(parents=True, exist_ok=True)
                name = _free(folder, f"{path.stem}_{word}")
                saving.save(spikes, name)
            except (OSError, SaveError):
                continue
            return name
        raise SaveError(path, f"its events can be written neither beside it nor to {spare}", "Make room for them")

    def _opened(self, path: Path) -> None:
        self.dialog.open = False
        self._open_files([path])

    def _start(self, title: str, work: Callable[..., Any], done: Callable[[Any], None]) -> None:
        self.workspace.jobs.start(title, work, done, self._fail)

    def _fail(self, sentence: str) -> None:
        self.said.object = sentence
        self.workspace.complain(sentence)

    def _progress(self) -> None:
        jobs = self.workspace.jobs
        self.bar.visible = self.stop.visible = self.dialog.open and jobs.running
        self.bar.param.update(
            value=int(100 * jobs.progress), variant="determinate" if jobs.progress else "indeterminate"
        )
        for button in self.buttons.objects:
            button.disabled = jobs.running

    def _button(self, label: str, call: Callable[[], None], *, plain: bool = False) -> pmui.Button:
        return pmui.Button(
            label=label, color="primary", variant="outlined" if plain else "contained", on_click=lambda _: call()
        )

    def _lay_out(
        self, text: str, rows: list[Any], buttons: list[Any], table: pd.DataFrame | None = None, *, index: bool = True
    ) -> None:
        self.said.object, self.form.objects, self.buttons.objects = text, rows, buttons
        self.table.object = "" if table is None else _html(table, index=index)


def _free(folder: Path, stem: str) -> Path:
    names = (folder / f"{stem}{'' if n == 1 else f'_{n}'}.npz" for n in range(1, 10_000))
    return next(name for name in names if not name.exists())


def _html(table: pd.DataFrame, *, index: bool) -> str:
    cells = "padding: 2px 10px; text-align: left; border-bottom: 1px solid rgba(128, 128, 128, .3)"
    head = ([""] if index else []) + [str(name) for name in table.columns]
    rows = [
        ([str(label)] if index else []) + [str(value) for value in values]
        for label, values in zip(table.index[:ROWS_SHOWN], table.head(ROWS_SHOWN).to_numpy().tolist(), strict=True)
    ]
    lines = ["".join(f"<td style='{cells}'>{escape(cell)}</td>" for cell in row) for row in [head, *rows]]
    return f"<table style='border-collapse: collapse'>{''.join(f'<tr>{line}</tr>' for line in lines)}</table>"
