from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import neuralsorter as ns
from neuralsorter.cleaning import provenance
from neuralsorter.cli import main
from neuralsorter.density import View, alignment
from neuralsorter.errors import LoadError
from neuralsorter.picking import pick
from neuralsorter.provenance import made_sorter, sorter_facts
from neuralsorter.recipes import read_recipe, recipe, replay, to_text
from neuralsorter.sorting.sorters import PcaGmm

DEEP = [[-0.1, -400.0], [0.1, -400.0], [0.1, -125.0], [-0.1, -125.0]]  # the trough of the larger cell
Capture = pytest.CaptureFixture[str]


@pytest.fixture(scope="module")
def halves() -> tuple[ns.Spikes, ns.Spikes, Any]:
    """Two recordings of the same two electrodes, one after the other, and the truth of the second."""
    simulated = ns.simulate(2, duration_s=60, seed=11, n_units=2)
    first = np.flatnonzero(simulated.spikes.times_s < 30)
    second = np.flatnonzero(simulated.spikes.times_s >= 30)
    return simulated.spikes.take(first), simulated.spikes.take(second), simulated.take(second)


def lasso(project: ns.Project, channel: int, polygon: list[list[float]], **how: Any) -> tuple[Any, dict[str, Any]]:
    """Pick as the page does; return rows and what the page keeps of it."""
    rows = project.rows(channel)
    unit = project.unit[rows]
    told = {
        "polygon_ms_uv": polygon, "mode": "replace", "alignment": "crossing",
        "among": "spikes",
        "view": {"width": 700, "height": 400, "x_ms": [-1.0, 1.9], "y_uv": [-300.0, 200.0]},
    } | how  # fmt: skip
    raw, pre, per_ms = project.raw(rows), project.pre_samples, project.sampling_rate / 1000
    x0, x1 = (pre + x * per_ms for x in told["view"]["x_ms"])
    hit = pick(
        raw, polygon, sampling_rate=project.sampling_rate, pre_samples=pre, uv_per_bit=project.uv_per_bit,
        shift=None if told["alignment"] == "crossing" else alignment(raw, pre, told["alignment"]),
        among=unit > 0,
        view=View(told["view"]["width"], told["view"]["height"], (x0, x1), tuple(told["view"]["y_uv"])),
    )  # fmt: skip
    return rows[hit], {"channel": channel, "experiment": None, "lassos": [told]}


def curate(project: ns.Project) -> None:
    """Decide something of every kind."""
    everything = np.arange(len(project))
    p = ns.spike_probability(project.spikes, "cnn")
    project.clean(everything, p, 0.4, params=provenance("cnn"))
    sorter = PcaGmm(most_units=4)
    rows = np.flatnonzero(project.unit > 0)
    units = ns.sort(project.spikes.take(rows), sorter=sorter, seed=3) + 10  # numbers as a page would give them
    project.take_sort(rows, units, {(2, 11): "mua"}, params=sorter_facts(sorter, 3))
    two, one = project.channels()
    picked, told = lasso(project, one, DEEP, alignment="trough")
    project.assign(picked, 7, params=told)
    project.merge(one, sorted(unit for unit in project.counts(one) if unit > 0)[:2])
    project.set_label(one, 7, "good")
    project.note(two, -1, "look again")
    project.assign(project.rows(two, unit=11)[:4], 9)  # by hand
    project.undo()
    project.assign(project.rows(two, unit=11)[:6], 9)
    project.lock(two, 9)


@pytest.fixture(scope="module")
def made(halves: tuple[ns.Spikes, ns.Spikes, Any]) -> tuple[dict[str, Any], Any, dict[Any, str]]:
    with ns.Project.in_memory(halves[0]) as project:
        curate(project)
        return json.loads(to_text(recipe(project))), project.unit.copy(), project.labels


def test_on_the_same_events_every_unit_comes_back(halves: Any, made: Any) -> None:
    content, unit, labels = made
    with ns.Project.in_memory(halves[0]) as project:
        report = replay(project, content)
        np.testing.assert_array_equal(project.unit, unit)
        assert project.labels == labels
        assert project.notes
        assert project.locked
    assert report["same_events"]
    assert report["same_units"]
    assert {step["status"] for step in report["steps"]} == {"done"}
    assert [step["do"] for step in report["steps"]] == [
        "clean", "sort", "label", "assign", "merge", "label", "note", "assign by hand", "lock",
    ]  # fmt: skip


