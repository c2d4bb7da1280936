from __future__ import annotations

import csv
import errno
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import neuralsorter as ns
from neuralsorter.errors import SaveError
from neuralsorter.saving import save_with_notes, written_whole

SharedData = Callable[[str], Path]


def recording(n: int = 40) -> ns.Spikes:
    rng = np.random.default_rng(0)
    return ns.Spikes(
        raw=rng.integers(-400, 400, (n, 48)).astype(np.int16),
        times_s=np.sort(rng.integers(0, 600_000, n)) / 30_000,
        channel=rng.integers(1, 5, n, np.int32),
        unit=rng.integers(0, 4, n, np.int32),
        experiment=np.zeros(n, np.int32),
        sampling_rate=30_000.0,
        pre_samples=10,
        uv_per_bit=0.25,
        old_unit=rng.integers(-1, 3, n, np.int32),
        labels={(1, 1): "good", (2, 3): "mua"},
        channels=pd.DataFrame({"id": [1, 2, 3, 4], "x_um": 0.0, "y_um": np.nan, "threshold_uv": -30.0}),
        triggers=pd.DataFrame({"time_s": [0.5, 1.5], "code": [3, 700]}),
    )


def assert_same(a: ns.Spikes, b: ns.Spikes, *columns: str) -> None:
    np.testing.assert_array_equal(a.waveforms, b.waveforms)
    for column in ("times_s", "channel", "unit", "experiment", *columns):
        np.testing.assert_array_equal(getattr(a, column), getattr(b, column), err_msg=column)
    assert (a.sampling_rate, a.pre_samples) == (b.sampling_rate, b.pre_samples)


def test_npz_holds_everything(tmp_path: Path) -> None:
    spikes = replace(recording(), segment=np.r_[np.zeros(20, np.int32), np.ones(20, np.int32)], sources=("/x/a.nev",))
    assert save_with_notes(spikes, tmp_path / "a.npz") == []
    again = ns.load(tmp_path / "a.npz")
    assert_same(again, spikes, "old_unit", "segment")
    assert again.labels == spikes.labels
    assert again.sources == spikes.sources
    pd.testing.assert_frame_equal(again.channels, spikes.channels)
    pd.testing.assert_frame_equal(again.triggers, spikes.triggers)


@pytest.mark.parametrize("suffix", [".pkl", ".npy"])
def test_a_spike_dict_holds_the_six_lists_and_says_what_it_does_not(tmp_path: Path, suffix: str) -> None:
    notes = save_with_notes(recording(), tmp_path / f"a{suffix}")
    assert any("unit labels" in note for note in notes)
    assert_same(ns.load(tmp_path / f"a{suffix}"), recording(), "old_unit")


