from __future__ import annotations

import re
import threading
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

import neuralsorter as ns
from neuralsorter.cli import main
from neuralsorter.errors import Cancelled, SaveError
from neuralsorter.reporting import write_report
from neuralsorter.reporting.drawing import Frame, as_url, drawing, ticks

HOSTILE = "</td><script>alert(1)</script>\"'&amp;"


class Parsed(HTMLParser):
    """What a report says, read back: counts of units by channel, alt texts, addresses, scripts, headings."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.counts: dict[int, dict[int, int]] = {}
        self.events: dict[int, int] = {}
        self.addresses: list[str] = []
        self.images: list[dict[str, str | None]] = []
        self.scripts = 0
        self.words: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        told = dict(attrs)
        self.scripts += tag == "script"
        self.addresses += [value for name, value in attrs if name in {"src", "href"} and value]
        if tag == "img":
            self.images.append(told)
        if told.get("data-channel"):
            self.channel = int(str(told["data-channel"]))
            self.events[self.channel] = int(str(told["data-events"]))
        if told.get("data-unit"):
            self.counts.setdefault(self.channel, {})[int(str(told["data-unit"]))] = int(str(told["data-count"]))

    def handle_data(self, data: str) -> None:
        self.words.append(data)


@pytest.fixture(scope="module")
def curated() -> ns.Spikes:
    """Two channels with noise, several units, and one channel of noise alone."""
    simulated = ns.simulate(3, duration_s=20, seed=7)
    unit = np.where(simulated.truth_unit > 50, 0, simulated.truth_unit)
    last = int(simulated.spikes.channel.max())
    return simulated.spikes.with_unit(np.where(simulated.spikes.channel == last, 0, unit))


@pytest.fixture
def project(tmp_path: Path, curated: ns.Spikes) -> Path:
    folder = tmp_path / "p.nsort"
    channel = int(curated.channel.min())
    with ns.Project.create(folder, spikes=curated) as project:
        project.set_label(channel, 1, HOSTILE)
        project.note(channel, -1, "an odd electrode")
        project.assign(project.rows(channel, unit=1)[:5], 9, params={"polygon_ms_uv": [[0, 1]] * 9})
        project.assign(project.rows(channel, unit=9), 1)
        project.undo()
        project.lock(channel, 1)
    return folder


def test_a_report_tells_the_projects_own_numbers(tmp_path: Path, project: Path) -> None:
    assert main(["report", str(project), "-o", str(tmp_path / "r.html")]) == 0
    told = Parsed((tmp_path / "r.html").read_text())
    with ns.Project.open(project, read_only=True) as opened:
        assert told.counts == {channel: opened.counts(channel) for channel in opened.channels()}
        assert sum(told.events.values()) == len(opened)
        n_actions = len(opened.history())
    text = " ".join(told.words)
    assert "an odd electrode" in text
    assert "(locked)" in text
    assert f"{n_actions:,} actions" in text
    assert len(told.images) == 4 + 4 + 2  # the channel of noise has no intervals
    assert all(image["alt"] for image in told.images)


def test_nothing_is_asked_of_the_network_and_no_text_becomes_code(tmp_path: Path, project: Path) -> None:
    assert main(["report", str(project), "-o", str(tmp_path / "r.html"), "--title", HOSTILE]) == 0
    told = Parsed((tmp_path / "r.html").read_text())
    assert all(address.startswith(("data:", "#")) for address in told.addresses)
    assert told.scripts == 1
    assert sum(HOSTILE in word for word in told.words) >= 3  # heading, overview and unit: shown as it was typed


def test_a_report_of_files_has_no_history_and_does_not_depend_on_jobs(tmp_path: Path, curated: ns.Spikes) -> None:
    ns.save(curated, tmp_path / "a.npz")
    texts = []
    for jobs in ("1", "2"):
        out = tmp_path / f"{jobs}.html"
        assert main(["report", str(tmp_path / "a.npz"), "-o", str(out), "--jobs", jobs]) == 0
        texts.append(re.sub(r"made [\d :-]+", "", out.read_text()))
    assert texts[0] == texts[1]
    assert "History" not in texts[0]


def test_a_channel_takes_little_room(tmp_path: Path, curated: ns.Spikes) -> None:
    write_report(curated, tmp_path / "r.html")
    assert (tmp_path / "r.html").stat().st_size / 3 < 150_000


def test_cancel_leaves_what_was_there(tmp_path: Path, curated: ns.Spikes) -> None:
    out, cancel = tmp_path / "r.html", threading.Event()
    out.write_text("the one before")
    with pytest.raises(Cancelled):
        write_report(curated, out, progress=lambda *_: cancel.set(), cancel=cancel)
    assert out.read_text() == "the one before"
    assert list(tmp_path.iterdir()) == [out]


def test_a_report_is_html(tmp_path: Path, curated: ns.Spikes) -> None:
    with pytest.raises(SaveError, match=r"ends in \.html"):
        write_report(curated, tmp_path / "r.pdf")
    with pytest.raises(SaveError, match="does not exist"):
        write_report(curated, tmp_path / "no" / "r.html")


def test_events_without_times_tetrodes_and_missing_samples_are_drawn(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    raw = rng.normal(0, 30, (60, 4, 24)).astype(np.float32)
    raw[:30, :, -3:] = np.nan
    ones = np.ones(60, np.int32)
    spikes = ns.Spikes(raw, np.full(60, np.nan), ones, ones, 0 * ones, pre_samples=8)
    write_report(spikes, tmp_path / "r.html")
    assert len(Parsed((tmp_path / "r.html").read_text()).images) == 2


def test_axes_have_round_numbers() -> None:
    assert ticks(-0.33, 1.23, 6) == [0.0, 0.5, 1.0]
    assert ticks(0, 210, 4) == [0, 100, 200]
    assert ticks(-61, 48, 6) == [-60, -40, -20, 0, 20, 40]
    assert ticks(5, 5, 4) == [5]


def test_a_line_is_broken_where_a_value_is_missing() -> None:
    frame = Frame(0, 0, 100, 100, (0, 4), (0, 1))
    frame.line([0, 1, 2, 3, 4], [0, 1, np.nan, 1, 0], "#000000")
    assert frame.parts[0].count("M") == 2


def test_a_figure_is_a_whole_svg_file_safe_in_an_attribute() -> None:
    frame = Frame(0, 0, 10, 10, (0, 1), (0, 1))
    frame.text(0, 0, "<b>&")
    url = as_url(drawing(10, 10, [frame], "a < b"))
    assert not set(url) & set("\"'<>#&")
