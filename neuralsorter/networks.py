"""Networks as data: a checked list of layers and their weights, run without TensorFlow."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from . import layers
from .errors import PluginError

Array = NDArray[np.float32]

# What each layer may say about itself and the arrays it brings, in Keras's order.
_LAYERS: dict[str, tuple[str, ...]] = {
    "InputLayer": (),
    "Conv1D": ("kernel", "bias"),
    "Dense": ("kernel", "bias"),
    "BatchNormalization": ("gamma", "beta", "moving_mean", "moving_variance"),
    "Activation": (),
    "ReLU": (),
    "LeakyReLU": (),
    "Softmax": (),
    "MaxPooling1D": (),
    "AveragePooling1D": (),
    "GlobalMaxPooling1D": (),
    "GlobalAveragePooling1D": (),
    "Flatten": (),
    "Reshape": (),
    "ZeroPadding1D": (),
    "Dropout": (),
    "SpatialDropout1D": (),
    "GaussianNoise": (),
}


@dataclass(frozen=True, eq=False)
class Network:
    """A chain of layers with their weights.

    Attributes
    ----------
    layers : tuple of dict
        {"class": name, "config": {...}} as Keras writes them, only kinds in the list of this file.
    weights : tuple of ndarray
        In the order of the layers.
    input_shape : tuple of int
        Of one event.
    meta : dict
        What else is known, such as its name.

    """

    layers: tuple[Mapping[str, Any], ...]
    weights: tuple[Array, ...]
    input_shape: tuple[int, ...]
    meta: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for layer in self.layers:
            if layer["class"] not in _LAYERS:
                raise PluginError(
                    f"The network has a layer of the kind {layer['class']!r}, which NeuralSorter does not run."
                    f" It runs {', '.join(_LAYERS)}."
                )
        expected = sum(len(_arrays_of(layer)) for layer in self.layers)
        if expected != len(self.weights):
            raise PluginError(
                f"The network's layers need {expected} arrays of weights. The file has {len(self.weights)}."
            )

    def __call__(self, x: Array) -> Array:
        """Return the output of events, (n, *input_shape), layer by layer."""
        weights = iter(self.weights)
        for layer in self.layers:
            own = {name: next(weights) for name in _arrays_of(layer)}
            x = layers.run(layer["class"], layer["config"], own, x)
        return np.asarray(x, np.float32)

    @cached_property
    def n_outputs(self) -> int:
        """Values per event."""
        return int(self(np.zeros((1, *self.input_shape), np.float32)).reshape(1, -1).shape[1])

    def to_bytes(self) -> bytes:
        """Return the network as an .npz file of plain arrays."""
        told = {"layers": list(self.layers), "input_shape": list(self.input_shape), "meta": dict(self.meta)}
        buffer = io.BytesIO()
        arrays: dict[str, Any] = {f"w{i:02d}": w for i, w in enumerate(self.weights)}
        np.savez(buffer, architecture=np.array(json.dumps(told)), **arrays)
        return buffer.getvalue()

    @classmethod
    def from_bytes(cls, data: bytes) -> Network:
        """Read what `to_bytes` wrote."""
        with np.load(io.BytesIO(data), allow_pickle=False) as file:
            told = json.loads(str(file["architecture"]))
            weights = tuple(file[name].astype(np.float32) for name in sorted(set(file.files) - {"architecture"}))
        return cls(tuple(told["layers"]), weights, tuple(told["input_shape"]), told["meta"])


def load_weights(path: Path, sha256: str) -> Network:
    """Read a network's .npz whose hash is known."""
    data = path.read_bytes()
    found = hashlib.sha256(data).hexdigest()
    if found != sha256:
        raise PluginError(f"{path} is not the file it was (SHA-256 {found[:12]}...). Install NeuralSorter again.")
    return Network.from_bytes(data)


def _arrays_of(layer: Mapping[str, Any]) -> tuple[str, ...]:
    """Name the arrays a layer brings, given its settings."""
    config = layer["config"]
    absent = set()
    if layer["class"] in ("Conv1D", "Dense") and not config.get("use_bias", True):
        absent.add("bias")
    if layer["class"] == "BatchNormalization":
        absent |= {name for name, said in (("gamma", "scale"), ("beta", "center")) if not config.get(said, True)}
    return tuple(name for name in _LAYERS[layer["class"]] if name not in absent)
