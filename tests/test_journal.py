from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from neuralsorter.edit import Mark
from neuralsorter.errors import ProjectError
from neuralsorter.journal import Journal
from neuralsorter.storage.backups import KEEP_DAYS, KEEP_LAST, spare
from neuralsorter.storage.history import History
from neuralsorter.storage.rescue import copy_prefix, problems, recover
from neuralsorter.storage.schema import Block
from neuralsorter.storage.seal import Seal, look_at, seal


def block(channel: int = 3, unit: int = 2, rows: tuple[int, ...] = (1, 5, 8)) -> Block:
    n = len(rows)
    return Block(0, channel, np.array(rows), np.ones(n, np.int32), np.full(n, unit, np.int32))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    with closing(Journal(tmp_path / "curation.db")) as journal:
        for unit in range(2, 12):
            journal.append("assign", f"to {unit}", blocks=[block(unit=unit), block(4, unit)], params={"unit": unit})
        journal.append("label", "good", marks={Mark("label", 3, 2): ("", "good")})
    return tmp_path / "curation.db"


def whole(path: Path) -> list[str]:
    with closing(sqlite3.connect(path)) as db:
        return problems(db)


def test_what_is_appended_is_read_again(path: Path) -> None:
    with closing(Journal(path)) as journal:
        assert journal.head == 11
        assert [a.label for a in journal.actions(after=9)] == ["to 11", "good"]
        first, second = journal.blocks(10)
        assert (first.channel, second.channel) == (3, 4)
        np.testing.assert_array_equal(first.rows, [1, 5, 8])
        np.testing.assert_array_equal(first.after, [11, 11, 11])
        assert [n for n, _ in journal.blocks_of(4, upto=5)] == [1, 2, 3, 4, 5]
        assert list(journal.marks()) == [(11, Mark("label", 3, 2), "", "good")]
        assert journal.channels_changed() == {3, 4}
    assert whole(path) == []


@pytest.mark.parametrize("table", ["action", "edit", "mark"])
@pytest.mark.parametrize("change", ["DELETE FROM {}", "UPDATE {} SET rowid = rowid + 1"])
def test_no_row_can_be_changed_or_removed(path: Path, table: str, change: str) -> None:
    change = change.replace("rowid = rowid + 1", "kind = 'x'" if table != "edit" else "n = 1")
    with closing(sqlite3.connect(path)) as db, pytest.raises(sqlite3.IntegrityError, match="append-only"):
        db.execute(change.format(table))


def test_a_request_has_one_uid(path: Path) -> None:
    with closing(Journal(path)) as journal:
        number = journal.append("assign", "", blocks=[block()], uid=b"0123456789abcdef").id
        assert journal.find(b"0123456789abcdef") == number
        with pytest.raises(sqlite3.IntegrityError):
            journal.append("assign", "", blocks=[block()], uid=b"0123456789abcdef")
        assert journal.head == number
        journal.append("assign", "", blocks=[block()])
    assert whole(path) == []


def test_a_writer_who_has_not_seen_the_last_action_is_refused(path: Path) -> None:
    with closing(Journal(path)) as one, closing(Journal(path)) as other:
        one.append("assign", "mine", blocks=[block()])
        with pytest.raises(ProjectError, match="another process has edited"):
            other.append("assign", "theirs", blocks=[block()])
        assert other.refresh()
        other.append("assign", "theirs", blocks=[block()])
        assert one.refresh()
        assert [a.label for a in one.actions()][-2:] == ["mine", "theirs"]
    assert whole(path) == []


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE action SET label = 'other' WHERE id = 4",
        "UPDATE action SET params = '{}' WHERE id = 4",
        "UPDATE edit SET new = zeroblob(5) WHERE action = 4 AND channel = 4",
        "UPDATE edit SET channel = 5 WHERE action = 4 AND channel = 4",
        "DELETE FROM edit WHERE action = 4 AND channel = 4",
        "DELETE FROM action WHERE id = 4",
        "INSERT INTO edit SELECT 4, 9, channel, n, rows, old, new, crc FROM edit WHERE action = 4 AND channel = 4",
    ],
)
def test_an_altered_row_breaks_the_chain_where_it_is(path: Path, change: str) -> None:
    with closing(sqlite3.connect(path)) as db:
        for table in ("action", "edit"):
            for verb in ("update", "delete"):
                db.execute(f"DROP TRIGGER {table}_no_{verb}")
        db.execute(change)
        db.commit()
    assert any("breaks after action 3 of 11" in p for p in whole(path))


