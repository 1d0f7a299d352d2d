"""
Executes a command as systemd would: with descriptors from 3 on, and system calls that are filtered.
Root sheds its capabilities, and is nobody in particular if that is enough to read the checkout.

Run as a module, it confines itself and becomes the command.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import json
import os
import resource
import shutil
import socket
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass

FIRST = 3
"""SD_LISTEN_FDS_START."""

NOBODY = 65532
_ALLOW = 0x7FFF0000
_ERRNO = 0x00050000
_EQUAL = 4
_DROP_CAPABILITY = 24
_CAPABILITIES = 64
_NO_NEW_PRIVS = 38


class _Comparison(ctypes.Structure):
    """scmp_arg_cmp."""

    _fields_ = (
        ("argument", ctypes.c_uint),
        ("operator", ctypes.c_int),
        ("value", ctypes.c_uint64),
        ("other", ctypes.c_uint64),
    )


@dataclass
class Confinement:
    """
    :ivar descriptors: of sockets that the command gets.
    :ivar calls: names of system calls; none if all are allowed.
    :ivar families: of sockets that may be made.
    """

    descriptors: Sequence[int]
    calls: Sequence[str]
    families: Sequence[str]

    @property
    def command(self) -> tuple[str, ...]:
        """What goes before a command."""
        return (sys.executable, "-m", "tests.support.confined", json.dumps(asdict(self)))


def allowed_calls(filters: Sequence[str]) -> list[str]:
    """
    :param filters: values of SystemCallFilter; the first one allows.
    :return: the system calls that systemd allows, by its own list; none if it is not here.
    """
    if shutil.which("systemd-analyze") is None:
        return []
    allowed = _members("@default")
    for line in filters:
        denies = line.startswith("~")
        for group in line.removeprefix("~").split():
            allowed = allowed - _members(group) if denies else allowed | _members(group)
    return sorted(allowed)


def _members(group: str) -> set[str]:
    if not group.startswith("@"):
        return {group}
    shown = subprocess.run(
        ["systemd-analyze", "syscall-filter", group], check=True, capture_output=True, text=True
    ).stdout
    names = [line.strip() for line in shown.splitlines()[1:]]
    return set().union(*(_members(name) for name in names if name and name[0] != "#"))


def _confine(confinement: Confinement) -> None:
    """Everything but the descriptors."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    library = ctypes.CDLL(None, use_errno=True)
    if os.getuid() == 0:
        is_readable = _is_readable_for_all()
        for capability in range(_CAPABILITIES):
            library.prctl(_DROP_CAPABILITY, capability, 0, 0, 0)
        if is_readable:
            os.setgroups([])
            os.setgid(NOBODY)
            os.setuid(NOBODY)
    assert library.prctl(_NO_NEW_PRIVS, 1, 0, 0, 0) == 0
    if confinement.calls:
        _filter(confinement)


def _is_readable_for_all() -> bool:
    """Whether somebody else can run this interpreter with this code."""
    asked = [sys.executable, "-c", "import ingress.tap"]
    try:
        return not subprocess.run(
            asked, user=NOBODY, group=NOBODY, extra_groups=(), capture_output=True, check=False
        ).returncode
    except PermissionError:
        return False


def _filter(confinement: Confinement) -> None:
    try:
        library = ctypes.CDLL("libseccomp.so.2")
    except OSError:
        return
    library.seccomp_init.restype = ctypes.c_void_p
    rules = ctypes.c_void_p(library.seccomp_init(ctypes.c_uint32(_ERRNO | errno.EPERM)))
    for name in confinement.calls:
        number = library.seccomp_syscall_resolve_name(name.encode())
        if name == "socket":
            for family in confinement.families:
                compared = _Comparison(0, _EQUAL, getattr(socket, family), 0)
                _add(library, rules, number, compared)
        elif number >= 0:
            _add(library, rules, number)
    assert library.seccomp_load(rules) == 0


def _add(library: ctypes.CDLL, rules: ctypes.c_void_p, number: int, *compared: _Comparison) -> None:
    conditions = (_Comparison * len(compared))(*compared)
    status = library.seccomp_rule_add_array(
        rules, ctypes.c_uint32(_ALLOW), number, len(compared), conditions
    )
    assert status == 0, (number, status)


def main() -> None:
    confinement = Confinement(**json.loads(sys.argv[1]))
    # First out of the way, because the numbers overlap.
    moved = [fcntl.fcntl(each, fcntl.F_DUPFD, 100) for each in confinement.descriptors]
    for place, descriptor in enumerate(moved, FIRST):
        os.dup2(descriptor, place, inheritable=True)
        os.close(descriptor)
    os.closerange(FIRST + len(moved), 200)
    _confine(confinement)
    environment = {**os.environ, "LISTEN_PID": str(os.getpid()), "WATCHDOG_PID": str(os.getpid())}
    os.execvpe(sys.argv[2], sys.argv[2:], environment)


if __name__ == "__main__":
    main()
