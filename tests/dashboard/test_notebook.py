from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import panel.io.notebook
import pytest
from bokeh.document import Document
from bokeh.models import ImportedStyleSheet, UIElement
from panel.io.resources import set_resource_mode
from panel.models.esm import ReactiveESM
from pyviz_comms import Comm  # type: ignore[import-untyped,unused-ignore] # without stubs

import neuralsorter as ns


@pytest.fixture(autouse=True)
def _no_loop() -> Iterator[None]:
    """Hide the loop that Playwright leaves running where browser tests came before: it is not a kernel's."""
    running = asyncio.events._get_running_loop()
    asyncio.events._set_running_loop(None)
    yield
    asyncio.events._set_running_loop(running)


def test_edits_in_a_notebook_land_in_the_project_it_holds() -> None:
    spikes = ns.Spikes(
        raw=np.zeros((6, 30), np.int16), times_s=np.arange(6.0), channel=np.ones(6, int), unit=np.ones(6, int),
        experiment=np.zeros(6, int),
    )  # fmt: skip
    project = ns.Project.in_memory(spikes)
    block = ns.curate(project)
    block.app.act("select all")
    block.app.act("send to 2")
    assert project.counts(1) == {2: 6}
    block.app.close()


def _spikes() -> ns.Spikes:
    return ns.simulate(n_channels=2, duration_s=10.0, seed=2).spikes


def test_the_events_given_come_back_in_their_order_with_their_present_units() -> None:
    spikes = _spikes().take(np.random.default_rng(0).permutation(len(_spikes())))
    block = ns.curate(spikes)
    block.app.act("select all")
    block.app.act("send to 7")
    np.testing.assert_array_equal(block.spikes.unit, np.where(spikes.channel == 1, 7, spikes.unit))
    np.testing.assert_array_equal(block.spikes.times_s, spikes.times_s)
    block.close()


def test_a_view_alone_shows_the_channel_and_has_the_parameters_asked_for() -> None:
    block = ns.views.intervals(_spikes(), channel=2, window_ms=20.0)
    assert block.view.wait()
    look, gaps = block.view._done
    assert look.channel == 2
    assert sum(int(g.counts.sum()) for g in gaps.values()) > 0
    assert all(g.edges_ms[-1] == 20.0 for g in gaps.values())


@pytest.mark.parametrize("name", ["waveforms", "means", "features", "correlograms", "amplitude", "rate", "similarity"])
def test_every_view_can_be_had_alone(name: str) -> None:
    block = getattr(ns.views, name)(_spikes(), channel=1)
    assert block.pane.get_root() is not None


def test_keys_count_only_over_the_block() -> None:
    block = ns.curate(_spikes())
    assert block.app.keys.hover
    block.close()


def test_a_cell_brings_the_widgets_code_once_and_not_with_every_widget() -> None:
    from dashboard import bundle

    block = ns.curate(_spikes())
    widgets = list(block._pane.get_root().select({"type": ReactiveESM}))
    assert len(widgets) > 40
    assert sum(len(widget.esm) for widget in widgets) < 100_000
    code = bundle.script()
    assert "http" not in code.partition("new Blob")[0]
    assert code.count("data:font/woff2") == 4
    assert bundle.NAME in Path(bundle.__file__).with_name("bundle.js").read_text()
    block.close()


def test_what_changes_or_joins_later_asks_for_no_styles_elsewhere() -> None:
    block = ns.curate(_spikes())
    with set_resource_mode("inline"):
        root = block._pane._render_model(Document(), Comm())
    block.app.workspace.say("Something else.")
    block.app.act("next channel")
    block.app.act("next view")
    sheets = [sheet for element in root.select({"type": UIElement}) for sheet in element.stylesheets]
    assert len(sheets) > 100
    assert [sheet.url for sheet in sheets if isinstance(sheet, ImportedStyleSheet)] == []
    block.close()


def test_the_parts_of_a_message_stay_together_whichever_threads_send() -> None:
    ns.views.means(ns.Project.in_memory(_spikes()), channel=1)  # loads what a notebook needs
    sent: list[str] = []

    def send(part: str = "", **_: object) -> None:
        time.sleep(0.001)  # while it is written
        sent.append(part[:1])

    def talk(who: str) -> None:
        for _ in range(5):
            message = SimpleNamespace(header_json=who, metadata_json=who, content_json=who, buffers=[])
            panel.io.notebook.send(SimpleNamespace(send=send), message)

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(talk, "abcd"))
    assert [{*sent[i : i + 3]} for i in range(0, 60, 3)] == [{sent[i]} for i in range(0, 60, 3)]
    assert sorted(sent) == sorted("abcd" * 15)
