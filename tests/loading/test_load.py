from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import neuralsorter as ns
from neuralsorter.errors import Cancelled, DataError, LoadError
from neuralsorter.loading import load_with_notes
from neuralsorter.loading.conform import combine, conform


def bumps(rate: float, pre: int, n_samples: int, n: int = 10, channel: int = 1) -> ns.Spikes:
    """Return events with the same smooth shape at any rate."""
    at_ms = (np.arange(n_samples) - pre) * 1000 / rate
    shape = -80 * np.exp(-((at_ms / 0.25) ** 2) / 2)
    return ns.Spikes(
        raw=np.tile(shape, (n, 1)).astype(np.float32),
        times_s=np.arange(n) / 10,
        channel=np.full(n, channel),
        unit=np.ones(n, int),
        experiment=np.zeros(n, int),
        sampling_rate=rate,
        pre_samples=pre,
    )


def test_experiments_are_numbered_in_the_order_given(tmp_path: Path) -> None:
    for name, n in (("b", 3), ("a", 2)):
        ns.save(bumps(20_000, 20, 60, n), tmp_path / f"{name}.npz")
    spikes = ns.load(tmp_path / "b.npz", tmp_path / "a.npz")
    assert spikes.experiment.tolist() == [0, 0, 0, 1, 1]
    assert len(spikes.sources) == 2


def test_a_file_of_another_rate_is_resampled_to_the_first_and_this_is_said(tmp_path: Path) -> None:
    ns.save(bumps(20_000, 20, 60), tmp_path / "a.npz")
    ns.save(bumps(30_000, 10, 48), tmp_path / "b.npz")
    spikes, notes = load_with_notes(tmp_path / "a.npz", tmp_path / "b.npz")
    assert len(notes) == 1
    assert "b.npz: resampled from 48 samples at 30000 Hz" in notes[0]
    first, second = spikes.waveforms[0], spikes.waveforms[10]
    there = ~np.isnan(second)
    np.testing.assert_array_equal(np.flatnonzero(there), np.arange(14, 45))  # -0.3 to 1.2 ms of -1 to 2
    np.testing.assert_allclose(second[there], first[there], atol=0.1)


def test_a_shifted_window_at_the_same_rate_is_moved_without_a_change() -> None:
    moved = conform(bumps(20_000, 10, 40), 20_000, 20, 60)
    np.testing.assert_array_equal(moved.raw[:, 10:50], bumps(20_000, 10, 40).raw)
    assert np.isnan(moved.raw[:, :10]).all()
    assert np.isnan(moved.raw[:, 50:]).all()


def test_windows_without_a_sample_in_common_are_refused() -> None:
    late = replace(bumps(20_000, 0, 5), pre_samples=0)
    with pytest.raises(DataError, match="share no sample"):
        conform(late, 1_000.0, 5, 3)


def test_unsorted_events_stay_apart_from_the_sorted_ones_of_another_file() -> None:
    unsorted = replace(bumps(20_000, 20, 60, 2), labels={(1, 1): "unsorted"})
    spikes, _ = combine([unsorted, bumps(20_000, 20, 60, 2)], ["a", "b"])
    assert spikes.unit.tolist() == [2, 2, 1, 1]
    assert spikes.labels == {(1, 2): "unsorted"}
    assert (spikes.old_unit == -1).all()


def test_unsorted_events_of_two_files_share_a_unit() -> None:
    unsorted = replace(bumps(20_000, 20, 60, 2), labels={(1, 1): "unsorted"})
    spikes, _ = combine([unsorted, unsorted], ["a", "b"])
    assert spikes.unit.tolist() == [1, 1, 1, 1]
    assert spikes.labels == {(1, 1): "unsorted"}


def test_a_project_is_read_in_the_order_of_its_input(tmp_path: Path) -> None:
    mixed = replace(bumps(20_000, 20, 60, 6), channel=np.array([3, 1, 2, 3, 1, 2], np.int32))
    ns.save(mixed, tmp_path / "a.npz")
    with ns.Project.create(tmp_path / "p.nsort", [tmp_path / "a.npz"]):
        pass
    again = ns.load(tmp_path / "p.nsort")
    assert again.channel.tolist() == [3, 1, 2, 3, 1, 2]
    np.testing.assert_array_equal(again.times_s, mixed.times_s)


def test_a_file_that_is_none_of_these_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.docx").write_text("x")
    with pytest.raises(LoadError, match=r"a\.docx: has the suffix '\.docx', which no loader reads.*\.nev, .*\.npz"):
        ns.load(tmp_path / "a.docx")


def test_a_file_that_does_not_exist_is_said_to_be_missing(tmp_path: Path) -> None:
    with pytest.raises(LoadError, match="does not exist"):
        ns.load(tmp_path / "a.nev")


def test_a_folder_that_is_no_project_is_refused(tmp_path: Path) -> None:
    with pytest.raises(LoadError, match=r"[^\n]*\.$"):
        ns.load(tmp_path)


def test_flat_waveforms_and_no_events_are_remarked_on(tmp_path: Path) -> None:
    flat = replace(bumps(20_000, 20, 60, 3), raw=np.zeros((3, 60), np.float32))
    ns.save(flat, tmp_path / "flat.npz")
    ns.save(bumps(20_000, 20, 60, 0), tmp_path / "none.npz")
    assert "3 of 3 waveforms are flat" in load_with_notes(tmp_path / "flat.npz")[1][0]
    assert "holds no events" in load_with_notes(tmp_path / "none.npz")[1][0]


def test_one_event_is_read(tmp_path: Path) -> None:
    ns.save(bumps(20_000, 20, 60, 1), tmp_path / "one.npz")
    assert len(ns.load(tmp_path / "one.npz")) == 1


def test_reading_in_a_worker_can_be_stopped(tmp_path: Path) -> None:
    stop = threading.Event()
    stop.set()
    ns.save(bumps(20_000, 20, 60, 1), tmp_path / "a.pkl")
    with pytest.raises(Cancelled):
        load_with_notes(tmp_path / "a.pkl", cancel=stop)


@pytest.mark.parametrize(
    ("harm", "told"),
    [("os.abort()", "died with SIGABRT"), ("time.sleep(60)", "did not finish in 6 s and was ended")],
)
def test_a_file_that_ends_or_stalls_its_process_is_named(
    plugin_folder: Callable[[Mapping[str, str]], Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    harm: str,
    told: str,
) -> None:
    loader = "import os, time\nimport neuralsorter as ns\n\n\nclass Odd(ns.Loader):\n    suffixes = ('.odd',)\n\n"
    plugin_folder({"loaders/odd.py": f"{loader}    def load(self, path):\n        {harm}\n"})
    monkeypatch.setattr("neuralsorter.loading.apart._LEAST_S", 6.0)
    (tmp_path / "a.odd").write_bytes(b"")
    with pytest.raises(LoadError, match=rf"a\.odd: is damaged.* {told}[^\n]*\. Copy or export it again\.$"):
        ns.load(tmp_path / "a.odd")
