"""Files made to run code or to read what is not theirs: 100 and more, none of which does."""

from __future__ import annotations

import builtins
import io
import os
import pickle
import shutil
import subprocess
import zipfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from neuralsorter import foreign
from neuralsorter.errors import LoadError, NeuralSorterError, PluginError
from neuralsorter.loading import BUNDLED

PROTOCOLS = range(pickle.HIGHEST_PROTOCOL + 1)


class Attack:
    """Does what it is told when it is unpickled the usual way."""

    def __init__(self, *call: Any) -> None:
        self.call = call

    def __reduce__(self) -> Any:
        return self.call[0], self.call[1:]


def calls(mark: Path) -> dict[str, tuple[Any, ...]]:
    """Return ways to make a file `mark`, or to come by what does."""
    text = f"open({str(mark)!r}, 'w').close()"
    return {
        "os.system": (os.system, f"touch {mark}"),
        "os.mkdir": (os.mkdir, str(mark)),
        "eval": (builtins.eval, f"__import__('os').mkdir({str(mark)!r})"),
        "exec": (builtins.exec, text),
        "open": (builtins.open, str(mark), "w"),
        "import": (__import__, "antigravity"),
        "getattr": (getattr, "x", "upper"),
        "subprocess": (subprocess.check_call, ["touch", str(mark)]),
        "Popen": (subprocess.Popen, ["touch", str(mark)]),
        "numpy.load": (np.load, str(mark)),
        "numpy.fromfile": (np.fromfile, "/etc/hostname"),
        "numpy.memmap": (np.memmap, str(mark), "u1", "w+", 0, (1,)),
        "copytree": (shutil.copyfile, "/etc/hostname", str(mark)),
        "partial": (partial, os.mkdir, str(mark)),
        "Path.touch": (Path.touch, mark),
        "map": (map, os.mkdir, [str(mark)]),
        "io.open": (io.FileIO, str(mark), "w"),
    }


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("name", calls(Path("x")))
def test_no_pickle_calls_anything(tmp_path: Path, name: str, protocol: int) -> None:
    mark = tmp_path / "made"
    file = tmp_path / "evil.pkl"
    file.write_bytes(pickle.dumps({"UnitID": [Attack(*calls(mark)[name])]}, protocol))
    with pytest.raises(LoadError, match="not a plain spike_dict"):
        BUNDLED["pickled"]().load(file)
    assert not mark.exists()


@pytest.mark.parametrize(
    "content",
    [
        b"cos\nsystem\n(S'touch made'\ntR.",
        b"(S'touch made'\nios\nsystem\n.",  # INST
        b"(cos\nsystem\nS'touch made'\no.",  # OBJ
        b"\x80\x02cposix\nsystem\nX\x0a\x00\x00\x00touch made\x85R.",
        b"\x80\x04\x8c\x02os\x8c\x06system\x93\x8c\x0atouch made\x85R.",
        b"\x80\x04\x8c\x08builtins\x8c\x0elist.__class__\x93.",  # a dotted way to type
        b"\x80\x04\x8c\x08builtins\x8c\x13dict.__init_subclass\x93.",
        b"\x80\x04\x8c\x05numpy\x8c\x12ndarray.__reduce__\x93.",
        b"\x80\x04\x8c\x05numpy\x8c\x04load\x93\x8c\x04made\x85R.",
        b"\x80\x02\x82\x01.",  # EXT1: the registry of copyreg
        b"\x80\x04\x8c\x07copyreg\x8c\x0d_reconstructor\x93.",
        b"P../../etc/passwd\n.",  # PERSID
        b"\x80\x04\x8c\x04evil\x51.",  # BINPERSID
        b"c__builtin__\neval\n(S'1'\ntR.",  # the name of Python 2
        b"cnumpy.testing._private.utils\nrunstring\n(S'1'\n}tR.",
        b"cpickle\nloads\n(S'.'\ntR.",
        b"csys\nexit\n(tR.",
        b"chttp.client\nHTTPConnection\n(S'localhost'\ntR.",
    ],
)
def test_no_handmade_pickle_reaches_a_name(tmp_path: Path, content: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "evil.pkl").write_bytes(content)
    with pytest.raises(LoadError, match=r"evil\.pkl: [^\n]+\.$"):
        BUNDLED["pickled"]().load(tmp_path / "evil.pkl")
    assert [path.name for path in tmp_path.iterdir()] == ["evil.pkl"]


