"""What every reader of a recorder without sample files does: TDT, Axona, Open Ephys, Spike2, MCS."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pytest

import neuralsorter as ns
from neuralsorter.errors import LoadError
from neuralsorter.loading import BUNDLED, is_recording, parse
from tests.loading.recorders import WRITERS


def load_here(name: str, file: Path) -> ns.Spikes:
    """Read in this process, as the worker does."""
    path = file.parents[3] if name == "openephys_binary" else file
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        return BUNDLED[name]().load(path)


@pytest.mark.parametrize("name", WRITERS)
def test_a_recording_cut_off_is_refused_in_one_sentence(tmp_path: Path, name: str) -> None:
    file = WRITERS[name](tmp_path)
    content = file.read_bytes()
    for size in (0, 3, len(content) // 2, len(content) - 15):
        file.write_bytes(content[:size])
        with pytest.raises(LoadError, match=r"^[^\n]+\.$"):
            load_here(name, file)


@pytest.mark.parametrize("name", WRITERS)
def test_no_mutated_recording_does_more_than_raise(tmp_path: Path, name: str) -> None:
    file = WRITERS[name](tmp_path)
    good, rng, refused = file.read_bytes(), np.random.default_rng(0), 0
    for _ in range(150):
        bad = bytearray(good)
        for _ in range(int(rng.integers(1, 4))):
            at = int(rng.integers(0, min(len(bad), 1600) - 4))
            bad[at : at + 4] = rng.choice([b"\xff\xff\xff\xff", b"\0\0\0\0", bytes(rng.integers(0, 256, 4, np.uint8))])
        file.write_bytes(bad)
        try:
            load_here(name, file)
        except Exception as error:  # noqa: BLE001 - in the worker every one of these becomes one sentence
            assert not isinstance(error, (MemoryError, RecursionError, SystemError))  # noqa: PT017
            refused += 1
    assert refused > 5


def test_folders_are_known_by_what_is_in_them(tmp_path: Path) -> None:
    for name, write in WRITERS.items():
        (tmp_path / name).mkdir()
        write(tmp_path / name)
    (tmp_path / "none").mkdir()
    assert is_recording(tmp_path / "tdt" / "tank" / "b")
    assert is_recording(tmp_path / "tdt" / "tank")
    assert is_recording(tmp_path / "openephys")
    assert is_recording(tmp_path / "openephys_binary" / "rec")
    assert not is_recording(tmp_path / "none")
    with pytest.raises(LoadError, match="a folder in which no loader knows a recording"):
        ns.load(tmp_path / "none")


@pytest.mark.parametrize(("name", "told"), [("a.pl2", "Plexon's own library"), ("a.smrx", "CED's own library")])
def test_formats_of_closed_libraries_are_refused_with_what_to_do(tmp_path: Path, name: str, told: str) -> None:
    (tmp_path / name).write_bytes(b"x")
    with pytest.raises(LoadError, match=told):
        parse(str(tmp_path / name))