def test_on_another_recording_of_the_electrode_what_was_decided_is_found_again(halves: Any, made: Any) -> None:
    content, _, _ = made
    one = max(map(int, content["units"]))
    with ns.Project.in_memory(halves[1]) as project:
        report = replay(project, content)
        good = [unit for (channel, unit), text in project.labels.items() if text == "good" and channel == one]
        assert len(good) == 1
        picked, _ = lasso(project, one, DEEP, alignment="trough")
        assert len(picked) > 50
        assert (project.unit[picked] == good[0]).mean() > 0.95
    by_kind = {step["do"]: step for step in report["steps"]}
    assert not report["same_events"]
    assert by_kind["assign by hand"]["status"] == "left out"
    assert "one by one" in by_kind["assign by hand"]["why"]
    assert by_kind["lock"]["status"] == "left out"  # its unit was made by hand
    assert all(by_kind[kind]["status"] != "left out" for kind in ("clean", "sort", "assign", "label", "note"))


def test_a_label_follows_its_cell_whatever_its_number(halves: Any) -> None:
    truth = halves[2].take(np.flatnonzero((halves[2].truth_unit > 0) & (halves[2].truth_unit < 50)))
    second = truth.spikes
    with ns.Project.in_memory(second.take(slice(0, None, 2))) as project:
        rows = np.arange(len(project))
        project.sort_result(
            rows, ns.sort(project.spikes, sorter="pca_gmm", seed=0) - 1, params=sorter_facts("pca_gmm", 0)
        )
        channel = project.channels()[0]
        means = {unit: project.raw(project.rows(channel, unit=unit)).astype(float).mean(axis=0)
                 for unit in project.counts(channel)}  # fmt: skip
        chosen = max(means, key=lambda unit: np.ptp(means[unit]))
        project.set_label(channel, chosen, "good")
        content = recipe(project)
    # The second recording comes sorted already, its units in the opposite order.
    numbers = 60 - truth.truth_unit[1::2]
    with ns.Project.in_memory(second.take(slice(1, None, 2)).with_unit(numbers)) as project:
        report = replay(project, content, keep_sorting=True)
        (labelled,) = [unit for (c, unit), text in project.labels.items() if text == "good" and c == channel]
        own = project.raw(project.rows(channel, unit=labelled)).astype(float).mean(axis=0)
        assert np.corrcoef(own, means[chosen])[0, 1] > 0.98
        np.testing.assert_array_equal(np.unique(project.unit), np.unique(numbers))
    assert report["steps"][0]["status"] == "left out"


def test_only_what_stands_is_in_a_recipe(halves: Any) -> None:
    with ns.Project.in_memory(halves[0]) as project:
        channel = project.channels()[0]
        project.set_label(channel, 1, "good")
        project.merge(channel, [1, 2])
        project.assign(project.rows(channel)[:3], 4)
        project.go_to(2)
        project.note(channel, 1, "after the jump")
        project.assign(project.rows(channel, unit=1), 0)
        steps = recipe(project)["steps"]
    assert [step["do"] for step in steps] == ["label", "note", "merge"]
    assert steps[2]["units"] == [1]
    assert steps[2]["into"] == 0


def together(project: ns.Project, polygon: list[list[float]], **how: Any) -> tuple[Any, dict[str, Any]]:
    """Pick on all channels drawn together, as the page does."""
    parts = [lasso(project, channel, polygon) for channel in project.channels()]
    told = {"channels": project.channels(), "experiments": None}
    return np.sort(np.concatenate([rows for rows, _ in parts])), parts[0][1] | told | how


def test_a_lasso_over_channels_drawn_together_is_one_step_and_one_edit(halves: Any) -> None:
    with ns.Project.in_memory(halves[0]) as project:
        rows, told = together(project, [[-0.1, -400.0], [0.1, -400.0], [0.1, -40.0], [-0.1, -40.0]])
        project.assign(rows, 4, params=told)
        unit, content = project.unit.copy(), json.loads(to_text(recipe(project)))
        one, two = project.channels()
        assert min(project.counts(one)[4], project.counts(two)[4]) > 4
    assert [(step["do"], step["channels"]) for step in content["steps"]] == [("assign", [one, two])]
    with ns.Project.in_memory(halves[0]) as project:
        assert replay(project, content)["same_units"]
        np.testing.assert_array_equal(project.unit, unit)
        assert project.n_edits == 1
        assert recipe(project)["steps"][0]["lassos"] == content["steps"][0]["lassos"]  # of a recipe's own project too


