"""Where a channel's spikes and noise part: among the log odds that few of its events have."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

REACH = 2.0  # log odds to either side of 0
_WIDTH = 0.7  # log odds over which events are counted as neighbours
_FEW = 10.0  # events per unit of log odds that a channel must exceed to move the border
_SHARPNESS = 10.0
_STEP = 0.1
_EDGE = REACH + 5 * _WIDTH
_PLACES = np.linspace(-REACH, REACH, round(2 * REACH / _STEP) + 1)
_BINS = np.linspace(-_EDGE, _EDGE, round(2 * _EDGE / _STEP) + 1)
_NEAR = np.exp(-0.5 * ((_PLACES[:, None] - _BINS) / _WIDTH) ** 2) / (_WIDTH * np.sqrt(2 * np.pi))


def border(odds: NDArray[Any]) -> float:
    """Return the log odds that mean one half on a channel.

    A network is calibrated on recordings at large; on a channel, its noise may be of a kind that it judges too kindly,
    or there may be no noise at all. Where the classes part, events are rare, so each place within `REACH` weighs the
    more the fewer events are near it, and the border is the mean of these places. Few events leave it near 0; nothing
    but noise, whose tail gets thinner upwards, raises it; nothing but spikes lowers it. It moves smoothly with every
    event, and as one number is taken from all log odds of a channel, their order stays.

    Parameters
    ----------
    odds : ndarray, (n_spikes,)
        Log odds of all events of one channel.

    Returns
    -------
    float
        Within `REACH` of 0.

    """
    known = odds[~np.isnan(odds)].astype(np.float64)
    place = (np.clip(known, -_EDGE, _EDGE) + _EDGE) / _STEP
    left = np.minimum(place.astype(np.int64), len(_BINS) - 2)
    part = place - left
    counts = np.bincount(left, 1 - part, len(_BINS)) + np.bincount(left + 1, part, len(_BINS))
    weight = (_NEAR @ counts + _FEW) ** -_SHARPNESS
    return float(weight @ _PLACES / weight.sum())
