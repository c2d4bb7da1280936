from __future__ import annotations

import getpass

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from neuralsorter.edit import Edit, Mark, acting_as, current_author
from neuralsorter.storage.codec import pack_codes, pack_rows, unpack_codes, unpack_rows

NOTHING = np.zeros(0, np.int64), np.zeros(0, np.int32), np.zeros(0, np.int32)


def test_an_edit_lists_the_labels_it_changed() -> None:
    marks = {Mark("label", 3, 1): ("", "good"), Mark("note", 3, 1): ("", "drifts")}
    assert Edit(1, "label", "", *NOTHING, marks=marks).labels == {(3, 1): ("", "good")}


def test_edits_are_signed_by_whoever_acts() -> None:
    assert current_author() == getpass.getuser()
    with acting_as("anna"):
        assert current_author() == "anna"
    assert current_author() == getpass.getuser()


def test_edits_are_signed_even_where_the_system_has_no_such_user(monkeypatch: pytest.MonkeyPatch) -> None:
    def nobody() -> str:
        raise OSError

    monkeypatch.setattr(getpass, "getuser", nobody)
    assert current_author() == "unknown"


@given(st.sets(st.integers(0, 2**40), min_size=1))
def test_rows_come_back_from_their_bytes(rows: set[int]) -> None:
    wanted = np.array(sorted(rows), np.int64)
    np.testing.assert_array_equal(unpack_rows(pack_rows(wanted)), wanted)


@given(st.lists(st.integers(-(2**31), 2**31 - 1), min_size=1))
def test_codes_come_back_from_their_bytes(codes: list[int]) -> None:
    wanted = np.array(codes, np.int32)
    np.testing.assert_array_equal(unpack_codes(pack_codes(wanted), len(wanted)), wanted)


def test_equal_codes_take_five_bytes() -> None:
    assert len(pack_codes(np.full(100_000, -7, np.int32))) == 5
