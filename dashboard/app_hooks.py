"""What the server does before the first page: compile the kernels in the background."""

from __future__ import annotations

import threading
from typing import Any


def on_server_loaded(server_context: Any) -> None:  # noqa: ARG001 - the name and argument are Bokeh's
    """Get the drawing and picking kernels ready, so that the first gesture need not wait for the compiler."""
    threading.Thread(target=_warm, name="warm", daemon=True).start()


def _warm() -> None:
    import numpy as np

    from neuralsorter.block import View
    from neuralsorter.means import unit_means
    from neuralsorter.picking import pick
    from neuralsorter.picture import Picture, alignment
    from neuralsorter.spiketrain import isi_histogram

    view, box = View(32, 32, (0.0, 7.0), (-5.0, 5.0)), [(0.1, -1.0), (0.3, -1.0), (0.3, 1.0)]
    for dtype in (np.int16, np.float32):
        raw, unit = np.arange(80, dtype=dtype).reshape(10, 8) % 7, np.repeat([1, 2], 5)
        for shift in (None, alignment(raw, 2, "trough")):
            picture = Picture(raw, unit, shift=shift)
            picture.set_view(view)
            picture.reassign(np.array([0]), 1, 2)
            picture.count(np.array([1, 2]))
            pick(raw, box, sampling_rate=20_000.0, pre_samples=2, shift=shift, view=view)
        unit_means(raw, unit)
    isi_histogram(np.arange(10.0))
