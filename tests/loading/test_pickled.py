from __future__ import annotations

import os
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import neuralsorter as ns
from neuralsorter.errors import LoadError
from neuralsorter.loading.pickled import PickledLoader
from neuralsorter.loading.unpickling import plain


def six_lists(n: int = 6) -> dict[str, list[Any]]:
    waveforms = np.random.default_rng(0).normal(0, 20, (n, 60)).astype(np.float32)
    return {
        "ExperimentID": [0] * n,
        "ChannelID": list(range(n)),
        "UnitID": [np.int64(1)] * n,
        "OldID": [None] * n,
        "TimeStamps": [np.float64(i) for i in range(n)],
        "Waveforms": list(waveforms),
    }


class Attack:
    """Does what it is told when it is unpickled the usual way."""

    def __init__(self, *call: Any) -> None:
        self.call = call

    def __reduce__(self) -> Any:
        return self.call[0], self.call[1:]


def test_a_pickle_is_read_in_a_worker(tmp_path: Path) -> None:
    (tmp_path / "a.pkl").write_bytes(pickle.dumps(six_lists()))
    spikes = ns.load(tmp_path / "a.pkl")
    assert spikes.channel.tolist() == [0, 1, 2, 3, 4, 5]
    np.testing.assert_array_equal(spikes.waveforms, six_lists()["Waveforms"])


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_every_protocol_is_read(tmp_path: Path, protocol: int) -> None:
    (tmp_path / "a.pkl").write_bytes(pickle.dumps(six_lists(), protocol))
    assert len(PickledLoader().load(tmp_path / "a.pkl")) == 6


def many(n: int, shape: tuple[int, ...], dtype: Any) -> dict[str, Any]:
    rng = np.random.default_rng(0)
    waveforms = (rng.normal(0, 50, (n, *shape)) // 1).astype(dtype)
    told = six_lists(0) | {"Waveforms": list(waveforms), "noise": rng.normal(0, 1, 9000), "After": [np.float32(2.5)]}
    counted = {name: list(range(n)) for name in ("ChannelID", "UnitID", "TimeStamps")}
    return {"Mean": [waveforms[0]], **told, **counted, "ExperimentID": [0] * n, "OldID": [None] * n}


@pytest.mark.parametrize("protocol", range(2, pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize("shape", [(60,), (4, 32), (300,)])
@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int16, ">f4"])
def test_thousands_of_waveforms_come_as_one_array(
    tmp_path: Path, protocol: int, shape: tuple[int, ...], dtype: Any
) -> None:
    told = many(2500, shape, dtype)
    with (tmp_path / "a.pkl").open("w+b") as file:
        pickle.dump(told, file, protocol)
        file.seek(0)
        value = plain(file, "Waveforms")
    assert isinstance(value["Waveforms"], np.ndarray) == (protocol > 2)
    for name in told:
        np.testing.assert_array_equal(np.array(value[name]), np.array(told[name]), err_msg=name)
    spikes = PickledLoader().load(tmp_path / "a.pkl")
    np.testing.assert_array_equal(spikes.waveforms, np.array(told["Waveforms"], np.float32))


def ragged(told: dict[str, Any]) -> None:
    told["Waveforms"][1000] = told["Waveforms"][1000][:50]


def of_two_types(told: dict[str, Any]) -> None:
    told["Waveforms"][1000] = told["Waveforms"][1000].astype(np.int16)


def twice(told: dict[str, Any]) -> None:
    told["Waveforms"][1000] = told["Waveforms"][7]


def also_elsewhere(told: dict[str, Any]) -> None:
    told["TimeStamps"] = [np.full(60, i, np.float32) for i in range(2500)]


def one_elsewhere_and_one_unlike(told: dict[str, Any]) -> None:
    told["Mean"] = [np.zeros(60, np.float32), np.ones(60, np.float32)]
    ragged(told)


@pytest.mark.parametrize("change", [ragged, of_two_types, twice, also_elsewhere, one_elsewhere_and_one_unlike])
@pytest.mark.parametrize("protocol", [3, 4, 5])
def test_rows_that_are_not_all_alike_are_what_pickle_makes_of_them(
    tmp_path: Path, protocol: int, change: Callable[[dict[str, Any]], None]
) -> None:
    told = many(2500, (60,), np.float32)
    change(told)
    with (tmp_path / "a.pkl").open("w+b") as file:
        pickle.dump(told, file, protocol)
        file.seek(0)
        value = plain(file, "Waveforms")
    for name in ("Waveforms", "TimeStamps"):
        assert all(np.array_equal(ours, theirs) for ours, theirs in zip(value[name], told[name], strict=True))


def test_a_dictionary_saved_by_numpy_is_read(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", six_lists(), allow_pickle=True)  # type: ignore[arg-type]  # as users save it
    assert PickledLoader().load(tmp_path / "a.npy").channel.tolist() == [0, 1, 2, 3, 4, 5]


def test_a_pickle_that_calls_os_system_runs_nothing(tmp_path: Path) -> None:
    mark = tmp_path / "executed"
    (tmp_path / "evil.pkl").write_bytes(pickle.dumps(six_lists() | {"UnitID": Attack(os.system, f"touch {mark}")}))
    with pytest.raises(LoadError, match=r"evil\.pkl: is not a plain spike_dict .*system is not allowed"):
        ns.load(tmp_path / "evil.pkl")
    assert not mark.exists()


@pytest.mark.parametrize("protocol", [0, 2, 4])
@pytest.mark.parametrize(
    "call", [(eval, "1"), (getattr, "x", "upper"), (np.load, "any.npy"), (open, "any"), (__import__, "os")]
)
def test_every_other_name_is_refused(tmp_path: Path, call: tuple[Any, ...], protocol: int) -> None:
    (tmp_path / "evil.pkl").write_bytes(pickle.dumps({"UnitID": [Attack(*call)]}, protocol))
    with pytest.raises(LoadError, match="not allowed"):
        PickledLoader().load(tmp_path / "evil.pkl")


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\x80\x04\x95\xff\xff\xff\xff\xff\xff\xff\x7f.",
        b"\x80\x04\x8c\x08builtins\x8c\x0elist.__class__\x93.",
        pickle.dumps(six_lists())[:500],
        b"hello",
        pickle.dumps([1, 2, 3]),
        pickle.dumps({"UnitID": [1]}),
    ],
)
def test_damage_is_told_in_a_sentence(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "bad.pkl").write_bytes(content)
    with pytest.raises(LoadError, match=r"bad\.pkl: [^\n]*\.$"):
        PickledLoader().load(tmp_path / "bad.pkl")


@pytest.mark.parametrize("gigabytes", [3, 1000])
def test_a_small_pickle_that_asks_for_gigabytes_ends_in_its_worker(tmp_path: Path, gigabytes: int) -> None:
    size = (gigabytes * 10**9).to_bytes(6, "little")
    bomb = b"\x80\x04\x8c\x08builtins\x8c\tbytearray\x93\x8a\x06" + size + b"\x85R."
    (tmp_path / "bomb.pkl").write_bytes(bomb)
    with pytest.raises(LoadError, match="more memory than a file may have"):
        ns.load(tmp_path / "bomb.pkl")


def test_a_plain_array_is_no_spike_dict(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.arange(5))
    with pytest.raises(LoadError, match="holds an array of int64"):
        PickledLoader().load(tmp_path / "a.npy")
