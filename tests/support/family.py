"""
The descendants of a process, according to the system.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path


def children(pid: int) -> list[int]:
    """List its living children, in order."""
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            state, parent = _state(int(folder.name))
            if parent == pid and state not in "ZX":
                found.append(int(folder.name))
    return sorted(found)


def descendants(pid: int) -> list[int]:
    """List its children, and their descendants."""
    return [each for child in children(pid) for each in (child, *descendants(child))]


def is_alive(pid: int) -> bool:
    """Return whether it runs; in a container, an ended process may stay as a zombie."""
    return _state(pid)[0] not in "ZX"


def socket_count(pid: int) -> int:
    """Count its sockets."""
    return sum(target.startswith("socket:") for target in _opened(pid))


def has_open(pid: int, path: Path) -> bool:
    """Return whether it has this file open."""
    return str(path) in _opened(pid)


def _opened(pid: int) -> list[str]:
    found = []
    for entry in list(Path(f"/proc/{pid}/fd").iterdir()):
        with suppress(FileNotFoundError):
            found.append(os.readlink(entry))
    return found


def _state(pid: int) -> tuple[str, int]:
    """Return its state and its parent's process id; the state is ``X`` if it is gone."""
    try:
        status = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return "X", 0
    state, parent = status.rpartition(")")[2].split()[:2]
    return state, int(parent)
