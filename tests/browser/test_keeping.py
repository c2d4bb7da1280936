"""What the page says and does where work could be lost: crashed tabs, full disks, damaged journals; and its History."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

import pytest

import neuralsorter as ns
from neuralsorter.plugins import folder
from tests.browser.conftest import Server, Tab

pytestmark = [pytest.mark.browser, pytest.mark.slow]
DISK_MB = 4


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    """A small generated recording on disk."""
    path = tmp_path / "generated.npz"
    ns.save(ns.simulate(n_channels=2, duration_s=20.0, seed=4).spikes, path)
    return path


@pytest.fixture
def project(recording: Path) -> Path:
    """Its project, with five edits of channel 1: the n-th sent n events to unit 10 + n."""
    path = recording.with_suffix(".nsort")
    with ns.Project.create(path, [recording]) as made:
        for n in range(1, 6):
            made.assign(made.rows(1)[20 * n : 21 * n], 10 + n, label=f"step {n}")
    return path


def units(tab: Tab) -> dict[str, str]:
    """Return {unit: count} of the list of units."""
    rows = tab.page.get_by_label("Units of the channel").locator(".row")
    found = rows.evaluate_all("rows => rows.map(row => [row.dataset.id, row.querySelector('.detail').textContent])")
    return {unit: count for unit, count in found if unit != "all"}


def send_all_to(tab: Tab, unit: int) -> None:
    """Select everything shown and send it to a unit, once no dialogue has the keys to itself."""
    tab.wait_until(lambda: tab.page.locator(".MuiDialog-container >> visible=true").count() == 0)
    tab.press("a")
    tab.wait_until(lambda: tab.selected() > 0)
    tab.press(f"Alt+{unit}")


class SmallDisk(Server):
    """A server that keeps its projects on a disk of a few megabytes, mounted for itself alone."""

    def _process(self, environment: dict[str, str], log: IO[bytes]) -> subprocess.Popen[bytes]:
        self.disk = self._work / "disk"
        self.disk.mkdir()
        (self._work / "settings.toml").write_text(f'[folders]\nprojects = "{self.disk}"\n')
        mounted = f'mount -t tmpfs -o size={DISK_MB}m tmpfs "$0" && exec "$@"'
        return subprocess.Popen(
            ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", mounted, str(self.disk),
             sys.executable, "-m", "panel", "serve", str(folder("dashboard")), "--address", "127.0.0.1",
             "--port", str(self.port), "--allow-websocket-origin", f"127.0.0.1:{self.port}",
             "--args", *self.arguments],
            cwd=self._work, env=environment, stdout=log, stderr=log,
        )  # fmt: skip

    @property
    def mounted(self) -> Path:
        """The disk as seen from outside."""
        return Path(f"/proc/{self.process.pid}/root{self.disk}")

    def fill(self) -> None:
        """Leave no room at all."""
        disk = os.statvfs(self.mounted)
        (self.mounted / "ballast").write_bytes(bytes(disk.f_bavail * disk.f_frsize))
        assert os.statvfs(self.mounted).f_bavail == 0


def _can_mount() -> bool:
    if shutil.which("unshare") is None:
        return False
    mount = ["unshare", "--user", "--map-root-user", "--mount", "mount", "-t", "tmpfs", "tmpfs", "/mnt"]
    return subprocess.run(mount, capture_output=True, check=False).returncode == 0


@pytest.fixture
def small_disk(tmp_path: Path, recording: Path) -> Iterator[SmallDisk]:
    """A server whose disk a test can fill."""
    if not _can_mount():
        pytest.skip("a disk of its own cannot be mounted here without rights")
    server = SmallDisk(tmp_path, str(recording))
    yield server
    server.kill()


def test_a_full_disk_takes_the_edit_back_aloud_and_the_copy_elsewhere_has_all_that_were_saved(
    small_disk: SmallDisk, open_tab: Callable[..., Tab]
) -> None:
    tab = open_tab(small_disk)
    tab.wait_for("waveforms drawn", timeout_s=90)
    before = units(tab)
    send_all_to(tab, 2)
    tab.wait_until(lambda: "1 edit" in tab.saved() and tab.saved().startswith("Saved"))
    tab.wait_until(lambda: units(tab) != before)  # the list comes after the line
    saved = units(tab)
    small_disk.fill()
    send_all_to(tab, 3)
    tab.wait_until(lambda: "could not be saved" in tab.said())
    assert "full" in tab.said()
    assert "taken back" in tab.said()
    popped = tab.page.locator(".MuiAlert-message", has_text="could not be saved")
    tab.wait_until(lambda: popped.count() > 0)
    assert popped.count() == 1
    screen, corner = tab.screen(), popped.bounding_box()
    assert corner is not None
    assert corner["x"] > screen["x"] + screen["width"]  # beside what is looked at, never over it
    tab.wait_until(lambda: tab.saved() == "Not saved · 1 edit")
    tab.wait_until(lambda: units(tab) == saved)
    send_all_to(tab, 4)  # it takes no edits now
    tab.page.wait_for_timeout(500)
    assert units(tab) == saved
    tab.page.get_by_text("Save a copy…").click()
    name = tab.page.get_by_label("Name of the new file")
    tab.wait_until(lambda: name.input_value().endswith(".nsort"))
    copy = Path(name.input_value())
    assert not copy.is_relative_to(small_disk.disk)
    tab.page.get_by_role("button", name="Save file").click()
    tab.wait_until(lambda: tab.saved().startswith("Saved"), timeout_s=60)
    send_all_to(tab, 5)
    tab.wait_until(lambda: "2 edits" in tab.saved())
    small_disk.kill()
    with ns.Project.open(copy) as kept:
        assert [action.kind for action in kept.history()] == ["import", "assign", "assign"]
        assert {str(u): f"{n:,}" for u, n in _counted(kept, 2).items()} == saved
        assert kept.verify() == []


def _counted(project: ns.Project, number: int) -> dict[int, int]:
    unit = project.unit_at(number)[project.rows(1)]
    return {u: int((unit == u).sum()) for u in sorted({*unit.tolist()})}


def test_a_damaged_journal_is_recovered_as_far_as_it_is_whole_and_the_page_says_so(
    serve: Callable[..., Server], open_tab: Callable[..., Tab], project: Path
) -> None:
    shutil.rmtree(project / "backups")
    journal = project / "curation.db"
    damaged = journal.read_bytes().replace(b"step 4", b"step 9", 1)
    journal.write_bytes(damaged)
    tab = open_tab(serve(project))
    tab.wait_for("waveforms drawn", timeout_s=90)
    tab.wait_until(lambda: "The journal was damaged: its first 4 actions are recovered" in tab.said())
    (kept,) = project.glob("curation.damaged-*.db")
    assert kept.name in tab.said()
    assert kept.read_bytes() == damaged
    assert {"11", "12", "13"} <= {*units(tab)}
    assert not {"14", "15"} & {*units(tab)}


def test_a_line_of_the_history_shows_that_moment_and_from_there_one_undoes_returns_and_branches(
    serve: Callable[..., Server], open_tab: Callable[..., Tab], project: Path
) -> None:
    tab = open_tab(serve(project))
    tab.wait_for("waveforms drawn", timeout_s=90)
    now, drawn = units(tab), tab.status()

    def press(name: str) -> None:
        tab.page.get_by_text(name, exact=True).locator("visible=true").click()

    def show(name: str) -> None:
        tab.page.get_by_role("tab", name=name, exact=True).click()

    show("History")
    line = tab.page.locator(".tabulator-row", has_text="step 2").last  # its undo comes above
    line.click()
    tab.wait_for("The main screen shows the units as they were after action 3.")
    show("Waveforms")
    tab.wait_until(lambda: "as it was after action 3" in tab.status())
    assert units(tab) == now, "looking changes nothing"
    show("History")
    press("Back to now")
    show("Waveforms")
    tab.wait_until(lambda: tab.status() == drawn)

    show("History")
    line.click()
    tab.page.get_by_label("Name", exact=True).fill("early")
    press("Branch into a new project")
    tab.wait_for("generated_early.nsort holds this project as it was then")
    press("Undo this action")
    tab.wait_until(lambda: "12" not in units(tab))
    assert {*units(tab)} == {*now} - {"12"}
    line.click()
    press("Return to this moment")
    tab.wait_until(lambda: {"11", "12"} <= {*units(tab)} and not {"13", "14", "15"} & {*units(tab)})
    tab.press("Control+z")
    tab.wait_until(lambda: {*units(tab)} == {*now} - {"12"})
    with ns.Project.open(project.with_name("generated_early.nsort")) as branch:
        assert [action.label for action in branch.history()[1:]] == ["step 1", "step 2"]
