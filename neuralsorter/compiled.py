"""The spike/noise network as a few matrix products: the same log odds as Keras, many times faster."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray
from scipy.special import expit

from .border import border
from .context import typical
from .facts import N_FACTS, colour, facts
from .layers import activation
from .networks import Network
from .waveforms import quiet, seen, to_common

BLOCK = 2048  # events whose hidden values stay in a core's own cache
_IDLE = ("InputLayer", "Dropout")  # nothing after training


class Compiled:
    """A network of input (60, 4) that starts with a valid Conv1D and ends in one log odds."""

    def __init__(self, network: Network) -> None:
        layers = [layer for layer in network.layers if layer["class"] not in _IDLE]
        config = layers[0]["config"]
        kernel, bias = network.weights[:2]
        matrix = _unrolled(kernel, int(np.ravel(config["strides"])[0]))  # (60, 4, n_hidden)
        self._own = np.concatenate([matrix[:, 0], matrix[:N_FACTS, 3]])
        self._mask = np.ascontiguousarray(matrix[:, 1])
        self._typical = np.ascontiguousarray(matrix[:, 2])
        self._bias = np.tile(bias, matrix.shape[2] // len(bias))
        dense = [layer["config"].get("activation", "linear") for layer in layers[1:] if layer["class"] == "Dense"]
        self._dense = list(zip(network.weights[2::2], network.weights[3::2], dense, strict=True))

    @staticmethod
    def fits(network: Network) -> bool:
        """Whether a network has the shape that this file can run."""
        kinds = [layer["class"] for layer in network.layers if layer["class"] not in _IDLE]
        if network.input_shape != (60, 4) or kinds[:2] != ["Conv1D", "Flatten"] or set(kinds[2:]) != {"Dense"}:
            return False
        config = next(layer["config"] for layer in network.layers if layer["class"] == "Conv1D")
        plain = config.get("padding", "valid") == "valid" and config.get("activation") == "relu"
        arrays = 2 * (len(kinds) - 1)
        return plain and len(network.weights) == arrays and network.weights[-1].shape == (1,)

    def probability(
        self,
        waveforms: NDArray[Any],
        sampling_rate: float,
        pre_samples: int,
        progress: Callable[[float], None] | None = None,
    ) -> NDArray[np.float32]:
        """Return P(spike) of the events of one channel, (n_spikes,); see `plugins.Cleaner`."""
        common = to_common(waveforms, sampling_rate, pre_samples)
        level, sigma = quiet(waveforms, pre_samples)
        events = seen(common, sigma, level)
        alike = typical(events.values)
        known = facts(events, alike, colour(common, sigma, level))
        of_group = alike.mean[:, :60] @ self._typical + self._bias
        of_mask = events.masks @ self._mask if len(events.masks) < BLOCK else None
        out = np.empty(len(waveforms), np.float32)
        for start in range(0, len(out), BLOCK):
            rows = slice(start, start + BLOCK)
            hidden = np.concatenate([events.values[rows, :60], known[rows]], axis=1) @ self._own
            if of_mask is None:
                _add_and_rectify(
                    hidden, of_group, alike.group[rows], events.masks[events.which[rows]] @ self._mask, _COUNT
                )
            else:
                _add_and_rectify(hidden, of_group, alike.group[rows], of_mask, events.which[rows])
            out[rows] = self._rest(hidden)
            if progress is not None:
                progress(min(start + BLOCK, len(out)) / len(out))
        return np.asarray(expit(out - np.float32(border(out))), np.float32)

    def _rest(self, hidden: NDArray[np.float32]) -> NDArray[np.float32]:
        for kernel, bias, name in self._dense:
            hidden = hidden @ kernel
            if name == "relu":
                _rectify(hidden, bias)
            else:
                hidden = activation(name)(hidden + bias)
        return hidden[:, 0]


_COUNT = np.arange(BLOCK)


def _unrolled(kernel: NDArray[np.float32], stride: int) -> NDArray[np.float32]:
    """Return the convolution of 60 samples as a matrix, (60, n_channels, n_places * n_filters)."""
    width, n_channels, n_filters = kernel.shape
    n_places = (60 - width) // stride + 1
    matrix = np.zeros((60, n_channels, n_places, n_filters), np.float32)
    for place in range(n_places):
        matrix[place * stride : place * stride + width, :, place] = kernel
    return matrix.reshape(60, n_channels, n_places * n_filters)


@njit(nogil=True, fastmath=True, cache=True)
def _rectify(hidden: Any, bias: Any) -> None:  # pragma: no cover - compiled
    for row in range(hidden.shape[0]):
        for i in range(hidden.shape[1]):
            hidden[row, i] = max(hidden[row, i] + bias[i], np.float32(0.0))


@njit(nogil=True, fastmath=True, cache=True)
def _add_and_rectify(  # pragma: no cover - compiled
    hidden: Any, of_group: Any, group: Any, of_mask: Any, which: Any
) -> None:
    for row in range(hidden.shape[0]):
        one, other = of_group[group[row]], of_mask[which[row]]
        for i in range(hidden.shape[1]):
            hidden[row, i] = max(hidden[row, i] + one[i] + other[i], np.float32(0.0))
