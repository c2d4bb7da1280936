"""The project folder `NAME.nsort`: where its parts lie, and how one comes into being whole or not at all."""

from __future__ import annotations

import hashlib
import json
import shutil
import sqlite3
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from neuralsorter import store
from neuralsorter.edit import Action
from neuralsorter.errors import ProjectError
from neuralsorter.journal import Journal
from neuralsorter.store import Experiment

from .disk import PARTIAL, copy_durably, remove_tree, sync_folder, write_whole
from .lock import WriterLock
from .rescue import problems, recover
from .schema import JournalDamagedError, check_format, connect
from .seal import Seal, look_at, unseal

FORMAT = 1
SUFFIX = ".nsort"
CHOICES = ("settings.toml", "models/*.keras")
FACTS, JOURNAL, EXPERIMENTS, BACKUPS, CACHE = "project.json", "curation.db", "experiments", "backups", "cache"


_DAMAGED = "the journal is damaged. Open the project to edit it: what is whole is recovered, the damaged file kept."


def experiment_folder(folder: Path, number: int) -> Path:
    """Return where an experiment's events lie."""
    return folder / EXPERIMENTS / f"{number:04d}"


@contextmanager
def new_folder(folder: Path) -> Iterator[Path]:
    """Give a folder to fill; it gets its real name when the block ends well, and disappears when it does not."""
    partial = folder.with_name(folder.name + PARTIAL)
    lock = WriterLock(partial)
    try:
        partial.mkdir(parents=True, exist_ok=True)
        _require(lock, folder)
        _empty(partial)  # what a killed import left
        for name in (EXPERIMENTS, BACKUPS, CACHE):
            (partial / name).mkdir()
        _write_facts(partial, folder.stem)
        yield partial
        sync_folder(partial)
        partial.rename(folder)
        sync_folder(folder.parent)
    except (OSError, sqlite3.Error) as cause:
        _discard(partial, lock)
        raise ProjectError(
            f"{folder}: it could not be written ({cause}). Make room, or choose another place."
        ) from cause
    except BaseException:
        _discard(partial, lock)
        raise
    finally:
        lock.release()


def check_facts(folder: Path) -> list[str]:
    """Return what is wrong with `project.json`, as sentences.

    Raises
    ------
    ProjectError
        When the folder is no project, or one of a newer version.

    """
    try:
        data = (folder / FACTS).read_bytes()
    except OSError as cause:
        raise ProjectError(
            f"{folder}: it is not a NeuralSorter project (no {FACTS}). Choose a folder that ends in {SUFFIX}."
        ) from cause
    try:
        facts = json.loads(data)
        version = int(facts["format"])
    except (ValueError, KeyError, TypeError):
        return [f"{folder / FACTS} is damaged."]
    if version > FORMAT:
        raise ProjectError(
            f"{folder}: it was made by a newer NeuralSorter (project format {version}, this one knows {FORMAT})."
            " Update NeuralSorter to open it."
        )
    return [] if data == _sealed(facts) else [f"{folder / FACTS} differs from what was written."]


def record_import(journal: Journal, number: int, experiment: Experiment) -> Action:
    """Tell the journal of an experiment; from then on it belongs to the project."""
    facts = {
        "experiment": number,
        "n_spikes": len(experiment),
        "source": experiment.source,
        "manifest_sha256": experiment.digest,
    }
    return journal.append("import", f"{experiment.name}: {len(experiment):,} events", params=facts)


def imports(journal: Journal) -> list[dict[str, Any]]:
    """Return what the journal knows of each experiment, in order."""
    return [json.loads(a.params) for a in journal.imports()]


