"""A cleaner that learns from a laboratory's own curation."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from . import plugins
from .border import border
from .cleaning import single_wire
from .errors import DataError, SaveError
from .examples import Examples, as_they_are, join, varied
from .spikes import NOISE, Spikes

LEAST_EVENTS = 100
LEAST_PER_SIDE = 20
_HELD_OUT_SHARE = 0.25
_ENOUGH = 40_000  # varied examples; more teach little and take long
_TIMEOUT_S = 3600.0

Progress = Callable[[float, str], None]


@dataclass(frozen=True)
class TrainingResult:
    """What a training came to.

    Attributes
    ----------
    path, picture : str
        The network and its learning curves.
    split : str
        How held-out events were chosen, one sentence.
    n_trained, n_held_out : int
        Events.
    scores, shipped_scores : dict
        AUC, sensitivity and specificity at 0.5 and calibration error on held-out events, of the new network and of
        the shipped one.
    by_group : list of dict
        The same of each held-out channel or experiment, weakest first.
    curves : dict
        Loss and held-out loss after each pass.
    seconds : float
        Time taken.

    """

    path: str
    picture: str
    split: str
    n_trained: int
    n_held_out: int
    scores: dict[str, float]
    shipped_scores: dict[str, float]
    by_group: list[dict[str, Any]]
    curves: dict[str, list[float]]
    seconds: float


def train_cleaner(
    curated: Spikes | Sequence[str | Path],
    out: str | Path,
    *,
    network: str | None = None,
    split_by: str = "channel",
    epochs: int = 20,
    seed: int = 0,
    progress: Progress | None = None,
    cancel: threading.Event | None = None,
) -> TrainingResult:
    """Train a cleaner on curated events: what is in a unit is a spike, what is in unit 0 is noise.

    Units labelled "noise" count as noise, units labelled "unsorted" are left out. Runs in a process of its own.

    Parameters
    ----------
    curated : Spikes or sequence of paths
        Events whose units a person has checked.
    out : str or Path
        NAME.keras; a picture of the learning curves is written beside it.
    network : str, optional
        "cnn" goes on from the shipped network; the name of a definition in models/ starts anew; the setting
        `network` by default.
    split_by : {"channel", "experiment"}
        A quarter of these is held out and only says how good the result is.
    epochs : int
        Passes over the events.
    seed : int
        Split and order.
    progress : callable, optional
        Called with the share done and a sentence.
    cancel : threading.Event, optional
        Set it to stop; nothing is written then.

    """
    from . import workers
    from .settings import settings

    chosen = settings()
    path = Path(out)
    if path.suffix != ".keras":
        raise SaveError(path, "a network is written to a file that ends in .keras", "Name it so")
    if isinstance(curated, Spikes):
        spikes = curated
    else:
        from .loading import load

        spikes = load(*curated)
    rows, label = labelled(spikes)
    check_enough(label)
    plan = {
        "network": network or chosen.network,
        "split_by": split_by,
        "epochs": epochs,
        "seed": seed,
        "loss": chosen.loss,
        "optimizer": chosen.optimizer,
        "batch_size": chosen.batch_size,
    }
    target = "neuralsorter.training:train"
    answer = workers.call(
        target, spikes.take(rows), label, str(path), plan, timeout_s=_TIMEOUT_S, on_progress=progress, cancel=cancel
    )
    return TrainingResult(**answer)


def labelled(spikes: Spikes) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Return the rows whose label is known, and whether each is a spike."""
    spike = spikes.unit != NOISE
    known = np.ones(len(spikes), bool)
    for (channel, unit), text in spikes.labels.items():
        mine = (spikes.channel == channel) & (spikes.unit == unit)
        if text == "noise":
            spike &= ~mine
        elif text == "unsorted":
            known &= ~mine
    rows = np.flatnonzero(known)
    return rows, spike[rows]


def check_enough(label: NDArray[np.bool_]) -> None:
    """Refuse too little or one-sided data."""
    n_spikes = int(np.count_nonzero(label))
    n_noise = len(label) - n_spikes
    if len(label) < LEAST_EVENTS or min(n_spikes, n_noise) < LEAST_PER_SIDE:
        raise DataError(
            f"Training needs at least {LEAST_EVENTS} curated events with {LEAST_PER_SIDE} spikes and {LEAST_PER_SIDE}"
            f" noise events (unit 0) among them. Got {n_spikes} spikes and {n_noise} noise events: curate more of"
            f" {'the noise' if n_noise <= n_spikes else 'the spikes'}."
        )


