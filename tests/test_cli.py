from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import neuralsorter as ns
from neuralsorter.cli import main
from neuralsorter.testing import spikes_to_test

SharedData = Callable[[str], Path]
Capture = pytest.CaptureFixture[str]


@pytest.fixture
def events(tmp_path: Path) -> Path:
    """Return a file with 300 events on channels 1 and 2, mixed."""
    one = spikes_to_test(300)
    path = tmp_path / "events.npz"
    channel = np.random.default_rng(0).integers(1, 3, 300, np.int32)
    ns.save(ns.Spikes(one.raw, one.times_s, channel, one.unit, one.experiment), path)
    return path


def test_info_counts_the_utah_recording(shared_data: SharedData, capsys: Capture) -> None:
    assert main(["info", str(shared_data("vendor/utah96_Recording4.nev")), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    units = told.pop("units")
    assert told == {"events": 37_431, "channels": 96, "experiments": 1, "n_samples": 48, "sampling_rate": 30_000.0}
    assert units["1"] == {"1": 6}
    assert sum(sum(counts.values()) for counts in units.values()) == 37_431


def test_info_counts_the_small_recording(shared_data: SharedData, capsys: Capture) -> None:
    assert main(["info", str(shared_data("vendor/blackrock_neursort_kkkkk_0.nev")), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["events"], told["channels"]) == (547, 6)


def test_info_is_also_for_people(events: Path, capsys: Capture) -> None:
    assert main(["info", str(events)]) == 0
    assert "300 events on 2 channels" in capsys.readouterr().out


def test_convert_puts_files_together_in_the_order_given(tmp_path: Path, events: Path) -> None:
    assert main(["convert", str(events), str(events), str(tmp_path / "both.pkl")]) == 0
    both = ns.load(tmp_path / "both.pkl")
    assert both.experiment.tolist() == [0] * 300 + [1] * 300
    np.testing.assert_array_equal(both.waveforms[300:], ns.load(events).waveforms)


def test_clean_sends_events_below_the_threshold_to_noise_and_writes_scores(tmp_path: Path, events: Path) -> None:
    out, scores = tmp_path / "out.npz", tmp_path / "s.npy"
    assert main(["clean", str(events), "-o", str(out), "--threshold", "0.7", "--scores", str(scores)]) == 0
    p, before, after = np.load(scores), ns.load(events), ns.load(out)
    assert p.shape == (300,)
    assert p.dtype == np.float32
    np.testing.assert_array_equal(after.unit, np.where(p < 0.7, 0, before.unit))
    np.testing.assert_array_equal(after.waveforms, before.waveforms)  # rows in input order
    assert 0 < (after.unit == 0).sum() < 300


def test_sort_is_the_same_twice_and_keeps_noise(tmp_path: Path, events: Path) -> None:
    marked = ns.load(events)
    ns.save(marked.with_unit(np.where(np.arange(300) < 50, 0, 1)), tmp_path / "in.npz")
    for name in ("a", "b"):
        assert main(["sort", str(tmp_path / "in.npz"), "-o", str(tmp_path / f"{name}.npz"), "--seed", "3"]) == 0
    a, b = ns.load(tmp_path / "a.npz"), ns.load(tmp_path / "b.npz")
    np.testing.assert_array_equal(a.unit, b.unit)
    assert (a.unit[:50] == 0).all()
    assert (a.unit[50:] > 0).all()
    np.testing.assert_array_equal(a.waveforms, marked.waveforms)


def test_sort_of_one_unit_leaves_the_others(tmp_path: Path, events: Path) -> None:
    unit = np.where(np.arange(300) % 2, 1, 7)
    ns.save(ns.load(events).with_unit(unit), tmp_path / "in.npz")
    assert main(["sort", str(tmp_path / "in.npz"), "-o", str(tmp_path / "a.npz"), "--unit", "7"]) == 0
    after = ns.load(tmp_path / "a.npz").unit
    assert (after[unit == 1] == 1).all()
    assert (after[unit == 7] != 1).all()


def test_run_cleans_then_sorts(tmp_path: Path, events: Path) -> None:
    steps = [
        ["clean", str(events), "-o", "c.npz"],
        ["sort", "c.npz", "-o", "s.npz"],
        ["run", str(events), "-o", "r.npz"],
    ]
    for step in steps:
        assert main([str(tmp_path / part) if part.endswith("npz") and "/" not in part else part for part in step]) == 0
    np.testing.assert_array_equal(ns.load(tmp_path / "r.npz").unit, ns.load(tmp_path / "s.npz").unit)


def test_a_project_is_an_input_and_its_locked_units_are_left_alone(tmp_path: Path, events: Path) -> None:
    with ns.Project.create(tmp_path / "p.nsort", [events]) as project:
        project.lock(2, 1, on=True)
    out = tmp_path / "out.npz"
    assert main(["clean", str(tmp_path / "p.nsort"), "-o", str(out), "--threshold", "1"]) == 0
    after = ns.load(out)
    np.testing.assert_array_equal(after.channel, ns.load(events).channel)
    assert (after.unit[after.channel == 2] == 1).all()
    assert (after.unit[after.channel == 1] == 0).sum() > 0


def test_verify_finds_a_changed_byte(tmp_path: Path, events: Path, capsys: Capture) -> None:
    with ns.Project.create(tmp_path / "p.nsort", [events]):
        pass
    assert main(["verify", str(tmp_path / "p.nsort")]) == 0
    assert "300 events" in capsys.readouterr().out
    stored = next((tmp_path / "p.nsort").rglob("waveforms.npy"))
    content = bytearray(stored.read_bytes())
    content[-1] ^= 1
    stored.chmod(0o600)
    stored.write_bytes(content)
    assert main(["verify", str(tmp_path / "p.nsort")]) == 1


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["info", "none.nev"], "none.nev: does not exist"),
        (["info", "text.npz"], "not a whole .npz file"),
        (["convert", "events.npz", "out.xyz"], "cannot be written"),
        (["convert", "events.npz", "no/out.npz"], "a folder that does not exist"),
        (["convert", "events.npz", "events.npz"], "the file these events came from"),
        (["clean", "again.npz", "-o", "again.npz"], "the file these events came from"),
        (["clean", "events.npz", "-o", "out.npz", "--cleaner", "none"], "none"),
        (["clean", "events.npz", "-o", "out.npz", "--scores", "s.csv"], "does not end in .npy"),
        (["sort", "events.npz", "-o", "out.npz", "--sorter", "none"], "no sorter named 'none'"),
        (["sort", "events.npz", "-o", "out.npz", "--unit", "9"], "No channel has an unlocked unit 9"),
        (["verify", "events.npz"], "events.npz"),
        (["serve", "none.nev"], "none.nev: does not exist"),
        (["none.nev"], "none.nev: does not exist"),
        (["serve", "--host", "192.0.2.1"], "--users, --certfile and --keyfile"),
    ],
)
def test_what_goes_wrong_is_one_sentence_and_status_1(
    events: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture, arguments: list[str], told: str
) -> None:
    monkeypatch.chdir(events.parent)
    Path("text.npz").write_text("hello")
    ns.save(ns.load("events.npz"), "again.npz")  # says that its events are those of events.npz
    before = {path: path.read_bytes() for path in events.parent.iterdir()}
    assert main(arguments) == 1
    captured = capsys.readouterr()
    assert captured.err.startswith("neuralsorter: ")
    assert told in captured.err
    assert captured.err.count("\n") == 1
    assert captured.out == ""
    assert {path: path.read_bytes() for path in events.parent.iterdir()} == before


