"""Paints in a thread of its own: one wish at a time, the newest wins, and the event loop never waits."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from neuralsorter.drawing.block import View as Window
from neuralsorter.drawing.canvas import Image
from neuralsorter.drawing.picture import Change, Picture, alignment
from neuralsorter.picking import pick
from neuralsorter.project import Project
from neuralsorter.spikes import NOISE
from neuralsorter.storage.scope import ALL, SPIKES
from neuralsorter.tally import tally

from .evidence import REFRACTORY_MS, Summary, summarise
from .screen import View
from .shading import Shades, moved, thickened, unselected, with_selected

PATIENCE_S = 0.15  # an exact picture that takes longer is announced by a random part of it
FEW, FINE = 300, 1.5  # so few lines would be hairs on a screen with so many pixels to each of the page's own
PREVIEW_SHARE, PREVIEW_FROM = 0.02, 50_000


@dataclass(frozen=True, eq=False)
class Scene:
    """Everything a picture depends on, as it was when it was wished for."""

    project: Project
    channels: tuple[int, ...]
    experiments: tuple[int, ...] | None
    alignment: str
    rows: NDArray[np.int64]
    unit: NDArray[np.int32]
    visible: frozenset[int]
    selected: NDArray[np.int64]
    view: View
    shading: str
    dark: bool
    time_range_s: tuple[float, ...] | None = None

    @property
    def block(self) -> tuple[Any, ...]:
        """What decides which waveforms are held ready; another block is loaded anew."""
        places = self.channels, self.experiments, self.time_range_s, len(self.rows)
        return id(self.project), self.alignment, *places


@dataclass(frozen=True, eq=False)
class Painted:
    """A finished picture."""

    scene: Scene
    rgba: NDArray[np.uint8]
    exact: bool
    n_drawn: int


class Below(NamedTuple):
    """The shaded units of a picture: which, in which look and edition, beside all units that it had then."""

    look: tuple[Any, ...]
    edition: int
    shown: frozenset[int]
    present: frozenset[int]
    shades: Shades


class Painter:
    """Holds the waveforms of one channel ready and turns scenes into pictures.

    Parameters
    ----------
    on_picture, on_summary : callable
        Called in the painter's thread with a `Painted` or a `Summary` and its scene.
    on_trouble : callable
        Called in the painter's thread with a sentence.
    refractory_ms : callable
        Returns the refractory period that a project's units are judged by; called in the painter's thread.

    """

    def __init__(
        self,
        on_picture: Callable[[Painted], None],
        on_summary: Callable[[Scene, Summary], None],
        on_trouble: Callable[[str], None],
        refractory_ms: Callable[[Any], float] = lambda _: REFRACTORY_MS,
    ) -> None:
        self._refractory_ms = refractory_ms
        self._on_picture, self._on_summary, self._on_trouble = on_picture, on_summary, on_trouble
        self._wanted: Scene | None = None
        self._asked: deque[Callable[[], None]] = deque()
        self._wake = threading.Condition()
        self._closed = False
        self._block: tuple[Any, ...] | None = None
        self._picture: Picture | None = None
        self._scene: Scene | None = None
        self._raw: NDArray[Any] = np.zeros((0, 1), np.int16)
        self._shift: NDArray[Any] | None = None
        self._drawn_window: Window | None = None
        self._seconds_per_event = 0.0
        self._summary_due = False
        self._expecting = False  # whether what runs is only in case the selection is moved next
        self._below: Below | None = None
        threading.Thread(target=self._run, name="painter", daemon=True).start()

    def paint(self, scene: Scene) -> None:
        """Wish for a picture; an earlier wish not yet granted is forgotten."""
        with self._wake:
            self._wanted = scene
            looks_elsewhere = self._scene is not None and scene.view != self._scene.view
            if self._picture is not None and (looks_elsewhere or self._expecting):
                self._picture.cancel()
            self._wake.notify()

    def pick(self, polygon: NDArray[np.float64], done: Callable[[NDArray[np.int64], dict[str, Any]], None]) -> None:
        """Find the shown waveforms whose drawn line meets a polygon (ms, µV).

        `done` gets rows, and among which units and in which window of pixels they were picked, in this thread.
        """
        with self._wake:
            if self._picture is not None and self._expecting:
                self._picture.cancel()
            self._asked.append(lambda: done(self._pick(polygon), self._how()))
            self._wake.notify()

    def close(self) -> None:
        """Stop the thread and let the waveforms go."""
        with self._wake:
            self._closed = True
            self._wake.notify()

    def _run(self) -> None:
        while True:
            with self._wake:
                while not (self._closed or self._asked or self._wanted is not None):
                    self._wake.wait()
                if self._closed:
                    self._picture = self._scene = self._below = None
                    return
                task = self._asked.popleft() if self._asked and self._scene is not None else None
                scene = None
                if task is None:
                    scene, self._wanted = self._wanted, None
            try:
                if task is not None:
                    task()
                elif scene is not None:
                    self._paint(scene)
            except Exception as error:  # noqa: BLE001 - whatever fails here must be said on the page, and painting go on
                self._on_trouble(f"The picture could not be drawn: {type(error).__name__}: {error}")

    def _paint(self, scene: Scene) -> None:
        self._summary_due |= self._hold(scene)  # kept until the newest wish is granted: an older one may be dropped
        picture, window = self._picture, self._window(scene)
        if picture is None:
            return
        if window != self._drawn_window:
            if len(picture) >= PREVIEW_FROM and self._seconds_per_event * len(picture) > PATIENCE_S:
                preview = picture.preview(window, PREVIEW_SHARE)
                if preview is not None:
                    self._emit(scene, preview.images, None, preview.n_drawn, exact=False)
            started = time.perf_counter()
            if not picture.set_view(window):
                return  # another window is wanted by now
            self._drawn_window = window
            self._seconds_per_event = (time.perf_counter() - started) / max(len(picture), 1)
        chosen = picture.count(_places(scene.rows, scene.selected)) if len(scene.selected) else None
        self._scene = scene
        self._emit(scene, picture.images, chosen, tally(scene.unit), exact=True)
        if self._summary_due and self._wanted is None:
            self._summary_due = False
            limit_ms = self._refractory_ms(scene.project)
            self._on_summary(scene, summarise(scene.project, scene.rows, scene.unit, limit_ms, scene.channels))
        self._expect(scene, picture)

    def _expect(self, scene: Scene, picture: Picture) -> None:
        """Use the time in which a person looks at the selection."""
        with self._wake:
            self._expecting = self._wanted is None and not self._asked and len(scene.selected) > 0
        if self._expecting:
            picture.expect(_places(scene.rows, scene.selected))
            self._expecting = False

    def _hold(self, scene: Scene) -> bool:
        """Make the held picture that of the scene's waveforms and units; return whether anything changed."""
        if scene.block != self._block or self._picture is None:
            raw, project = scene.project.raw(scene.rows), scene.project
            shift = None if scene.alignment == "crossing" else alignment(raw, project.pre_samples, scene.alignment)
            self._raw, self._shift = raw, shift
            self._picture = Picture(raw, scene.unit, uv_per_bit=project.uv_per_bit, shift=shift)
            self._block, self._drawn_window, self._below = scene.block, None, None
            return True
        other = np.flatnonzero(self._picture.unit != scene.unit)
        self._picture.reassign(other, self._picture.unit[other].copy(), scene.unit[other])
        return bool(len(other)) or self._scene is None or self._scene.visible != scene.visible

    def _window(self, scene: Scene) -> Window:
        per_ms, pre = scene.project.sampling_rate / 1000, scene.project.pre_samples
        x0, x1 = (pre + x * per_ms for x in scene.view.x_range)
        return Window(scene.view.width, scene.view.height, (x0, x1), scene.view.y_range)

    def _emit(
        self,
        scene: Scene,
        images: Mapping[int, Image],
        chosen: Image | None,
        numbers: Mapping[int, int],
        *,
        exact: bool,
    ) -> None:
        shown = {unit: image for unit, image in images.items() if unit in scene.visible}
        heat = scene.shading == "heat"
        mode = "equalised" if heat else scene.shading
        shape = scene.view.height, scene.view.width
        below = self._without_selection(shown, shape, exact=exact, mode=mode, dark=scene.dark, heat=heat)
        rgba = with_selected(below, chosen, mode=mode, dark=scene.dark)
        n_drawn = sum(numbers.get(unit, 0) for unit in scene.visible)
        if scene.view.pixel_ratio >= FINE and n_drawn <= FEW:
            rgba = thickened(rgba)
        self._on_picture(Painted(scene, rgba, exact, n_drawn))

    def _without_selection(
        self, shown: dict[int, Image], shape: tuple[int, int], *, exact: bool, mode: str, dark: bool, heat: bool
    ) -> Shades:
        """Return the shaded units, from before if nothing changed: a selection changes nothing below it."""
        if not exact or self._picture is None:
            return unselected(shown, shape, mode=mode, dark=dark, heat=heat)
        look, before, picture = (mode, dark, heat), self._below, self._picture
        if before is not None and before[:3] == (look, picture.edition, frozenset(shown)):
            return before.shades
        change = None if before is None or before.look != look else _only_moved(before, picture, shown)
        if before is not None and change is not None:
            shades = moved(before.shades, change, dark=dark, heat=heat)
        else:
            known = before.shades if before is not None and before.look[0] == mode else None
            shades = unselected(shown, shape, mode=mode, dark=dark, heat=heat, before=known)
        self._below = Below(look, picture.edition, frozenset(shown), frozenset(picture.images), shades)
        return shades

    def _how(self) -> dict[str, Any]:
        scene, window = self._scene, self._drawn_window
        if scene is None or window is None:
            return {}
        view = {"width": window.width, "height": window.height, "x_ms": scene.view.x_range, "y_uv": scene.view.y_range}
        present = {*tally(scene.unit)}
        words = {frozenset(present): ALL, frozenset(present - {NOISE}): SPIKES}  # they mean something elsewhere too
        return {"among": words.get(scene.visible & present, sorted(scene.visible)), "view": view}

    def _pick(self, polygon: NDArray[np.float64]) -> NDArray[np.int64]:
        """Return the shown project rows that the polygon meets, as the picture last shown has them."""
        scene, picture = self._scene, self._picture
        if scene is None or picture is None:
            return np.zeros(0, np.int64)
        project = scene.project
        hit = pick(
            self._raw, polygon, sampling_rate=project.sampling_rate, pre_samples=project.pre_samples,
            uv_per_bit=project.uv_per_bit, shift=self._shift, view=self._drawn_window,
            among=np.isin(scene.unit, list(scene.visible)),
        )  # fmt: skip
        return scene.rows[hit]


def _only_moved(before: Below, picture: Picture, shown: Iterable[int]) -> Change | None:
    """Return what the last edit moved if nothing else differs, and if it moved spikes from and to units shown."""
    change, now = picture.change, frozenset(shown)
    if change is None or change.edition != before.edition + 1:
        return None
    of, to = {move.of for move in change.moves}, {move.to for move in change.moves}
    in_sight = of <= before.shown and to <= now and NOISE not in of | to
    turned = (now - before.shown) & before.present or (before.shown - now) & picture.images.keys()
    return change if in_sight and not turned else None


def _places(rows: NDArray[np.int64], some: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return where `some` are in sorted rows."""
    if len(rows) and rows[-1] - rows[0] == len(rows) - 1:
        return some - rows[0]
    return np.searchsorted(rows, some)
