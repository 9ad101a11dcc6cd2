"""The machine and its processes: who is who, who is gone, and what there is."""

import os
import platform
import subprocess
from functools import cache
from pathlib import Path

PROC = Path("/proc")
CGROUPS = Path("/sys/fs/cgroup")
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


def shares_memory(other: str, pid: int) -> bool:
    """Return whether a process elsewhere, or here, takes its memory from what this one has.

    Parameters
    ----------
    other : str
        What `machine_id` says there.
    pid : int
        Number of the process there.
    """
    ours = machine_id()
    limiting = _limiting_group()
    if limiting is not None:  # the memory of this process, and of those in its group
        return ours == other and limiting in _groups(pid)
    is_linux = (PROC / "self/ns/pid").exists()  # else no container tells of its machine
    return ours == other or (is_linux and ours.split()[0] == other.split()[0])


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
    """Return the memory of this machine, or of the container or job that this process is in."""
    return min([_whole_memory_bytes(), *_limits().values()])


def _whole_memory_bytes() -> int:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def _limiting_group() -> Path | None:
    """Return the control group that gives this process less than the machine has."""
    limits = _limits()
    least = min(limits, key=lambda group: limits[group], default=None)
    return least if least is not None and limits[least] < _whole_memory_bytes() else None


def _limits() -> dict[Path, int]:
    """Return the limits of the control groups of this process, in bytes."""
    limits = {}
    for group in _groups(os.getpid()):
        for name in ("memory.max", "memory.limit_in_bytes"):
            try:
                text = (group / name).read_text().strip()
            except OSError:
                continue
            if text.isdecimal():
                limits[group] = int(text)
    return limits


def _groups(pid: int) -> list[Path]:
    """Return the control groups of memory that a process of this machine is in, as folders.

    A batch system and a container put their limits there, each at another depth.
    """
    try:
        lines = (PROC / str(pid) / "cgroup").read_text().splitlines()
    except OSError:
        return []
    groups = []
    for line in lines:
        _, kinds, place = line.split(":", 2)
        if kinds == "" or "memory" in kinds.split(","):
            root = CGROUPS / "memory" if kinds else CGROUPS
            folder = root / place.lstrip("/")
            groups += [folder, *(path for path in folder.parents if path.is_relative_to(root))]
    return groups
