"""Another curation of a project's events: read from another project or file, in the project's order of rows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .errors import DataError
from .project import Project
from .storage.folder import SUFFIX

_CLOSE_S = 1e-4  # formats round times differently


def units_in(path: str | Path, project: Project) -> NDArray[np.int32]:
    """Return the units that another project, or a recording, gives the events of this one, (n_spikes,).

    Raises
    ------
    DataError
        When it does not hold the same events: as many, on the same channels, at the same times.

    """
    place = Path(path)
    if place.suffix == SUFFIX:
        with Project.open(place, read_only=True) as other:
            return _checked(other, project, place)
    from .loading import load

    with Project.in_memory(load(place)) as other:
        return _checked(other, project, place)


def _checked(other: Project, project: Project, path: Path) -> NDArray[np.int32]:
    mine, theirs = project.spikes, other.spikes
    if len(theirs) != len(mine):
        raise DataError(
            f"{path}: it holds {len(theirs):,} events and this project {len(mine):,}. Choose a curation of the same"
            " events."
        )
    same = np.array_equal(mine.channel, theirs.channel) and _alike(mine.times_s, theirs.times_s)
    if not same:
        raise DataError(f"{path}: its events are at other times or channels. Choose a curation of the same events.")
    return np.array(other.unit, np.int32)


def _alike(times_s: NDArray[Any], others_s: NDArray[Any]) -> bool:
    return bool(np.allclose(times_s, others_s, rtol=0, atol=_CLOSE_S, equal_nan=True))