def test_a_copy_may_end_with_any_action(path: Path, tmp_path: Path) -> None:
    with closing(sqlite3.connect(path)) as db:
        assert copy_prefix(db, tmp_path / "copy.db", upto=4) == 4
    with closing(Journal(tmp_path / "copy.db")) as copy:
        assert copy.head == 4
    assert whole(tmp_path / "copy.db") == []


def test_a_seal_tells_a_closed_journal_from_a_changed_one(path: Path) -> None:
    assert look_at(path) is Seal.UNKNOWN
    seal(path)
    assert look_at(path) is Seal.WHOLE
    data = bytearray(path.read_bytes())
    data[-1] ^= 4
    path.write_bytes(data)
    assert look_at(path) is Seal.BROKEN
    data[-1] ^= 4
    path.write_bytes(data)
    with closing(Journal(path)) as journal:
        journal.append("assign", "", blocks=[block()])
    assert look_at(path) is Seal.UNKNOWN


def test_a_power_failure_leaves_no_half_written_seal_that_calls_a_whole_journal_damaged(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failed(_: object) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr("neuralsorter.storage.disk.sync_file", failed)
    with pytest.raises(OSError, match="Input/output"):  # what is not on the disk gets no name
        seal(path)
    assert look_at(path) is Seal.UNKNOWN


def damage(path: Path, text: bytes) -> None:
    data = path.read_bytes()
    assert text in data
    path.write_bytes(data.replace(text, b"?" * len(text)))


def test_the_longest_whole_part_of_a_damaged_journal_is_recovered(path: Path, tmp_path: Path) -> None:
    damage(path, b"to 7")
    damaged = path.read_bytes()
    sentence = recover(path, tmp_path / "backups")
    with closing(Journal(path)) as journal:
        assert journal.head == 5
    (kept,) = tmp_path.glob("curation.damaged-*.db")
    assert kept.read_bytes() == damaged
    assert f"first 5 actions are recovered, and the damaged file is kept as {kept.name}" in sentence
    assert whole(path) == []


def test_a_damaged_first_page_costs_nothing(path: Path, tmp_path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[:4096] = b"\xff" * 4096
    path.write_bytes(data)
    assert "first 11 actions" in recover(path, tmp_path / "backups")
    with closing(Journal(path)) as journal:
        assert journal.head == 11


def test_a_backup_longer_than_what_is_whole_is_taken(path: Path, tmp_path: Path) -> None:
    (tmp_path / "backups").mkdir()
    with closing(Journal(path)) as journal:
        journal.copy(tmp_path / "backups" / "curation-20260101T000000Z-00000011.db")
    path.write_bytes(b"nothing of it is left")
    assert "from the copy curation-20260101T000000Z-00000011.db" in recover(path, tmp_path / "backups")
    with closing(Journal(path)) as journal:
        assert journal.head == 11


def test_a_lost_journal_without_backup_starts_anew(path: Path, tmp_path: Path) -> None:
    path.write_bytes(b"")
    assert "first 0 actions" in recover(path, tmp_path / "backups")
    with closing(Journal(path)) as journal:
        assert journal.head == 0


def test_the_last_backups_and_one_a_day_are_kept() -> None:
    times = [(m, d, h) for m in (1, 2) for d in range(1, 29) for h in range(4)]
    copies = [Path(f"curation-2026{m:02d}{d:02d}T{h:02d}0000Z-{n:08d}.db") for n, (m, d, h) in enumerate(times)]
    kept = [path for path in copies if path not in spare(copies)]
    assert kept[-KEEP_LAST:] == copies[-KEEP_LAST:]
    assert len({path.name[9:17] for path in kept}) == KEEP_DAYS
    assert len(kept) <= KEEP_LAST + KEEP_DAYS


def test_history_is_a_fold_of_actions(tmp_path: Path) -> None:
    with closing(Journal(tmp_path / "a.db")) as journal:
        for kind, target in [("import", None), ("assign", None), ("sort", None), ("undo", 3), ("undo", 2), ("redo", 2)]:
            journal.append(kind, kind, target=target)
        history = History(journal.steps())
        actions = history.marked(journal.actions())
    assert (history.live, history.undone, history.n_edits) == ([2], [3], 5)
    assert [a.live for a in actions] == [True, True, False, True, True, True]
