"""TDT blocks and tanks."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pytest

from neuralsorter.errors import LoadError
from neuralsorter.loading import BUNDLED, load_with_notes
from tests.loading.recorders import tdt, write_tdt


def test_a_tdt_block_is_read_with_its_sort_codes_and_epochs(tmp_path: Path) -> None:
    truth = tdt(tmp_path / "tank" / "block1")
    spikes, notes = load_with_notes(tmp_path / "tank" / "block1")
    np.testing.assert_allclose(spikes.times_s, truth["times"])
    np.testing.assert_allclose(spikes.waveforms, truth["waves"], rtol=1e-5)
    np.testing.assert_array_equal(spikes.channel, truth["channel"])
    sorted_ = truth["code"] > 0
    np.testing.assert_array_equal(spikes.unit[sorted_], truth["code"][sorted_])
    assert {spikes.labels.get((c, 3)) for c in (1, 2)} == {"unsorted"}
    assert (spikes.sampling_rate, spikes.pre_samples) == (24414.0625, 9)
    assert spikes.triggers["code"].tolist() == [3, 7]
    np.testing.assert_allclose(spikes.triggers["time_s"], [5.0, 10.0])
    assert "the sample at which most peak is taken" in " ".join(notes)
    again = BUNDLED["tdt"]().load(next((tmp_path / "tank" / "block1").glob("*.tsq")))
    np.testing.assert_array_equal(again.raw, spikes.raw)


def test_neo_reads_the_same_tdt_snippets(tmp_path: Path) -> None:
    rawio = pytest.importorskip("neo.rawio")
    tdt(tmp_path / "tank" / "block1")
    spikes = BUNDLED["tdt"]().load(tmp_path / "tank" / "block1")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        reader = rawio.TdtRawIO(str(next((tmp_path / "tank" / "block1").glob("*.tsq"))))
        reader.parse_header()
        for index, header in enumerate(reader.header["spike_channels"]):
            channel, code = (int(text) for text in str(header["name"])[2:].split("#"))
            unit = code or 3
            rows = (spikes.channel == channel) & (spikes.unit == unit)
            np.testing.assert_allclose(reader.get_spike_timestamps(0, 0, index), spikes.times_s[rows])
            raw = reader.get_spike_raw_waveforms(0, 0, index)[:, 0] * 1e6
            np.testing.assert_allclose(raw, spikes.waveforms[rows], rtol=1e-5)


def test_the_blocks_of_a_tank_are_experiments(tmp_path: Path) -> None:
    for name in ("b1", "b2"):
        tdt(tmp_path / "tank" / name, n=5)
    spikes = BUNDLED["tdt"]().load(tmp_path / "tank")
    assert spikes.experiment.tolist() == [0] * 5 + [1] * 5
    assert [Path(source).name for source in spikes.sources] == ["b1", "b2"]


def test_tdt_offsets_that_would_fill_the_memory_are_refused(tmp_path: Path) -> None:
    file = write_tdt(tmp_path)
    rows = np.frombuffer(file.read_bytes(), "<i4").reshape(-1, 10).copy()
    snippets = rows[:, 1] == 0x8201
    rows[snippets, 0], rows[snippets, 6] = 10 + 1000, 0  # each event: all of the file
    file.write_bytes(rows.tobytes())
    with pytest.raises(LoadError, match="40 snippets should lie in the"):
        BUNDLED["tdt"]().load(file)
