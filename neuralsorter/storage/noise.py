"""What rules send to noise, and how noise comes back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from neuralsorter.edit import Edit
from neuralsorter.spikes import NOISE

from .timeline import Timeline


class Noise(Timeline):
    """Edits between units and noise that are neither a person's single choice nor a cleaner's threshold."""

    def screen(self, rows: ArrayLike, label: str, params: Mapping[str, Any] | None = None) -> Edit | None:
        """Send events that break a rule to noise for good: no threshold of a cleaner brings them back.

        Parameters
        ----------
        rows : ndarray of int, or mask
            Events that break the rule. Locked units are left alone; what a cleaner sent to noise stays there for good.
        label : str
            What the history says.
        params : mapping
            Provenance: the rule and its settings.

        """
        with self._editing():
            chosen = self._screened(rows)
            return self._commit("screen", label, chosen, np.zeros(len(chosen), np.int32), params=params)

    def preview_screen(self, rows: ArrayLike) -> NDArray[np.int64]:
        """Return which events of units `screen` would send to noise, sorted rows."""
        with self._lock:
            chosen = self._screened(rows)
            return chosen[self._state.codes_at(chosen) > NOISE]

    def movable(self, rows: ArrayLike) -> NDArray[np.int64]:
        """Return which events a cleaner may move, sorted: not what a person or a rule called noise, no locked unit."""
        with self._lock:
            chosen = self._chosen(rows)
            codes = self._state.codes_at(chosen)
            return chosen[(codes != NOISE) & ~self._in_locked(chosen, np.abs(codes))]

    def bring_back(self, rows: ArrayLike) -> Edit | None:
        """Return events from noise to the unit that each was in before; those that never were in one stay.

        `last_note` says how many stayed.
        """
        with self._editing():
            chosen = self._chosen(rows)
            codes = self._state.codes_at(chosen)
            former = np.where(codes < NOISE, -codes, 0)
            by_person = codes == NOISE
            if by_person.any():
                former[by_person] = self.old_unit()[chosen[by_person]]
            back = (codes <= NOISE) & (former > NOISE)
            without = int(((codes <= NOISE) & ~back).sum())
            sent, units = self._without_locked(chosen[back], former[back].astype(np.int32))
            if without:
                self.last_note = (
                    f"{self.last_note} {without:,} events were noise from the start: send them to a unit.".strip()
                )
            text = f"{len(sent):,} events back from noise to their former units"
            return self._commit("assign", text, sent, units, params={"former": True})

    def _screened(self, rows: ArrayLike) -> NDArray[np.int64]:
        chosen = self._chosen(rows)
        locked = self._in_locked(chosen, np.abs(self._state.codes_at(chosen)))
        self._say_left_alone(int(locked.sum()))
        return chosen[~locked]
