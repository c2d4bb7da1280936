"""What is broken is said, and hides nothing else."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from neuralsorter.inventory import inventory

BROKEN = {
    "cleaners/crash.py": "1 / 0\n",
    "sorters/empty.py": "x = 1\n",
    "loaders/typo.py": "def load(:\n",
    "utilities/no_run.py": '"""Nothing."""\n',
    "models/no_network.keras": "this is no zip",
    "models/fails.py": "def build(n_samples=60):\n    raise ValueError('no layers today')\n",
    "models/wrong_shape.py": (
        "def build(n_samples=60):\n    from keras import Sequential, layers\n"
        "    return Sequential([layers.Input((7,)), layers.Dense(2)])\n"
    ),
}


@pytest.fixture
def folder(plugin_folder: Callable[[Mapping[str, str]], Path]) -> Path:
    """Return a plug-in folder where everything is broken, each in its own way."""
    return plugin_folder(BROKEN)


def errors(*, networks: bool = False) -> dict[str, str]:
    return {f"{plugin.kind}/{plugin.name}": plugin.error for plugin in inventory(networks=networks) if plugin.error}


def test_broken_plugins_of_every_kind_tell_what_is_wrong(folder: Path) -> None:
    assert folder
    found = errors()
    assert set(found) == {
        "cleaners/crash", "sorters/empty", "loaders/typo", "utilities/no_run", "models/no_network.keras",
    }  # fmt: skip
    assert "ZeroDivisionError" in found["cleaners/crash"]
    assert "defines no Sorter" in found["sorters/empty"]
    assert "SyntaxError" in found["loaders/typo"]
    assert "defines no function run" in found["utilities/no_run"]
    assert "is not a network of Keras" in found["models/no_network.keras"]


def test_the_bundled_plugins_can_all_be_used(folder: Path) -> None:
    assert folder
    bundled = [plugin for plugin in inventory() if plugin.origin == "bundled"]
    assert {plugin.kind for plugin in bundled} == {"cleaners", "sorters", "loaders", "utilities", "models"}
    assert not [plugin.error for plugin in bundled if plugin.error]


@pytest.mark.slow
def test_a_network_that_cannot_be_built_says_why(folder: Path) -> None:
    assert folder
    found = errors(networks=True)
    assert "ValueError: no layers today" in found["models/fails"]
    assert "takes [7] and gives [2]" in found["models/wrong_shape"]
