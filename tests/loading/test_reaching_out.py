"""HDF5, MATLAB, Keras and zip files made to read elsewhere, write elsewhere, or call what they name: none does."""

from __future__ import annotations

import base64
import json
import marshal
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from neuralsorter import foreign
from neuralsorter.errors import LoadError, NeuralSorterError, PluginError
from neuralsorter.loading import BUNDLED

SECRET = b"not for the reader" * 4
PLACES = {
    ".nwb": ("units/waveforms", "units/spike_times", "acquisition/e/data", "deep/er/and/deeper"),
    ".h5": ("Data", "Data/Recording_0/SegmentStream/Stream_0/SegmentData_0", "else"),
    ".mat": ("Waveforms", "spikes", "#refs#/a"),
}
LOADERS = {".nwb": "nwb", ".h5": "mcs", ".mat": "matlab"}


def external_link(file: h5py.File, place: str, secret: Path) -> None:
    file[place] = h5py.ExternalLink(str(secret), "/x")


def relative_link(file: h5py.File, place: str, secret: Path) -> None:
    file[place] = h5py.ExternalLink(f"../{secret.parent.name}/{secret.name}", "/x")


def soft_link_to_one(file: h5py.File, place: str, secret: Path) -> None:
    file["far/away"] = h5py.ExternalLink(str(secret), "/x")
    file[place] = h5py.SoftLink("/far/away")


def external_storage(file: h5py.File, place: str, secret: Path) -> None:
    file.create_dataset(place, (18,), "u1", external=[(str(secret), 0, 18)])


def virtual(file: h5py.File, place: str, secret: Path) -> None:
    layout = h5py.VirtualLayout((18,), "u1")
    layout[:] = h5py.VirtualSource(str(secret), "x", (18,))
    file.create_virtual_dataset(place, layout)


HARMS = [external_link, relative_link, soft_link_to_one, external_storage, virtual]


@pytest.mark.parametrize("harm", HARMS)
@pytest.mark.parametrize(("suffix", "place"), [(s, place) for s, places in PLACES.items() for place in places])
def test_no_hdf5_file_reads_from_another(
    tmp_path: Path, suffix: str, place: str, harm: Callable[[h5py.File, str, Path], None]
) -> None:
    secret, path = tmp_path / "secret.h5", tmp_path / f"bad{suffix}"
    if harm in {external_storage, virtual}:
        secret.write_bytes(SECRET)
    else:
        with h5py.File(secret, "w") as file:
            file["x"] = np.frombuffer(SECRET, "u1")
    with h5py.File(path, "w", userblock_size=512 if suffix == ".mat" else 0) as file:
        harm(file, place, secret)
    if suffix == ".mat":
        path.write_bytes(b"MATLAB 7.3 MAT-file".ljust(512) + path.read_bytes()[512:])
    with pytest.raises(LoadError, match=r"points to another file at /|takes /.* from another file"):
        BUNDLED[LOADERS[suffix]]().load(path)


