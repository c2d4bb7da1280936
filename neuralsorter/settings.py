"""Settings: one TOML file of the user, then one of the project; what is not written there keeps its default."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from functools import cache
from pathlib import Path
from typing import Any

from .errors import SettingsError

FILE_NAME = "settings.toml"

# Section and name in the file of each setting.
PLACES = {
    "plugins_folder": ("folders", "plugins"),
    "projects_folder": ("folders", "projects"),
    "cleaner": ("cleaning", "cleaner"),
    "threshold": ("cleaning", "threshold"),
    "network": ("training", "network"),
    "loss": ("training", "loss"),
    "optimizer": ("training", "optimizer"),
    "batch_size": ("training", "batch_size"),
    "sorter": ("sorting", "sorter"),
    "keys": ("keys", ""),
}


def user_file() -> Path:
    """Return where the user's settings are: `$NEURALSORTER_SETTINGS`, or the platform's own place."""
    import platformdirs

    named = os.environ.get("NEURALSORTER_SETTINGS")
    return Path(named) if named else platformdirs.user_config_path("neuralsorter", appauthor=False) / FILE_NAME


def default_plugins_folder() -> Path:
    """Return `$NEURALSORTER_PLUGINS` (set by `--plugins`), or the platform's own place."""
    import platformdirs

    named = os.environ.get("NEURALSORTER_PLUGINS")
    return Path(named) if named else platformdirs.user_data_path("neuralsorter", appauthor=False) / "plugins"


@dataclass(frozen=True)
class Settings:
    """What the user may choose once for all.

    Attributes
    ----------
    plugins_folder : Path
        Folder with `cleaners/ sorters/ loaders/ utilities/ models/`.
    projects_folder : Path or None
        Where the projects of opened recordings are made; None: beside each recording.
    cleaner, sorter : str
        Names of the plug-ins used unless another is asked for.
    threshold : float
        P(spike) below which cleaning sends an event to noise, 0 to 1.
    network, loss, optimizer : str
        The network that `train-cleaner` trains, and how.
    batch_size : int
        Events per step of training and of prediction.
    keys : dict
        {action: key} that replace the page's own.

    """

    plugins_folder: Path = field(default_factory=default_plugins_folder)
    projects_folder: Path | None = None
    cleaner: str = "cnn"
    threshold: float = 0.5
    network: str = "cnn"
    loss: str = "binary_crossentropy"
    optimizer: str = "adam"
    batch_size: int = 256
    sorter: str = "autoencoder_gmm"
    keys: Mapping[str, str] = field(default_factory=dict)


def settings(project: str | Path | None = None) -> Settings:
    """Return the user's settings, with those of a project folder over them."""
    return _read(Path(project) if project is not None else None)


def reload() -> Settings:
    """Read the files again and return the user's settings."""
    _read.cache_clear()
    return settings()


def write(path: Path | None = None, **changes: Any) -> Settings:
    """Write settings to the user's file (or `path`), keep what else it holds, and return the user's settings.

    Raises
    ------
    SettingsError
        When a name or value is wrong; the file is unchanged.

    """
    import tomli_w

    from .saving.whole import written_whole

    path = path or user_file()
    content = _parse(path) if path.is_file() else {}
    for name, value in changes.items():
        if name not in PLACES:
            raise SettingsError(f"There is no setting {name!r}. Choose from {', '.join(PLACES)}.")
        section, key = PLACES[name]
        if key:
            content.setdefault(section, {})[key] = str(value) if isinstance(value, Path) else value
        else:
            content[section] = dict(value)
    _over(Settings(), content, path)
    path.parent.mkdir(parents=True, exist_ok=True)
    with written_whole(path) as file:
        file.write(tomli_w.dumps(content).encode())
    return reload()


@cache
def _read(project: Path | None) -> Settings:
    chosen = Settings()
    for path in (user_file(), *([project / FILE_NAME] if project else [])):
        if path.is_file():
            chosen = _over(chosen, _parse(path), path)
    if os.environ.get("NEURALSORTER_PLUGINS"):  # what the command line says wins over every file
        chosen = replace(chosen, plugins_folder=default_plugins_folder())
    return chosen


def _parse(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as cause:
        raise SettingsError(f"{path} is not TOML: {cause}. Correct it, or remove it to use the defaults.") from None


def _over(chosen: Settings, content: Mapping[str, Any], path: Path) -> Settings:
    """Return the settings with those of one file over them."""
    names = {place: name for name, place in PLACES.items()}
    changes: dict[str, Any] = {}
    for section, values in content.items():
        if not isinstance(values, dict) or section not in {place[0] for place in PLACES.values()}:
            sections = ", ".join(dict.fromkeys(place[0] for place in PLACES.values()))
            raise SettingsError(f"{path}: {section!r} is no section of the settings. Choose from {sections}.")
        if (section, "") in names:
            changes[names[section, ""]] = _checked("keys", values, path)
            continue
        for key, value in values.items():
            if (section, key) not in names:
                known = ", ".join(k for s, k in names if s == section)
                raise SettingsError(f"{path}: [{section}] has no setting {key!r}. Choose from {known}.")
            changes[names[section, key]] = _checked(names[section, key], value, path)
    return replace(chosen, **changes)


def _checked(name: str, value: Any, path: Path) -> Any:
    section, key = PLACES[name]
    place = f"{path}: [{section}] {key}".rstrip()
    if name == "keys":
        if all(isinstance(text, str) for text in value.values()):
            return dict(value)
        raise SettingsError(f"{place} must give a key as text for each action, such as undo = 'Ctrl+Z'. Got {value!r}.")
    if name == "threshold":
        if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= 1:
            return float(value)
        raise SettingsError(f"{place} must be a number from 0 to 1. Got {value!r}.")
    if name == "batch_size":
        if isinstance(value, int) and not isinstance(value, bool) and value >= 1:
            return value
        raise SettingsError(f"{place} must be a whole number of 1 or more. Got {value!r}.")
    if not isinstance(value, str) or not value:
        raise SettingsError(f"{place} must be text. Got {value!r}.")
    if name == "cleaner" and (path.parent / value.removesuffix(":0")).is_file():
        return str(path.parent.resolve() / value)  # a network beside the settings moves with them
    return Path(value).expanduser() if name in ("plugins_folder", "projects_folder") else value


assert set(PLACES) == {f.name for f in fields(Settings)}  # noqa: S101 - a setting without a place could not be set
