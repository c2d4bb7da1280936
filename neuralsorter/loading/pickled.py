"""The spike_dict of the 2020 program in `.pkl` and `.npy`, through an unpickler that knows numbers and lists only."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO, ClassVar

import numpy as np

from neuralsorter.errors import DataError, LoadError
from neuralsorter.plugins import Loader
from neuralsorter.spike_dict import from_dict
from neuralsorter.spikes import Spikes

from .unpickling import plain

_REMEDY = "Save its six lists as .npz instead (docs/formats.md)"


class PickledLoader(Loader):
    """A spike_dict saved with pickle or numpy.save: six lists, waveforms in µV at 20 kHz."""

    suffixes: ClassVar[tuple[str, ...]] = (".pkl", ".pickle", ".npy")

    def load(self, path: Path) -> Spikes:
        """Return the rows in list order."""
        with path.open("rb") as file:
            if path.suffix.lower() == ".npy":
                _skip_npy_header(path, file)
            try:
                value = plain(file, "Waveforms")
            except MemoryError:
                raise
            except Exception as cause:  # noqa: BLE001 - a damaged pickle raises anything
                told = (str(cause).splitlines() or [type(cause).__name__])[0]
                what = f"is not a plain spike_dict ({told})"
                raise LoadError(path, what, _REMEDY) from None
        if isinstance(value, np.ndarray) and value.size == 1:
            value = value.item()
        if not isinstance(value, Mapping):
            raise LoadError(path, f"holds a {type(value).__name__}, not a dictionary of six lists", _REMEDY)
        value = _packed(value)
        rate = value.get("SamplingRate", 20_000.0)
        pre_samples = value.get("PreSamples")
        try:
            return _named(from_dict(value, float(rate), None if pre_samples is None else int(pre_samples)), path)
        except DataError as error:
            raise LoadError(path, str(error).rstrip("."), "Correct the list and save the file again") from None


def _packed(value: Mapping[str, Any]) -> dict[str, Any]:
    """Return the dictionary with its million small waveforms as one array, the list of them let go."""
    packed = dict(value)
    waveforms = packed.get("Waveforms")
    if isinstance(value, dict):
        value.clear()
    if isinstance(waveforms, list) and len({getattr(wave, "shape", None) for wave in waveforms} - {None}) == 1:
        try:
            packed["Waveforms"] = np.stack(waveforms)
        except (TypeError, ValueError):
            return packed  # what is wrong with them is said later
        waveforms.clear()
    return packed


def _named(spikes: Spikes, path: Path) -> Spikes:
    from dataclasses import replace

    return replace(spikes, sources=(str(path),))


def _skip_npy_header(path: Path, file: BinaryIO) -> None:
    """Move to the pickle behind the header of an object array."""
    try:
        version = np.lib.format.read_magic(file)
        read_header = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        _, _, dtype = read_header(file)
    except Exception as cause:  # noqa: BLE001 - the parser of a damaged header raises anything
        told = (str(cause).splitlines() or [type(cause).__name__])[0]
        raise LoadError(path, f"is not a .npy file ({told})", _REMEDY) from None
    if not dtype.hasobject:
        raise LoadError(path, f"holds an array of {dtype}, not a dictionary of six lists", _REMEDY)
