"""The mathematics of a network's layers, as Keras defines them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import erf, expit, softmax

from .errors import PluginError

Array = NDArray[np.float32]
Config = Mapping[str, Any]

_ACTIVATIONS: dict[str, Callable[[Array], Any]] = {
    "linear": lambda x: x,
    "relu": lambda x: np.maximum(x, 0),
    "leaky_relu": lambda x: np.where(x > 0, x, np.float32(0.2) * x),
    "elu": lambda x: np.where(x > 0, x, np.expm1(np.minimum(x, 0))),
    "gelu": lambda x: x * 0.5 * (1 + erf(x / np.sqrt(2))),
    "silu": lambda x: x * expit(x),
    "swish": lambda x: x * expit(x),
    "tanh": np.tanh,
    "sigmoid": expit,
    "softmax": lambda x: softmax(x, axis=-1),
}


def run(kind: str, config: Config, own: Mapping[str, Array], x: Array) -> Any:
    """Return what one layer makes of `x`, (n_spikes, ...), with its `own` arrays."""
    return _RUN[kind](config, own, x)


def _activated(kind: str, config: Config, x: Array) -> Any:
    if kind == "Activation":
        return activation(config["activation"])(x)
    if kind == "Softmax":
        return activation("softmax")(x)
    slope = config.get("negative_slope") or config.get("alpha") or (0.3 if kind == "LeakyReLU" else 0.0)
    above = np.maximum(x, 0) if config.get("max_value") is None else np.clip(x, 0, config["max_value"])
    return above + np.float32(slope) * np.minimum(x, 0)


def activation(name: Any) -> Callable[[Array], Any]:
    """Return an activation by Keras's name."""
    if not isinstance(name, str) or name not in _ACTIVATIONS:
        raise PluginError(
            f"The network uses the activation {name!r}, which NeuralSorter does not run."
            f" It runs {', '.join(_ACTIVATIONS)}."
        )
    return _ACTIVATIONS[name]


def _pair(value: Any) -> Sequence[int]:
    return (value, value) if isinstance(value, int) else value


def _one(value: Any) -> int:
    return int(value[0]) if isinstance(value, (list, tuple)) else int(value)


def _margins(n_samples: int, window: int, stride: int, padding: str) -> tuple[int, int]:
    """Return the samples Keras adds at both ends."""
    if padding == "valid":
        return 0, 0
    if padding != "same":
        raise PluginError(f"The network pads by {padding!r}. NeuralSorter runs 'valid' and 'same'.")
    total = max((-(-n_samples // stride) - 1) * stride + window - n_samples, 0)
    return total // 2, total - total // 2


def _windows(x: Array, window: int, stride: int) -> NDArray[Any]:
    """Return (n, n_windows, n_channels, window)."""
    return np.lib.stride_tricks.sliding_window_view(x, window, axis=1)[:, ::stride]


def _convolved(x: Array, kernel: Array, config: Config) -> Array:
    if _one(config.get("dilation_rate", 1)) != 1 or config.get("groups", 1) != 1:
        raise PluginError(
            "The network has a dilated or grouped Conv1D, which NeuralSorter does not run. Use a plain one."
        )
    stride = _one(config.get("strides", 1))
    margins = _margins(x.shape[1], len(kernel), stride, config.get("padding", "valid"))
    windows = _windows(np.pad(x, ((0, 0), margins, (0, 0))), len(kernel), stride)
    n, places = windows.shape[:2]
    flat = windows.reshape(n * places, -1)
    return np.asarray((flat @ kernel.transpose(1, 0, 2).reshape(flat.shape[1], -1)).reshape(n, places, -1), np.float32)


def _pooled(x: Array, kind: str, config: Config) -> Array:
    size = _one(config.get("pool_size", 2))
    stride = _one(config.get("strides") or size)
    margins = _margins(x.shape[1], size, stride, config.get("padding", "valid"))
    if kind == "MaxPooling1D":
        return _windows(np.pad(x, ((0, 0), margins, (0, 0)), constant_values=-np.inf), size, stride).max(axis=-1)
    held = np.pad(x, ((0, 0), margins, (0, 0)), constant_values=np.nan)
    return np.asarray(np.nanmean(_windows(held, size, stride), axis=-1), np.float32)


def _linear(config: Config, own: Mapping[str, Array], product: Array) -> Any:
    return activation(config.get("activation", "linear"))(product + own.get("bias", np.float32(0)))


def _normalised(config: Config, own: Mapping[str, Array], x: Array) -> Array:
    scale = own.get("gamma", np.float32(1)) / np.sqrt(own["moving_variance"] + np.float32(config.get("epsilon", 1e-3)))
    return (x - own["moving_mean"]) * scale + own.get("beta", np.float32(0))


def _same(_: Config, __: Mapping[str, Array], x: Array) -> Array:
    return x


_RUN: dict[str, Callable[[Config, Mapping[str, Array], Array], Any]] = {
    "Conv1D": lambda config, own, x: _linear(config, own, _convolved(x, own["kernel"], config)),
    "Dense": lambda config, own, x: _linear(config, own, x @ own["kernel"]),
    "BatchNormalization": _normalised,
    "MaxPooling1D": lambda config, _, x: _pooled(x, "MaxPooling1D", config),
    "AveragePooling1D": lambda config, _, x: _pooled(x, "AveragePooling1D", config),
    "GlobalMaxPooling1D": lambda _, __, x: x.max(axis=1),
    "GlobalAveragePooling1D": lambda _, __, x: x.mean(axis=1),
    "Flatten": lambda _, __, x: x.reshape(len(x), -1),
    "Reshape": lambda config, _, x: x.reshape(len(x), *config["target_shape"]),
    "ZeroPadding1D": lambda config, _, x: np.pad(x, ((0, 0), tuple(_pair(config["padding"])), (0, 0))),
    **dict.fromkeys(("InputLayer", "Dropout", "SpatialDropout1D", "GaussianNoise"), _same),  # idle after training
    "Activation": lambda config, _, x: _activated("Activation", config, x),
    "ReLU": lambda config, _, x: _activated("ReLU", config, x),
    "LeakyReLU": lambda config, _, x: _activated("LeakyReLU", config, x),
    "Softmax": lambda config, _, x: _activated("Softmax", config, x),
}
