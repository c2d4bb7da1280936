from __future__ import annotations

from pathlib import Path

import pytest

from neuralsorter import settings as module
from neuralsorter.errors import SettingsError
from neuralsorter.settings import Settings, reload, settings, write


@pytest.fixture(autouse=True)
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "config" / "settings.toml"
    path.parent.mkdir()
    monkeypatch.setenv("NEURALSORTER_SETTINGS", str(path))
    monkeypatch.delenv("NEURALSORTER_PLUGINS", raising=False)
    monkeypatch.setattr(module, "_read", module._read)
    reload()
    return path


@pytest.fixture(autouse=True, scope="module")
def _forget() -> object:
    yield
    module._read.cache_clear()


def test_without_a_file_the_defaults_hold() -> None:
    assert settings() == Settings()
    assert (settings().cleaner, settings().sorter, settings().threshold) == ("cnn", "autoencoder_gmm", 0.5)


def test_the_file_changes_what_it_names(file: Path) -> None:
    file.write_text('[cleaning]\nthreshold = 0.3\n[folders]\nplugins = "/my/plugins"\n[keys]\nundo = "Ctrl+U"\n')
    chosen = reload()
    assert chosen.threshold == 0.3
    assert chosen.plugins_folder == Path("/my/plugins")
    assert chosen.keys == {"undo": "Ctrl+U"}
    assert chosen.batch_size == Settings().batch_size


def test_a_project_has_settings_of_its_own(file: Path, tmp_path: Path) -> None:
    file.write_text("[cleaning]\nthreshold = 0.3\n[training]\nbatch_size = 64\n")
    (tmp_path / "settings.toml").write_text("[cleaning]\nthreshold = 0.9\n")
    reload()
    assert (settings(tmp_path).threshold, settings(tmp_path).batch_size) == (0.9, 64)
    assert settings().threshold == 0.3


def test_the_command_line_wins(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file.write_text('[folders]\nplugins = "/my/plugins"\n')
    monkeypatch.setenv("NEURALSORTER_PLUGINS", "/other")
    assert reload().plugins_folder == Path("/other")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[cleaning\n", "is not TOML"),
        ("[cleening]\nthreshold = 1\n", "'cleening' is no section.*cleaning"),
        ("threshold = 1\n", "'threshold' is no section"),
        ("[cleaning]\ntreshold = 0.5\n", "no setting 'treshold'. Choose from cleaner, threshold"),
        ("[cleaning]\nthreshold = 2\n", "must be a number from 0 to 1. Got 2"),
        ("[cleaning]\nthreshold = true\n", "must be a number from 0 to 1. Got True"),
        ("[training]\nbatch_size = 0\n", "whole number of 1 or more"),
        ("[sorting]\nsorter = 3\n", "must be text"),
        ("[keys]\nundo = 3\n", "a key as text"),
    ],
)
def test_a_wrong_file_is_told_in_a_sentence(file: Path, text: str, told: str) -> None:
    file.write_text(text)
    with pytest.raises(SettingsError, match=told) as caught:
        reload()
    assert str(file) in str(caught.value)
    file.unlink()


def test_settings_are_written_and_the_rest_of_the_file_kept(file: Path) -> None:
    file.write_text("[training]\nbatch_size = 64\n")
    write(threshold=0.7, plugins_folder=Path("/p"), keys={"sort": "S"})
    assert reload() == Settings(plugins_folder=Path("/p"), threshold=0.7, batch_size=64, keys={"sort": "S"})


def test_a_wrong_value_is_not_written(file: Path) -> None:
    with pytest.raises(SettingsError):
        write(threshold=7)
    with pytest.raises(SettingsError, match="no setting 'treshold'"):
        write(treshold=0.5)
    assert not file.exists()
