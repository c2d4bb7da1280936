"""A SpikeInterface `SortingAnalyzer` saved as zarr: needs the zarr library, which we do not install."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neuralsorter.errors import LoadError

from .analyzer import Cutouts, cutouts, say_how_many

_SAVE = 'Install zarr (pip install zarr), or save it with analyzer.save_as(format="binary_folder", folder=...)'
_MOST_PACKED, _FREE_BYTES = 200, 64 << 20
_COPY = "Save the analyzer again with the extensions random_spikes and waveforms"


def from_zarr(path: Path) -> Cutouts:
    """Read the arrays of an analyzer through zarr.

    Raises
    ------
    LoadError
        When zarr is missing, or an array is.

    """
    try:
        import zarr
    except ImportError:
        raise LoadError(path, "is stored as zarr, for which the library is not installed", _SAVE) from None
    try:
        root: Any = zarr.open(str(path), mode="r")
        sorting, waveforms = root["sorting"], root["extensions/waveforms"]
        raw = _array(path, waveforms["waveforms"], 3)
        chosen = _array(path, root["extensions/random_spikes/random_spikes_indices"], 1)
        sample, unit = (_array(path, sorting[f"spikes/{name}"], 1) for name in ("sample_index", "unit_index"))
        slices = _array(path, sorting["spikes/segment_slices"], 2)
        unit_ids = [str(name) for name in sorting["unit_ids"][:].tolist()]
        info, params = dict(root["recording_info"].attrs), dict(waveforms.attrs["params"])
        settings = dict(root.attrs.get("settings", {}))
        sparsity = _array(path, root["sparsity_mask"], 2).astype(bool) if "sparsity_mask" in root else None
    except KeyError as cause:
        raise LoadError(path, f"lacks {cause}", _COPY) from None
    if len(chosen) and not 0 <= chosen.min() <= chosen.max() < len(sample):
        raise LoadError(path, f"chooses spikes beyond the {len(sample)} of its sorting", _COPY)
    segment = np.zeros(len(sample), np.int64)
    for number, (start, stop) in enumerate(slices.tolist()):
        segment[start:stop] = number
    say_how_many(len(chosen), len(sample))
    scaled = bool(settings.get("return_in_uV", settings.get("return_scaled", True)))
    return cutouts(
        path, raw, unit[chosen], sample[chosen], segment[chosen], unit_ids, info["recording_attributes"], params,
        sparsity, _positions(info), [], scaled=scaled,
    )  # fmt: skip


def _array(path: Path, item: Any, n_dim: int) -> NDArray[Any]:
    if len(item.shape) != n_dim or item.dtype.kind not in "biuf":
        raise LoadError(path, f"holds {item.name} as something else than numbers of {n_dim} dimensions", _COPY)
    if item.nbytes > _FREE_BYTES + _MOST_PACKED * item.nbytes_stored:
        told = f"declares {item.nbytes} bytes in {item.name} but stores {item.nbytes_stored}"
        raise LoadError(path, told, "Do not open it: it is made to fill the memory")
    return np.asarray(item[:])


def _positions(info: dict[str, Any]) -> NDArray[Any] | None:
    try:
        probes = info["probegroup"]["probes"]
        return np.array([[float(v) for v in xy[:2]] for probe in probes for xy in probe["contact_positions"]])
    except (KeyError, TypeError, ValueError, IndexError):
        return None
