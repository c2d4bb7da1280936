"""The stages of cleaning beside the network: rules with parameters that say which events of a table break them."""

from __future__ import annotations

import re
from abc import abstractmethod
from collections.abc import Callable, Iterator, Sequence
from typing import Any, ClassVar, NamedTuple

import numpy as np
import param
from numpy.typing import ArrayLike, NDArray
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]  # it has no stubs

from . import screening
from .errors import DataError
from .spikes import Spikes
from .spiketrain import stretches

_BLOCK = 50_000  # events looked at together
Progress = Callable[[float, str], None]


class Found(NamedTuple):
    """Events that break a rule: `rows`, (n,), int64, sorted; `note`, what else is to be said, or nothing."""

    rows: NDArray[np.int64]
    note: str = ""


class Stage(param.ParameterizedABC):
    """A rule. Its parameters are its settings; `find` changes nothing."""

    key: ClassVar[str] = ""
    title: ClassVar[str] = ""

    def find(self, spikes: Spikes, rows: ArrayLike, progress: Progress | None = None) -> Found:
        """Return which of `rows` break the rule.

        Parameters
        ----------
        spikes : Spikes
            The whole table: rules in time look at neighbours outside `rows` too.
        rows : array_like of int
            Events asked about.
        progress : callable, optional
            Called with the share done and a word.

        """
        asked = np.unique(np.asarray(rows, np.int64))
        if not len(asked):
            return Found(asked)
        return self._find(spikes, asked, progress or (lambda *_: None))

    @abstractmethod
    def _find(self, spikes: Spikes, rows: NDArray[np.int64], progress: Progress) -> Found:
        """Do what `find` promises, for `rows` that are sorted, each there once, and not none."""

    def provenance(self) -> dict[str, Any]:
        """Return the rule and its settings, for the history."""
        return {"rule": self.key, **{name: getattr(self, name) for name in sorted(self.param) if name != "name"}}


class AmplitudeLimits(Stage):
    """Events that leave the limits, or never come as far from zero as a spike must."""

    key = "amplitude"
    title = "Amplitude limits"
    lowest_uv: Any = param.Number(default=-1000.0, label="Lowest (µV)", doc="No sample may lie below.")
    highest_uv: Any = param.Number(default=1000.0, label="Highest (µV)", doc="No sample may lie above.")
    least_uv: Any = param.Number(
        default=0.0, bounds=(0, None), label="At least (µV)", doc="One sample must be this far from zero."
    )

    def _find(self, spikes: Spikes, rows: NDArray[np.int64], progress: Progress) -> Found:
        limits = float(self.lowest_uv), float(self.highest_uv), float(self.least_uv)
        return Found(
            _marked(
                rows,
                lambda own: screening.beyond_amplitude(_in_uv(spikes, own).reshape(len(own), -1), *limits),
                progress,
            )
        )


class Coincidence(Stage):
    """Events that come on many channels at once: artefacts of the whole array, or cross-talk."""

    key = "coincidence"
    title = "Coincidence across channels"
    window_ms: Any = param.Number(
        default=1.0, bounds=(0.01, 50), label="Window (ms)", doc="An event looks this far to both sides."
    )
    least_share: Any = param.Number(
        default=0.3, bounds=(0.02, 1), step=0.05, label="Share of channels", doc="On so many channels at once, or more."
    )

    def _find(self, spikes: Spikes, rows: NDArray[np.int64], progress: Progress) -> Found:
        progress(0.1, "looking across channels")
        inside = np.flatnonzero(np.isin(spikes.experiment, np.unique(spikes.experiment[rows])))
        n_channels = len(np.unique(spikes.channel[inside]))
        if n_channels < 2:
            return Found(rows[:0], "There is one channel only, so nothing can coincide.")
        found = screening.coincident(
            spikes.times_s[inside],
            spikes.channel[inside],
            stretches(spikes, inside),
            float(self.window_ms),
            float(self.least_share),
        )
        least = max(int(np.ceil(self.least_share * n_channels)), 2)
        return Found(
            np.intersect1d(inside[found.events], rows),
            f"{least} of {n_channels} channels within ±{self.window_ms:g} ms. By chance, at the rates of this array,"
            f" {_per_time(found.chance_hz)}.",
        )


class RefractoryDoublets(Stage):
    """Events that follow another of their channel sooner than a cell can fire twice: one spike taken again."""

    key = "doublets"
    title = "Refractory doublets"
    dead_ms: Any = param.Number(
        default=0.8, bounds=(0.01, 20), label="Dead time (ms)", doc="Within it only the first event stays."
    )
    same_unit: Any = param.Boolean(
        default=False, label="Only within a unit", doc="Compare with events of the same unit, not of the whole channel."
    )

    def _find(self, spikes: Spikes, rows: NDArray[np.int64], progress: Progress) -> Found:
        progress(0.1, "looking at intervals")
        inside = np.flatnonzero((spikes.unit > 0) & np.isin(spikes.channel, np.unique(spikes.channel[rows])))
        train = spikes.channel[inside].astype(np.int64)
        if self.same_unit:
            train = np.unique(np.column_stack([train, spikes.unit[inside]]), axis=0, return_inverse=True)[1].ravel()
        found = screening.doublets(spikes.times_s[inside], train, stretches(spikes, inside), float(self.dead_ms))
        return Found(np.intersect1d(inside[found], rows))


