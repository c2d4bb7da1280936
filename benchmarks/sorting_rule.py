"""How sortings are scored, and how sorters are compared: the two rules of `sorting.py`.

The rule of scoring: overlaps (truth -1, or marked by the simulator) stay in the input and are not scored. Multi-unit
background (truth 100) and noise (0) count as false events of a cluster, never as a unit. Units of fewer than 20 scored
events are left out, and so is the ARI of a channel of one unit. A unit is hit when one cluster holds half of it and is
half made of it. F1 and accuracy are by the best one-to-one matching; a unit without a cluster has F1 0. A cluster is
spurious when it hits nothing although most of its events belong to units.

The rule of comparison: a set is a file, or a block of the simulator's channels (their mean), and the mean is over sets.
The sorter is to be first on the mean, and on no set more than 0.02 ARI below the best of its peers. Single channels
where that is so are named too. An oracle is shown beside and is no peer.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from benchmarks.sorting_data import BACKGROUND

LEAST_EVENTS = 20
OURS, ORACLE = "NeuralSorter", "told the truth"
BEHIND_AT_MOST = 0.02
BARS = {"ARI": 0.95, "hits": 0.95, "F1": 0.93, "spurious": 1.0}  # of the simulator's channels; the last from above


class Row(NamedTuple):
    """What one sorter found on one channel."""

    block: str  # the set
    name: str  # the channel or file
    sorter: str
    result: dict[str, float]


def score(truth: NDArray[Any], labels: NDArray[Any], scored: NDArray[Any]) -> dict[str, float]:
    """Return K, units, ARI, accuracy, F1, hits and spurious clusters by the rule above."""
    from sklearn.metrics import adjusted_rand_score

    units = [
        u for u in np.unique(truth[scored]) if 0 < u < BACKGROUND and (scored & (truth == u)).sum() >= LEAST_EVENTS
    ]
    kept = scored & (np.isin(truth, units) | (truth == 0) | (truth == BACKGROUND))
    true, found = truth[kept], labels[kept]
    clusters = np.unique(found)
    both = np.array([[np.sum((true == u) & (found == c)) for c in clusters] for u in units], float)
    both = both.reshape(len(units), len(clusters))
    of_unit, of_cluster = both.sum(axis=1, keepdims=True), np.array([[np.sum(found == c) for c in clusters]], float)
    f1 = 2 * both / (of_unit + of_cluster)
    hit = (both >= 0.5 * of_unit) & (both >= 0.5 * of_cluster)
    single = np.isin(true, units)
    spurious = ~hit.any(axis=0) & (both.sum(axis=0) > 0.5 * of_cluster[0])
    return {
        "K": len(clusters),
        "units": len(units),
        "ARI": float(adjusted_rand_score(true[single], found[single])) if len(units) > 1 else float("nan"),
        "accuracy": float(both[linear_sum_assignment(-both)].sum() / single.sum()) if units else float("nan"),
        "F1": float(f1[linear_sum_assignment(-f1)].sum() / len(units)) if units else float("nan"),
        "hits": float(hit.any(axis=1).mean()) if units else float("nan"),
        "spurious": int(spurious.sum()),
    }


def text(result: dict[str, float]) -> str:
    """Return scores as one line."""
    return "  ".join(f"{k} {v:.4f}" if isinstance(v, float) else f"{k} {v}" for k, v in result.items())


def means(rows: list[Row]) -> list[str]:
    """Return, for each set of several channels or seeds, the means of each sorter; ours beside the bars."""
    lines = []
    for block in dict.fromkeys(row.block for row in rows):
        for sorter in dict.fromkeys(row.sorter for row in rows):
            found = [row.result for row in rows if (row.block, row.sorter) == (block, sorter)]
            if len(found) < 2:
                continue
            mean = {key: float(np.nanmean([r[key] for r in found])) for key in found[0]}
            worst = np.nanmin([r["accuracy"] for r in found])
            lines.append(f"mean of {len(found)}  {block:34} {sorter:15} {text(mean)}   worst accuracy {worst:.4f}")
            if sorter == OURS and block.startswith("simulated"):
                met = {key: mean[key] <= bar if key == "spurious" else mean[key] >= bar for key, bar in BARS.items()}
                lines.append("    " + ", ".join(f"{k} {BARS[k]}: {'met' if ok else 'missed'}" for k, ok in met.items()))
    return lines


def verdict(rows: list[Row]) -> list[str]:
    """Return the ARI of each sorter on each set, and whether ours keeps the rule of comparison."""
    sorters = list(dict.fromkeys(row.sorter for row in rows))
    peers = [sorter for sorter in sorters if sorter not in (OURS, ORACLE)]
    sets = _table([(row.block, row) for row in rows])
    mean = {sorter: float(np.mean([found[sorter] for found in sets.values()])) for sorter in sorters}
    lines = [f"{'ARI by set':34}" + "".join(f"{sorter:>16}" for sorter in sorters)]
    for name, found in [*sets.items(), ("mean over sets", mean)]:
        lines.append(f"{name:34}" + "".join(f"{found[sorter]:16.4f}" for sorter in sorters))
    if not peers:
        return lines
    first = mean[OURS] >= max(mean[peer] for peer in peers)
    lines.append(f"first on the mean over sets: {'met' if first else 'missed'}")
    behind = _behind(sets, peers)
    lines.append(f"on no set more than {BEHIND_AT_MOST} below the best: {'missed' if behind else 'met'}")
    lines += [f"    {line}" for line in behind]
    channels = _behind(_table([(row.name, row) for row in rows if row.name != row.block]), peers)
    lines.append(f"single channels where a peer is more than {BEHIND_AT_MOST} ahead: {len(channels)}")
    return lines + [f"    {line}" for line in channels]


def _table(rows: list[tuple[str, Row]]) -> dict[str, dict[str, float]]:
    """Return the mean ARI of each sorter under each name."""
    values: dict[str, dict[str, list[float]]] = {}
    for name, row in rows:
        if not np.isnan(row.result["ARI"]):  # a channel of one unit
            values.setdefault(name, {}).setdefault(row.sorter, []).append(row.result["ARI"])
    return {name: {sorter: float(np.mean(of)) for sorter, of in found.items()} for name, found in values.items()}


def _behind(table: dict[str, dict[str, float]], peers: list[str]) -> list[str]:
    """Return where the best peer is too far ahead of ours, the worst first."""
    ahead = []
    for name, found in table.items():
        best = max(peers, key=lambda peer: found[peer])
        if (by := found[best] - found[OURS]) > BEHIND_AT_MOST:
            ahead.append((by, f"{name}: {OURS} {found[OURS]:.4f}, {best} {found[best]:.4f}, {by:.3f} ahead"))
    return [line for _, line in sorted(ahead, reverse=True)]
