"""The shipped spike/noise network, about 35,000 weights. See spike_cnn.md for its data, scores and limits."""

from __future__ import annotations

from typing import Any


def build(n_samples: int = 60) -> Any:
    """Return the untrained Keras model; its output is the log odds of a spike.

    Parameters
    ----------
    n_samples : int
        Samples of the common window.

    """
    from keras import Sequential, layers

    return Sequential(
        [
            layers.Input((n_samples, 5)),  # value, mask, size, typical value, number of alike events
            layers.Conv1D(18, 9, strides=3, activation="relu"),
            layers.Flatten(),
            layers.Dropout(0.1),
            layers.Dense(96, activation="relu"),
            layers.Dropout(0.1),
            layers.Dense(32, activation="relu"),
            layers.Dense(1),
        ]
    )
