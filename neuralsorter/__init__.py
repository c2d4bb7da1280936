"""NeuralSorter: clean, sort and curate threshold-crossing spike waveforms.

The public names load when first used, so that `import neuralsorter` is quick.
"""

from __future__ import annotations

import importlib
import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from . import views
    from .cleaning import spike_probability
    from .density import density
    from .edit import Edit
    from .errors import NeuralSorterError
    from .focus import Focus
    from .loading import load
    from .metrics import metrics
    from .notebook import curate
    from .picking import pick
    from .plugins import Cleaner, Loader, Sorter
    from .project import Project
    from .saving import save
    from .simulate import simulate
    from .sorting import sort
    from .spikes import NOISE, Spikes

__version__ = "0.1.0"

__all__ = [
    "NOISE",
    "Cleaner",
    "Edit",
    "Focus",
    "Loader",
    "NeuralSorterError",
    "Project",
    "Sorter",
    "Spikes",
    "curate",
    "density",
    "load",
    "metrics",
    "pick",
    "save",
    "simulate",
    "sort",
    "spike_probability",
    "views",
]

_HOME = {
    "NOISE": "spikes",
    "Cleaner": "plugins",
    "Edit": "edit",
    "Focus": "focus",
    "Loader": "plugins",
    "NeuralSorterError": "errors",
    "Project": "project",
    "Sorter": "plugins",
    "Spikes": "spikes",
    "curate": "notebook",
    "density": "density",
    "load": "loading",
    "metrics": "metrics",
    "pick": "picking",
    "save": "saving",
    "simulate": "simulate",
    "sort": "sorting",
    "spike_probability": "cleaning",
}


class _Package(ModuleType):
    """Keep `neuralsorter.density` the function although a file has the same name."""

    def __setattr__(self, name: str, value: object) -> None:
        if not (isinstance(value, ModuleType) and _HOME.get(name) == name):
            super().__setattr__(name, value)


def __getattr__(name: str) -> Any:
    if name == "views":
        return importlib.import_module("neuralsorter.views")
    if name not in _HOME:
        raise AttributeError(f"module 'neuralsorter' has no attribute {name!r}")
    value = getattr(importlib.import_module(f"neuralsorter.{_HOME[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return [*__all__, "__version__"]


sys.modules[__name__].__class__ = _Package
