from __future__ import annotations

import contextlib
import stat
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from neuralsorter import store
from neuralsorter.errors import ProjectError
from neuralsorter.spikes import Spikes


def spikes(shape: tuple[int, ...] = (8,), n: int = 500, dtype: type = np.int16) -> Spikes:
    rng = np.random.default_rng(1)
    return Spikes(
        raw=rng.integers(-999, 999, (n, *shape)).astype(dtype),
        times_s=rng.random(n),
        channel=rng.choice([3, 4, 90], n).astype(np.int32),
        unit=rng.integers(0, 4, n).astype(np.int32),
        experiment=np.zeros(n, np.int32),
        segment=rng.integers(0, 2, n).astype(np.int32),
        old_unit=rng.integers(-1, 3, n).astype(np.int32),
        uv_per_bit=0.25,
        sampling_rate=30_000.0,
        pre_samples=3,
        labels={(3, 1): "good", (90, 2): "what a unit"},
        channels=pd.DataFrame({"id": [3, 4, 90], "x_um": [0.0, 400.0, np.nan], "y_um": 0.0, "threshold_uv": -55.0}),
        triggers=pd.DataFrame({"time_s": [0.5, np.nan], "code": [7, 8], "text": ["go", "stop"]}),
        sources=("/data/a.nev",),
    )


def stored(folder: Path, table: Spikes) -> store.Experiment:
    (experiment,) = store.arrange(table)
    return store.write(experiment, folder / "0000")


@pytest.mark.parametrize("shape", [(8,), (4, 8)], ids=["one channel", "tetrode"])
@pytest.mark.parametrize("dtype", [np.int16, np.float32])
def test_everything_of_a_recording_survives_storing(tmp_path: Path, shape: tuple[int, ...], dtype: type) -> None:
    table = spikes(shape, dtype=dtype)
    e = stored(tmp_path, table)
    assert e.raw.dtype == dtype
    for name, column in {"raw": e.raw, "times_s": e.times_s, "channel": e.channel, "unit": e.unit}.items():
        np.testing.assert_array_equal(column, getattr(table, name)[e.source_row])
    np.testing.assert_array_equal(e.segment, table.segment[e.source_row])
    np.testing.assert_array_equal(e.old_unit, table.old_unit[e.source_row])
    assert (e.sampling_rate, e.pre_samples, e.uv_per_bit, e.labels) == (30_000.0, 3, 0.25, table.labels)
    pd.testing.assert_frame_equal(e.channels, table.channels)
    pd.testing.assert_frame_equal(e.triggers, table.triggers)
    assert (e.name, e.source) == ("a.nev", "/data/a.nev")


def test_rows_go_by_channel_segment_time_and_input_order(tmp_path: Path) -> None:
    table = replace(spikes(), times_s=np.round(spikes().times_s, 1))
    e = stored(tmp_path, table)
    keys = list(zip(e.channel.tolist(), e.segment.tolist(), e.times_s.tolist(), e.source_row.tolist(), strict=True))
    assert keys == sorted(keys)
    assert [(c, int((table.channel == c).sum())) for c in (3, 4, 90)] == [
        (c, stop - start) for c, start, stop in e.channel_ptr.tolist()
    ]


def test_unknown_times_come_last_in_their_channel(tmp_path: Path) -> None:
    times = spikes().times_s.copy()
    times[::7] = np.nan
    e = stored(tmp_path, replace(spikes(), times_s=times))
    for _, start, stop in e.channel_ptr.tolist():
        unknown = np.isnan(e.times_s[start:stop])
        assert (np.diff(unknown.astype(int)) >= 0).all() or len(np.unique(e.segment[start:stop])) > 1


def test_each_experiment_of_a_table_is_stored_by_itself_even_without_events() -> None:
    table = replace(spikes(), experiment=np.where(np.arange(500) < 200, 0, 2), sources=("a", "b", "c", "d"))
    parts = list(store.arrange(table))
    assert [len(e) for e in parts] == [200, 0, 300, 0]
    assert [e.name for e in parts] == ["a", "b", "c", "d"]


