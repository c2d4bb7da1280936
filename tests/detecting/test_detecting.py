"""Continuous data of known truth: Gaussian noise with drift and hum, and spikes of two cells at known samples."""

from __future__ import annotations

import json
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import neuralsorter as ns
from neuralsorter.cli import main
from neuralsorter.detecting import Detector, detect, detect_in, run, thresholds, thresholds_of
from neuralsorter.detecting.sources import ArrayRecording, opened
from neuralsorter.errors import Cancelled, DataError, LoadError

RATE, SECONDS, SD = 30_000.0, 8.0, 8.0


def shape() -> np.ndarray[Any, Any]:
    """Return a spike whose trough, 1 long, is at sample 15."""
    t = (np.arange(60) - 15) / RATE * 1000
    return -np.exp(-((t / 0.12) ** 2) / 2) + 0.35 * np.exp(-(((t - 0.35) / 0.2) ** 2) / 2)


def recorded(sign: float = 1.0, n_channels: int = 3) -> tuple[np.ndarray[Any, Any], list[np.ndarray[Any, Any]]]:
    """Return µV, (n_samples, n_channels), and the sample of each trough by channel; channel 3 has no spikes."""
    rng = np.random.default_rng(5)
    n = int(SECONDS * RATE)
    t = np.arange(n) / RATE
    signal = (
        rng.normal(0, SD, (n, n_channels))
        + (300 * np.sin(2 * np.pi * 1.3 * t) + 60 * np.sin(2 * np.pi * 50 * t))[:, None]
    )
    truth = []
    for channel in range(n_channels):
        gaps = rng.integers(100, 3000, 400) if channel < 2 else np.zeros(0, int)
        at = np.cumsum(gaps) + 200
        at = at[at < n - 200]
        for place in at:
            signal[place - 15 : place + 45, channel] += sign * (14 + 3 * channel) * SD * shape()
        truth.append(at)
    return signal, truth


def matched(found: np.ndarray[Any, Any], truth: np.ndarray[Any, Any], within: int = 3) -> tuple[int, int]:
    """Return how many true spikes were found, and how many events are none."""
    near = np.abs(found[:, None] - truth[None, :]) <= within if len(truth) else np.zeros((len(found), 1), bool)
    return int(near.any(axis=0).sum()) if len(truth) else 0, int((~near.any(axis=1)).sum())


def test_every_spike_well_above_the_noise_is_found_and_little_else() -> None:
    signal, truth = recorded()
    spikes = detect_in(signal, RATE)
    for channel in range(3):
        at = np.round(spikes.times_s[spikes.channel == channel + 1] * RATE).astype(int)
        hits, wrong = matched(at, truth[channel])
        assert hits == len(truth[channel])
        assert wrong <= 3  # 4.5 SDs of Gaussian noise
    assert spikes.labels == {(1, 1): "unsorted", (2, 1): "unsorted"} | (
        {(3, 1): "unsorted"} if 3 in spikes.channel else {}
    )
    assert (spikes.n_samples, spikes.pre_samples, spikes.sampling_rate) == (90, 30, RATE)
    assert (spikes.waveforms[spikes.channel == 2].argmin(axis=1) == 30).mean() > 0.99


@pytest.mark.parametrize("stretch_s", [0.11, 0.5, 1.7])
def test_the_events_do_not_depend_on_where_stretches_meet(stretch_s: float) -> None:
    signal, _ = recorded()
    whole = run(ArrayRecording(signal, RATE), Detector(), stretch_s=SECONDS + 1)
    parts = run(ArrayRecording(signal, RATE), Detector(), stretch_s=stretch_s)
    for name in ("times_s", "channel", "unit", "segment"):
        np.testing.assert_array_equal(getattr(parts, name), getattr(whole, name), err_msg=name)
    np.testing.assert_allclose(parts.waveforms, whole.waveforms, atol=1e-3)


def test_spikes_on_the_other_side_are_found_when_asked_for() -> None:
    signal, truth = recorded(sign=-1.0)
    for sign in ("positive", "both"):
        spikes = detect_in(signal, RATE, Detector(sign=sign))
        hits, _ = matched(np.round(spikes.times_s[spikes.channel == 1] * RATE).astype(int), truth[0])
        assert hits >= len(truth[0]) - (2 if sign == "both" else 0)  # a noise crossing may bring a dead time
    spikes = detect_in(signal, RATE, Detector(sign="negative"))
    assert matched(np.round(spikes.times_s[spikes.channel == 1] * RATE).astype(int), truth[0])[0] <= 2


def test_no_two_events_of_a_channel_come_within_the_dead_time() -> None:
    signal, _ = recorded()
    loose = detect_in(signal, RATE, Detector(threshold=2.5, dead_time_ms=0.0))
    strict = detect_in(signal, RATE, Detector(threshold=2.5, dead_time_ms=3.0))
    assert len(strict) < len(loose)
    gaps = np.concatenate([np.diff(strict.times_s[strict.channel == c]) for c in (1, 2, 3)])
    assert gaps.min() > 0.003 - 0.0006  # the crossings are 3 ms apart, their extrema may lie up to align_ms later