class FlatOrSaturated(Stage):
    """Waveforms without any shape, and those held at the rail of the amplifier."""

    key = "saturated"
    title = "Saturated or flat waveforms"
    rail_samples: Any = param.Integer(
        default=4, bounds=(2, 1000), label="Samples at the rail", doc="Equal neighbours at the extremum; no spike has."
    )

    def _find(self, spikes: Spikes, rows: NDArray[np.int64], progress: Progress) -> Found:
        return Found(
            _marked(
                rows, lambda own: screening.flat_or_saturated(_largest(spikes.raw[own]), self.rail_samples), progress
            )
        )


class DistanceOutliers(Stage):
    """Events that are far from their own unit."""

    key = "outliers"
    title = "Outliers of each unit"
    tail: Any = param.Number(
        default=1e-4, bounds=(1e-9, 0.2), label="Share lost of a clean unit", doc="So many of its events are marked."
    )

    def _find(self, spikes: Spikes, rows: NDArray[np.int64], progress: Progress) -> Found:
        rows = rows[spikes.unit[rows] > 0]
        channels = np.unique(spikes.channel[rows])
        found = [rows[:0]]
        for done, channel in enumerate(channels.tolist()):
            progress(done / len(channels), f"channel {channel}")
            # A unit is judged by all of its events, wherever it was recorded and whatever part was asked about.
            own = np.flatnonzero((spikes.channel == channel) & (spikes.unit > 0))
            with threadpool_limits(1, user_api="blas"):  # threads for so small a matrix wait for one another
                far = screening.outliers(_in_uv(spikes, own).reshape(len(own), -1), spikes.unit[own], float(self.tail))
            found.append(own[far])
        return Found(np.intersect1d(np.concatenate(found), rows))


class BadEpochs(Stage):
    """Events in stretches of time marked as bad, such as stimulation or chewing."""

    key = "epochs"
    title = "Bad epochs"
    epochs_s: Any = param.String(
        default="", label="Epochs (s)", doc="From-to in seconds, several with commas, such as 12-15.5, 40-41."
    )
    experiment: Any = param.Integer(
        default=0, bounds=(0, None), label="Experiment", doc="Whose time is meant; the first is 0.", precedence=-1
    )

    def _find(self, spikes: Spikes, rows: NDArray[np.int64], progress: Progress) -> Found:
        progress(0.1, "looking at times")
        rows = rows[spikes.experiment[rows] == self.experiment]
        return Found(rows[screening.in_epochs(spikes.times_s[rows], epochs(self.epochs_s))])


STAGES: dict[str, type[Stage]] = {
    stage.key: stage
    for stage in (AmplitudeLimits, Coincidence, RefractoryDoublets, FlatOrSaturated, DistanceOutliers, BadEpochs)
}
_EPOCH = re.compile(r"\s*(\d+(?:\.\d*)?)\s*[-\N{EN DASH}]\s*(\d+(?:\.\d*)?)\s*")


def epochs(text: str) -> list[tuple[float, float]]:
    """Read "12-15.5, 40-41" as pairs of seconds, sorted; what overlaps becomes one."""
    pairs = []
    for part in filter(str.strip, re.split(r"[,;\n]", text)):
        match = _EPOCH.fullmatch(part)
        if match is None or float(match[1]) >= float(match[2]):
            raise DataError(f"An epoch is written from-to in seconds, such as 12-15.5. Got {part.strip()!r}.")
        pairs.append((float(match[1]), float(match[2])))
    joined: list[tuple[float, float]] = []
    for start, end in sorted(pairs):
        if joined and start <= joined[-1][1]:
            joined[-1] = joined[-1][0], max(joined[-1][1], end)
        else:
            joined.append((start, end))
    return joined


def written(pairs: Sequence[tuple[float, float]]) -> str:
    """Write epochs as `epochs` reads them."""
    return ", ".join(f"{start:.3f}".rstrip("0").rstrip(".") + "-" + f"{end:.3f}".rstrip("0").rstrip(".")
                     for start, end in pairs)  # fmt: skip


def _marked(
    rows: NDArray[np.int64], rule: Callable[[NDArray[np.int64]], NDArray[np.bool_]], progress: Progress
) -> NDArray[np.int64]:
    """Return the rows that a rule on single events marks, block by block."""

    def blocks() -> Iterator[NDArray[np.int64]]:
        for start in range(0, len(rows), _BLOCK):
            progress(start / len(rows), f"{start:,} of {len(rows):,} events")
            own = rows[start : start + _BLOCK]
            yield own[rule(own)]

    return np.concatenate(list(blocks()))


def _in_uv(spikes: Spikes, rows: NDArray[np.int64]) -> NDArray[np.float32]:
    return np.multiply(spikes.raw[rows], np.float32(spikes.uv_per_bit), dtype=np.float32)


def _largest(raw: NDArray[Any]) -> NDArray[Any]:
    """Return, of events with several channels, the one with the largest swing: (n_spikes, n_samples)."""
    if raw.ndim == 2:
        return raw
    swing = np.fmax.reduce(raw, axis=-1).astype(np.float32) - np.fmin.reduce(raw, axis=-1)
    return raw[np.arange(len(raw)), np.nan_to_num(swing, nan=0.0).argmax(axis=1)]


def _per_time(rate_hz: float) -> str:
    """Say a rate so that it can be imagined."""
    if rate_hz >= 1 / 60:
        return f"{rate_hz:.2g} events a second do the same"
    if rate_hz * 3600 >= 1e-3:
        return f"{rate_hz * 3600:.2g} events an hour do the same"
    return "practically nothing does the same"
