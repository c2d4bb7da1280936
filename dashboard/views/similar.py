"""How alike the units of the channel are; a click compares two on the main screen, a key merges them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from neuralsorter.means import UnitMeans, unit_means
from neuralsorter.similarity import similarity
from neuralsorter.sorting.suggestions import MergeSuggestion, merge_suggestions
from neuralsorter.spikes import NOISE
from neuralsorter.spiketrain import timeline
from neuralsorter.tally import tally

from .matrix import Matrix
from .view import Look, View


@dataclass(frozen=True, eq=False)
class Alike:
    """Similarity of every pair of units, and the pairs that may be one."""

    units: list[int]
    shares: NDArray[np.float64]
    suggestions: list[MergeSuggestion]


class Similarity(View):
    """A matrix of all units of the channel, shown or not, noise left out."""

    title = "Similarity"
    hint = "Click a pair to see only these two on the main screen; M merges what is shown, a second click shows all."

    def build(self) -> Any:
        """Return the figure."""
        self.pair: tuple[int, int] | None = None
        self._matrix = Matrix("view similarity", "unit", "and unit", self._tapped)
        return self._matrix.figure

    def compute(self, look: Look, before: tuple[Look, Any] | None) -> Alike:
        """Compare mean waveforms, and look for units to merge; again only after an edit of this channel."""
        if before is not None and not look.touched_since(before[0]):
            kept: Alike = before[1]
            return kept
        raw, project = look.project.raw(look.rows), look.project
        means: UnitMeans = unit_means(raw, look.unit, project.uv_per_bit)
        real = means.units > NOISE
        times_s = timeline(look.times_s, look.stretch).place(look.times_s, look.stretch)
        found = merge_suggestions(raw, times_s, look.unit, project.sampling_rate, project.pre_samples)
        return Alike([int(unit) for unit in means.units[real]], similarity(means.mean[real]), found)

    def draw(self, look: Look, result: Alike) -> str:
        """Draw the matrix; the chosen pair has an outline."""
        names = [str(unit) for unit in result.units]
        texts = [[f"{share:.2f}" for share in line] for line in result.shares]
        shares = np.clip((result.shares - 0.5) * 2, 0, 1)
        pair = self.pair if self.pair is not None and set(self.pair) <= set(result.units) else None
        at = [] if pair is None else [(result.units.index(pair[0]), result.units.index(pair[1]))]
        self._matrix.draw(shares, texts, names, names, dark=look.dark, chosen=[*at, *((j, i) for i, j in at)])
        if pair is not None and look.visible - {NOISE} == set(pair):
            return self._about(result, *pair)
        self.pair = None
        if not result.suggestions:
            return "No pair of units looks like one."
        best, n_more = result.suggestions[0], len(result.suggestions) - 1
        more = f" V shows {n_more} more." if n_more else ""
        return f"**{best.first} and {best.second}** may be one: {best.reason}.{more}"

    def table(self, look: Look, result: Alike) -> pd.DataFrame:
        """Return a row per pair."""
        lines = [
            (look.channel, unit, other, result.shares[i, j])
            for i, unit in enumerate(result.units) for j, other in enumerate(result.units) if i < j
        ]  # fmt: skip
        return pd.DataFrame(lines, columns=["channel", "unit", "other", "similarity"])

    def _about(self, result: Alike, first: int, second: int) -> str:
        share = result.shares[result.units.index(first), result.units.index(second)]
        reasons = [s.reason for s in result.suggestions if {s.first, s.second} == {first, second}]
        return f"**{first} and {second}**: similarity {share:.2f}. {reasons[0] if reasons else 'No case for merging'}."

    def _tapped(self, row: int, column: int) -> None:
        focus = self.workspace.focus
        if self._done is None or focus is None:
            return
        look, result = self._done
        pair = result.units[row], result.units[column]
        if row == column:
            self.pair = None
            focus.param.update(unit=pair[0])
        elif self.pair is not None and set(pair) == set(self.pair):
            self.pair = None
            focus.param.update(unit=None, hidden=frozenset({NOISE}))
        else:
            self.pair = pair
            present = {*tally(look.unit)}
            focus.param.update(unit=None, hidden=frozenset((present | {NOISE}) - set(pair)))
        self.refresh()