def open_journal(folder: Path, writer: WriterLock | None) -> tuple[Journal, str]:
    """Open the journal, to write if this process is the writer; return it and what was recovered, as a sentence.

    The writer checks it, by its seal if it was closed well, and replaces a damaged one by what is whole of it.
    """
    path = folder / JOURNAL
    if writer is None:
        if not path.exists() or look_at(path) is Seal.BROKEN:
            raise JournalDamagedError(f"{path}: {_DAMAGED}")
        try:
            return Journal(path, read_only=True), ""
        except (ValueError, TypeError) as cause:  # values that were never written
            raise JournalDamagedError(f"{path}: {_DAMAGED}") from cause
    recovered = ""
    if not _sound(path):
        recovered = recover(path, folder / BACKUPS)
        unseal(path)
    return Journal(path, fence=writer.require), recovered


def _sound(path: Path) -> bool:
    if not path.exists():
        return False
    try:
        with closing(connect(path)) as db:
            check_format(db, path)
            return look_at(path) is Seal.WHOLE or not problems(db)
    except JournalDamagedError:
        return False
    except sqlite3.OperationalError:
        raise
    except sqlite3.DatabaseError:
        return False


def stored_experiments(folder: Path, journal: Journal, *, adopt: bool) -> list[Experiment]:
    """Return the experiments that the journal names, memory-mapped; the writer adopts one that was just stored.

    Raises
    ------
    ProjectError
        When one is not that for which the journal was written.

    """
    try:
        known = imports(journal)
    except ValueError as cause:
        raise JournalDamagedError(f"{journal.path}: {_DAMAGED}") from cause
    experiments = [store.read(experiment_folder(folder, number)) for number in range(len(known))]
    for e, facts in zip(experiments, known, strict=True):
        if e.digest != facts["manifest_sha256"]:
            raise ProjectError(
                f"{e.folder}: these are not the events that the journal was written for. Put the original folder back."
            )
    while adopt and (place := experiment_folder(folder, len(experiments))).is_dir():
        # Stored whole, but killed before the journal was told.
        experiments.append(store.read(place))
        record_import(journal, len(experiments) - 1, experiments[-1])
    return experiments


def copy_experiments(experiments: Sequence[Experiment], target: Path) -> None:
    """Copy stored events to another project folder; experiments in memory are written there."""
    for number, e in enumerate(experiments):
        place = experiment_folder(target, number)
        if e.folder is None:
            store.write(e, place)
            continue
        place.mkdir()
        for path in sorted(e.folder.iterdir()):
            copy_durably(path, place / path.name)
            shutil.copymode(path, place / path.name)
        sync_folder(place)
    sync_folder(target / EXPERIMENTS)


def copy_choices(source: Path, target: Path) -> None:
    """Copy what a project has of its own to choose with: its settings and the networks that they name."""
    for path in sorted([*source.glob(CHOICES[0]), *source.glob(CHOICES[1])]):
        place = target / path.relative_to(source)
        place.parent.mkdir(exist_ok=True)
        copy_durably(path, place)


def _require(lock: WriterLock, folder: Path) -> None:
    if not lock.acquire():
        raise ProjectError(f"{folder}: another process is making it. Wait for it, or choose another name.")


def _write_facts(folder: Path, name: str) -> None:
    facts = {"format": FORMAT, "name": name, "uuid": uuid.uuid4().hex, "created": time.strftime("%Y-%m-%dT%H:%M:%S%z")}
    write_whole(folder / FACTS, _sealed(facts))


def _sealed(facts: dict[str, Any]) -> bytes:
    own = {key: value for key, value in facts.items() if key != "sha256"}
    digest = hashlib.sha256(json.dumps(own, sort_keys=True).encode()).hexdigest()
    return json.dumps({**own, "sha256": digest}, sort_keys=True, indent=1).encode()


def _empty(folder: Path) -> None:
    for path in folder.iterdir():
        if path.is_dir():
            remove_tree(path)
        elif not path.name.startswith("lock."):
            path.unlink()


def _discard(partial: Path, lock: WriterLock) -> None:
    if lock.held:
        lock.release()
        shutil.rmtree(partial, ignore_errors=True)
