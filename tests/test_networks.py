"""Networks are data: layers of known kinds with their weights, the same result as Keras, and never any code."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import h5py
import numpy as np
import pytest
from scipy.special import expit

import neuralsorter
from neuralsorter.border import border
from neuralsorter.cleaning import shipped, shipped_network
from neuralsorter.compiled import Compiled
from neuralsorter.errors import PluginError
from neuralsorter.examples import as_they_are
from neuralsorter.foreign import read
from neuralsorter.networks import Network, load_weights
from neuralsorter.simulate import simulate
from neuralsorter.waveforms import network_input

OTHER = np.random.default_rng(0).random((16, 60, 1)).astype(np.float32)


@pytest.fixture(scope="module")
def waveforms() -> np.ndarray:
    return simulate(1, 20.0, seed=4).spikes.waveforms


def _input(waveforms: np.ndarray) -> np.ndarray:
    made = as_they_are(waveforms, 20_000, 20, np.zeros(len(waveforms)), 0)
    return network_input(made.values, made.mask)


def _probability(odds: np.ndarray) -> np.ndarray:
    return np.asarray(expit(odds - border(odds)))


def test_the_compiled_network_equals_the_layers_one_by_one(waveforms: np.ndarray) -> None:
    slow = _probability(shipped_network()(_input(waveforms))[:, 0])
    assert np.abs(shipped().probability(waveforms, 20_000, 20) - slow).max() < 1e-5


def test_events_with_missing_samples_run_through_the_same_network(waveforms: np.ndarray) -> None:
    holes = waveforms.copy()
    holes[::3, 50:] = np.nan
    slow = _probability(shipped_network()(_input(holes))[:, 0])
    assert np.abs(shipped().probability(holes, 20_000, 20) - slow).max() < 1e-5


@pytest.fixture(scope="module")
def keras_says(waveforms: np.ndarray, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, np.ndarray]]:
    """Ask Keras in a process of its own: the folder of networks it saved, and its predictions."""
    folder = tmp_path_factory.mktemp("keras")
    np.save(folder / "own.npy", _input(waveforms)[:500])
    np.save(folder / "other.npy", OTHER)
    script = Path(__file__).with_name("keras_reference.py")
    files = [str(folder / name) for name in ("own.npy", "other.npy", "said.npz")]
    home = str(Path(neuralsorter.__file__).parents[1])
    subprocess.run(
        [sys.executable, str(script), *files], check=True, timeout=280, env={**os.environ, "PYTHONPATH": home}
    )
    with np.load(folder / "said.npz") as said:
        return folder, dict(said)


@pytest.mark.slow
def test_keras_gives_the_same_probabilities(
    waveforms: np.ndarray, keras_says: tuple[Path, dict[str, np.ndarray]]
) -> None:
    ours = shipped_network()(_input(waveforms)[:500])[:, 0]
    assert np.abs(expit(keras_says[1]["log_odds"]) - expit(ours)).max() < 1e-5


@pytest.mark.slow
@pytest.mark.parametrize("name", ["sequential.keras", "sequential.h5", "functional.keras"])
def test_every_layer_that_is_run_is_run_as_keras_does(
    keras_says: tuple[Path, dict[str, np.ndarray]], name: str
) -> None:
    """Saved by Keras in both of its formats, read as data, equal to Keras's own prediction."""
    folder, said = keras_says
    network = Network.from_bytes(read(str(folder / name)))
    assert np.abs(network(OTHER) - said[name]).max() < 1e-5


def _zip(path: Path, layers: list[dict[str, object]], kind: str = "Sequential") -> Path:
    config = {"class_name": kind, "config": {"layers": layers}}
    weights = path.with_suffix(".h5part")
    with h5py.File(weights, "w") as file:
        file["layers/dense/vars/0"] = np.ones((60, 2), np.float32)
        file["layers/dense/vars/1"] = np.zeros(2, np.float32)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("config.json", json.dumps(config))
        archive.write(weights, "model.weights.h5")
    return path


def _layer(kind: str, **config: object) -> dict[str, object]:
    return {"class_name": kind, "config": config}


INPUT = _layer("InputLayer", batch_shape=[None, 60])
DENSE = _layer("Dense", units=2, activation="softmax")


def test_a_small_network_is_read_as_data(tmp_path: Path) -> None:
    network = Network.from_bytes(read(str(_zip(tmp_path / "a.keras", [INPUT, DENSE]))))
    assert network.input_shape == (60,)
    assert np.allclose(network(np.zeros((3, 60), np.float32)), 0.5)


@pytest.mark.parametrize(
    ("layers", "reason"),
    [
        ([INPUT, _layer("Lambda", function="os.system"), DENSE], "'Lambda'"),
        ([INPUT, _layer("TFSMLayer", filepath="x"), DENSE], "'TFSMLayer'"),
        ([INPUT, _layer("Dense", units=2, activation="evil>boom")], "arrays|activation"),
        ([INPUT], "weights"),
        ([_layer("InputLayer", batch_shape=[None, 9, 9, 9]), DENSE], "shape"),
    ],
)
def test_what_is_not_a_chain_of_known_layers_is_refused(
    tmp_path: Path, layers: list[dict[str, object]], reason: str
) -> None:
    with pytest.raises(PluginError, match=reason):
        Network.from_bytes(read(str(_zip(tmp_path / "a.keras", layers))))(np.zeros((1, 60), np.float32))


@pytest.mark.parametrize("content", [b"", b"nonsense", b"PK\x03\x04broken", b"\x89HDF\r\n\x1a\n"])
def test_a_file_that_is_no_network_is_refused_in_one_sentence(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.keras"
    path.write_bytes(content)
    with pytest.raises(PluginError, match=r"a\.keras"):
        read(str(path))


def test_weights_that_changed_on_disk_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "w.npz"
    path.write_bytes(shipped_network().to_bytes())
    with pytest.raises(PluginError, match="not the file it was"):
        load_weights(path, "0" * 64)


def test_a_network_survives_its_file() -> None:
    network = shipped_network()
    again = Network.from_bytes(network.to_bytes())
    assert again.layers == network.layers
    assert all(np.array_equal(a, b) for a, b in zip(again.weights, network.weights, strict=True))


def test_only_networks_of_the_right_shape_are_compiled() -> None:
    assert Compiled.fits(shipped_network())
    dense = {"class": "Dense", "config": {"units": 1}}
    small = Network((dense,), (np.ones((60, 1), np.float32), np.zeros(1, np.float32)), (60,))
    assert not Compiled.fits(small)
