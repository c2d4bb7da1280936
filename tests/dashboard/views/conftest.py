from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

import neuralsorter as ns


@pytest.fixture
def workspace() -> Any:
    """Channel 3: unit 1 every 10 ms, unit 2 in pairs 1 ms apart each 100 ms; channel 4: one unit. Two triggers."""
    from dashboard.workspace import Workspace

    regular = np.arange(100) * 0.010
    pairs = np.sort(np.concatenate((np.arange(20) * 0.1 + 0.005, np.arange(20) * 0.1 + 0.006)))
    times = np.concatenate((regular, pairs, np.arange(50) * 0.02))
    unit = np.repeat([1, 2, 1], [100, 40, 50])
    shape = np.zeros(40)
    shape[10] = -1.0
    jitter = np.random.default_rng(0).integers(-1, 2, (190, 40))
    space = Workspace()
    space.show(
        ns.Project.in_memory(
            ns.Spikes(
                raw=(shape * np.where(unit == 1, 100, 300)[:, None] + jitter).astype(np.int16),
                times_s=times,
                channel=np.repeat([3, 4], [140, 50]),
                unit=unit,
                experiment=np.zeros(190, int),
                triggers=pd.DataFrame({"time_s": [0.1, 0.6], "code": [7, 7]}),
            )
        )
    )
    return space
