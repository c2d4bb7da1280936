"""The shipped spike/noise network, about 60,000 weights. See spike_cnn.md for its data, scores and limits."""

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
            layers.Input((n_samples, 4)),  # value, mask, typical value, facts one after the other
            # Events are aligned, so filters as long as the window know where in a spike they look.
            layers.Conv1D(192, n_samples, activation="relu"),
            layers.Flatten(),
            layers.Dropout(0.1),
            layers.Dense(64, activation="relu"),
            layers.Dropout(0.1),
            layers.Dense(32, activation="relu"),
            layers.Dense(1),
        ]
    )
