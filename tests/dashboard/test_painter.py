"""The newest wish wins, and what belongs to an older one is not lost with it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np
import pytest

import neuralsorter as ns
from dashboard import painter
from dashboard.evidence import Summary
from dashboard.screen import View


class Page:
    """Collects what a painter delivers."""

    def __init__(self) -> None:
        self.pictures: list[painter.Painted] = []
        self.summaries: list[Summary] = []
        self.troubles: list[str] = []
        self.busy, self.go = threading.Event(), threading.Event()

    def on_picture(self, painted: painter.Painted) -> None:
        self.pictures.append(painted)
        if len(self.pictures) == 1:
            self.busy.set()
            self.go.wait(20)  # the painter is kept busy until the test has made its next wish

    def wait_for(self, call: Callable[[], bool]) -> None:
        end = time.monotonic() + 20
        while not call():
            assert time.monotonic() < end, self.troubles
            time.sleep(0.01)


@pytest.fixture
def page() -> Page:
    return Page()


@pytest.fixture
def scene() -> Iterator[painter.Scene]:
    """One channel of 200 events in two units."""
    spikes = ns.simulate(n_channels=1, duration_s=10.0, seed=0).spikes.take(np.arange(200))
    with ns.Project.in_memory(spikes.with_unit(np.arange(200) % 2 + 1)) as project:
        channel = project.channels()[0]
        rows = project.rows(channel)
        view = View((-1.0, 2.0), (-300.0, 300.0), 80, 60)
        yield painter.Scene(
            project, (channel,), None, "crossing", rows, project.unit[rows], frozenset({1, 2}), np.zeros(0, np.int64),
            view, "equalised", dark=False,
        )  # fmt: skip


def test_the_evidence_comes_even_if_a_newer_wish_overtakes_the_first(page: Page, scene: painter.Scene) -> None:
    made = painter.Painter(page.on_picture, lambda _, summary: page.summaries.append(summary), page.troubles.append)
    try:
        made.paint(scene)
        page.busy.wait(20)
        made.paint(replace(scene, view=replace(scene.view, height=50)))
        page.go.set()
        page.wait_for(lambda: len(page.pictures) == 2)
        page.wait_for(lambda: len(page.summaries) == 1)
        assert page.pictures[1].rgba.shape == (50, 80, 4)
        assert page.troubles == []
    finally:
        made.close()


def test_a_preview_says_exactly_how_many_of_the_shown_waveforms_it_has(
    page: Page, scene: painter.Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(painter, "PREVIEW_FROM", 0)
    monkeypatch.setattr(painter, "PREVIEW_SHARE", 0.5)
    page.go.set()
    made = painter.Painter(page.on_picture, lambda *_: None, page.troubles.append)
    try:
        made._seconds_per_event = 1.0  # a slow machine
        made.paint(replace(scene, visible=frozenset({2})))
        page.wait_for(lambda: len(page.pictures) == 2)
        preview, exact = page.pictures
        drawn = np.random.default_rng(0).choice(200, 100, replace=False)
        assert (preview.exact, preview.n_drawn) == (False, int((scene.unit[drawn] == 2).sum()))
        assert (exact.exact, exact.n_drawn) == (True, 100)
    finally:
        made.close()


def test_few_lines_are_thicker_where_pixels_are_fine(page: Page, scene: painter.Scene) -> None:
    page.go.set()
    few = replace(scene, rows=scene.rows[:5], unit=scene.unit[:5])
    made = painter.Painter(page.on_picture, lambda *_: None, page.troubles.append)
    try:
        for i, ratio in enumerate((1.0, 2.0)):
            made.paint(replace(few, view=replace(scene.view, pixel_ratio=ratio)))
            page.wait_for(lambda n=i: len(page.pictures) > n)  # type: ignore[misc] # a default
        thin, thick = (int((picture.rgba[..., 3] > 0).sum()) for picture in page.pictures)
        assert thick > 1.5 * thin
        assert page.troubles == []
    finally:
        made.close()


def test_whatever_was_painted_before_the_picture_is_that_of_a_new_painter(page: Page, scene: painter.Scene) -> None:
    page.go.set()
    random = np.random.default_rng(3)
    known = painter.Painter(page.on_picture, lambda *_: None, page.troubles.append)
    try:
        for i in range(120):
            scene = _other(scene, random)
            page.pictures.clear()
            known.paint(scene)
            page.wait_for(lambda: any(p.exact for p in page.pictures))
            rgba = page.pictures[-1].rgba
            if i % 3 == 0:
                fresh = painter.Painter(page.on_picture, lambda *_: None, page.troubles.append)
                page.pictures.clear()
                fresh.paint(scene)
                page.wait_for(lambda: any(p.exact for p in page.pictures))
                fresh.close()
                assert np.array_equal(rgba, page.pictures[-1].rgba), i
        assert page.troubles == []
    finally:
        known.close()


def _other(scene: painter.Scene, random: np.random.Generator) -> painter.Scene:
    """Return the scene after something a person may do: select, move what is selected, hide, look otherwise."""
    unit, visible = scene.unit.copy(), scene.visible
    match random.integers(0, 7):
        case 0 | 1:
            within = scene.rows[np.isin(unit, list(visible)) & (random.random(len(unit)) < 0.3)]
            return replace(scene, selected=within)
        case 2 | 3:
            to = int(random.integers(0, 5))
            unit[np.isin(scene.rows, scene.selected)] = to
            return replace(scene, unit=unit, selected=scene.rows[:0], visible=visible | ({to} if to else set()))
        case 4:
            return replace(scene, visible=visible ^ {int(random.integers(0, 5))})
        case 5:
            unit[random.random(len(unit)) < 0.1] = int(random.integers(0, 5))
            return replace(scene, unit=unit, visible=visible ^ {int(random.integers(0, 5))})
        case _:
            return replace(scene, dark=not scene.dark, shading=str(random.choice(["equalised", "log", "heat"])))
