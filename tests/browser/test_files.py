"""Opening files as people do: clicked in a list, dropped, and with plug-ins that are broken."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import neuralsorter as ns

if TYPE_CHECKING:
    from tests.browser.conftest import Server, Tab

pytestmark = pytest.mark.browser


@pytest.fixture
def two_files(tmp_path: Path) -> list[Path]:
    """Two recordings of different lengths."""
    paths = [tmp_path / name for name in ("a.npz", "b.npz")]
    for seed, path in enumerate(paths):
        ns.save(ns.simulate(n_channels=2, duration_s=10.0 + 10 * seed, seed=seed).spikes, path)
    return paths


def test_files_become_experiments_in_the_order_they_were_clicked(
    serve: Callable[..., Server], open_tab: Callable[..., Tab], two_files: list[Path]
) -> None:
    a, b = two_files
    tab = open_tab(serve())
    page = tab.page
    page.get_by_role("button", name="Open…").first.click()
    page.get_by_text("b.npz").first.click()
    page.wait_for_timeout(500)  # as fast as a person: what comes within 50 ms is taken together
    page.get_by_text("a.npz").first.click(modifiers=["Control"])
    page.get_by_text("Experiments in this order: 0: b.npz, 1: a.npz").wait_for()
    page.get_by_role("button", name="Open", exact=True).click()
    tab.wait_for("waveforms drawn", timeout_s=90)
    with ns.Project.open(b.with_suffix(".nsort"), read_only=True) as project:
        assert project.experiments == ["b.npz", "a.npz"]
        assert len(project) == len(ns.load(a)) + len(ns.load(b))
    assert tab.errors == []


def test_a_dropped_file_is_opened(
    serve: Callable[..., Server], open_tab: Callable[..., Tab], two_files: list[Path]
) -> None:
    tab = open_tab(serve())
    page = tab.page
    page.get_by_role("button", name="Open…").first.click()
    page.locator("input[type=file]").first.set_input_files(two_files[0])
    tab.wait_for("waveforms drawn", timeout_s=90)
    tab.wait_until(lambda: f"{len(ns.load(two_files[0])):,} events" in tab.said())


def test_broken_plugins_are_listed_with_their_error(
    serve: Callable[..., Server], open_tab: Callable[..., Tab], tmp_path: Path
) -> None:
    for kind in ("cleaners", "sorters", "loaders"):
        (tmp_path / "plugins" / kind).mkdir(parents=True)
        (tmp_path / "plugins" / kind / f"bad_{kind}.py").write_text("raise RuntimeError('half <b>written</b>')\n")
    tab = open_tab(serve())
    tab.page.get_by_role("button", name="Plug-ins").click()
    tab.wait_for("3 cannot be used")
    for kind in ("cleaners", "sorters", "loaders"):
        tab.wait_for(f"bad_{kind}.py failed to load: RuntimeError: half <b>written</b>")
    tab.wait_for("autoencoder_gmm")