def element(kind: int, content: bytes) -> bytes:
    """Return a data element of a MATLAB 5 file."""
    return struct.pack("<II", kind, len(content)) + content.ljust(-(-len(content) // 8) * 8, b"\0")


def matrix(of_class: int, name: bytes, *parts: bytes) -> bytes:
    """Return a variable of a MATLAB 5 file."""
    flags, size = element(6, struct.pack("<II", of_class, 0)), element(5, struct.pack("<ii", 1, 1))
    return element(14, flags + size + element(1, name) + b"".join(parts))


FUNCTION, OPAQUE, OBJECT, CHAR = 16, 17, 3, 4
FIELDS = element(5, struct.pack("<i", 8)) + element(1, b"expr\0\0\0\0")
SYSTEM = element(14, matrix(CHAR, b"", element(16, b"system('touch made')"))[8:])


@pytest.mark.parametrize("name", [b"Waveforms", b"spikes", b"cluster_class", b"ch1"])
@pytest.mark.parametrize(
    "variable",
    [
        lambda name: matrix(FUNCTION, name, SYSTEM),
        lambda name: element(14, element(6, struct.pack("<II", OPAQUE, 0)) + element(1, name)
                             + element(1, b"java") + element(1, b"java.lang.Runtime") + SYSTEM),
        lambda name: matrix(OBJECT, name, element(1, b"inline"), FIELDS, SYSTEM),
    ],
    ids=["function handle", "opaque object", "object"],
)  # fmt: skip
def test_no_object_of_matlab_is_called(
    tmp_path: Path, variable: Callable[[bytes], bytes], name: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    head = b"MATLAB 5.0 MAT-file".ljust(124) + struct.pack("<H", 0x0100) + b"IM"
    (tmp_path / "bad.mat").write_bytes(head + variable(name))
    from neuralsorter.loading import read_with

    with pytest.raises(LoadError, match=r"bad\.mat: [^\n]+\.$"):
        read_with([BUNDLED["matlab"]], tmp_path / "bad.mat")
    assert [path.name for path in tmp_path.iterdir()] == ["bad.mat"]


def code(mark: Path) -> str:
    """Return compiled code that makes a file, as Keras keeps the function of a Lambda layer."""
    return base64.b64encode(marshal.dumps(compile(f"open({str(mark)!r}, 'w')", "x", "eval"))).decode()


LAYERS: dict[str, Callable[[Path], dict[str, Any]]] = {
    "lambda": lambda mark: {"class_name": "Lambda", "config": {"function": [code(mark), None, None]}},
    "lambda of keras 3": lambda mark: {
        "module": "keras.layers", "class_name": "Lambda",
        "config": {"function": {"class_name": "__lambda__", "config": {"code": code(mark)}}},
    },
    "a function of os": lambda mark: {"module": "os", "class_name": "mkdir", "config": {"path": str(mark)}},
    "another module": lambda mark: {"module": str(mark), "class_name": "Dense", "registered_name": "os>system",
                                    "config": {"activation": {"module": "os", "class_name": "function"}}},
    "wrapped": lambda mark: {"class_name": "TimeDistributed", "config": {"layer": {
        "class_name": "Lambda", "config": {"function": [code(mark), None, None]}}}},
    "operator": lambda mark: {"class_name": "TFOpLambda", "config": {"function": "io.write_file", "name": str(mark)}},
}  # fmt: skip


@pytest.mark.parametrize("layer", LAYERS)
@pytest.mark.parametrize("packed", [False, True])
def test_no_layer_of_a_network_is_run(tmp_path: Path, layer: str, *, packed: bool) -> None:
    mark = tmp_path / "made"
    first = {"class_name": "InputLayer", "config": {"batch_shape": [None, 60]}}
    config = json.dumps({"class_name": "Sequential", "config": {"layers": [first, LAYERS[layer](mark)]}})
    path = tmp_path / ("net.keras" if packed else "net.h5")
    with h5py.File(tmp_path / "net.h5", "w") as file:
        file.attrs["model_config"] = config
        file["model_weights/dense/kernel"] = file["layers/dense/vars/0"] = np.ones((60, 1), np.float32)
        file["model_weights/dense"].attrs["weight_names"] = [b"dense/kernel"]
    if packed:
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("config.json", config)
            archive.write(tmp_path / "net.h5", "model.weights.h5")
    with pytest.raises(PluginError, match=r"net\.[a-z0-9]+"):
        foreign.read(str(path))
    assert not mark.exists()


@pytest.mark.parametrize(
    "name", ["../made", "/neuralsorter-made", "..\\made", "a/../../made", "config.json/../../made"]
)
@pytest.mark.parametrize("suffix", [".npz", ".keras"])
def test_no_member_of_a_zip_is_unpacked_beside_it(tmp_path: Path, name: str, suffix: str) -> None:
    (tmp_path / "in").mkdir()
    path = tmp_path / "in" / f"bad{suffix}"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(name, b"made")
        archive.writestr("config.json", "{}")
    with pytest.raises(NeuralSorterError, match=r"^[^\n]+$"):
        foreign.read(str(path)) if suffix == ".keras" else BUNDLED["npz"]().load(path)
    assert sorted(found.name for found in tmp_path.rglob("*")) == [path.name, "in"]
    assert not Path("/neuralsorter-made").exists()
