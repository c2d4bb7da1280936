"""Networks in Keras's files, read as data. For worker processes: the parser of HDF5 never runs in the server."""

from __future__ import annotations

import io
import json
import re
import zipfile
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .errors import PluginError
from .loading.hdf5 import look_through
from .networks import Network

_LARGEST_JSON = 1 << 20
_LARGEST_WEIGHTS = 1 << 28
_LARGEST_ARRAY = 1 << 24


def read(path: str) -> bytes:
    """Return a .keras or .h5 network as `networks.Network.to_bytes` writes it.

    The architecture is taken from its JSON if every layer is of a kind that NeuralSorter knows, the weights as plain
    arrays. Nothing is unpickled, imported or run.
    """
    try:
        config, stores = _keras(Path(path)) if zipfile.is_zipfile(path) else _hdf5(Path(path))
        layers, shape = _chain(config, path)
        weights = _in_order(layers, stores, path)
        return Network(tuple(layers), tuple(weights), shape, {"name": Path(path).stem}).to_bytes()
    except PluginError as error:
        if path in str(error):
            raise
        raise PluginError(f"{path}: {error}") from None
    except Exception as cause:
        raise PluginError(f"{path} is not a network of Keras that can be read: {cause}. Save it again.") from cause


def _keras(path: Path) -> tuple[Any, Mapping[str, list[NDArray[Any]]]]:
    """Read Keras's zip: config.json and model.weights.h5."""
    import h5py

    with zipfile.ZipFile(path) as archive:
        parts = []
        for name, limit in (("config.json", _LARGEST_JSON), ("model.weights.h5", _LARGEST_WEIGHTS)):
            if archive.getinfo(name).file_size > limit:
                raise PluginError(f"{path}: its {name} is larger than a spike/noise network's. Use a smaller network.")
            parts.append(archive.read(name))
    stores: dict[str, list[NDArray[Any]]] = {}
    with h5py.File(io.BytesIO(parts[1]), "r") as file:
        look_through(path, file)
        for root in ("layers", "_layer_checkpoint_dependencies"):
            for name, layer in file.get(root, {}).items():
                held = layer.get("vars", {})
                stores[name] = [_array(held[str(i)]) for i in range(len(held))]
    return json.loads(parts[0]), stores


def _hdf5(path: Path) -> tuple[Any, Mapping[str, list[NDArray[Any]]]]:
    """Read the older HDF5 file: the attribute model_config and the group model_weights."""
    import h5py

    with h5py.File(path, "r") as file:
        look_through(path, file)
        text = file.attrs["model_config"]
        config = json.loads(text.decode() if isinstance(text, bytes) else str(text))
        stores = {}
        for name, layer in file["model_weights"].items():
            held = [w.decode() if isinstance(w, bytes) else str(w) for w in layer.attrs.get("weight_names", [])]
            stores[f"={name}"] = [_array(layer[w]) for w in held]
    return config, stores


def _array(held: Any) -> NDArray[np.float32]:
    if held.size > _LARGEST_ARRAY or not np.issubdtype(held.dtype, np.number):
        raise PluginError("The network has an array of weights that is too large or holds no numbers.")
    return np.asarray(held[()], np.float32)


def _chain(config: Any, path: str) -> tuple[list[dict[str, Any]], tuple[int, ...]]:
    """Return the layers in their order, and the shape of one event."""
    kind, inner = config["class_name"], config["config"]
    if kind not in {"Sequential", "Functional", "Model"}:
        raise PluginError(f"{path} holds a {kind!r}. NeuralSorter reads Sequential and Functional networks.")
    given = inner["layers"] if isinstance(inner, dict) else inner
    layers = []
    for number, layer in enumerate(given):
        if kind != "Sequential" and number and not _follows(layer, given[number - 1]):
            raise PluginError(f"{path} has branches. NeuralSorter runs networks whose layers follow one another.")
        layers.append({"class": layer["class_name"], "config": _plain(layer["config"])})
    shape = _input_shape(given, inner)
    if not 1 <= len(shape) <= 2 or not all(isinstance(n, int) and 0 < n <= 4096 for n in shape):
        raise PluginError(
            f"{path} takes an input of shape {shape}. NeuralSorter gives (60,), (60, 1) or its own (60, 4)."
        )
    return layers, shape


def _follows(layer: Mapping[str, Any], before: Mapping[str, Any]) -> bool:
    """Say whether a layer of a Functional network has the layer before it as its one input."""
    names = set(re.findall(r"[\w./-]+", json.dumps(layer.get("inbound_nodes", []))))
    name = before.get("name") or before["config"]["name"]
    return name in names and len(layer["inbound_nodes"]) == 1


def _input_shape(layers: Sequence[Mapping[str, Any]], inner: Any) -> tuple[int, ...]:
    first = layers[0]["config"]
    shape = first.get("batch_shape") or first.get("batch_input_shape")
    if shape is None and isinstance(inner, dict):
        shape = inner.get("build_input_shape")
    return tuple((shape or ())[1:])


def _plain(config: Mapping[str, Any]) -> dict[str, Any]:
    plain: dict[str, Any] = {}
    for name, value in config.items():
        whole_numbers = isinstance(value, list) and all(type(i) is int for i in value)
        if isinstance(value, dict) and name == "activation":
            plain[name] = str(value.get("class_name"))
        elif whole_numbers or isinstance(value, (bool, int, float, str)):
            plain[name] = value
    return plain


def _in_order(
    layers: list[dict[str, Any]], stores: Mapping[str, list[NDArray[Any]]], path: str
) -> list[NDArray[np.float32]]:
    """Collect the arrays by layer: .keras files name them by class and count, .h5 files by the layer's own name."""
    seen: Counter[str] = Counter()
    weights: list[NDArray[np.float32]] = []
    for layer in layers:
        stem = re.sub(r"([a-z])([A-Z])", r"\1_\2", re.sub(r"(.)([A-Z][a-z]+)", r"\1_\2", layer["class"])).lower()
        counted = stem if not seen[stem] else f"{stem}_{seen[stem]}"
        seen[stem] += 1
        own = f"={layer['config'].get('name')}"
        weights += stores[own] if own in stores else stores.get(counted, [])
    if not weights:
        raise PluginError(f"{path} holds no weights. Save the whole trained network.")
    return weights
