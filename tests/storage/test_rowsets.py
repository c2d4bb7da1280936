from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from neuralsorter.storage.rowsets import common, either, inside, rowset, without

rows = st.one_of(
    st.sets(st.integers(0, 30), max_size=20),
    st.sets(st.integers(0, 2**40), max_size=5),  # far apart
).map(lambda found: np.array(sorted(found), np.int64))


@given(rows, rows)
def test_sets_of_rows_obey_set_algebra(a: np.ndarray, b: np.ndarray) -> None:
    one, other = set(a.tolist()), set(b.tolist())
    assert common(a, b).tolist() == sorted(one & other)
    assert without(a, b).tolist() == sorted(one - other)
    assert either(a, b).tolist() == sorted(one | other)
    assert inside(a, b).tolist() == [row in other for row in a.tolist()]


@given(arrays(np.int64, st.integers(0, 20), elements=st.integers(0, 9)))
def test_any_list_of_rows_becomes_a_set(listed: np.ndarray) -> None:
    assert rowset(listed).tolist() == sorted(set(listed.tolist()))
