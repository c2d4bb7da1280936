"""What Keras itself says, for test_networks.py: run as a script, so that TensorFlow stays out of the test process."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import numpy as np

os.environ.update(TF_CPP_MIN_LOG_LEVEL="3", CUDA_VISIBLE_DEVICES="-1", KERAS_BACKEND="tensorflow")


def shipped(x: Any) -> dict[str, Any]:
    """Log odds of the shipped network's Keras model."""
    from neuralsorter import fitting, plugins
    from neuralsorter.cleaning import shipped_network

    model = fitting.build(plugins.folder("models") / "spike_cnn.py")
    model.set_weights(list(shipped_network().weights))
    return {"log_odds": np.asarray(model(x, training=False))[:, 0]}


def kinds(folder: Path, x: Any) -> dict[str, Any]:
    """Save networks of every kind of layer in three files and return Keras's own predictions."""
    import keras
    from keras import layers as k

    def chain() -> list[Any]:
        return [
            k.Conv1D(6, 5, padding="same", activation="relu"),
            k.BatchNormalization(),
            k.MaxPooling1D(2),
            k.SpatialDropout1D(0.1),
            k.ZeroPadding1D(2),
            k.Conv1D(8, 4, strides=2, use_bias=False),
            k.BatchNormalization(scale=False),
            k.LeakyReLU(negative_slope=0.1),
            k.AveragePooling1D(3, strides=2, padding="same"),
            k.Conv1D(5, 2, padding="same", strides=2, activation="gelu"),
            k.Activation("elu"),
            k.Flatten(),
            k.GaussianNoise(0.1),
            k.Dense(12, activation="tanh"),
            k.Reshape((4, 3)),
            k.GlobalAveragePooling1D(),
            k.Dropout(0.3),
            k.Dense(7, activation="silu"),
            k.ReLU(max_value=2.0),
            k.Dense(2),
            k.Softmax(),
        ]

    keras.utils.set_random_seed(1)
    start = k.Input((60, 1))
    out = start
    for layer in chain():
        out = layer(out)
    models = {
        "sequential.keras": keras.Sequential([k.Input((60, 1)), *chain()]),
        "sequential.h5": keras.Sequential([k.Input((60, 1)), *chain()]),
        "functional.keras": keras.Model(start, out),
    }
    said = {}
    rng = np.random.default_rng(0)
    for name, model in models.items():
        # Moving statistics of 0 and 1 would hide a wrong order of arrays.
        model.set_weights([w + rng.uniform(0.05, 0.3, w.shape) for w in model.get_weights()])
        model.save(folder / name)
        said[name] = np.asarray(model(x, training=False))
    return said


if __name__ == "__main__":
    own, other, answer = sys.argv[1:]
    np.savez(answer, **shipped(np.load(own)), **kinds(Path(answer).parent, np.load(other)))
