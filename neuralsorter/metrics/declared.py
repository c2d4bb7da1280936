"""Every quality metric, declared once: what tables, tooltips, red flags and the documentation say of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Metric:
    """One column of the table of metrics.

    Attributes
    ----------
    name, label : str
        The column's name, and its heading on screen with the unit.
    formula : str
        What is computed.
    reference : str
        Who proposed it; empty for plain counts.
    better : {"higher", "lower", ""}
        Which way is good.
    limit : float or None
        Beyond it, on the bad side, the unit gets a red flag.
    warning : str
        The flag in words, with {value} and {limit} to fill in.
    digits : str
        How to format a value.
    has_interval : bool
        Whether the columns NAME_low and NAME_high hold 95 % confidence limits.

    """

    name: str
    label: str
    formula: str
    reference: str = ""
    better: str = ""
    limit: float | None = None
    warning: str = ""
    digits: str = ".3g"
    has_interval: bool = False

    @property
    def tooltip(self) -> str:
        """Formula, reference, and when it is a red flag."""
        parts = [f"{self.formula}."]
        if self.better:
            parts.append(f"{self.better.capitalize()} is better.")
        if self.limit is not None:
            parts.append(f"Red flag {'below' if self.better == 'higher' else 'above'} {self.limit:g}.")
        if self.has_interval:
            parts.append("95 % confidence limits (Poisson) in the columns beside it.")
        if self.reference:
            parts.append(f"{self.reference}.")
        return " ".join(parts)

    def is_flagged(self, value: float) -> bool:
        """Return whether a value is beyond the limit. An undefined one is not."""
        if self.limit is None or not np.isfinite(value):
            return False
        return value < self.limit if self.better == "higher" else value > self.limit


METRICS = (
    Metric(
        name="count",
        label="events",
        formula="Number of events, n",
        better="higher",
        limit=100,
        warning="It has {value:.0f} events only: the other numbers are uncertain.",
        digits=".0f",
    ),
    Metric(
        name="rate_hz",
        label="rate (Hz)",
        formula="n / T, with T the length of the recording",
        has_interval=True,
    ),
    Metric(
        name="snr",
        label="SNR",
        formula="Largest size of the mean waveform / SD of the channel's noise before the crossings",
        better="higher",
        limit=3.0,
        warning="Its mean waveform is {value:.1f} times the noise, below {limit:g}.",
    ),
    Metric(
        name="snr_residual",
        label="SNR (residual)",
        formula="Peak-to-peak of the mean waveform / 2 SD of the waveforms around it",
        reference="Kelly et al. 2007, J. Neurosci. 27:261",
        better="higher",
    ),
    Metric(
        name="isi_violations",
        label="short intervals",
        formula="Number of intervals below the refractory period",
        better="lower",
        digits=".0f",
    ),
    Metric(
        name="isi_violation_ratio",
        label="ISI violation ratio",
        formula="[n_v / (2 n (t_r - t_c))] / (n / T), t_c the dead time",
        reference="Hill et al. 2011, J. Neurosci. 31:8699",
        better="lower",
        limit=0.5,
        warning="Intervals below the refractory period are {value:.2f} times as frequent as chance, above {limit:g}.",
        has_interval=True,
    ),
    Metric(
        name="contamination",
        label="contamination",
        formula="1 - sqrt(1 - n_p (T - 2 n t_c) / (n² (t_r - t_c))), n_p all pairs in t_r",
        reference="Llobet, Wyngaard and Barbour 2022, bioRxiv 2022.02.08.479192",
        better="lower",
        limit=0.1,
        warning="About {value:.0%} of its events come from other neurons, above {limit:.0%}.",
        has_interval=True,
    ),
    Metric(
        name="sliding_contamination",
        label="contamination below",
        formula="Least contamination that a refractory period excludes",
        reference="International Brain Laboratory 2022 (sliding refractory period), 90 % confidence",
        better="lower",
        limit=0.2,
        warning="Its silences prove no less than {value:.0%} contamination, above {limit:.0%}.",
    ),
    Metric(
        name="presence_ratio",
        label="presence",
        formula="Share of minutes of the recording with an event",
        reference="Siegle et al. 2021, Nature 592:86",
        better="higher",
        limit=0.8,
        warning="It is silent in many minutes: present in {value:.0%} of them, below {limit:.0%}.",
    ),
    Metric(
        name="amplitude_cutoff",
        label="missing small events",
        formula="Share of a symmetric amplitude histogram cut off below",
        reference="Hill et al. 2011, J. Neurosci. 31:8699",
        better="lower",
        limit=0.1,
        warning="About {value:.0%} of its events are too small to have been detected, above {limit:.0%}.",
    ),
    Metric(
        name="isolation_distance",
        label="isolation distance",
        formula="Mahalanobis distance² of the n-th nearest event of other units",
        reference="Harris et al. 2001, Neuron 32:141",
        better="higher",
        limit=15.0,
        warning="Events of other units lie close: its isolation distance is {value:.1f}, below {limit:g}.",
    ),
    Metric(
        name="l_ratio",
        label="L-ratio",
        formula="Sum over other units' events of 1 - CDF_chi2(Mahalanobis distance²) / n",
        reference="Schmitzer-Torbert et al. 2005, Neuroscience 131:1",
        better="lower",
        limit=0.2,
        warning="Events of other units lie within it: its L-ratio is {value:.2f}, above {limit:g}.",
    ),
    Metric(
        name="d_prime",
        label="d'",
        formula="(m1 - m2) / sqrt((v1 + v2) / 2) along the discriminant axis to the nearest unit",
        reference="Hill et al. 2011, J. Neurosci. 31:8699",
        better="higher",
        limit=3.0,
        warning="It overlaps with another unit: d' is {value:.1f}, below {limit:g}.",
    ),
    Metric(
        name="nn_hit",
        label="neighbours hit",
        formula="Share of the 5 nearest neighbours of its events that are its own",
        reference="Chung et al. 2017, Neuron 95:1381",
        better="higher",
        limit=0.8,
        warning="Neighbours of its events belong to other units: {value:.0%} are its own, below {limit:.0%}.",
    ),
    Metric(
        name="nn_miss",
        label="neighbours missed",
        formula="Share of the 5 nearest neighbours of other units' events that are its own",
        reference="Chung et al. 2017, Neuron 95:1381",
        better="lower",
        limit=0.1,
        warning="Events of other units have neighbours in it: {value:.0%}, above {limit:.0%}.",
    ),
    Metric(
        name="silhouette",
        label="silhouette",
        formula="Mean of (b - a) / max(a, b), a and b distances to the own and the next mean",
        reference="Rousseeuw 1987; simplified: Hruschka et al. 2004",
        better="higher",
        limit=0.1,
        warning="Its events are as close to another unit's mean as to its own: {value:.2f}, below {limit:g}.",
    ),
    Metric(
        name="drift_percent",
        label="drift (%)",
        formula="Range of the median amplitudes of minutes / median amplitude",
        better="lower",
        limit=30.0,
        warning="Its amplitude drifts by {value:.0f} %, above {limit:g} %.",
    ),
    Metric(
        name="shape_stability",
        label="shape stability",
        formula="Correlation of the mean waveforms of its first and last third",
        better="higher",
        limit=0.9,
        warning="Its waveform changes: first and last third correlate by {value:.2f}, below {limit:g}.",
    ),
    Metric(
        name="expected_fp",
        label="expected false",
        formula="Mean over its events of the probability of another unit (Gaussians)",
        reference="Hill et al. 2011, J. Neurosci. 31:8699",
        better="lower",
        limit=0.1,
        warning="About {value:.0%} of its events would fit other units better, above {limit:.0%}.",
    ),
    Metric(
        name="expected_fn",
        label="expected missed",
        formula="Sum over other units' events of the probability of this unit / n",
        reference="Hill et al. 2011, J. Neurosci. 31:8699",
        better="lower",
        limit=0.1,
        warning="Other units hold about {value:.0%} of its events, above {limit:.0%}.",
    ),
    Metric(
        name="dead_time_ms",
        label="dead time (ms)",
        formula="Time after an event in which the detector saw none; contamination counts only what lies beyond it",
    ),
)


def flags(row: Mapping[Any, Any]) -> list[str]:
    """Return the red flags of one row of the table, a sentence each.

    Parameters
    ----------
    row : mapping
        A row of `metrics(...)`, or a dictionary with some of its columns.

    """
    found = [
        metric.warning.format(value=row[metric.name], limit=metric.limit)
        for metric in METRICS
        if metric.name in row and metric.is_flagged(float(row[metric.name]))
    ]
    dead, refractory = row.get("dead_time_ms", 0.0), row.get("refractory_ms", np.inf)
    if dead >= refractory:
        found.append(
            f"The detector was blind for {dead:.2f} ms after each event, longer than the refractory period of"
            f" {refractory:g} ms: contamination cannot be seen. Take a longer refractory period."
        )
    return found
