"""The choice of cleaners, and learning from curation: refused in a sentence, scored, adopted, saved."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import neuralsorter as ns
from neuralsorter import plugins, settings
from neuralsorter.errors import SaveError
from neuralsorter.training import TrainingResult

BROKEN = "raise ValueError('not today')\n"
WHOLE = """
import numpy as np
from neuralsorter.plugins import Cleaner

class Half(Cleaner):
    '''Half of everything.'''

    def spike_probability(self, waveforms, sampling_rate, pre_samples):
        return np.full(len(waveforms), 0.25)
"""


@pytest.fixture
def app(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    from dashboard.app import App

    monkeypatch.setenv("NEURALSORTER_SETTINGS", str(tmp_path / "settings.toml"))
    monkeypatch.setenv("NEURALSORTER_PLUGINS", str(tmp_path / "plugins"))
    settings.reload()
    folder = tmp_path / "plugins" / "cleaners"
    folder.mkdir(parents=True)
    (folder / "broken.py").write_text(BROKEN)
    (folder / "half.py").write_text(WHOLE)
    models = tmp_path / "plugins" / "models"
    models.mkdir()
    (models / "torn.keras").write_bytes(b"nothing of the kind")
    spikes = ns.simulate(2, 20.0, seed=3).spikes
    app = App([tmp_path])
    app.workspace.show(ns.Project.create(tmp_path / "a.nsort", spikes=spikes))
    app.cleaning.active = True
    app.cleaning.tabs.active = 3
    yield app
    app.close()
    settings.reload()


def _until(call: Callable[[], bool]) -> None:
    for _ in range(1500):
        if call():
            return
        time.sleep(0.02)
    raise AssertionError("it did not happen")


def test_broken_cleaners_and_networks_are_listed_with_their_error_beside_the_choice(app: Any) -> None:
    part = app.cleaning.networks
    _until(lambda: "cnn" in part.choice.options and part.broken.visible)
    assert "Half" in part.choice.options
    assert "not today" in part.broken.object
    assert "torn.keras" in part.broken.object
    part.choice.value = "Half"
    assert app.workspace.cleaner == "Half"
    app.act("clean")
    _until(lambda: app.workspace.probability is not None)
    assert (app.workspace.probability == 0.25).all()
    _until(lambda: app.workspace.project.n_edits > 0)
    assert app.workspace.project.edit.params["cleaner"] == "Half"
    part.choice.value = "cnn"
    assert app.workspace.probability is None


def test_the_order_of_an_old_networks_outputs_is_stated_beside_the_choice(app: Any) -> None:
    part = app.cleaning.networks
    _until(lambda: "cnn" in part.choice.options)
    part.choice.options = [*part.choice.options, "old.h5"]
    assert not part.order.visible
    part.choice.value = "old.h5"
    assert part.order.visible
    assert app.workspace.cleaner == "old.h5"
    part.order.value = ":0"
    assert app.workspace.cleaner == "old.h5:0"
    app.workspace.cleaner = ""  # as in another project
    part.refresh()
    assert (part.choice.value, app.workspace.cleaner) == ("cnn", "")
    app.workspace.cleaner = "old.h5:0"
    part.refresh()
    assert (part.choice.value, part.order.value, app.workspace.cleaner) == ("old.h5", ":0", "old.h5:0")


def test_one_sided_labels_are_refused_in_a_sentence(app: Any) -> None:
    app.cleaning.networks.learn.clicks += 1
    assert "Training needs at least" in app.workspace.says
    assert "0 noise events" in app.workspace.says
    assert not app.workspace.jobs.running


def _learned(path: Path) -> TrainingResult:
    path.write_bytes(b"weights")
    picture = path.with_suffix(".png")
    from neuralsorter.training import draw_curves

    draw_curves({"loss": [1.0], "held_out_loss": [1.0]}, picture)
    mine = {"auc": 0.99, "sensitivity": 0.98, "specificity": 0.9, "calibration_error": 0.01, "n": 10.0}
    theirs = mine | {"auc": 0.97}
    return TrainingResult(str(path), str(picture), "1 of 2 channels.", 30, 10, mine, theirs,
                          [{"channel": 2, **mine}], {"loss": [], "held_out_loss": []}, 2.0)  # fmt: skip


def test_held_out_scores_stand_beside_the_shipped_networks_and_the_project_adopts_it(app: Any, tmp_path: Path) -> None:
    part = app.cleaning.networks
    part._show(_learned(tmp_path / "new.keras"))
    assert "| AUC | 0.990 | 0.970 |" in part.scores.object
    assert "Weakest: channel 2" in part.scores.object
    part._adopt()
    place = tmp_path / "a.nsort" / "models" / "learned-1.keras"
    assert place.read_bytes() == b"weights"
    assert app.workspace.cleaner == str(place)
    assert settings.settings(tmp_path / "a.nsort").cleaner == str(place)
    assert settings.settings().cleaner == "cnn"
    moved = (tmp_path / "a.nsort").rename(tmp_path / "b.nsort")
    assert settings.settings(moved).cleaner == str(moved / "models" / "learned-1.keras")


def test_a_learned_network_is_saved_under_a_name_once(app: Any, tmp_path: Path) -> None:
    part = app.cleaning.networks
    part._show(_learned(tmp_path / "new.keras"))
    part.title.value = "ours"
    part._save()
    assert (plugins.user_folder() / "models" / "ours.keras").read_bytes() == b"weights"
    assert "ours.keras" in part.choice.options
    with pytest.raises(SaveError, match="already"):
        part._save()
    part.title.value = "../elsewhere"
    with pytest.raises(SaveError, match="cannot be the name"):
        part._save()


@pytest.mark.slow
def test_learning_from_curation_runs_in_the_background_and_shows_scores(app: Any) -> None:
    project = app.workspace.project
    noise = np.flatnonzero(np.arange(len(project)) % 3 == 0)
    project.assign(noise, 0)
    part = app.cleaning.networks
    part._learn()
    assert app.workspace.jobs.running
    end = time.monotonic() + 280
    while part._result is None and app.workspace.jobs.running and time.monotonic() < end:
        time.sleep(0.5)
    _until(lambda: part._result is not None)
    assert part._learned.visible
    assert "held-out" in part.scores.object
