"""Training by Keras. Runs in worker processes and on the command line, never in the server."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import expit

from .errors import PluginError
from .examples import Examples
from .networks import Network
from .plugins import import_file
from .waveforms import network_input

_BLOCK = 16_384
USUAL_SHARE = 0.45  # of spikes: noise of unknown kinds is judged too kindly, and `border` does the rest
Progress = Callable[[float, str], None]


def quiet_keras() -> Any:
    """Import Keras without TensorFlow's greetings and return it."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("KERAS_BACKEND", "tensorflow")
    os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
    import keras

    return keras


def build(definition: Path) -> Any:
    """Return the untrained model of a network's definition file, a .py with `build(n_samples)`."""
    quiet_keras()
    return import_file(definition, "models").build(60)


def shapes(definition: str) -> tuple[list[int | None], list[int | None]]:
    """Return the shapes of one input and one output of a network's definition file; raises as `checked` does."""
    model = checked(Path(definition))
    return list(model.input_shape[1:]), list(model.output_shape[1:])


def checked(definition: Path) -> Any:
    """Return the untrained model of a network's definition file, as `build` does, if it can be trained here.

    Raises
    ------
    PluginError
        When it cannot be built, or does not take (60, 4) and give one log odds.

    """
    try:
        model = build(definition)
        taken, given = list(model.input_shape[1:]), list(model.output_shape[1:])
    except PluginError:
        raise
    except Exception as cause:
        raise PluginError(f"{definition} does not build a network: {type(cause).__name__}: {cause}") from cause
    if taken != [60, 4] or given != [1]:
        raise PluginError(
            f"{definition}: the network takes {taken} and gives {given}. Its build(60) must take (60, 4) and give one"
            " log odds."
        )
    return model


def fit(
    model: Any,
    examples: Examples,
    *,
    epochs: int,
    rate: float,
    batch_size: int,
    seed: int,
    weight: NDArray[np.float32] | None = None,
    held_out: Examples | None = None,
    progress: Progress | None = None,
    optimizer: str = "adamw",
    loss: str = "binary_crossentropy",
) -> dict[str, list[float]]:
    """Train `model` in place and return its learning curves: loss, and the held-out loss where there is a set.

    Parameters
    ----------
    model : keras.Model
        Takes (n, 60, 4), returns log odds.
    examples, held_out : Examples
        What it learns from, and what only says how it does.
    epochs, batch_size, rate
        Passes over the examples, events per step, first step size (falls to 0 by a cosine).
    seed : int
        Order of the examples.
    weight : ndarray, (n,), optional
        Of each example.
    progress : callable, optional
        Called with the share done and a sentence.
    optimizer, loss : str
        Names of Keras.

    """
    import tensorflow as tf

    keras = quiet_keras()
    keras.utils.set_random_seed(seed)
    steps = max(len(examples) // batch_size, 1)
    schedule = keras.optimizers.schedules.CosineDecay(rate, epochs * steps)
    step_by = keras.optimizers.get({"class_name": optimizer, "config": {"learning_rate": schedule}})
    measure = keras.losses.get(loss)
    weights = np.ones(len(examples), np.float32) if weight is None else weight

    @tf.function
    def step(x: Any, y: Any, w: Any) -> Any:
        with tf.GradientTape() as tape:
            each = measure(y[:, None], keras.ops.sigmoid(model(x, training=True)))
            total = tf.reduce_mean(each * w)
        step_by.apply(tape.gradient(total, model.trainable_variables), model.trainable_variables)
        return total

    curves: dict[str, list[float]] = {"loss": [], "held_out_loss": []}
    rng = np.random.default_rng(seed)
    for epoch in range(epochs):
        order = rng.permutation(len(examples))
        losses = []
        for rows in np.array_split(order, steps):
            x = network_input(examples.values[rows], examples.mask[rows])
            losses.append(float(step(x, examples.label[rows], weights[rows])))
        curves["loss"].append(float(np.mean(losses)))
        if held_out is not None:
            odds = log_odds(model, held_out)
            curves["held_out_loss"].append(_cross_entropy(odds, held_out.label))
        if progress is not None:
            progress((epoch + 1) / epochs, f"pass {epoch + 1} of {epochs}, loss {curves['loss'][-1]:.4f}")
    return curves


def log_odds(model: Any, examples: Examples) -> NDArray[np.float32]:
    """Return the model's output of each example, (n,)."""
    parts = [np.zeros(0, np.float32)]
    for start in range(0, len(examples), _BLOCK):
        rows = slice(start, start + _BLOCK)
        x = network_input(examples.values[rows], examples.mask[rows])
        parts.append(np.asarray(model(x, training=False), np.float32)[:, 0])
    return np.concatenate(parts)


def calibrate(model: Any, odds: NDArray[Any], label: NDArray[Any]) -> tuple[float, float]:
    """Scale the model's last layer so that its probabilities are right on held-out events; return scale and offset.

    Spikes count as `USUAL_SHARE` of all events, however many the set holds.
    """
    spike = label > 0.5
    share = float(np.clip(spike.mean(), 1e-6, 1 - 1e-6))
    weight = np.where(spike, USUAL_SHARE / share, (1 - USUAL_SHARE) / (1 - share))

    def badness(at: NDArray[Any]) -> float:
        return _cross_entropy(odds * np.exp(at[0]) + at[1], label, weight)

    found = minimize(badness, np.zeros(2), method="Nelder-Mead").x
    scale, offset = float(np.exp(found[0])), float(found[1])
    last = model.layers[-1]
    kernel, bias = last.get_weights()
    last.set_weights([kernel * scale, bias * scale + offset])
    return scale, offset


def to_network(model: Any, **meta: Any) -> Network:
    """Return the model as plain layers and weights."""
    layers = [{"class": type(layer).__name__, "config": _plain(layer.get_config())} for layer in model.layers]
    return Network(tuple(layers), tuple(np.asarray(w, np.float32) for w in model.get_weights()), (60, 4), meta)


def _plain(config: dict[str, Any]) -> dict[str, Any]:
    """Keep what says how the layer computes."""
    plain = {name: value for name, value in config.items() if isinstance(value, (bool, int, float, str))}
    pairs = {n: list(v) for n, v in config.items() if isinstance(v, (list, tuple)) and all(type(i) is int for i in v)}
    return plain | pairs


def _cross_entropy(odds: NDArray[Any], label: NDArray[Any], weight: NDArray[Any] | float = 1.0) -> float:
    p = np.clip(expit(odds.astype(np.float64)), 1e-7, 1 - 1e-7)
    return float(-np.mean(weight * (label * np.log(p) + (1 - label) * np.log1p(-p))))
