from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import neuralsorter as ns
from neuralsorter import plugins, testing
from neuralsorter.errors import LoadError, PluginError

PAGE = Path(__file__).resolve().parents[1] / "docs" / "plugins.md"
EXAMPLES = dict(re.findall(r"```python (\S+)\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL))


@pytest.fixture
def folder(plugin_folder: Callable[[Mapping[str, str]], Path]) -> Path:
    """Return a plug-in folder that holds every example of the docs."""
    return plugin_folder(EXAMPLES)


def test_the_docs_show_one_plugin_of_each_kind() -> None:
    assert {name.partition("/")[0] for name in EXAMPLES} == set(plugins.KINDS)


def test_the_cleaner_of_the_docs_works(folder: Path) -> None:
    assert folder
    cleaner = plugins.get("cleaners", "BySize")()
    testing.check_cleaner(cleaner)
    p = ns.spike_probability(testing.spikes_to_test(), cleaner)
    assert 0 < p.min() < p.max() < 1


def test_the_sorter_of_the_docs_works(folder: Path) -> None:
    assert folder
    testing.check_sorter(plugins.get("sorters", "ByTrough")())
    assert set(ns.sort(testing.spikes_to_test(), sorter="ByTrough")) == {1, 2}


def test_the_loader_of_the_docs_works(folder: Path) -> None:
    path = folder / "a.tabbed"
    np.savetxt(path, np.c_[[0.1, 0.2], [3, 4], np.ones((2, 60))], delimiter="\t")
    testing.check_loader(plugins.get("loaders", "Tabbed")(), path)
    assert ns.load(path).channel.tolist() == [3, 4]
    (folder / "bad.tabbed").write_text("a\tb\n")
    with pytest.raises(LoadError, match=r"bad\.tabbed: is not a table"):
        ns.load(folder / "bad.tabbed")


def test_the_utility_of_the_docs_works(folder: Path) -> None:
    testing.check_utility(folder / "utilities" / "amplitudes.py")


def test_the_network_of_the_docs_is_found(folder: Path) -> None:
    assert plugins.get("models", "small") == folder / "models" / "small.py"


def test_broken_plugins_are_listed_with_their_error_and_hide_nothing(folder: Path) -> None:
    (folder / "cleaners" / "broken.py").write_text("1 / 0\n")
    (folder / "cleaners" / "empty.py").write_text("x = 1\n")
    found = plugins.discover("cleaners")
    assert "ZeroDivisionError" in found["broken"].error
    assert "defines no Cleaner" in found["empty"].error
    assert not found["BySize"].error
    assert not found["cnn"].error
    with pytest.raises(PluginError, match="ZeroDivisionError"):
        plugins.get("cleaners", "broken")


def test_a_broken_loader_is_named_where_no_other_reads_the_file(folder: Path) -> None:
    (folder / "loaders" / "broken.py").write_text("1 / 0\n")
    (folder / "a.odd").write_text("x")
    with pytest.raises(LoadError, match="ZeroDivisionError"):
        ns.load(folder / "a.odd")


def test_an_unknown_name_is_answered_with_those_there_are(folder: Path) -> None:
    assert folder
    with pytest.raises(PluginError, match=r"no sorter named 'x'. Choose from ByTrough, autoencoder_gmm"):
        plugins.get("sorters", "x")


def returning(value: Any) -> type[ns.Cleaner]:
    class Odd(ns.Cleaner):
        def spike_probability(self, waveforms: Any, *_: Any) -> Any:
            return value(waveforms)

    return Odd


@pytest.mark.parametrize(
    ("value", "told"),
    [
        (lambda w: np.ones(len(w) + 1), "one value per event"),
        (lambda w: np.full(len(w), 1.5), "from 0 to 1"),
        (lambda w: w.mean(axis=1), "from 0 to 1"),
        (lambda w: np.random.default_rng().random(len(w)), "the same for the same events"),
        (lambda w: np.zeros(len(w)) + np.multiply(w, 0, out=w)[:, :1].sum() * 0, "must not change the arrays"),
    ],
)
def test_a_cleaner_that_breaks_the_contract_is_told_how(value: Any, told: str) -> None:
    with pytest.raises(PluginError, match=told):
        testing.check_cleaner(returning(value)())


@pytest.mark.parametrize(
    ("value", "told"),
    [
        (lambda n: np.zeros(n + 1, int), "one label per event"),
        (np.zeros, "whole numbers"),
        (lambda n: np.full(n, 3), "labels 0, 1"),
        (lambda n: np.arange(n)[np.random.default_rng().permutation(n)], "the same labels for the same seed"),
    ],
)
def test_a_sorter_that_breaks_the_contract_is_told_how(value: Any, told: str) -> None:
    class Odd(ns.Sorter):
        def sort(self, waveforms: Any, *_: Any) -> Any:
            return value(len(waveforms))

    with pytest.raises(PluginError, match=told):
        testing.check_sorter(Odd())


def test_a_loader_that_lets_other_errors_out_is_told_so(tmp_path: Path) -> None:
    class Odd(ns.Loader):
        suffixes = (".odd",)

        def load(self, path: Path) -> ns.Spikes:
            assert path.read_bytes() == b"good"
            return testing.spikes_to_test(3)

    (tmp_path / "a.odd").write_bytes(b"good")
    with pytest.raises(PluginError, match=r"given an empty file, must raise LoadError.*AssertionError"):
        testing.check_loader(Odd(), tmp_path / "a.odd")


@pytest.mark.parametrize(
    "source", ["def run():\n    pass\n", "x = 1\n", "def run(spikes):\n    1 / 0\n", "def run(spikes):\n    pass\n"]
)
def test_a_utility_that_does_not_run_is_told_why(tmp_path: Path, source: str) -> None:
    (tmp_path / "odd.py").write_text(source)
    with pytest.raises(PluginError, match=r"odd\.py"):
        testing.check_utility(tmp_path / "odd.py")


def test_the_bundled_algorithms_keep_the_contract(tmp_path: Path) -> None:
    testing.check_cleaner(plugins.get("cleaners", "cnn")())
    ns.save(testing.spikes_to_test(20), tmp_path / "a.npz")
    testing.check_loader(plugins.get("loaders", "npz")(), tmp_path / "a.npz")


def test_the_bundled_sorter_keeps_the_contract() -> None:
    testing.check_sorter(plugins.get("sorters", "autoencoder_gmm")())
