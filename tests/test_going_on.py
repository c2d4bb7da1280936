"""Batches that are killed go on; batches on a cluster lose nothing; the result is that of one process, always."""

from __future__ import annotations

import importlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pandas as pd
import pytest

import neuralsorter as ns
from neuralsorter import batch
from neuralsorter.cli import main
from neuralsorter.kept import Kept
from neuralsorter.sorting.sorters import PcaGmm
from neuralsorter.testing import spikes_to_test

Capture = pytest.CaptureFixture[str]


def many_channels(n_channels: int, n_files: int, n_each: int) -> ns.Spikes:
    """Return events of two shapes on many channels of several files."""
    rng = np.random.default_rng(5)
    n = n_channels * n_files * n_each
    times = np.linspace(0, 2 * np.pi, 32)
    shapes = np.stack([-np.exp(-((times - 2) ** 2) * 8), -0.6 * np.exp(-((times - 2.4) ** 2) * 3)])
    which = rng.integers(0, 2, n)
    raw = (90 * shapes[which] + rng.normal(0, 6, (n, 32))).astype(np.float32)
    channel = np.tile(np.repeat(np.arange(1, n_channels + 1, dtype=np.int32), n_each), n_files)
    experiment = np.repeat(np.arange(n_files, dtype=np.int32), n_channels * n_each)
    return ns.Spikes(raw, rng.random(n) * 60, channel, np.ones(n, np.int32), experiment, pre_samples=10)


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("batch") / "a.npz"
    ns.save(many_channels(4, 1, 60), path)
    return path


def test_equal_work_has_an_equal_name_in_every_process(tmp_path: Path) -> None:
    kept, spikes = Kept(tmp_path), spikes_to_test(40)
    task = ("pca_gmm", spikes, 0)
    again = ("pca_gmm", spikes.take(np.arange(40)), 0)
    assert kept.key(len, task) == kept.key(len, again)
    others = [("pca_gmm", spikes, 1), ("hdbscan", spikes, 0), ("pca_gmm", spikes.take(slice(1, None)), 0)]
    assert len({kept.key(len, other) for other in (task, *others)}) == 4
    assert kept.key(len, PcaGmm(n_axes=3)) == kept.key(len, PcaGmm(n_axes=3)) != kept.key(len, PcaGmm(n_axes=4))
    table = pd.DataFrame({"a": [1.0, np.nan]})
    assert kept.key(len, table) == kept.key(len, table.copy())


def test_only_what_is_missing_is_worked_out_again(tmp_path: Path) -> None:
    folder, asked = tmp_path / "out.partial", []

    def half(value: int) -> Any:
        asked.append(value)
        if value == 3 and len(asked) <= 4:
            raise KeyboardInterrupt
        return np.array([value / 2]) if value % 2 else {"half": value / 2}

    def run() -> list[Any]:
        with batch.planned(kept_in=folder):
            return list(batch.map_channels(half, range(6)))

    with pytest.raises(KeyboardInterrupt):
        run()
    assert len(list(folder.iterdir())) == 3
    results = run()
    assert asked == [0, 1, 2, 3, 3, 4, 5]
    assert [index for index, _ in results] == list(range(6))
    assert [float(value[0]) if i % 2 else value["half"] for i, value in results] == [i / 2 for i in range(6)]
    assert not folder.exists()


def test_a_run_killed_in_the_middle_goes_on_to_the_same_result(tmp_path: Path, recording: Path) -> None:
    whole, out = tmp_path / "whole.npz", tmp_path / "out.npz"
    assert main(["run", str(recording), "-o", str(whole), "--sorter", "pca_gmm"]) == 0
    command = [sys.executable, "-m", "neuralsorter", "run", str(recording), "-o", str(out), "--sorter", "pca_gmm"]
    process = subprocess.Popen(command, start_new_session=True)
    partial = tmp_path / "out.npz.partial"
    while process.poll() is None and len(list(partial.glob("*.npy"))) < 5:  # cleaned, and some channels sorted
        time.sleep(0.01)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    assert not out.exists()
    done = {path.name for path in partial.iterdir() if path.suffix == ".npy"}
    assert len(done) >= 5
    assert main(command[3:]) == 0
    np.testing.assert_array_equal(ns.load(out).unit, ns.load(whole).unit)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out.npz", "whole.npz"]


@pytest.mark.parametrize("jobs", ["1", "2"])
def test_cleaning_does_not_depend_on_jobs(tmp_path: Path, recording: Path, jobs: str) -> None:
    arguments = ["clean", str(recording), "-o", str(tmp_path / "o.npz"), "--scores", str(tmp_path / "s.npy")]
    assert main([*arguments, "--jobs", jobs]) == 0
    np.testing.assert_array_equal(np.load(tmp_path / "s.npy"), ns.spike_probability(ns.load(recording)))


def test_as_many_jobs_as_cores_and_memory_allow() -> None:
    assert 1 <= batch.all_jobs() <= (os.cpu_count() or 1)
    assert batch.all_jobs(10**15) == 1


def test_a_scheduler_that_is_not_there_is_said_not_to_be(tmp_path: Path, recording: Path, capsys: Capture) -> None:
    out = tmp_path / "o.npz"
    assert main(["sort", str(recording), "-o", str(out), "--scheduler", "tcp://127.0.0.1:9"]) == 1
    told = capsys.readouterr().err
    assert "127.0.0.1:9" in told or "not installed" in told
    assert told.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


EXHAUSTIVE = os.environ.get("NEURALSORTER_EXHAUSTIVE") == "1"
SIZE = (96, 20, 3) if EXHAUSTIVE else (12, 5, 4)  # channels, files, events of each


@pytest.fixture(scope="module")
def benchmark() -> ModuleType:
    """Return `benchmarks/cluster.py`."""
    return importlib.import_module("benchmarks.cluster")


@pytest.fixture(scope="module")
def cluster(benchmark: ModuleType) -> Iterator[Any]:
    pytest.importorskip("distributed", reason="dask.distributed is not installed")
    with benchmark.cluster() as made:
        yield made


@pytest.mark.slow
@pytest.mark.checkout
@pytest.mark.filterwarnings("default")  # what dask says of workers that die
@pytest.mark.parametrize("command", ["clean", "sort", "run", "report"])
def test_workers_killed_at_random_change_nothing(
    tmp_path: Path, benchmark: ModuleType, cluster: Any, command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(benchmark, "PAUSE_S", (0.1, 1.0))
    source = tmp_path / "a.npz"
    ns.save(benchmark.recording(*SIZE), source)
    flags = ["--sorter", "pca_gmm"] if command in ("sort", "run") and not EXHAUSTIVE else []
    serial = benchmark.work(command, source, tmp_path / "serial", "--jobs", "1", *flags)
    with benchmark.killing(cluster, kills=3) as killed:
        address = cluster.scheduler_address
        other = benchmark.work(command, source, tmp_path / "cluster", "--scheduler", address, *flags)
    assert killed
    assert benchmark.differences(serial, other) == 0


@pytest.mark.checkout
def test_the_comparison_sees_an_event_that_is_missing_or_elsewhere(tmp_path: Path, benchmark: ModuleType) -> None:
    spikes = benchmark.recording(2, 1, 10)
    ns.save(spikes, tmp_path / "a.npz")
    for number, other in enumerate((spikes.take(slice(1, None)), spikes.with_unit(np.r_[2, spikes.unit[1:]]))):
        ns.save(other, tmp_path / f"{number}.npz")
        assert benchmark.differences(tmp_path / "a.npz", tmp_path / f"{number}.npz") == 1
