"""Hostile scripts: each is stopped or contained, the data stay as they are, and nothing is left behind."""

from __future__ import annotations

import contextlib
import os
import socket
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from neuralsorter.scripting.runner import CAN_FORK
from neuralsorter.scripting.script_runner import ScriptRunner
from neuralsorter.spikes import Spikes

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the system confines less")

STOPPED, CRASHED = "The script was stopped: it took longer than", "The script crashed"

# What each script does, and a part of the error it must end with ("" where it is harmless); `print("got in")` tells
# that something it must not do succeeded. DATA is the file of the waveforms, PORT a listening socket of the server.
HOSTILE = {
    "loop": ("while True: pass", STOPPED),
    "sleep": ("import time; time.sleep(99)", STOPPED),
    "loop at import": ("raise_ = 1\nwhile raise_: pass", STOPPED),
    "loop that ignores signals": (
        (
            "import signal\nfor s in range(1, 32):\n    try: signal.signal(s, signal.SIG_IGN)\n"
            "    except (OSError, ValueError): pass\nwhile True: pass"
        ),
        STOPPED,
    ),
    "loop that swallows exceptions": (
        "while True:\n    try:\n        while True: pass\n    except BaseException: pass",
        STOPPED,
    ),
    "recursion": ("def f(): f()\nf()", "RecursionError"),
    "recursion without limit": ("import sys; sys.setrecursionlimit(10**9)\ndef f(): f()\nf()", None),
    "recursion in repr": (
        "class R:\n    def __str__(self): return str(self)\ndef run(spikes): return R()",
        "RecursionError",
    ),
    "segfault": ("import ctypes; ctypes.string_at(0)", CRASHED),
    "abort": ("import os; os.abort()", CRASHED),
    "exit": ("import os; os._exit(7)", "status 7"),
    "exit with success": ("import os; os._exit(0)", "without a result"),
    "kill itself": ("import os, ctypes; os.kill(os.getpid(), 9); ctypes.string_at(0)", CRASHED),
    "stop itself": ("import os, time; os.kill(os.getpid(), 19); time.sleep(99)", STOPPED),
    "memory": ("x = []\nwhile True: x.append(bytearray(64 << 20))", "MemoryError"),
    "memory at once": ("import numpy as np; x = np.ones(1 << 40, np.uint8)", "MemoryError"),
    "shared memory": (
        "import mmap\nx = []\nwhile True: x.append(mmap.mmap(-1, 64 << 20))",
        "allocate",
    ),
    "stacks of threads": (
        (
            "import threading, time\nthreading.stack_size(256 << 20)\n"
            "for _ in range(1000): threading.Thread(target=time.sleep, args=(99,), daemon=True).start()"
        ),
        "can't start new thread",
    ),
    "thread that does not end": ("import threading, time; threading.Thread(target=time.sleep, args=(99,)).start()", ""),
    "exit handler that does not end": ("import atexit, time; atexit.register(time.sleep, 99)", ""),
    "disk": ("f = open('big', 'wb')\nwhile True: f.write(bytes(1 << 20))", "File too large"),
    "disk in many files": ("for k in range(10**6): open(f'f{k}', 'wb').write(bytes(8 << 20))", "wrote more than"),
    "countless files": ("for k in range(10**9): open(f'f{k}', 'wb')", "wrote more than"),
    "output": ("while True: print('x' * 1000)", "printed more than"),
    "output of bytes": ("import os\nwhile True: os.write(2, os.urandom(65536))", "printed more than"),
    "write the events": ("def run(spikes): spikes.raw[0] = 5", "read-only"),
    "make the events writable": ("def run(spikes): spikes.raw.flags.writeable = True", "WRITEABLE"),
    "write the events' file": ("open('DATA', 'r+b').write(b'x'); print('got in')", "PermissionError"),
    "cut the events' file": ("import os; os.truncate('DATA', 0); print('got in')", "PermissionError"),
    "delete the events' file": ("import os; os.unlink('DATA'); print('got in')", "PermissionError"),
    "replace the events' file": (
        "import os; open('new', 'w'); os.rename('new', 'DATA'); print('got in')",
        "OSError|PermissionError|EXDEV",
    ),
    "write home": (
        "import os; open(os.path.expanduser('~/neuralsorter_hostile'), 'w'); print('got in')",
        "PermissionError",
    ),
    "write beside the program": (
        "import neuralsorter; open(neuralsorter.__path__[0] + '/hostile.py', 'w')",
        "PermissionError",
    ),
    "read home": ("import os; print('got in', os.listdir(os.path.expanduser('~')))", "PermissionError"),
    "read a password file": ("print('got in', open('/etc/shadow').read())", "PermissionError"),
    "read the server's memory": ("import os; open(f'/proc/{SERVER}/mem', 'rb'); print('got in')", "PermissionError"),
    "connect": (
        "import socket; socket.create_connection(('127.0.0.1', PORT), 1); print('got in')",
        "OSError|PermissionError",
    ),
    "send a datagram": (
        (
            "import socket; socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'x', ('127.0.0.1', PORT))\n"
            "print('got in')"
        ),
        "OSError",
    ),
    "listen": ("import socket; s = socket.socket(); s.bind(('127.0.0.1', 0)); print('got in')", "PermissionError"),
    "child": ("import subprocess; subprocess.Popen(['sleep', '86401.4321'])", ""),
    "child that is waited for": ("import subprocess; subprocess.run(['sleep', '86401.4321'])", STOPPED),
    "daemon": (
        (
            "import os, time\nif os.fork() == 0:\n    os.setsid()\n"
            "    if os.fork() == 0:\n        time.sleep(4321)\n    os._exit(0)\nos.wait()"
        ),
        "",
    ),
    "fork bomb": ("import os\nwhile True:\n    try: os.fork()\n    except OSError: pass", STOPPED),
    "kill the server": ("import os; os.kill(SERVER, 9); print('got in')", "Error"),
    "kill everything": ("import os\ntry: os.kill(-1, 9)\nexcept OSError: pass", None),
    "stop the runner": ("import os; os.kill(os.getppid(), 19); print('got in')", None),
    "close everything": ("import os; os.closerange(0, 256)", ""),
    "write to every descriptor": (
        "import os\nfor fd in range(3, 256):\n    try: os.write(fd, b'{\"done\": 0}\\n')\n    except OSError: pass",
        "",
    ),
    "pipe for a result": (
        "import os; os.mkfifo('result.json')\ntry: open('result.json', 'w')\nfinally: os._exit(0)",
        STOPPED,
    ),
    "another file for a result": ("import os; os.symlink('/etc/passwd', 'result.json'); os._exit(0)", "can be read"),
    "huge result": ("import os; open('result.json', 'wb').truncate(100 << 20); os._exit(0)", "larger than"),
    "nonsense for a result": ("import os; open('result.json', 'w').write('[' * 100000); os._exit(0)", "can be read"),
    "unknown kind of result": (
        (
            "import os; open('result.json', 'w').write('{\"kind\": \"pickle\", \"in_force\": []}')\n"
            "open('result.bin', 'w'); os._exit(0)"
        ),
        "its kind is 'pickle'",
    ),
    "wrong proposal": (
        (
            "import os; open('result.json', 'w').write('{\"kind\": \"proposal\", \"in_force\": []}')\n"
            "open('result.bin', 'w').write('12345678'); os._exit(0)"
        ),
        "do not fit",
    ),
    "picture of countless parts": (
        (
            "from bokeh.layouts import column\nfrom bokeh.plotting import figure\n"
            "def run(spikes): return column([figure() for _ in range(150)])"
        ),
        "",
    ),
    "interrupt": ("raise KeyboardInterrupt", "KeyboardInterrupt"),
    "error that cannot be shown": (
        "class E(Exception):\n    def __str__(self): raise ValueError\nraise E",
        "exception str() failed",
    ),
    "without output": ("import sys; sys.stdout = sys.stderr = None", ""),
}


