"""Every plug-in there is, and what is wrong with those that cannot be used."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from threading import Event

from .errors import NeuralSorterError
from .plugins import KINDS, Plugin, discover, folder, user_folder

_BUILD_S = 120.0


def inventory(*, networks: bool = False, cancel: Event | None = None) -> list[Plugin]:
    """List the plug-ins of all kinds, bundled ones first, broken ones with their error.

    Parameters
    ----------
    networks : bool
        Also build each network of the user's in a process of its own, which takes seconds; else only read its file.
    cancel : threading.Event, optional
        Set it to stop.

    Raises
    ------
    Cancelled
        When `cancel` was set.

    """
    found = [plugin for kind in KINDS for plugin in _of_kind(kind)]
    if networks:
        found = [_built(plugin, cancel) if _is_own_network(plugin) else plugin for plugin in found]
    return sorted(found, key=lambda plugin: plugin.origin != "bundled")


def _of_kind(kind: str) -> Iterator[Plugin]:
    bundled = folder(kind) if kind in ("utilities", "models") else None
    for plugin in discover(kind).values():
        own = isinstance(plugin.target, Path) and plugin.target.parent == bundled
        placed = replace(plugin, origin="bundled") if own else plugin
        yield _described(placed) if kind == "utilities" else placed
    if kind == "models":
        for path in sorted((user_folder() / kind).glob("*")):
            if path.suffix in (".keras", ".h5"):
                yield _weights(path)


def _described(plugin: Plugin) -> Plugin:
    from .scripting.scripts import describe

    return replace(plugin, error=describe(plugin.target).error) if isinstance(plugin.target, Path) else plugin


def _weights(path: Path) -> Plugin:
    """Read a trained network's file, in a process of its own."""
    from .cleaning import read_network

    error = ""
    try:
        read_network(path, path.stat().st_mtime_ns)
    except (NeuralSorterError, OSError) as problem:
        error = str(problem)
    return Plugin("models", path.name, str(path), path, error)


def _is_own_network(plugin: Plugin) -> bool:
    return plugin.kind == "models" and plugin.origin != "bundled" and Path(plugin.origin).suffix == ".py"


def _built(plugin: Plugin, cancel: Event | None) -> Plugin:
    """Build a network from its definition, in a process of its own."""
    from . import workers
    from .errors import Cancelled

    target = "neuralsorter.fitting:shapes"
    try:
        workers.call(target, plugin.origin, timeout_s=_BUILD_S, cancel=cancel)
    except Cancelled:
        raise
    except NeuralSorterError as problem:
        return replace(plugin, error=str(problem))
    return plugin
