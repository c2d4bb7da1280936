"""Limits on a process that runs a user's script: a fault barrier and a speed bump, not a prison.

On Linux: namespaces of its own for processes and network where the system grants them, resource limits, and Landlock
(kernel 5.13 and later), which leaves Python, the system's libraries and the data readable and one folder writable.
Elsewhere there is only a time limit; `confine` returns what is in force, so that the page can say so.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

_DIE_WITH_PARENT, _ADOPT_ORPHANS, _NO_NEW_PRIVILEGES = 1, 36, 38  # prctl
_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446  # the same numbers on every architecture
_IPC, _USER, _PROCESSES, _NETWORK = 0x08000000, 0x10000000, 0x20000000, 0x40000000  # unshare

_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_DIR = 1 << 0, 1 << 1, 1 << 2, 1 << 3
_MAKE_DEVICES = 1 << 6 | 1 << 11
_BASIC, _REFER, _TRUNCATE, _DEVICE_CONTROL = (1 << 13) - 1, 1 << 13, 1 << 14, 1 << 15
_OF_FILES = _EXECUTE | _WRITE_FILE | _READ_FILE | _TRUNCATE | _DEVICE_CONTROL
_TCP, _OUTSIDE_SOCKETS_AND_SIGNALS = 0b11, 0b11

_SYSTEM = (
    *("/usr", "/lib", "/lib64", "/bin", "/proc/self", "/proc/cpuinfo", "/proc/meminfo", "/sys/devices/system/cpu"),
    *("/etc/ld.so.cache", "/etc/localtime", "/etc/fonts", "/etc/passwd", "/etc/nsswitch.conf", "/etc/mime.types"),
)
_DEVICES = ("/dev/null", "/dev/zero", "/dev/urandom", "/dev/random")

_MAX_FILE_BYTES = 128 << 20
_MAX_OPEN_FILES = 256
_MAX_PROCESSES = 64


class _Ruleset(ctypes.Structure):
    _fields_ = [("files", ctypes.c_uint64), ("network", ctypes.c_uint64), ("scoped", ctypes.c_uint64)]


class _PathRule(ctypes.Structure):
    _pack_ = 1
    _layout_ = "ms"
    _fields_ = [("allowed", ctypes.c_uint64), ("path", ctypes.c_int32)]


def die_with_parent() -> None:
    """Have the kernel kill this process when its parent ends (Linux)."""
    _control_process(_DIE_WITH_PARENT, signal.SIGKILL)


def adopt_orphans() -> None:
    """Become the parent of descendants that lose theirs, so that none escapes (Linux)."""
    _control_process(_ADOPT_ORPHANS, 1)


def enter_namespaces() -> None:
    """Leave the network and have the next child start a process tree of its own (Linux).

    When the first process of such a tree ends, the kernel kills the others.

    Raises
    ------
    OSError
        When the system does not grant it; the process may be of no more use then.

    """
    uid, gid = os.getuid(), os.getgid()
    if _libc().unshare(_USER | _PROCESSES | _NETWORK | _IPC) == 0:
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/uid_map").write_text(f"{uid} {uid} 1")
        Path("/proc/self/gid_map").write_text(f"{gid} {gid} 1")
    elif _libc().unshare(_PROCESSES | _NETWORK | _IPC) != 0:
        raise OSError(ctypes.get_errno(), "unshare")


def has_namespaces() -> bool:
    """Try in a child whether `enter_namespaces` works here. For a process with one thread."""
    if sys.platform != "linux":
        return False
    child = os.fork()
    if child == 0:
        try:
            enter_namespaces()
        except OSError:
            os._exit(1)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def confine(readable: Sequence[str], writable: str, memory_mb: int, cpu_s: int, *, alone: bool) -> list[str]:
    """Restrict this process and its children from now on; return what is in force.

    Parameters
    ----------
    readable : sequence of str
        Files and folders it may read besides the system's libraries.
    writable : str
        The one folder it may write.
    memory_mb : int
        Memory it may take in addition to what it has, in MB.
    cpu_s : int
        Processor seconds it may use.
    alone : bool
        Whether it is in namespaces of its own.

    """
    in_force = ["namespaces"] if alone else []
    if sys.platform != "win32":
        _limit(readable, memory_mb, cpu_s, alone=alone)
        in_force.append("limits")
    if sys.platform == "linux" and (version := landlock(readable, writable)) > 0:
        in_force.append(f"landlock {version}")
    return in_force


def _libc() -> Any:
    return ctypes.CDLL(None, use_errno=True)


def _control_process(what: int, value: int) -> None:
    if sys.platform == "linux":
        _libc().prctl(what, value, 0, 0, 0)


def _limit(readable: Sequence[str], memory_mb: int, cpu_s: int, *, alone: bool) -> None:
    import resource

    limits = {
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_CPU: cpu_s,
        resource.RLIMIT_FSIZE: _MAX_FILE_BYTES,
        resource.RLIMIT_NOFILE: _MAX_OPEN_FILES,
    }
    if sys.platform == "linux":
        readable_bytes = sum(os.path.getsize(path) for path in readable if os.path.isfile(path))  # noqa: PTH113, PTH202
        limits[resource.RLIMIT_DATA] = _bytes_of("VmData") + (memory_mb << 20)
        limits[resource.RLIMIT_AS] = _bytes_of("VmSize") + (memory_mb << 20) + readable_bytes
        if alone:  # elsewhere the limit would count all processes of this user
            limits[resource.RLIMIT_NPROC] = _MAX_PROCESSES
    for name, value in limits.items():
        hard = resource.getrlimit(name)[1]
        allowed = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(name, (allowed, allowed))


def _bytes_of(name: str) -> int:
    """Return one of the sizes the kernel tells of this process."""
    status = Path("/proc/self/status").read_text(encoding="ascii", errors="replace")
    return int(status.partition(f"{name}:")[2].split()[0]) << 10


def landlock(readable: Sequence[str], writable: str) -> int:
    """Close the file system and TCP; return the kernel's Landlock version, 0 where there is none."""
    libc = _libc()
    version = int(libc.syscall(_CREATE_RULESET, None, 0, 1))
    if version < 1:
        return 0
    newer = ((2, _REFER), (3, _TRUNCATE), (5, _DEVICE_CONTROL))
    every = _BASIC | sum(right for since, right in newer if version >= since)
    ruleset = _Ruleset(every, _TCP if version >= 4 else 0, _OUTSIDE_SOCKETS_AND_SIGNALS if version >= 6 else 0)
    size = 24 if version >= 6 else 16 if version >= 4 else 8
    rules = int(libc.syscall(_CREATE_RULESET, ctypes.byref(ruleset), size, 0))
    read = _EXECUTE | _READ_FILE | _READ_DIR
    grants = [(path, read) for path in (*_SYSTEM, *readable)]
    grants += [(path, _READ_FILE | _WRITE_FILE) for path in _DEVICES]
    grants.append((writable, every & ~_MAKE_DEVICES))
    for path, rights in grants:
        if not os.path.exists(path):  # noqa: PTH110 - hundreds of times faster in sum than with Path
            continue
        opened = os.open(path, os.O_PATH | os.O_CLOEXEC)
        allowed = (rights if os.path.isdir(path) else rights & _OF_FILES) & every  # noqa: PTH112 - as above
        libc.syscall(_ADD_RULE, rules, 1, ctypes.byref(_PathRule(allowed, opened)), 0)
        os.close(opened)
    libc.prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0)
    restricted = libc.syscall(_RESTRICT_SELF, rules, 0) == 0
    os.close(rules)
    return version if restricted else 0