@pytest.fixture(scope="module")
def runner() -> Iterator[ScriptRunner]:
    runner = ScriptRunner()
    yield runner
    runner.close()


@pytest.fixture(scope="module")
def events(tmp_path_factory: pytest.TempPathFactory) -> tuple[Spikes, Path]:
    path = tmp_path_factory.mktemp("store") / "waveforms.npy"
    np.save(path, np.ones((1000, 32), np.float32))
    ones = np.ones(1000, np.int32)
    raw = np.load(path, mmap_mode="r")
    return Spikes(raw, np.arange(1000.0), ones, ones, 0 * ones, pre_samples=8), path


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        yield listening.getsockname()[1]


def commands() -> dict[int, bytes]:
    found = {}
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            found[int(entry.parent.name)] = entry.read_bytes()
    return found


def runs_in(session: Path) -> bool:
    return any(str(session).encode() in command for command in commands().values())


def processes_of(runner: ScriptRunner) -> list[int]:
    sessions = [str(process.session).encode() for process in runner._idle]
    return [pid for pid, command in commands().items() if any(mark in command for mark in [*sessions, b"86401.4321"])]


def n_waiting(runner: ScriptRunner, in_force: tuple[str, ...]) -> int:
    """Return how many processes there are while nothing runs: a warm one holds the child of the next script ready."""
    ready = 0 if not CAN_FORK else 2 if "namespaces" in in_force else 1
    return sum(1 + ready * process.is_warm.is_set() for process in runner._idle)


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_script_is_contained(name: str, runner: ScriptRunner, events: tuple[Spikes, Path], port: int) -> None:
    spikes, path = events
    code, expected = HOSTILE[name]
    source = code.replace("DATA", str(path)).replace("PORT", str(port)).replace("SERVER", str(os.getpid()))
    if "def run" not in source:
        source += "\ndef run(spikes): return 'done'\n"
    result = runner.run(
        source, "hostile", spikes, timeout_s=30.0 if expected not in (None, STOPPED) else 1.0, memory_mb=512
    )
    if name == "send a datagram" and result.in_force and "namespaces" not in result.in_force:
        pytest.skip("this system grants no namespaces, and Landlock does not close UDP")
    assert "got in" not in result.output or name == "stop the runner", result.output
    if expected:
        assert any(part in result.error for part in expected.split("|")), result
    elif expected == "":
        assert result.error == "", result
        assert result.payload == "done" or result.kind == "bokeh", result
    assert result.seconds < 60
    assert (np.load(path) == 1).all()
    assert all(not list(process.session.glob("run*")) for process in runner._idle)
    after = runner.run("def run(spikes): return spikes.raw.sum()", "next", spikes)
    assert after.payload == "32000.0"
    deadline = time.monotonic() + 20
    while len(processes_of(runner)) != n_waiting(runner, after.in_force) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert len(processes_of(runner)) == n_waiting(runner, after.in_force)


def test_a_dead_server_leaves_nothing_behind() -> None:
    import subprocess

    code = """
import numpy as np, os, signal, threading, time
from neuralsorter.scripting.script_runner import ScriptRunner
from neuralsorter.spikes import Spikes
ones = np.ones(3, np.int32)
spikes = Spikes(np.ones((3, 32), np.float32), np.arange(3.0), ones, ones, 0 * ones)
def die(text):
    os.kill(os.getpid(), signal.SIGKILL)
runner = ScriptRunner()
process = runner._take()
print(process.session, flush=True)
runner._give_back(process)
script = "def run(spikes):\\n    print('up', flush=True)\\n    while True: pass"
runner.run(script, "x", spikes, on_output=die)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False, text=True)
    session = Path(done.stdout.strip())
    assert session.is_absolute(), done.stderr
    deadline = time.monotonic() + 60
    while (session.exists() or runs_in(session)) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not session.exists()
    assert not runs_in(session)
