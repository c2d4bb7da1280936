from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from neuralsorter.errors import LoadError
from neuralsorter.loading.table import TableLoader, mapping


def test_columns_are_found_by_what_others_call_them() -> None:
    known, samples, unknown = mapping(["Electrode", "cluster_id", "Time (s)", "wf 1", "wf 0", "remarks", "3"])
    assert known == {"Electrode": "ChannelID", "cluster_id": "UnitID", "Time (s)": "TimeStamps"}
    assert list(samples) == ["wf 0", "wf 1", "3"]
    assert unknown == ["remarks"]


@pytest.mark.parametrize(("suffix", "between"), [(".csv", ","), (".tsv", "\t")])
def test_a_table_of_another_program_is_read(tmp_path: Path, suffix: str, between: str) -> None:
    rows = [["electrode", "time", "s0", "s1", "s2"], ["4", "0.5", "1", "2.5", "3"], ["5", "0.25", "4", "5", "6"]]
    (tmp_path / f"a{suffix}").write_text("\n".join(between.join(row) for row in rows))
    spikes = TableLoader().load(tmp_path / f"a{suffix}")
    assert spikes.channel.tolist() == [4, 5]
    assert spikes.times_s.tolist() == [0.5, 0.25]
    assert spikes.waveforms.tolist() == [[1.0, 2.5, 3.0], [4.0, 5.0, 6.0]]
    assert spikes.unit.tolist() == [1, 1]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "is not a table"),
        ("a,b\n1,2\n", "no column for the channel or none for samples; not understood: a, b"),
        ("ChannelID,uv_0,uv_1\n1,a,b\n", "must hold numbers"),
        ("ChannelID,uv_0,uv_1\nx,1,2\n", "ChannelID must hold"),
        ("ChannelID,SamplingRate,uv_0\n1,20000,1\n1,30000,1\n", "the same number in every row"),
        ("ChannelID,uv_0,uv_1\n1,1,2\n1,,2\n", "Row 1 has a NaN"),
        ('ChannelID,uv_0\n1,"unclosed\n', "a.csv: "),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, text: str, told: str) -> None:
    (tmp_path / "a.csv").write_text(text)
    with pytest.raises(LoadError, match=told):
        TableLoader().load(tmp_path / "a.csv")


def test_what_is_no_parquet_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.parquet").write_bytes(b"PAR1hello")
    with pytest.raises(LoadError, match=r"a\.parquet: "):
        TableLoader().load(tmp_path / "a.parquet")
    pd.DataFrame({"ChannelID": [1], "uv_0": [2.0]}).to_parquet(tmp_path / "a.parquet")
    assert TableLoader().load(tmp_path / "a.parquet").waveforms.tolist() == [[np.float32(2.0)]]
