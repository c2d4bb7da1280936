"""Sorters in plain words, for the journal and recipes; and made again from them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from . import plugins
from .errors import PluginError


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
