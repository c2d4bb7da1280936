"""A project as large as one likes, nearly all of it holes on the disk."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path

import numpy as np

import neuralsorter as ns
from neuralsorter import store
from neuralsorter.journal import Journal
from neuralsorter.storage.folder import JOURNAL, experiment_folder, new_folder, record_import

CHANNELS, SAMPLES = 96, 60


def sparse(path: Path, n: int) -> None:
    """Make a project whose files declare n events and are nearly all holes; the first channel has unit 1."""
    with new_folder(path) as partial, contextlib.closing(Journal(partial / JOURNAL)) as journal:
        small = next(iter(store.arrange(ns.simulate(n_channels=1, duration_s=20.0, seed=7).spikes)))
        folder = experiment_folder(partial, 0)
        store.write(small, folder)
        bounds = np.linspace(0, n, CHANNELS + 1).astype(np.int64)
        for name, kind, shape in (
            ("waveforms", "<i2", (n, SAMPLES)), ("times", "<f8", (n,)), ("unit", "<i4", (n,)),
            ("channel", "<i4", (n,)), ("source_row", "<i8", (n,)),
        ):  # fmt: skip
            file = folder / f"{name}.npy"
            file.unlink()
            holes = np.lib.format.open_memmap(file, "w+", np.dtype(kind), shape)
            if name == "unit":
                holes[: bounds[1]] = 1
        (folder / "channel_ptr.npy").unlink()
        np.save(folder / "channel_ptr.npy", np.c_[np.arange(1, CHANNELS + 1), bounds[:-1], bounds[1:]])
        manifest = folder / store.MANIFEST
        facts = json.loads(manifest.read_text())
        manifest.unlink()
        manifest.write_text(json.dumps(facts | {"n_spikes": n, "pre_samples": 20}))
        record_import(journal, 0, store.read(folder))