@pytest.mark.parametrize(
    "arguments",
    [
        ["info"],
        ["convert", "a.npz"],
        ["clean", "a.npz"],
        ["clean", "a.npz", "-o", "b.npz", "--threshold", "2"],
        ["sort", "a.npz", "-o", "b.npz", "--seed", "x"],
        ["sort", "a.npz", "-o", "b.npz", "--jobs", "0"],
        ["info", "a.npz", "--no-such-flag"],
    ],
)
def test_wrong_usage_is_status_2(capsys: Capture, arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    assert "usage: neuralsorter" in capsys.readouterr().err


def test_an_error_of_the_program_itself_shows_no_traceback(
    events: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    monkeypatch.setattr("neuralsorter.loading.load_with_notes", lambda *_: 1 / 0)
    assert main(["info", str(events)]) == 1
    told = capsys.readouterr().err
    assert "ZeroDivisionError" in told
    assert "Traceback" not in told


def test_nothing_is_drawn_when_piped(events: Path, tmp_path: Path) -> None:
    out = subprocess.run(
        [sys.executable, "-m", "neuralsorter", "run", str(events), "-o", str(tmp_path / "o.npz")],
        capture_output=True,
        check=True,
    )
    assert out.stdout == out.stderr == b""


def test_info_imports_nothing_heavy(events: Path) -> None:
    heavy = "{'tensorflow', 'keras', 'panel', 'bokeh', 'scipy', 'sklearn', 'numba', 'h5py', 'neo', 'pynwb'}"
    code = f"from neuralsorter.cli import main; main(['info', {str(events)!r}])"
    code += f"; import sys; print(sorted({heavy} & set(sys.modules)))"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True)
    assert out.stdout.splitlines()[-1] == "[]"


@pytest.fixture
def page(events: Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Start the page as a user does; yield the process and the link it printed."""
    process = subprocess.Popen(
        [sys.executable, "-m", "neuralsorter", str(events), "--no-browser", "--port", "0"],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert process.stdout is not None
    line = process.stdout.readline()
    yield process, next(word for word in line.split() if word.startswith("http"))
    process.kill()
    process.wait()
    process.stdout.close()


def _get(opener: urllib.request.OpenerDirector, address: str) -> tuple[int, str]:
    try:
        with opener.open(address, timeout=60) as answer:
            return answer.status, answer.url
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.url


def test_the_page_opens_for_who_has_the_link_and_ends_with_its_process(
    page: tuple[subprocess.Popen[str], str],
) -> None:
    process, link = page
    address = link.partition("/login")[0]
    assert address.startswith("http://127.0.0.1:")
    stranger = urllib.request.build_opener(urllib.request.HTTPCookieProcessor())
    assert _get(stranger, f"{address}/dashboard") == (200, f"{address}/login?next=%2Fdashboard")
    assert _get(stranger, f"{address}/login?token=wrong")[0] == 401
    socket_request = urllib.request.Request(  # noqa: S310 - our own address
        f"{address}/dashboard/ws",
        headers={"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13",
                 "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ=="},
    )  # fmt: skip
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(socket_request, timeout=60)  # noqa: S310 - our own address
    assert refused.value.code == 403
    refused.value.close()
    friend = urllib.request.build_opener(urllib.request.HTTPCookieProcessor())
    status, place = _get(friend, link)
    assert status == 200
    for _ in range(600):  # the frame answers until the libraries behind the page are loaded
        if place == f"{address}/dashboard":
            break
        time.sleep(0.1)
        place = _get(friend, f"{address}/")[1]
    assert place == f"{address}/dashboard"
    for _ in range(6):
        status, _url = _get(stranger, f"{address}/login?token=wrong")
    assert status == 429
    process.send_signal(signal.SIGTERM)
    assert process.wait(30) == 0
    port = int(address.rpartition(":")[2])
    for _ in range(50):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)):
                return
        time.sleep(0.1)
    pytest.fail("the server is still there")


def test_a_port_that_is_taken_is_said_to_be(capsys: Capture) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert main(["serve", "--no-browser", "--port", str(port)]) == 1
    assert f"127.0.0.1:{port} cannot be used" in capsys.readouterr().err


@pytest.mark.skipif(os.name != "posix", reason="other systems have no modes")
def test_a_users_file_that_others_can_read_is_refused(tmp_path: Path, capsys: Capture) -> None:
    paths = [tmp_path / name for name in ("users", "cert", "key")]
    for path in paths:
        path.write_text("anna:00$00\n")
        path.chmod(0o644)
    flags = ["--users", str(paths[0]), "--certfile", str(paths[1]), "--keyfile", str(paths[2])]
    assert main(["serve", "--no-browser", "--host", "0.0.0.0", *flags]) == 1  # noqa: S104 - it is refused
    assert "chmod 600" in capsys.readouterr().err
    for path in paths:
        path.chmod(0o600)
    assert main(["serve", "--no-browser", "--host", "0.0.0.0", *flags]) == 1  # noqa: S104 - it is refused
    assert "line 1 is not NAME:SALT$HASH" in capsys.readouterr().err


def test_a_curation_goes_out_and_comes_in_from_the_command_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    spikes = replace(ns.simulate(n_channels=2, duration_s=5.0, seed=0).spikes, labels={(1, 1): "good"})
    ns.save(spikes, tmp_path / "a.npz")
    assert main(["convert", str(tmp_path / "a.npz"), str(tmp_path / "c.json")]) == 0
    assert "units and labels only" in capsys.readouterr().err
    content = json.loads((tmp_path / "c.json").read_text())
    content["manual_labels"] = [{"unit_id": "2_1", "labels": {"quality": ["mua"]}}]
    content["removed"] = ["1_1"]
    (tmp_path / "c.json").write_text(json.dumps(content))
    arguments = ["convert", str(tmp_path / "a.npz"), str(tmp_path / "b.npz"), "--curation", str(tmp_path / "c.json")]
    assert main(arguments) == 0
    again = ns.load(tmp_path / "b.npz")
    assert (again.unit[again.channel == 1] == 0).all()
    assert again.labels[2, 1] == "mua"
