"""Each view alone, as an object to show as the last line of a notebook cell: `ns.views.waveforms(spikes, channel=3)`.

Every function takes events, a project, or the path of a recording or project; a channel, by default the first; and the
view's own parameters by name. The object's `view` has these parameters, to read and to change.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from .notebook import dashboard

if TYPE_CHECKING:
    from .project import Project
    from .spikes import Spikes


def waveforms(what: Spikes | Project | str | Path, channel: int | None = None, **options: Any) -> Any:
    """Show every waveform, with lasso and toolbar."""
    return dashboard().view("waveforms", what, channel, options)


def means(what: Spikes | Project | str | Path, channel: int | None = None, **options: Any) -> Any:
    """Show mean ± SD of each unit, and the intervals between its spikes."""
    return dashboard().view("means", what, channel, options)


def features(what: Spikes | Project | str | Path, channel: int | None = None, **options: Any) -> Any:
    """Show every event along latent, principal, size and width axes."""
    return dashboard().view("features", what, channel, options)


def intervals(what: Spikes | Project | str | Path, channel: int | None = None, **options: Any) -> Any:
    """Show the intervals between spikes of each unit, and violations of the refractory period."""
    return dashboard().view("intervals", what, channel, options)


def correlograms(what: Spikes | Project | str | Path, channel: int | None = None, **options: Any) -> Any:
    """Show auto- and cross-correlograms."""
    return dashboard().view("correlograms", what, channel, options)


def amplitude(what: Spikes | Project | str | Path, channel: int | None = None, **options: Any) -> Any:
    """Show amplitudes over time."""
    return dashboard().view("amplitude", what, channel, options)


def rate(what: Spikes | Project | str | Path, channel: int | None = None, **options: Any) -> Any:
    """Show firing rates over time."""
    return dashboard().view("rate", what, channel, options)


def triggers(what: Spikes | Project | str | Path, channel: int | None = None, **options: Any) -> Any:
    """Show responses to triggers."""
    return dashboard().view("triggers", what, channel, options)


def similarity(what: Spikes | Project | str | Path, channel: int | None = None, **options: Any) -> Any:
    """Show how alike units are."""
    return dashboard().view("similarity", what, channel, options)
