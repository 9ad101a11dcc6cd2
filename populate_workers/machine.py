"""The machine and its processes: who is who, who is gone, and what there is."""

import os
import platform
import subprocess
from functools import cache
from pathlib import Path

PROC = Path("/proc")
START_FIELD = 19
"""Place of the start time in ``/proc/PID/stat``, counted after the name of the program."""


def host() -> str:
    """Return the name of this machine."""
    return platform.node()


@cache
def machine_id() -> str:
    """Return what tells this machine, since it was last started, from all others.

    Containers count their processes for themselves, so each is a machine of its own.
    """
    boot, space = PROC / "sys/kernel/random/boot_id", PROC / "self/ns/pid"
    if boot.exists() and space.exists():
        return f"{boot.read_text().strip()} {space.stat().st_ino}"
    return f"{host()} {_said_by('sysctl', '-n', 'kern.boottime')}"


def process_start(pid: int) -> str:
    """Return when a process of this machine began, in its own count; "": nobody tells.

    The number of a process is used again after its end; together with this it is not.
    """
    if not PROC.joinpath("self/stat").exists():
        return _said_by("ps", "-o", "lstart=", "-p", str(pid))
    try:
        text = (PROC / str(pid) / "stat").read_text()
    except OSError:
        return ""
    fields = text.rpartition(")")[2].split()
    return "ended" if fields[0] in "ZX" else fields[START_FIELD]


def is_gone(pid: int, started: str) -> bool:
    """Return whether a process of this machine has ended for certain.

    Parameters
    ----------
    pid : int
        Its number.
    started : str
        What `process_start` said of it; "": any process of that number is taken for it.
    """
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    except PermissionError:  # it lives, is another user's, and may be hidden from us
        pass
    now = process_start(pid)
    return bool(now and started and now != started)


def _said_by(*command: str) -> str:
    """Return what a program of the system prints."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stdout.strip()


def oom_kills() -> int:
    """Return how often the kernel of this machine has ended a process for memory; 0: not told."""
    places = (
        (PROC / "vmstat", "oom_kill"),
        (Path("/sys/fs/cgroup/memory.events"), "oom_kill"),
        (Path("/sys/fs/cgroup/memory/memory.oom_control"), "oom_kill"),
    )
    return sum(_number(path, name) for path, name in places)


def _number(path: Path, name: str) -> int:
    """Return the number behind a name in a file of the kernel; 0: it is not there."""
    try:
        lines = [line.split() for line in path.read_text().splitlines()]
    except OSError:
        return 0
    return next((int(words[1]) for words in lines if words[:1] == [name]), 0)


def memory_bytes() -> int:
    """Return the memory of this machine, or of the container that this process runs in."""
    least = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    for limit in ("memory.max", "memory/memory.limit_in_bytes"):
        try:
            text = (Path("/sys/fs/cgroup") / limit).read_text().strip()
        except OSError:
            continue
        least = min(least, int(text)) if text.isdecimal() else least
    return least