def test_the_noise_is_told_from_the_median_and_spikes_hardly_move_it() -> None:
    signal, _ = recorded()
    table = thresholds_of(ArrayRecording(signal, RATE), Detector())
    assert table["channel"].tolist() == [1, 2, 3]
    quiet = float(table["noise_uv"][2])
    assert np.abs(table["noise_uv"] - quiet).max() < 0.06 * quiet
    np.testing.assert_allclose(table["threshold_uv"], -4.5 * table["noise_uv"])
    assert 10 < table["events_per_s"][0] < 40
    assert table["events_per_s"][2] < 1


def mcs_raw(path: Path) -> tuple[np.ndarray[Any, Any], list[np.ndarray[Any, Any]]]:
    """Write what MC_DataTool exports: a text header up to EOH, then unsigned 16-bit samples, channels in turn."""
    signal, truth = recorded()
    step = 0.1
    head = f"MC_DataTool binary conversion\r\nVersion 2.6.15\r\nSample rate = {RATE:g}\r\nADC zero = 32768\r\n"
    head += f"El = {step}µV/AD\r\nStreams = El_12;El_34;El_56\r\nEOH\r\n"
    counts = np.clip(np.round(signal / step) + 32768, 0, 65535).astype("<u2")
    path.write_bytes(head.encode("cp1252") + counts.tobytes())
    return signal, truth


def test_a_file_that_neo_opens_becomes_events(tmp_path: Path) -> None:
    signal, truth = mcs_raw(tmp_path / "a.raw")
    seen: list[float] = []
    spikes = detect(tmp_path / "a.raw", on_progress=lambda done, _: seen.append(done))
    direct = detect_in(signal, RATE)
    assert set(spikes.channel.tolist()) <= {12, 34, 56}
    hits, wrong = matched(np.round(spikes.times_s[spikes.channel == 34] * RATE).astype(int), truth[1])
    assert (hits, wrong <= 3) == (len(truth[1]), True)
    assert abs(len(spikes) - len(direct)) <= 2  # the steps of the file are 0.1 µV
    assert spikes.channels["id"].tolist() == [12, 34, 56]
    assert spikes.channels["threshold_uv"].max() < -20
    assert Path(spikes.sources[0]).name == "a.raw"
    assert seen[-1] == 1.0


def test_the_command_previews_thresholds_and_writes_events(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    mcs_raw(tmp_path / "a.raw")
    assert main(["detect", str(tmp_path / "a.raw"), "--preview", "--json", "--threshold", "6"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert [row["channel"] for row in rows] == [12, 34, 56]
    np.testing.assert_allclose([row["threshold_uv"] / row["noise_uv"] for row in rows], -6)
    assert main(["detect", str(tmp_path / "a.raw"), "-o", str(tmp_path / "a.npz"), "--window", "0.5", "1"]) == 0
    spikes = ns.load(tmp_path / "a.npz")
    assert (spikes.n_samples, spikes.pre_samples) == (45, 15)
    assert len(spikes) > 200


def test_what_holds_no_signal_is_refused_in_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "a.raw").write_bytes(b"nothing of the kind")
    with pytest.raises(LoadError, match=r"holds no continuous signal[^\n]+$"):
        opened(tmp_path / "a.raw")
    with pytest.raises(LoadError, match="does not exist"):
        thresholds(tmp_path / "b.raw")
    mcs_raw(tmp_path / "c.raw")
    with pytest.raises(LoadError, match=r"has no stream '7'.*It has 0 'Signals' \(3 channels, 30000 Hz\)"):
        opened(tmp_path / "c.raw", "7")


def test_a_run_can_be_stopped(tmp_path: Path) -> None:
    mcs_raw(tmp_path / "a.raw")
    stop = threading.Event()
    stop.set()
    with pytest.raises(Cancelled):
        detect(tmp_path / "a.raw", cancel=stop)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"threshold": 0.0}, "threshold must be a positive number"),
        ({"sign": "up"}, "one of negative, positive, both"),
        ({"band_hz": (500.0, 300.0)}, "band_hz must rise"),
        ({"dead_time_ms": -1.0}, "dead_time_ms must be 0 or more"),
    ],
)
def test_settings_that_make_no_sense_are_refused(change: dict[str, Any], told: str) -> None:
    with pytest.raises(DataError, match=told):
        replace(Detector(), **change)


def test_a_recording_shorter_than_a_window_or_silent_gives_no_events() -> None:
    assert len(detect_in(np.zeros((10, 2)), RATE)) == 0
    assert len(detect_in(np.zeros((30_000, 2)), RATE)) == 0
    assert len(detect_in(np.random.default_rng(0).normal(0, 1, (70, 2)), RATE)) == 0
