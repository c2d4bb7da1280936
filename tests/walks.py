"""Random waveforms to draw."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

Range = tuple[float, float]
quick = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def walks(n: int, n_samples: int, seed: int, kind: str) -> NDArray[Any]:
    """Return random waveforms, int16 or float32, "gaps": float32 with NaN."""
    rng = np.random.default_rng(seed)
    waves = np.cumsum(rng.normal(0, 10 ** rng.uniform(0, 2), (n, n_samples)), axis=1)
    if kind == "int16":
        return np.round(waves).astype(np.int16)
    waves[(rng.random(waves.shape) < 0.1) & (kind == "gaps")] = np.nan
    return waves.astype(np.float32)


def window(data: st.DataObject, low: float, high: float) -> Range:
    """Draw a window near low to high, as often as not on whole numbers, where samples lie."""
    number = st.floats(low, high) if data.draw(st.booleans()) else st.integers(int(low), int(high)).map(float)
    first, second = sorted((float(data.draw(number)), float(data.draw(number))))
    return (first, second) if second - first > 1e-3 * (high - low) else (low, high)
