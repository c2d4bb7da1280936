from __future__ import annotations

import numpy as np
import pytest

from neuralsorter.agreement import agreement
from neuralsorter.errors import DataError


def test_renumbered_units_agree_wholly() -> None:
    unit = np.array([0, 1, 1, 2, 2, 2, 3])
    found = agreement(unit, np.array([0, 9, 9, 4, 4, 4, 7]))
    assert found.match == {0: 0, 1: 9, 2: 4, 3: 7}
    assert found.share == 1.0


def test_agreement_is_common_events_over_events_of_either() -> None:
    found = agreement([1] * 10, [1] * 6 + [2] * 4)
    row = found.table().iloc[0]
    assert (row["match"], row["common"], row["agreement"], row["kept"], row["pure"]) == (1, 6, 0.6, 1.0, 0.6)


def test_units_are_matched_so_that_the_most_events_agree_not_greedily() -> None:
    unit = np.repeat([1, 1, 2, 2], [5, 4, 4, 0])
    other = np.repeat([1, 2, 1, 2], [5, 4, 4, 0])
    assert agreement(unit, other).match == {1: 2, 2: 1}


def test_noise_is_matched_with_noise_only() -> None:
    found = agreement([0, 0, 0, 1], [1, 1, 0, 1])
    assert found.match == {0: 0, 1: 1}


def test_curations_of_different_events_are_refused() -> None:
    with pytest.raises(DataError, match="same events"):
        agreement([1, 2], [1])