def test_csv_has_a_line_per_event(tmp_path: Path) -> None:
    spikes = recording()
    ns.save(spikes, tmp_path / "a.csv")
    with (tmp_path / "a.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [int(row["UnitID"]) for row in rows] == spikes.unit.tolist()
    assert [float(row["TimeStamps"]) for row in rows] == spikes.times_s.tolist()
    assert [np.float32(row["uv_47"]) for row in rows] == spikes.waveforms[:, 47].tolist()


def test_a_new_nev_holds_codes_times_samples_thresholds_and_triggers(tmp_path: Path) -> None:
    spikes = replace(recording(), labels={(1, 2): "unsorted"})
    notes = save_with_notes(spikes, tmp_path / "a.nev")
    assert [note.split(";")[0] for note in notes] == [
        "NEV does not hold electrode positions",
        "NEV does not hold the unit an event had before its last change",
    ]
    again = ns.load(tmp_path / "a.nev")
    np.testing.assert_array_equal(again.raw, spikes.raw)
    np.testing.assert_array_equal(again.times_s, spikes.times_s)
    np.testing.assert_array_equal(again.channel, spikes.channel)
    unsorted = (spikes.channel == 1) & (spikes.unit == 2)
    np.testing.assert_array_equal(again.unit[~unsorted], spikes.unit[~unsorted])
    (label,) = again.labels
    np.testing.assert_array_equal((again.channel == label[0]) & (again.unit == label[1]), unsorted)
    assert again.channels["threshold_uv"].tolist() == [-30.0] * 4
    assert again.triggers[["time_s", "code"]].to_numpy().tolist() == [[0.5, 3], [1.5, 700]]


def test_nev_from_floats_is_right_to_its_resolution(tmp_path: Path) -> None:
    floats = replace(recording(), raw=(recording().waveforms * 1.01).astype(np.float32), uv_per_bit=1.0)
    ns.save(floats, tmp_path / "a.nev")
    np.testing.assert_allclose(ns.load(tmp_path / "a.nev").waveforms, floats.waveforms, atol=0.002)


def test_the_packets_of_a_real_recording_are_carried_over(tmp_path: Path, shared_data: SharedData) -> None:
    source = shared_data("vendor/utah96_Recording4.nev")
    spikes = ns.load(source)
    ns.save(spikes, tmp_path / "same.nev")
    assert (tmp_path / "same.nev").read_bytes() == source.read_bytes()
    unit = np.where(np.arange(len(spikes)) % 3 == 0, 0, spikes.unit)
    ns.save(spikes.with_unit(unit), tmp_path / "cleaned.nev")
    again = ns.load(tmp_path / "cleaned.nev")
    np.testing.assert_array_equal(again.unit, unit)
    np.testing.assert_array_equal(again.segment, spikes.segment)
    changed = np.frombuffer(source.read_bytes(), np.uint8) != np.frombuffer(
        (tmp_path / "cleaned.nev").read_bytes(), np.uint8
    )
    assert changed.sum() == (unit == 0).sum()  # one byte per event of noise, nothing else


def test_a_nev_written_by_us_is_read_by_neo(tmp_path: Path) -> None:
    neo = pytest.importorskip("neo.rawio")
    spikes = recording()
    ns.save(spikes, tmp_path / "a.nev")
    reader = neo.BlackrockRawIO(filename=str(tmp_path / "a"))
    reader.parse_header()
    found = sum(reader.spike_count(spike_channel_index=i) for i in range(reader.spike_channels_count()))
    assert found == len(spikes)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"unit": np.full(40, 300)}, "NEV holds units 1 to 254, channel . has unit 300"),
        ({"channel": np.full(40, 5_000)}, "electrodes 1 to 2048"),
        ({"raw": np.zeros((40, 4, 48), np.int16)}, "one electrode"),
        ({"times_s": np.full(40, -1.0)}, "times from 0"),
    ],
)
def test_what_nev_cannot_hold_is_refused(tmp_path: Path, change: dict[str, Any], told: str) -> None:
    with pytest.raises(SaveError, match=rf"a\.nev: .*{told}"):
        ns.save(replace(recording(), **change), tmp_path / "a.nev")
    assert list(tmp_path.iterdir()) == []


def test_what_nev_loses_is_said(tmp_path: Path) -> None:
    spikes = replace(recording(), unit=np.full(40, 20), experiment=np.repeat(np.array([0, 1], np.int32), 20))
    notes = " ".join(save_with_notes(spikes, tmp_path / "a.nev"))
    assert "Units above 16" in notes
    assert "unit labels" in notes
    assert "one recording" in notes


@pytest.mark.parametrize("suffix", [".npz", ".pkl", ".npy", ".csv", ".nev"])
@pytest.mark.parametrize("n", [0, 1])
def test_none_and_one_event_can_be_written(tmp_path: Path, suffix: str, n: int) -> None:
    ns.save(recording(1).take(np.arange(n)), tmp_path / f"a{suffix}")
    if suffix != ".csv":
        assert len(ns.load(tmp_path / f"a{suffix}")) == n


def test_a_source_is_never_written_over(tmp_path: Path) -> None:
    ns.save(recording(), tmp_path / "a.npz")
    before = (tmp_path / "a.npz").read_bytes()
    spikes = replace(ns.load(tmp_path / "a.npz"), sources=(str(tmp_path / "a.npz"),))
    with pytest.raises(SaveError, match="the file these events came from"):
        ns.save(spikes, tmp_path / "a.npz")
    assert (tmp_path / "a.npz").read_bytes() == before


def test_an_unknown_suffix_and_a_missing_folder_are_refused(tmp_path: Path) -> None:
    with pytest.raises(SaveError, match=r"'\.xyz', which cannot be written\. Choose from \.npz, "):
        ns.save(recording(), tmp_path / "a.xyz")
    with pytest.raises(SaveError, match="a folder that does not exist"):
        ns.save(recording(), tmp_path / "no" / "a.npz")


def test_a_full_disk_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    path.write_bytes(b"old")

    def fill() -> None:
        with written_whole(path) as file:
            file.write(b"new")
            raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(SaveError, match="nothing was changed"):
        fill()
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]
