"""Cleaners and sorters in plain words, for the journal and recipes; and made again from them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from . import plugins
from .errors import PluginError


def cleaner_facts(cleaner: str | plugins.Cleaner) -> dict[str, Any]:
    """Return `cleaner`, `parameters` and, of a network, `network_sha256`: what decides the probabilities."""
    from .cleaning import BUNDLED, CnnCleaner

    if isinstance(cleaner, plugins.Cleaner):
        facts = {"cleaner": _name(cleaner, "cleaners", BUNDLED), "parameters": _values(cleaner)}
        network = cleaner.network if isinstance(cleaner, CnnCleaner) else None
    else:
        facts = {"cleaner": cleaner}
        network = cleaner if cleaner.endswith((".keras", ".h5", ".hdf5")) else "" if cleaner == "cnn" else None
    return facts if network is None else facts | {"network_sha256": network_hash(network)}


def network_hash(network: str) -> str:
    """Return the SHA-256 of a network's weights by name or path; empty is the shipped one."""
    from .cleaning import SHIPPED, find_network

    if network:
        return hashlib.sha256(find_network(network).read_bytes()).hexdigest()
    told = json.loads((plugins.folder("models") / f"{SHIPPED}.json").read_text("utf-8"))
    return str(told["sha256"])


def sorter_facts(sorter: str | plugins.Sorter, seed: int) -> dict[str, Any]:
    """Return `sorter`, `parameters` and `seed`: what decides the units."""
    from .sorting import BUNDLED

    if isinstance(sorter, plugins.Sorter):
        return {"sorter": _name(sorter, "sorters", BUNDLED), "parameters": _values(sorter), "seed": seed}
    return {"sorter": sorter, "seed": seed}


def made_sorter(facts: Mapping[str, Any]) -> plugins.Sorter:
    """Return the sorter that `sorter_facts` told of."""
    from .sorting import BUNDLED

    name = str(facts["sorter"])
    made = BUNDLED.get(name) or plugins.get("sorters", name)
    return _made(made, name, facts)


def made_cleaner(facts: Mapping[str, Any]) -> str | plugins.Cleaner:
    """Return the cleaner that `cleaner_facts` told of."""
    name = str(facts["cleaner"])
    return _made(plugins.get("cleaners", name), name, facts) if facts.get("parameters") else name


def _made(target: Any, name: str, facts: Mapping[str, Any]) -> Any:
    try:
        return target(**facts.get("parameters", {}))
    except (TypeError, ValueError) as cause:
        raise PluginError(f"{name} cannot be made with the parameters of the recipe: {cause}") from None


def _name(plugin: Any, kind: str, bundled: Mapping[str, type]) -> str:
    own = type(plugin)
    for name, target in bundled.items():
        if target is own:
            return name
    found = plugins.discover(kind)
    return next(
        (name for name, one in found.items() if getattr(one.target, "__name__", "") == own.__name__), own.__name__
    )


def _values(plugin: Any) -> dict[str, Any]:
    return {name: value for name, value in plugin.param.values().items() if name != "name"}
