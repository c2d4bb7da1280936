from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import neuralsorter as ns
from neuralsorter.errors import LoadError


def arrays(n: int = 5) -> dict[str, Any]:
    return {
        "ExperimentID": np.zeros(n, int),
        "ChannelID": np.arange(n),
        "UnitID": np.ones(n, int),
        "TimeStamps": np.arange(n) / 10,
        "Waveforms": np.random.default_rng(0).normal(0, 20, (n, 60)),
    }


def save(path: Path, content: dict[str, Any], *, allow_pickle: bool = False) -> Path:
    np.savez_compressed(path, allow_pickle=allow_pickle, **content)
    return path


def test_missing_arrays_have_the_values_agreed_on(tmp_path: Path) -> None:
    content = {name: arrays()[name] for name in ("ChannelID", "Waveforms")}
    spikes = ns.load(save(tmp_path / "a.npz", content))
    assert (spikes.unit == 1).all()
    assert (spikes.experiment == 0).all()
    assert np.isnan(spikes.times_s).all()
    assert (spikes.old_unit == -1).all()
    assert (spikes.sampling_rate, spikes.pre_samples) == (20_000.0, 20)


def test_everything_that_may_be_there_is_read(tmp_path: Path) -> None:
    more = {
        "OldID": np.array([-1, 1, -1, 2, -1]),
        "Segment": np.array([0, 0, 1, 1, 1]),
        "SamplingRate": 30_000.0,
        "PreSamples": 10,
        "UnitLabels": json.dumps({"3": {"1": "good", "0": "noise"}}),
    }
    spikes = ns.load(save(tmp_path / "a.npz", arrays() | more))
    assert spikes.old_unit.tolist() == [-1, 1, -1, 2, -1]
    assert spikes.segment.tolist() == [0, 0, 1, 1, 1]
    assert (spikes.sampling_rate, spikes.pre_samples) == (30_000.0, 10)
    assert spikes.labels == {(3, 1): "good", (3, 0): "noise"}


def test_labels_may_have_channel_and_unit_in_one_key(tmp_path: Path) -> None:
    labels = json.dumps({"3,1": "good", "4:2": "mua"})
    assert ns.load(save(tmp_path / "a.npz", arrays() | {"UnitLabels": labels})).labels == {
        (3, 1): "good",
        (4, 2): "mua",
    }


def test_noise_of_the_2020_program_is_read_as_0(tmp_path: Path) -> None:
    spikes = ns.load(save(tmp_path / "a.npz", arrays() | {"UnitID": np.array([-1, 0, 1, 2, 3])}))
    assert spikes.unit.tolist() == [0, 0, 1, 2, 3]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"Waveforms": None}, "lacks the arrays Waveforms"),
        ({"ChannelID": None}, "lacks the arrays ChannelID"),
        ({"UnitID": np.ones(4, int)}, "equally long.*UnitID 4"),
        ({"Waveforms": np.full((5, 60), np.nan)}, "Row 0 is all NaN"),
        ({"Waveforms": np.zeros(5)}, r"shape \(5,\)"),
        ({"Waveforms": np.zeros((5, 0))}, r"shape \(5, 0\)"),
        ({"Waveforms": np.full((5, 60), "a")}, "must hold numbers"),
        ({"TimeStamps": np.array(["a"] * 5)}, "TimeStamps"),
        ({"SamplingRate": 0.0}, "sampling_rate must be a positive"),
        ({"SamplingRate": np.nan}, "one number in SamplingRate"),
        ({"PreSamples": 60}, "pre_samples must lie in the waveform"),
        ({"UnitLabels": "{"}, "JSON string in UnitLabels"),
        ({"UnitLabels": "[1]"}, "UnitLabels"),
        ({"Segment": np.zeros(3)}, "segment"),
    ],
)
def test_arrays_that_break_a_rule_are_named(tmp_path: Path, change: dict[str, Any], told: str) -> None:
    content = {name: value for name, value in (arrays() | change).items() if value is not None}
    with pytest.raises(LoadError, match=rf"bad\.npz: .*{told}"):
        ns.load(save(tmp_path / "bad.npz", content))


def test_python_objects_are_never_unpickled(tmp_path: Path) -> None:
    class Attack:
        def __reduce__(self) -> tuple[Any, ...]:
            return Path.touch, (tmp_path / "executed",)

    content = arrays() | {"OldID": np.array([Attack()] * 5, object)}
    path = save(tmp_path / "attack.npz", content, allow_pickle=True)  # writes the attack; reading it must refuse
    with pytest.raises(LoadError, match="Python objects in OldID"):
        ns.load(path)
    assert not (tmp_path / "executed").exists()


def test_a_header_that_declares_more_than_is_there_is_refused(tmp_path: Path) -> None:
    good, bad = save(tmp_path / "good.npz", arrays()), tmp_path / "bad.npz"
    with zipfile.ZipFile(good) as source, zipfile.ZipFile(bad, "w") as target:
        for name in source.namelist():
            target.writestr(name, source.read(name).replace(b"(5, 60)", b"(9**9,)"[:7]))
    with pytest.raises(LoadError, match=r"bad\.npz: "):
        ns.load(bad)
    with zipfile.ZipFile(good) as source, zipfile.ZipFile(bad, "w") as target:
        for name in source.namelist():
            target.writestr(name, source.read(name).replace(b"(5, 60)", b"(9, 60)"))
    with pytest.raises(LoadError, match="declares 4320 bytes of Waveforms, but 2400 are there"):
        ns.load(bad)


def test_a_file_made_to_fill_the_memory_is_refused(tmp_path: Path) -> None:
    path = save(tmp_path / "bomb.npz", arrays() | {"Waveforms": np.zeros((400_000, 60), np.float32)})
    assert path.stat().st_size < 200_000
    with pytest.raises(LoadError, match="made to fill the memory"):
        ns.load(path)


def test_a_file_cut_in_half_is_refused(tmp_path: Path) -> None:
    path = save(tmp_path / "cut.npz", arrays())
    path.write_bytes(path.read_bytes()[:1_000])
    with pytest.raises(LoadError, match="not a whole"):
        ns.load(path)


def test_no_mutated_file_does_more_than_raise_a_load_error(tmp_path: Path) -> None:
    path = save(tmp_path / "a.npz", arrays())
    good = bytearray(path.read_bytes())
    rng = np.random.default_rng(0)
    refused = 0
    for _ in range(300):
        bad = good.copy()
        for at in rng.integers(0, len(bad), rng.integers(1, 5)):
            bad[at] = rng.integers(256)
        path.write_bytes(bad)
        try:
            ns.load(path)
        except LoadError:
            refused += 1
    assert refused > 100