def train(spikes: Spikes, label: NDArray[np.bool_], out: str, plan: dict[str, Any]) -> dict[str, Any]:
    """Train, score and save; the part of `train_cleaner` that runs in a worker. Returns TrainingResult's fields."""
    from . import fitting, workers

    began = time.monotonic()
    rng = np.random.default_rng(plan["seed"])
    taught, tested, split = _split(spikes, label, plan["split_by"], rng)
    held_out = join(tested)
    model = _model(plan["network"])

    def judged(model: Any) -> NDArray[np.float32]:
        """Return log odds of the held-out events as `Compiled.probability` has them: 0 at each channel's border."""
        found = [fitting.log_odds(model, own) for own in tested]
        return np.concatenate([odds - np.float32(border(odds)) for odds in found])

    shipped_odds = judged(_model("cnn"))
    # What the network knows already is kept where the curation says nothing against it: small steps.
    curves = fitting.fit(
        model,
        taught,
        epochs=plan["epochs"],
        rate=1e-3,
        batch_size=min(plan["batch_size"], 256),
        seed=plan["seed"],
        held_out=held_out,
        progress=workers.progress,
        optimizer=plan["optimizer"],
        loss=plan["loss"],
    )
    odds = judged(model)
    path = Path(out)
    picture = path.with_name(path.stem + "-learning.png")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_name(path.stem + ".partial.keras")
        model.save(partial)
        partial.replace(path)
        draw_curves(curves, picture)
    except OSError as cause:
        raise SaveError(path, f"the network cannot be written ({cause})", "Choose another folder") from cause
    groups = [(int(g), held_out.group == g) for g in np.unique(held_out.group)]
    by_group = [{split["by"]: g, **scores(odds[rows], held_out.label[rows])} for g, rows in groups]
    return {
        "path": str(path),
        "picture": str(picture),
        "split": split["text"],
        "n_trained": split["n_trained"],
        "n_held_out": len(held_out),
        "scores": scores(odds, held_out.label),
        "shipped_scores": scores(shipped_odds, held_out.label),
        "by_group": sorted(by_group, key=lambda row: row["sensitivity"] + row["specificity"]),
        "curves": curves,
        "seconds": time.monotonic() - began,
    }


def scores(odds: NDArray[Any], label: NDArray[Any]) -> dict[str, float]:
    """Return AUC, sensitivity and specificity at 0.5, and calibration error; NaN where a side is missing."""
    from scipy.special import expit
    from scipy.stats import rankdata

    spike = label > 0.5
    n_spikes, n_noise = int(spike.sum()), int((~spike).sum())
    p = expit(odds.astype(np.float64))
    which = np.minimum((p * 15).astype(int), 14)
    gaps = np.abs(np.bincount(which, p - spike, minlength=15))
    ranks = rankdata(odds)
    area = (
        (ranks[spike].sum() - n_spikes * (n_spikes + 1) / 2) / (n_spikes * n_noise) if n_spikes and n_noise else np.nan
    )
    return {
        "auc": float(area),
        "sensitivity": float(np.mean(p[spike] >= 0.5)) if n_spikes else float("nan"),
        "specificity": float(np.mean(p[~spike] < 0.5)) if n_noise else float("nan"),
        "calibration_error": float(gaps.sum() / max(len(p), 1)),
        "n": float(len(p)),
    }


def draw_curves(curves: dict[str, list[float]], path: Path) -> None:
    """Save the learning curves as a picture."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6, 3.5), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    for name, text in (("loss", "trained on"), ("held_out_loss", "held out")):
        axes.plot(range(1, len(curves[name]) + 1), curves[name], label=text)
    axes.set(xlabel="pass over the events", ylabel="loss (cross-entropy)")
    axes.legend()
    figure.savefig(path, dpi=120)


def _model(network: str) -> Any:
    """Return the model to train: the shipped one with its weights, or a definition of models/ without."""
    from . import fitting
    from .cleaning import SHIPPED, shipped_network

    if network in {"cnn", SHIPPED}:
        model = fitting.build(plugins.folder("models") / f"{SHIPPED}.py")
        model.set_weights(list(shipped_network().weights))
        return model
    return fitting.checked(plugins.get("models", network))


def _split(
    spikes: Spikes, label: NDArray[np.bool_], split_by: str, rng: np.random.Generator
) -> tuple[Examples, list[Examples], dict[str, Any]]:
    """Return what is taught (varied), what is held out (as it is, by channel), and how they were parted."""
    group = np.asarray(spikes.experiment if split_by == "experiment" else spikes.channel, np.int64)
    held = _held_out_groups(group, label, rng)
    if held is None:
        test = rng.random(len(label)) < _HELD_OUT_SHARE
        text = f"A quarter of the events is held out, as there are too few {split_by}s to hold out whole ones."
    else:
        test = np.isin(group, held)
        text = f"{len(held)} of {len(np.unique(group))} {split_by}s are held out whole."
    copies = min(max(_ENOUGH // max(int((~test).sum()), 1), 1), 8)
    taught, tested = [], []
    for part in (False, True):
        for experiment, channel in sorted(set(zip(spikes.experiment.tolist(), spikes.channel.tolist(), strict=True))):
            mine = (spikes.experiment == experiment) & (spikes.channel == channel)
            rows = np.flatnonzero(mine & (test == part))
            if not len(rows):
                continue
            waveforms, rate, pre = single_wire(spikes, rows), spikes.sampling_rate, spikes.pre_samples
            own = as_they_are(waveforms, rate, pre, label[rows], int(group[rows[0]]))
            if part:
                tested.append(own)
                continue
            taught.append(own)
            taught += [varied(waveforms, rate, pre, label[rows], 0, rng=rng) for _ in range(copies)]
    told = {"text": text, "by": split_by, "n_trained": int(np.count_nonzero(~test))}
    return join(taught), tested, told


def _held_out_groups(
    group: NDArray[np.int64], label: NDArray[np.bool_], rng: np.random.Generator
) -> NDArray[np.int64] | None:
    """Choose whole groups until a quarter of the events is held out, both sides on both parts; None if impossible."""
    names = rng.permutation(np.unique(group))
    held: list[int] = []
    for name in names.tolist():
        trial = np.isin(group, [*held, name])
        sides = (label[trial], label[~trial])
        if len(sides[1]) and np.mean(trial) <= 0.5 and len(np.unique(sides[1])) == 2:
            held.append(name)
        chosen = np.isin(group, held)
        if np.mean(chosen) >= _HELD_OUT_SHARE and len(np.unique(label[chosen])) == 2:
            break
    chosen = np.isin(group, held)
    return np.array(held, np.int64) if held and len(np.unique(label[chosen])) == 2 else None
