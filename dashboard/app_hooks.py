"""What the server does before the first page: compile the kernels in the background."""

from __future__ import annotations

import threading
from typing import Any


def on_server_loaded(server_context: Any) -> None:  # noqa: ARG001 - the name and argument are Bokeh's
    """Get the drawing and picking kernels ready, so that the first gesture need not wait for the compiler."""
    threading.Thread(target=_warm, name="warm", daemon=True).start()


def _warm() -> None:
    import numpy as np

    from neuralsorter.means import unit_means
    from neuralsorter.spiketrain import isi_histogram
    from neuralsorter.warmup import warm

    warm()
    for dtype in (np.int16, np.float32):
        unit_means(np.zeros((4, 8), dtype), np.array([1, 1, 2, 2]))
    isi_histogram(np.arange(10.0))