def object_array(mark: Path) -> np.ndarray[Any, Any]:
    array = np.empty(1, object)
    array[0] = Attack(os.mkdir, str(mark))
    return array


def in_npz(folder: Path, array: np.ndarray[Any, Any]) -> tuple[str, Path]:
    np.savez(folder / "a.npz", ChannelID=array, Waveforms=np.zeros((1, 5)))
    return "npz", folder / "a.npz"


def in_npy(folder: Path, array: np.ndarray[Any, Any]) -> tuple[str, Path]:
    np.save(folder / "a.npy", array, allow_pickle=True)  # writes the attack; reading it must refuse
    return "pickled", folder / "a.npy"


def in_analyzer(folder: Path, array: np.ndarray[Any, Any]) -> tuple[str, Path]:
    for name in ("extensions/random_spikes", "extensions/waveforms", "sorting", "recording_info"):
        (folder / "an" / name).mkdir(parents=True)
    (folder / "an" / "spikeinterface_info.json").write_text("{}")
    np.save(folder / "an" / "sorting" / "spikes.npy", array, allow_pickle=True)  # the same
    (folder / "an" / "sorting" / "provenance.pkl").write_bytes(pickle.dumps(array[0]))
    return "spikeinterface", folder / "an"


def in_open_ephys(folder: Path, array: np.ndarray[Any, Any]) -> tuple[str, Path]:
    (folder / "rec" / "spikes" / "e").mkdir(parents=True)
    (folder / "rec" / "structure.oebin").write_text('{"spikes": [{"folder": "e", "sample_rate": 30000}]}')
    np.save(folder / "rec" / "spikes" / "e" / "waveforms.npy", array, allow_pickle=True)  # the same
    return "openephys_binary", folder / "rec"


@pytest.mark.parametrize("place", [in_npz, in_npy, in_analyzer, in_open_ephys])
def test_no_object_in_an_array_is_unpickled(
    tmp_path: Path, place: Callable[[Path, np.ndarray[Any, Any]], tuple[str, Path]]
) -> None:
    name, path = place(tmp_path, object_array(tmp_path / "made"))
    with pytest.raises(NeuralSorterError, match=r"^[^\n]+$"):
        BUNDLED[name]().load(path)
    assert not (tmp_path / "made").exists()


def link_out(file: h5py.File, secret: Path) -> None:
    file["model_weights"] = h5py.ExternalLink(str(secret), "/x")


def storage_out(file: h5py.File, secret: Path) -> None:
    file.create_dataset("model_weights/dense/kernel", (2,), "f4", external=[(str(secret), 0, 8)])


def virtual_out(file: h5py.File, secret: Path) -> None:
    layout = h5py.VirtualLayout((2,), "f4")
    layout[:] = h5py.VirtualSource(str(secret), "x", (2,))
    file.create_virtual_dataset("model_weights/dense/kernel", layout)


@pytest.mark.parametrize("harm", [link_out, storage_out, virtual_out])
@pytest.mark.parametrize("packed", [False, True])
def test_no_network_file_takes_weights_from_elsewhere(
    tmp_path: Path, harm: Callable[[h5py.File, Path], None], *, packed: bool
) -> None:
    (tmp_path / "secret").write_bytes(b"12345678")
    path = tmp_path / "net.h5"
    with h5py.File(path, "w") as file:
        file.attrs["model_config"] = '{"class_name": "Sequential", "config": {"layers": []}}'
        harm(file, tmp_path / "secret")
    if packed:
        with zipfile.ZipFile(tmp_path / "net.keras", "w") as archive:
            archive.writestr("config.json", '{"class_name": "Sequential", "config": {"layers": []}}')
            archive.write(path, "model.weights.h5")
        path = tmp_path / "net.keras"
    with pytest.raises(PluginError, match=r"points to another file|from another file"):
        foreign.read(str(path))


def test_no_table_of_matlab_points_elsewhere(tmp_path: Path) -> None:
    path = tmp_path / "a.mat"
    with h5py.File(path, "w", userblock_size=512) as file:
        file["Waveforms"] = h5py.ExternalLink("/etc/hostname", "/x")
    content = bytearray(path.read_bytes())
    content[:128] = b"MATLAB 7.3 MAT-file".ljust(128)
    path.write_bytes(content)
    with pytest.raises(LoadError, match="points to another file at /Waveforms"):
        BUNDLED["matlab"]().load(path)
