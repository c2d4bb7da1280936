"""What happened while a channel was sorted: the BIC of the first scan, and which parts became which."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from .merging import Merge


@dataclass
class Trace:
    """A diary. Parts have names, 0, 1, .. in the order they were found; two merged parts are a new one."""

    bic: list[float] = field(default_factory=list)
    merges: list[Merge] = field(default_factory=list)
    n_parts: int = 0

    def part(self) -> int:
        """Return the name of a new part."""
        self.n_parts += 1
        return self.n_parts - 1

    def merged(self, names: Sequence[int], merges: Sequence[Merge]) -> list[int]:
        """Write down `merges` of groups 0..k-1 named `names`; return the names of the groups that are left."""
        current = dict(enumerate(names))
        for merge in merges:
            first, second = current[merge.first], current[merge.second]
            into = -1
            if merge.merged:
                current[merge.first] = into = self.part()
                del current[merge.second]
            self.merges.append(replace(merge, first=first, second=second, into=into))
        return list(current.values())


def history(merges: Sequence[Merge], name: int) -> list[Merge]:
    """Return the merges that made the part `name`, the last first."""
    made = {merge.into: merge for merge in merges if merge.merged}
    found, waiting = [], [name]
    while waiting:
        merge = made.get(waiting.pop(0))
        if merge is not None:
            found.append(merge)
            waiting += [merge.first, merge.second]
    return found