def test_stored_events_are_memory_mapped_and_cannot_be_written(tmp_path: Path) -> None:
    e = stored(tmp_path, spikes())
    assert isinstance(e.raw.base, np.memmap)
    with pytest.raises(ValueError, match="read-only"):
        e.raw[0] = 0
    modes = [
        path.stat().st_mode & (stat.S_IWUSR | stat.S_IWGRP | stat.S_IWOTH) for path in (tmp_path / "0000").iterdir()
    ]
    assert not any(modes)


def test_units_of_ones_own_leave_the_store_as_it_is(tmp_path: Path) -> None:
    e = stored(tmp_path, spikes())
    e.fresh_unit()[:] = 77
    assert store.problems(tmp_path / "0000") == []
    assert 77 not in e.fresh_unit()


def test_no_events_are_stored_and_read(tmp_path: Path) -> None:
    e = stored(tmp_path, spikes(n=0))
    assert (len(e), e.raw.shape, len(e.channel_ptr)) == (0, (0, 8), 0)


def test_a_failed_write_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(store, "sync_folder", full)
    with pytest.raises(OSError, match="No space"):
        stored(tmp_path, spikes())
    assert list(tmp_path.iterdir()) == []


def test_a_damaged_channel_is_named(tmp_path: Path) -> None:
    e = stored(tmp_path, spikes())
    path = tmp_path / "0000" / "waveforms.npy"
    path.chmod(0o644)
    data = bytearray(path.read_bytes())
    _, start, _ = e.channel_ptr[1]
    data[len(data) - e.raw.nbytes + int(start) * 16] ^= 1
    path.write_bytes(data)
    (problem,) = store.problems(tmp_path / "0000")
    assert "waveforms.npy differs from what was written (channels 4)" in problem


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    stored(tmp_path, spikes())
    (tmp_path / "0000" / "times.npy").unlink()
    assert "times.npy is missing" in store.problems(tmp_path / "0000")[0]
    with pytest.raises(ProjectError, match="cannot be read"):
        store.read(tmp_path / "0000")


def test_opening_reads_no_waveforms(tmp_path: Path) -> None:
    """A store that declares 46 GB, nearly all of it holes, opens at once and takes no memory."""
    stored(tmp_path, spikes())
    folder, n = tmp_path / "0000", 384_000_000
    manifest = folder / store.MANIFEST
    manifest.chmod(0o644)
    manifest.write_text(manifest.read_text().replace('"n_spikes": 500', f'"n_spikes": {n}'))
    for name, dtype, shape in (("waveforms", "<i2", (n, 60)), ("times", "<f8", (n,)), ("unit", "<i4", (n,))):
        path = folder / f"{name}.npy"
        path.unlink()
        with path.open("wb") as file:
            np.lib.format.write_array_header_1_0(file, {"descr": dtype, "fortran_order": False, "shape": shape})
            file.truncate(file.tell() + int(np.prod(shape)) * np.dtype(dtype).itemsize)
    bounds = np.load(folder / "channel_ptr.npy")
    bounds[-1, 2] = n
    (folder / "channel_ptr.npy").unlink()
    np.save(folder / "channel_ptr.npy", bounds)
    e = store.read(folder)
    assert e.raw.nbytes > 46e9
    assert not e.raw[-1].any()
    assert e.fresh_unit()[n // 2] == 0


@pytest.mark.parametrize("name", ["channel_ptr", "times", "unit", "waveforms", "source_row"])
def test_a_damaged_head_of_a_column_is_said_whatever_byte_it_hits(tmp_path: Path, name: str) -> None:
    stored(tmp_path, spikes())
    path = tmp_path / "0000" / f"{name}.npy"
    path.chmod(0o644)
    whole = path.read_bytes()
    for at in range(128):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 1 << at % 8]) + whole[at + 1 :])
        assert store.problems(tmp_path / "0000") != []
        with contextlib.suppress(ProjectError):  # anything else would reach the user as it is
            store.read(tmp_path / "0000")
