"""The rules of `benchmarks/sorting.py`: how sortings are scored, and how sorters are compared."""

from __future__ import annotations

import importlib
from dataclasses import replace
from types import ModuleType

import numpy as np
import pytest


@pytest.fixture(scope="module")
def rule() -> ModuleType:
    return importlib.import_module("benchmarks.sorting_rule")


def rows(rule: ModuleType, **ari: list[float]) -> list[object]:
    """One block of two channels, then files; the ARI of each sorter on each."""
    places = [("simulated 0..", "simulated 1/1"), ("simulated 0..", "simulated 1/2"), ("a", "a"), ("b", "b")]
    names = {"ours": rule.OURS, "oracle": rule.ORACLE}
    return [
        rule.Row(*place, names.get(sorter, sorter), {"ARI": value, "accuracy": value})
        for sorter, values in ari.items()
        for place, value in zip(places, values, strict=False)
    ]


def test_a_block_of_channels_counts_as_one_set(rule: ModuleType) -> None:
    found = rule.verdict(rows(rule, ours=[1.0, 0.8, 0.6, 0.0], peer=[0.5, 0.5, 0.5, 0.5]))
    assert found[1].split() == ["simulated", "0..", "0.9000", "0.5000"]
    assert found[4].split() == ["mean", "over", "sets", "0.5000", "0.5000"]


def test_ours_must_be_first_and_nowhere_far_behind_the_best_peer(rule: ModuleType) -> None:
    near = rule.verdict(rows(rule, ours=[0.9, 0.9, 0.8, 0.7], peer=[0.9, 0.9, 0.81, 0.5], oracle=[1.0, 1.0, 1.0, 1.0]))
    assert "first on the mean over sets: met" in near
    assert "on no set more than 0.02 below the best: met" in near
    far = rule.verdict(rows(rule, ours=[0.9, 0.9, 0.8, 0.5], peer=[0.9, 0.9, 0.83, 0.9], oracle=[0.0, 0.0, 0.0, 0.0]))
    assert "first on the mean over sets: missed" in far
    assert "on no set more than 0.02 below the best: missed" in far
    assert [line.split(":")[0].strip() for line in far if "ahead" in line and "channels" not in line] == ["b", "a"]


def test_a_channel_where_a_peer_is_ahead_is_named_though_its_block_is_not(rule: ModuleType) -> None:
    found = rule.verdict(rows(rule, ours=[1.0, 0.7, 0.9, 0.9], peer=[0.8, 0.8, 0.9, 0.9]))
    assert "on no set more than 0.02 below the best: met" in found
    assert "    simulated 1/2: NeuralSorter 0.7000, peer 0.8000, 0.100 ahead" in found


def test_a_channel_of_one_unit_has_no_part_in_the_mean(rule: ModuleType) -> None:
    found = rule.verdict(rows(rule, ours=[float("nan"), 0.8, 0.6, 0.6], peer=[float("nan"), 0.5, 0.5, 0.5]))
    assert found[1].split()[2:] == ["0.8000", "0.5000"]


def test_a_unit_cut_in_two_is_a_hit_and_a_spurious_cluster(rule: ModuleType) -> None:
    truth = np.repeat([1, 2, 100, -1], [100, 100, 60, 10])
    labels = np.repeat([0, 1, 2, 3, 9], [70, 30, 100, 60, 10])
    found = rule.score(truth, labels, truth >= 0)
    assert {key: found[key] for key in ("K", "units", "hits", "spurious")} == {
        "K": 4, "units": 2, "hits": 1.0, "spurious": 1,
    }  # fmt: skip
    assert found["accuracy"] == pytest.approx(0.85)
    assert found["F1"] == pytest.approx((2 * 70 / 170 + 1) / 2)


def test_the_oracle_learns_the_truth_of_other_events_only() -> None:
    """Were it told the truth of the very events it labels, it would be right about pure noise as well."""
    peers, sets = (importlib.import_module(f"benchmarks.sorting_{name}") for name in ("peers", "data"))
    rng = np.random.default_rng(0)
    truth = rng.integers(1, 3, 600)
    truth[:30] = -1
    waves = rng.normal(size=(600, 64)).astype(np.float32)
    noise = sets.Set("n", "n", waves, np.arange(600.0), truth, truth >= 0, 20_000.0, 20)
    labels = peers.told_the_truth(noise, 0)
    assert (labels[:30] == -1).all()
    assert abs(np.mean(labels[30:] == truth[30:]) - 0.5) < 0.08
    shape = -10 * np.exp(-0.5 * ((np.arange(64) - 20) / 3.0) ** 2)
    labels = peers.told_the_truth(replace(noise, waveforms=waves + truth[:, None] * shape), 0)
    assert np.mean(labels[30:] == truth[30:]) > 0.99
