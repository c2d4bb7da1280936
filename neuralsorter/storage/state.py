"""The present unit of every event: what the files said, then the journal, replayed channel by channel."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from neuralsorter.errors import ProjectError
from neuralsorter.journal import Journal
from neuralsorter.spikes import NOISE
from neuralsorter.store import Experiment
from neuralsorter.tally import tally

from .schema import Block


class State:
    """One code per row: 0 or more is the unit, below 0 is noise sent there by a cleaner from unit -code.

    Rows are experiment-major; within an experiment a channel is one block of neighbouring rows.
    """

    def __init__(self, experiments: Sequence[Experiment], journal: Journal) -> None:
        self.journal = journal
        self.offsets = np.cumsum([0, *(len(e) for e in experiments)], dtype=np.int64)
        blocks = [
            (number, channel, start + offset, stop + offset)
            for number, (e, offset) in enumerate(zip(experiments, self.offsets.tolist(), strict=False))
            for channel, start, stop in e.channel_ptr.tolist()
        ]
        self.blocks = np.array(blocks, np.int64).reshape(-1, 4)
        self._blocks_of: dict[int, list[int]] = {}
        for number, channel in enumerate(self.blocks[:, 1].tolist()):
            self._blocks_of.setdefault(channel, []).append(number)
        self._code = _joined([e.fresh_unit() for e in experiments])
        self._unit = _joined([e.fresh_unit() for e in experiments])
        self._most: dict[int, int] = {}
        self._counts: dict[tuple[int, int | None], dict[int, int]] = {}
        self._pending = journal.channels_changed()

    def __len__(self) -> int:
        return len(self._unit)

    @property
    def channels(self) -> list[int]:
        """Channels of all experiments, sorted."""
        return sorted(self._blocks_of)

    @property
    def unit(self) -> NDArray[np.int32]:
        """Units of all rows, (n,), a live read-only view."""
        self.replay()
        return _view(self._unit)

    @property
    def code(self) -> NDArray[np.int32]:
        """Codes of all rows, (n,), a live read-only view."""
        self.replay()
        return _view(self._code)

    def codes_at(self, rows: NDArray[np.int64]) -> NDArray[np.int32]:
        """Return the codes of sorted rows; only their channels are replayed."""
        for channel in self.channels_of(rows):
            self.replay(channel)
        return self._code[rows]

    def unit_of(self, rows: NDArray[np.int64]) -> NDArray[np.int32]:
        """Return the units of sorted rows; only their channels are replayed."""
        return np.maximum(self.codes_at(rows), NOISE)

    def channels_of(self, rows: NDArray[np.int64]) -> list[int]:
        """Return the channels of sorted rows."""
        return sorted({int(self.blocks[number, 1]) for number, _, _ in self.split(rows)})

    def split(self, rows: NDArray[np.int64]) -> Iterator[tuple[int, int, int]]:
        """Yield (block, i, j) such that `rows[i:j]` lie in that block, for sorted rows."""
        if not len(rows) or not len(self.blocks):
            return
        starts = self.blocks[:, 2]
        first, last = np.searchsorted(starts, (rows[0], rows[-1]), "right") - 1
        cuts = np.searchsorted(rows, starts[first : last + 2])
        cuts = np.append(cuts, len(rows)) if last + 2 > len(starts) else cuts
        for number in range(int(first), int(last) + 1):
            i, j = int(cuts[number - first]), int(cuts[number - first + 1])
            if j > i:
                yield number, i, j

    def slices(self, channel: int, experiment: int | None = None) -> list[slice]:
        """Return the rows of a channel, one slice per experiment."""
        if channel not in self._blocks_of:
            raise ProjectError(f"Channel {channel} is not in this project. It has {_some(self.channels)}.")
        found = (self.blocks[number].tolist() for number in self._blocks_of[channel])
        return [slice(start, stop) for number, _, start, stop in found if experiment in (None, number)]

    def rows(self, channel: int, experiment: int | None = None, unit: int | None = None) -> NDArray[np.int64]:
        """Return the rows of a channel, sorted, all or those of one unit."""
        self.replay(channel)
        parts = [
            np.arange(part.start, part.stop) if unit is None else part.start + np.flatnonzero(self._unit[part] == unit)
            for part in self.slices(channel, experiment)
        ]
        return np.concatenate(parts) if parts else np.zeros(0, np.int64)

    def counts(self, channel: int, experiment: int | None = None) -> dict[int, int]:
        """Return {unit: number of events} of a channel, kept until the channel changes."""
        key = channel, experiment
        if key not in self._counts:
            self.replay(channel)
            total: dict[int, int] = {}
            for part in self.slices(channel, experiment):
                for unit, n in tally(self._unit[part]).items():
                    total[unit] = total.get(unit, 0) + n
            self._counts[key] = dict(sorted(total.items()))
        return dict(self._counts[key])

    def fresh_unit(self, channel: int) -> int:
        """Return a unit number that the channel has never used."""
        self.replay(channel)
        if channel not in self._most:
            self._most[channel] = self._most_ever(channel)
        return self._most[channel] + 1

    def _most_ever(self, channel: int) -> int:
        most = NOISE
        for part in self.slices(channel):
            most = max(most, int(np.abs(self._code[part]).max(initial=0)))
        for _, block in self.journal.blocks_of(channel):
            most = max(most, int(np.abs(block.before).max()), int(np.abs(block.after).max()))
        return most

    def apply(self, rows: NDArray[np.int64], codes: NDArray[np.int32]) -> None:
        """Set the codes of sorted rows."""
        self._code[rows] = codes
        self._unit[rows] = np.maximum(codes, NOISE)
        touched = set()
        for number, start, stop in self.split(rows):
            channel = int(self.blocks[number, 1])
            touched.add(channel)
            if channel in self._most:
                self._most[channel] = max(self._most[channel], int(np.abs(codes[start:stop]).max()))
        self._counts = {key: value for key, value in self._counts.items() if key[0] not in touched}

    def to_blocks(self, rows: NDArray[np.int64], before: NDArray[np.int32], after: NDArray[np.int32]) -> list[Block]:
        """Return a change of sorted rows as the journal stores it."""
        found = []
        for number, i, j in self.split(rows):
            experiment, channel, start, _ = self.blocks[number].tolist()
            found.append(Block(experiment, channel, rows[i:j] - start, before[i:j], after[i:j]))
        return found

    def from_blocks(self, blocks: Sequence[Block]) -> tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.int32]]:
        """Return (rows, before, after) of what the journal stored, rows sorted."""
        placed = sorted(blocks, key=lambda block: (block.experiment, block.channel))
        rows = [self._start(block) + block.rows for block in placed]
        return (
            np.concatenate([np.zeros(0, np.int64), *rows]),
            np.concatenate([np.zeros(0, np.int32), *(block.before for block in placed)]),
            np.concatenate([np.zeros(0, np.int32), *(block.after for block in placed)]),
        )

    def replay(self, channel: int | None = None) -> None:
        """Bring one channel, or all, up to the journal; done once, then nothing."""
        if not self._pending:
            return
        for pending in sorted(self._pending) if channel is None else [channel] if channel in self._pending else []:
            self._bring_up(pending, self._code)
            for part in self.slices(pending):
                np.maximum(self._code[part], NOISE, out=self._unit[part])
            self._pending.discard(pending)

    def codes_after(self, action: int, experiments: Sequence[Experiment]) -> NDArray[np.int32]:
        """Return the codes of all rows as they were after an action."""
        code = _joined([e.fresh_unit() for e in experiments])
        for channel in sorted(self.journal.channels_changed()):
            self._bring_up(channel, code, action)
        return code

    def _bring_up(self, channel: int, code: NDArray[np.int32], upto: int | None = None) -> None:
        starts = {int(self.blocks[number, 0]): int(self.blocks[number, 2]) for number in self._blocks_of[channel]}
        for _, experiment, rows, after in self.journal.codes_of(channel, upto):
            code[starts[experiment] :][rows] = after

    def _start(self, block: Block) -> int:
        for number in self._blocks_of[block.channel]:
            if self.blocks[number, 0] == block.experiment:
                return int(self.blocks[number, 2])
        raise ProjectError(f"The journal names channel {block.channel} of experiment {block.experiment}, not stored.")


def _joined(parts: list[NDArray[np.int32]]) -> NDArray[np.int32]:
    return parts[0] if len(parts) == 1 else np.concatenate([np.zeros(0, np.int32), *parts])


def _view(array: NDArray[np.int32]) -> NDArray[np.int32]:
    view = array.view()
    view.flags.writeable = False
    return view


def _some(channels: list[int]) -> str:
    return f"{len(channels)} channels" + (f", {channels[0]} to {channels[-1]}" if channels else "")
