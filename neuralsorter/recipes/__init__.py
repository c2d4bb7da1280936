"""Recipes: the decisions of a project as readable JSON, to be taken again on other recordings."""

from __future__ import annotations

from .replaying import Outcome, Replay, replay
from .writing import FORMAT, VERSION, read_recipe, recipe, to_text

__all__ = ["FORMAT", "VERSION", "Outcome", "Replay", "read_recipe", "recipe", "replay", "to_text"]
