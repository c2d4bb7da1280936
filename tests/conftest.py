"""Fixtures that every test file may use."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import hypothesis
import pytest

from neuralsorter import settings

# The same examples every time, so that a run that passed passes again; NEURALSORTER_EXHAUSTIVE=1 looks for new ones.
hypothesis.settings.register_profile("steady", derandomize=True, deadline=None)
hypothesis.settings.register_profile("searching", deadline=None)
hypothesis.settings.load_profile("searching" if os.environ.get("NEURALSORTER_EXHAUSTIVE") else "steady")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run what drives a browser last: it takes longest, and Playwright leaves a loop running in the main thread."""
    items.sort(key=lambda item: item.get_closest_marker("browser") is not None)


SHARED = Path(__file__).resolve().parents[2] / "shared" / "data"


@pytest.fixture(scope="session")
def shared_data() -> Callable[[str], Path]:
    """Return the path of a real recording beside the checkout; skip where it is absent."""

    def find(name: str) -> Path:
        path = SHARED / name
        if not path.is_file():
            pytest.skip(f"the recording {name} is not beside this checkout")
        return path

    return find


@pytest.fixture
def plugin_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Mapping[str, str]], Path]]:
    """Return a function that writes files, {name: source}, into a plug-in folder and lets the settings name it."""

    def fill(files: Mapping[str, str]) -> Path:
        for name, source in files.items():
            (tmp_path / name).parent.mkdir(exist_ok=True)
            (tmp_path / name).write_text(source, "utf-8")
        monkeypatch.setenv("NEURALSORTER_PLUGINS", str(tmp_path))
        settings.reload()
        return tmp_path

    yield fill
    monkeypatch.delenv("NEURALSORTER_PLUGINS", raising=False)
    settings.reload()
