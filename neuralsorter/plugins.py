"""The four kinds of plug-in: their contracts and how they are found."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import inspect
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, ClassVar

import param
from numpy.typing import NDArray

from .errors import PluginError
from .spikes import Spikes

_PACKAGE = Path(__file__).resolve().parent
KINDS = ("cleaners", "sorters", "loaders", "utilities", "models")


class Cleaner(param.Parameterized):
    """Says how likely each event is a spike. Parameters are its settings panel; the docstring is its tooltip."""

    def spike_probability(self, waveforms: NDArray[Any], sampling_rate: float, pre_samples: int) -> NDArray[Any]:
        """Return P(spike) of each event of one channel.

        Parameters
        ----------
        waveforms : ndarray, (n_spikes, n_samples), float32
            µV. NaN where the source has no sample.
        sampling_rate : float
            Hz.
        pre_samples : int
            Samples before the threshold crossing.

        Returns
        -------
        ndarray, (n_spikes,), float32
            Between 0 (noise) and 1 (spike).

        """
        raise PluginError(f"{type(self).__name__} must define spike_probability. See docs/plugins.md.")


class Sorter(param.Parameterized):
    """Groups the events of one channel into units. Parameters are its settings panel; the docstring is its tooltip."""

    def sort(
        self,
        waveforms: NDArray[Any],
        times_s: NDArray[Any],
        sampling_rate: float,
        pre_samples: int,
        seed: int,
    ) -> NDArray[Any]:
        """Return a label per event of one channel.

        Parameters
        ----------
        waveforms : ndarray, (n_spikes, n_samples) or (n_spikes, n_channels, n_samples), float32
            µV. NaN where the source has no sample.
        times_s : ndarray, (n_spikes,), float64
            Seconds; NaN where unknown.
        sampling_rate : float
            Hz.
        pre_samples : int
            Samples before the threshold crossing.
        seed : int
            The same seed gives the same labels.

        Returns
        -------
        ndarray, (n_spikes,), int
            0..k-1, or -1 for an outlier that belongs to no unit.

        """
        raise PluginError(f"{type(self).__name__} must define sort. See docs/plugins.md.")


class Loader:
    """Reads one format: files by their suffix, folders by a file that must be inside (a pattern such as `*/*.tsq`)."""

    suffixes: ClassVar[tuple[str, ...]] = ()
    folders: ClassVar[tuple[str, ...]] = ()

    @classmethod
    def companions(cls, path: Path) -> list[Path]:
        """Return files beside `path` that belong to it; no other is opened."""
        del path
        return []

    def load(self, path: Path) -> Spikes:
        """Return the events of one file or folder in file order.

        Raises
        ------
        LoadError
            When the file cannot be read; it says where and what to do.

        """
        raise PluginError(f"{type(self).__name__} must define load. See docs/plugins.md.")


_BASES: dict[str, type] = {"cleaners": Cleaner, "sorters": Sorter, "loaders": Loader}


@dataclass(frozen=True)
class Plugin:
    """One plug-in found: a usable `target` (a class, or for utilities and models a module), or an `error`."""

    kind: str
    name: str
    origin: str
    target: Any = None
    error: str = ""

    @property
    def doc(self) -> str:
        """First line of the docstring."""
        return (inspect.getdoc(self.target) or "").partition("\n")[0]


def folder(name: str) -> Path:
    """Return a bundled drop-in folder (dashboard, models, utilities), in the wheel or in a checkout."""
    for root in (_PACKAGE / "_bundled", _PACKAGE.parent):
        if (root / name).is_dir():
            return root / name
    raise PluginError(f"The folder {name!r} is missing from this installation. Install NeuralSorter again.")


def user_folder() -> Path:
    """Return the user's plug-in folder: `--plugins DIR`, the setting `folders.plugins`, or the platform's own."""
    from .settings import settings

    return settings().plugins_folder


def discover(kind: str) -> dict[str, Plugin]:
    """Find plug-ins of one kind: bundled, then entry points, then the user's folder; a later one wins by name.

    Parameters
    ----------
    kind : {"cleaners", "sorters", "loaders", "utilities", "models"}
        What to look for.

    Returns
    -------
    dict
        {name: Plugin}, broken ones included with their error.

    """
    if kind not in KINDS:
        raise PluginError(f"Plug-in kinds are {', '.join(KINDS)}. Got {kind!r}.")
    found: dict[str, Plugin] = {}
    for plugin in (*_bundled(kind), *_entry_points(kind), *_dropped_in(kind)):
        found[plugin.name] = plugin
    return found


def get(kind: str, name: str) -> Any:
    """Return the target of one plug-in.

    Raises
    ------
    PluginError
        When there is none of that name, or it failed to load.

    """
    found = discover(kind)
    if name not in found:
        raise PluginError(f"There is no {kind.rstrip('s')} named {name!r}. Choose from {', '.join(sorted(found))}.")
    if found[name].error:
        raise PluginError(found[name].error)
    return found[name].target


def import_file(path: Path, kind: str) -> ModuleType:
    """Import one drop-in file under a name of its own, never as a top-level module."""
    name = f"neuralsorter_dropin.{kind}.{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise PluginError(f"{path} is not a Python file. Plug-ins end in .py.")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException as cause:
        del sys.modules[name]
        if isinstance(cause, KeyboardInterrupt):
            raise
        raise PluginError(f"{path} failed to load: {type(cause).__name__}: {cause}") from cause
    return module


def _bundled(kind: str) -> Iterator[Plugin]:
    if kind in ("utilities", "models"):
        yield from _from_folder(folder(kind), kind)
        return
    module = importlib.import_module(
        {
            "cleaners": "neuralsorter.cleaning",
            "sorters": "neuralsorter.sorting",
            "loaders": "neuralsorter.loading",
        }[kind]
    )
    for name, target in module.BUNDLED.items():
        yield Plugin(kind, name, "bundled", target)


def _entry_points(kind: str) -> Iterator[Plugin]:
    for point in importlib.metadata.entry_points(group=f"neuralsorter.{kind}"):
        try:
            yield Plugin(kind, point.name, str(point.dist and point.dist.name), point.load())
        except Exception as cause:  # noqa: BLE001 - a broken plug-in is listed and hides nothing else
            yield Plugin(kind, point.name, point.value, error=f"{point.value} failed to load: {cause}")


def _dropped_in(kind: str) -> Iterator[Plugin]:
    yield from _from_folder(user_folder() / kind, kind)


def _from_folder(directory: Path, kind: str) -> Iterator[Plugin]:
    if not directory.is_dir():
        return
    for path in sorted(directory.glob("*.py")):
        if path.name.startswith("_"):
            continue
        if kind in ("utilities", "models"):
            # Their code runs in a worker only, so the file itself is the plug-in here.
            yield Plugin(kind, path.stem, str(path), path)
            continue
        yield from _classes_of(path, kind)


def _classes_of(path: Path, kind: str) -> Iterator[Plugin]:
    try:
        module = import_file(path, kind)
    except PluginError as error:
        yield Plugin(kind, path.stem, str(path), error=str(error))
        return
    base = _BASES[kind]
    own = [
        c
        for c in vars(module).values()
        if inspect.isclass(c) and issubclass(c, base) and c.__module__ == module.__name__
    ]
    if not own:
        yield Plugin(
            kind,
            path.stem,
            str(path),
            error=f"{path} defines no {base.__name__}. Derive a class from it.",
        )
    for target in own:
        yield Plugin(kind, target.__name__, str(path), target)