def test_of_channels_drawn_together_those_that_are_here_are_taken_and_the_others_said(halves: Any) -> None:
    with ns.Project.in_memory(halves[0]) as project:
        one, two = project.channels()
        project.assign(project.rows(one)[::2], 3)
        rows, told = together(project, DEEP, experiments=[0, 1])
        told["lassos"] = [told["lassos"][0] | {"among": [1, 3]}]
        project.assign(rows, 4, params=told)
        content = recipe(project)
    assert content["steps"][1]["lassos"][0]["among"] == {str(one): [1, 3], str(two): [1]}
    alone = halves[1].take(np.flatnonzero(halves[1].channel == two))
    with ns.Project.in_memory(alone) as project:
        by_hand, lassoed = replay(project, content)["steps"]
        picked, _ = lasso(project, two, DEEP)
        np.testing.assert_array_equal(np.flatnonzero(project.unit == 4), picked)
    assert by_hand["status"] == "left out"
    assert lassoed["status"] == "partly"
    assert lassoed["why"] == f"there is no channel {one} here; there is no experiment 1 of channel {two} here"
    with ns.Project.in_memory(alone) as project:
        nowhere = content | {"steps": [content["steps"][1] | {"channels": [77, 78]}]}
        (outcome,) = replay(project, nowhere)["steps"]
    assert outcome["status"] == "left out"
    assert outcome["why"] == "there is no channel 77 here; there is no channel 78 here"


def test_a_sorter_is_made_again_with_its_parameters() -> None:
    facts = sorter_facts(PcaGmm(most_units=3, n_axes=4), 8)
    assert facts == {"sorter": "pca_gmm", "parameters": {"learn_from": 5000, "most_units": 3, "n_axes": 4}, "seed": 8}
    again = made_sorter(json.loads(json.dumps(facts)))
    assert isinstance(again, PcaGmm)
    assert again.most_units == 3


def test_a_network_that_is_not_the_recipes_own_is_not_used(halves: Any, made: Any) -> None:
    content = made[0] | {"steps": [made[0]["steps"][0] | {"sha256": "0" * 64}]}
    with ns.Project.in_memory(halves[0]) as project:
        report = replay(project, content)
        assert project.n_edits == 0
    assert "not the one" in report["steps"][0]["why"]


def test_the_command_line_writes_and_replays_a_recipe(tmp_path: Path, halves: Any, capsys: Capture) -> None:
    ns.save(halves[0], tmp_path / "a.npz")
    with ns.Project.create(tmp_path / "p.nsort", [tmp_path / "a.npz"]) as project:
        channel = project.channels()[0]
        picked, told = lasso(project, channel, [[0.1, -30], [0.6, -30]])
        project.assign(picked, 2, params=told)
        project.set_label(channel, 2, "good")
        unit = project.exported().unit
    assert main(["recipe", str(tmp_path / "p.nsort"), "-o", str(tmp_path / "r.json")]) == 0
    text = (tmp_path / "r.json").read_text()
    assert '"polygon_ms_uv": [[0.1, -30], [0.6, -30]]' in text
    assert main(["replay", str(tmp_path / "r.json"), str(tmp_path / "a.npz"), "-o", str(tmp_path / "b.npz")]) == 0
    assert "their units are equal" in capsys.readouterr().out
    np.testing.assert_array_equal(ns.load(tmp_path / "b.npz").unit, unit)
    out = tmp_path / "q.nsort"
    assert main(["replay", str(tmp_path / "r.json"), str(tmp_path / "a.npz"), "-o", str(out), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["same_units"]
    with ns.Project.open(out) as project:
        assert [action.kind for action in project.history()] == ["import", "assign", "label"]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("{", "is not JSON"), ("[]", "is no recipe"), ('{"format": "neuralsorter-recipe", "version": 2}', "version 2"),
        ('{"format": "neuralsorter-recipe", "version": 1}', "lacks events"),
    ],
)  # fmt: skip
def test_what_is_no_recipe_is_said_to_be_none(tmp_path: Path, text: str, told: str) -> None:
    (tmp_path / "r.json").write_text(text)
    with pytest.raises(LoadError, match=told):
        read_recipe(tmp_path / "r.json")
    with pytest.raises(LoadError, match="cannot be read"):
        read_recipe(tmp_path / "none.json")
