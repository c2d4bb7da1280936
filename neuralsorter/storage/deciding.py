"""What sorting and its suggestions lead to: units with their labels in one edit, pairs kept apart, units kept whole."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from numpy.typing import ArrayLike

from neuralsorter.edit import Edit, Mark
from neuralsorter.errors import DataError, ProjectError
from neuralsorter.spikes import NOISE

from .curation import Curation
from .scope import scope_of


class Deciding(Curation):
    """Edits that a sorter, or an answer to a suggestion, makes."""

    def take_sort(
        self,
        rows: ArrayLike,
        units: ArrayLike,
        labels: Mapping[tuple[int, int], str],
        label: str = "",
        params: Mapping[str, Any] | None = None,
    ) -> Edit | None:
        """Give each event its unit, (n,), and units their labels, {(channel, unit): text}, as one edit.

        Noise and locked units stay as they are, and so does a label that a person gave.
        """
        with self._editing():
            chosen, codes = self._paired(rows, units)
            if (codes <= NOISE).any():
                raise DataError(f"A sorter's units must be 1 or more. Got {codes.min()}.")
            facts = {"where": scope_of(self._state, chosen), **(params or {})}
            kept = self._state.codes_at(chosen) > NOISE
            chosen, codes = self._without_locked(chosen[kept], codes[kept])
            said = {
                Mark("label", int(channel), int(unit)): text
                for (channel, unit), text in labels.items()
                if self.labels.get((channel, unit), "unsorted") == "unsorted" and (channel, unit) not in self.locked
            }
            text = label or f"sort of {len(chosen):,} events"
            return self._commit("sort", text, chosen, codes, params=facts, marks=said)

    @property
    def kept_apart(self) -> frozenset[tuple[int, int, int]]:
        """Pairs of units that a person said are two, (channel, lower unit, higher unit)."""
        return frozenset(
            (channel, unit, int(other))
            for (channel, unit), text in self._marked("apart").items()
            for other in text.split(",")
        )

    def keep_apart(self, channel: int, first: int, second: int) -> Edit | None:
        """Say that two units of a channel are two, so that merging them is not suggested again."""
        low, high = sorted((int(first), int(second)))
        if low == high or low <= NOISE:
            raise ProjectError(f"Two different units and not noise (0) are kept apart. Got {first} and {second}.")
        with self._editing():
            others = {b for c, a, b in self.kept_apart if (c, a) == (channel, low)} | {high}
            text = ",".join(map(str, sorted(others)))
            return self._mark(Mark("apart", channel, low), text, f"units {low} and {high} of channel {channel} are two")

    @property
    def kept_whole(self) -> frozenset[tuple[int, int]]:
        """Units that a person said are one, (channel, unit)."""
        return frozenset(self._marked("whole"))

    def keep_whole(self, channel: int, unit: int) -> Edit | None:
        """Say that a unit is one neuron's, so that splitting it is not suggested again."""
        if unit <= NOISE:
            raise ProjectError(f"A unit is kept whole, not noise (0). Got {unit}.")
        return self._mark(Mark("whole", channel, unit), "on", f"unit {unit} of channel {channel} is one")
