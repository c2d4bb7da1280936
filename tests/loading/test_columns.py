"""Tables and MATLAB files with names of their own."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import neuralsorter as ns
from neuralsorter.cli import main
from neuralsorter.errors import DataError, LoadError
from neuralsorter.loading import columns
from neuralsorter.loading.columns import Assignment, assigned, guess

N, WIDTH = 50, 32


@pytest.fixture
def held() -> dict[str, np.ndarray[Any, Any]]:
    rng = np.random.default_rng(0)
    return {
        "peak t (ms)": np.sort(rng.uniform(0, 9_000, N)),
        "probe": rng.integers(3, 6, N),
        "clu": rng.integers(0, 3, N),
        "amplitude": rng.normal(0, 1, N),
        "w": rng.normal(0, 50, (N, WIDTH)),
    }


def in_columns(held: dict[str, Any]) -> dict[str, Any]:
    flat = {name: value for name, value in held.items() if value.ndim == 1}
    # columns out of order: their numbers decide
    return flat | {f"v{i}": held["w"][:, i] for i in reversed(range(WIDTH))}


def test_names_and_contents_tell_what_columns_are(held: dict[str, Any]) -> None:
    told = guess(in_columns(held))
    assert told.fields == {"Waveforms": "v*", "ChannelID": "probe", "UnitID": "clu", "TimeStamps": "peak t (ms)"}
    assert told.seconds_per_unit == 1e-3
    assert guess(held).fields["Waveforms"] == "w"


def test_events_are_read_by_an_assignment(held: dict[str, Any]) -> None:
    told = Assignment(guess(in_columns(held)).fields, 30_000.0, 8, uv_per_unit=2.0, seconds_per_unit=1e-3)
    spikes = assigned(in_columns(held), told, "a.csv")
    np.testing.assert_allclose(spikes.waveforms, held["w"] * 2, rtol=1e-6)
    np.testing.assert_allclose(spikes.times_s, held["peak t (ms)"] / 1000)
    np.testing.assert_array_equal(spikes.channel, held["probe"])
    sorted_ = held["clu"] > 0
    np.testing.assert_array_equal(spikes.unit[sorted_], held["clu"][sorted_])
    assert set(spikes.labels.values()) == {"unsorted"}
    assert (spikes.sampling_rate, spikes.pre_samples) == (30_000.0, 8)


def test_a_matrix_with_a_row_per_sample_is_turned(held: dict[str, Any]) -> None:
    turned = held | {"w": held["w"].T}
    told = guess(turned)
    assert told.fields["ChannelID"] == "probe"
    np.testing.assert_allclose(assigned(turned, told, "a.mat").waveforms, held["w"], rtol=1e-6)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"ChannelID": "probe"}, "No column is assigned to Waveforms"),
        ({"Waveforms": "x*"}, r"There are no columns x\* for Waveforms"),
        ({"Waveforms": "v*", "UnitID": "nothing"}, "There is no column 'nothing' for UnitID"),
        ({"Waveforms": "v*", "Unit": "clu"}, "Columns can be Waveforms, ChannelID"),
        ({"Waveforms": "v*", "ChannelID": "amplitude"}, "ChannelID must hold one whole number"),
    ],
)
def test_an_assignment_that_does_not_fit_is_refused(held: dict[str, Any], fields: dict[str, str], said: str) -> None:
    with pytest.raises(DataError, match=said):
        assigned(in_columns(held), Assignment(fields), "a.csv")


def test_the_command_lists_columns_and_converts_by_them(
    tmp_path: Path, held: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "a.csv"
    pd.DataFrame(in_columns(held)).to_csv(file, index=False)
    with pytest.raises(LoadError, match="info FILE --columns"):
        ns.load(file)
    assert main(["info", str(file), "--columns", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["guess"]["ChannelID"] == "probe"
    assert {"column": "clu", "shape": "50", "kind": "whole numbers"}.items() <= told["columns"][2].items()
    pairs = ",".join(f"{ours}={theirs}" for ours, theirs in told["guess"].items())
    assert main(["convert", str(file), str(tmp_path / "a.npz"), "--columns", pairs, "--rate", "24000"]) == 0
    spikes = ns.load(tmp_path / "a.npz")
    assert (len(spikes), spikes.sampling_rate) == (N, 24_000.0)
    np.testing.assert_allclose(spikes.times_s, held["peak t (ms)"] / 1000)


@pytest.mark.parametrize("suffix", [".parquet", ".mat"])
def test_matrices_in_parquet_and_matlab_are_seen(tmp_path: Path, held: dict[str, Any], suffix: str) -> None:
    from scipy.io import savemat

    if suffix == ".mat":
        savemat(tmp_path / "a.mat", {"snips": held["w"], "elec": held["probe"], "fs": 24_414.0})
    else:
        table = pd.DataFrame({"snips": list(held["w"]), "elec": held["probe"]})
        table.to_parquet(tmp_path / "a.parquet")
    told, listed = columns.proposed(str(tmp_path / f"a{suffix}"))
    assert told["fields"] == {"Waveforms": "snips", "ChannelID": "elec"}
    assert told["sampling_rate"] == (24_414.0 if suffix == ".mat" else 20_000.0)
    assert "50 x 32" in listed["shape"].tolist()
    assert len(columns.read(str(tmp_path / f"a{suffix}"), told)) == N
