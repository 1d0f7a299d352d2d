"""
Sockets that are bound and do not listen yet.

They are made before the process becomes a daemon and sheds its privileges, so
that a port that is taken or forbidden is a message on the terminal and not a
line in a log.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import socket
import stat
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

from ingress.errors import IngressError
from ingress.listen_address import (
    InheritedSocket,
    ListenAddress,
    TCPAddress,
    UNIXPath,
    family_of,
)

_NO_SUCH_FAMILY = frozenset({errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL, errno.EPROTONOSUPPORT})
"""How a machine says that it has no IPv6, or no IPv4."""

_PORT_ATTEMPTS = 8
"""How often a port that is free in both families is looked for where any will do."""


class ListenError(IngressError):
    """An address cannot be listened on; the message is one line."""


class BoundSocket:
    """
    A socket, and what has to be removed with it.

    :param remove: called once when it is closed.
    """

    address: str
    """As a log shows it: ``127.0.0.1:80``, ``[::]:80``, or a path."""

    port: int | None = None
    """The TCP port; None for a UNIX socket."""

    def __init__(
        self,
        bound: socket.socket,
        remove: Callable[[], None] = lambda: None,
        *,
        is_inherited: bool = False,
        is_twin: bool = False,
    ) -> None:
        bound.setblocking(False)
        self.socket = bound
        self._remove = remove
        self._is_inherited = is_inherited
        self.is_twin = is_twin
        """Whether it is one of several for the same address, of a worker each."""

        self._name = bound.getsockname()
        if bound.family == socket.AF_UNIX:
            self.address = os.fsdecode(self._name)
        else:
            host, self.port = self._name[:2]
            self.address = f"[{host}]:{self.port}" if ":" in host else f"{host}:{self.port}"

    def __repr__(self) -> str:
        return f"<BoundSocket {self.address}>"

    def overlaps(self, other: BoundSocket) -> bool:
        """
        Whether the two cannot both listen.

        The system lets them be bound: with SO_REUSEADDR only the second `listen` fails.
        """
        if self.socket.family != other.socket.family:
            return False
        if self.port is None:
            return bool(self._name == other._name)
        hosts = {self._name[0], other._name[0]}
        return self.port == other.port and (len(hosts) == 1 or not hosts.isdisjoint(_ALL))

    def twin(self) -> BoundSocket:
        """
        A socket of a worker for the same address.

        Of TCP it has a queue of its own: the kernel spreads connections over those
        that listen, and one that another process holds as well loses none when its
        worker dies. All others share one queue.

        :raises OSError: if somebody else listens there.
        """
        if self.port is None or self._is_inherited:
            return BoundSocket(self.socket.dup(), is_twin=True)
        twin = _bind_socket(self.socket.family, self._name, is_shared=True)
        return BoundSocket(twin, is_twin=True)

    def claim(self) -> None:
        """
        Make sure that nobody listens on a TCP address before our twins do, who would
        let any other process of ours join them, and close it.

        :raises OSError: if another process was faster.
        """
        if self.port is not None and not self._is_inherited:
            # Whoever connects in this moment would have been refused in the one before.
            self.socket.listen(0)
            self.close()

    def close(self) -> None:
        """Close it, and remove what it left in the file system."""
        self.socket.close()
        self.removed()

    def removed(self) -> None:
        """Remove what it left in the file system; the socket itself is closed by its port."""
        remove, self._remove = self._remove, lambda: None
        remove()


_ALL = frozenset({"0.0.0.0", "::"})  # noqa: S104 - compared with, not bound to


def bind(address: ListenAddress) -> list[BoundSocket]:
    """
    Bind an address; for TCP on all addresses that is a socket for each family.

    :raises ListenError: if it is in use, not ours to use, or not on this machine.
    """
    try:
        if isinstance(address, TCPAddress):
            return [BoundSocket(bound) for bound in _bind_tcp(address)]
        if isinstance(address, UNIXPath):
            return [_bind_unix(address)]
        return [_adopt(address)]
    except OSError as error:
        raise ListenError(error.strerror or str(error)) from None


def _bind_tcp(address: TCPAddress) -> list[socket.socket]:
    if address.interface:
        family = family_of(address.interface)
        return [_bind_to(family, address.interface, address.port)]
    attempts_left = 1 if address.port else _PORT_ATTEMPTS
    while True:
        attempts_left -= 1
        try:
            return _bind_both_families(address.port)
        except OSError as error:
            # A port that was free for IPv4 may be taken for IPv6.
            if error.errno != errno.EADDRINUSE or not attempts_left:
                raise


def _bind_both_families(port: int) -> list[socket.socket]:
    bound: list[socket.socket] = []
    missing: OSError | None = None
    for family, host in ((socket.AF_INET, "0.0.0.0"), (socket.AF_INET6, "::")):  # noqa: S104
        try:
            bound.append(_bind_to(family, host, port))
        except OSError as error:
            if error.errno not in _NO_SUCH_FAMILY:
                for one in bound:
                    one.close()
                raise
            missing = error
        else:
            port = bound[-1].getsockname()[1]
    if missing is not None and not bound:
        raise missing
    return bound


def _bind_to(family: int, host: str, port: int) -> socket.socket:
    numeric = socket.getaddrinfo(
        host, port, family, socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST
    )
    return _bind_socket(family, numeric[0][4])


def _bind_socket(family: int, address: Any, *, is_shared: bool = False) -> socket.socket:
    """
    :param is_shared: whether other sockets that have it set as well may listen, too.
    """
    bound = socket.socket(family, socket.SOCK_STREAM)
    try:
        # So that connections of our predecessor that linger do not keep its port.
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if is_shared:
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        # Inherited by what is accepted: every write of ours is a whole message.
        bound.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if family == socket.AF_INET6:
            # An IPv4 client would be ::ffff:192.0.2.1 and match no trusted-proxies.
            bound.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        bound.bind(address)
    except BaseException:
        bound.close()
        raise
    return bound


def _bind_unix(address: UNIXPath) -> BoundSocket:
    """A socket in the file system; with a lock, one that a dead process left is replaced."""
    lock = _take_lock(address.path) if address.has_lock else None
    bound = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        if lock is not None:
            _remove_stale(address.path)
        bound.bind(os.fspath(address.path))
        # Nobody can connect in between: it does not listen yet.
        address.path.chmod(address.mode)
    except BaseException:
        bound.close()
        if lock is not None:
            lock.close()
        raise
    return BoundSocket(bound, lambda: _remove_unix(address.path, lock))


def _take_lock(path: Path) -> IO[bytes]:
    """
    Twisted's own lock holds the process's number, which changes when it becomes a
    daemon; the system's lock goes along.

    :raises OSError: EADDRINUSE if another process has it.
    """
    lock = open(f"{path}.lock", "ab")  # noqa: SIM115 - held until the socket is closed
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        lock.close()
        raise OSError(errno.EADDRINUSE, os.strerror(errno.EADDRINUSE)) from None
    return lock


def _remove_stale(path: Path) -> None:
    """Remove a socket that nobody listens on; a file of another kind stays."""
    with contextlib.suppress(FileNotFoundError):
        if stat.S_ISSOCK(path.lstat().st_mode):
            path.unlink()


def _remove_unix(path: Path, lock: IO[bytes] | None) -> None:
    """The lock's file stays: whoever opened it just now would else hold a lock on nothing."""
    # The folder may not be ours any more, once privileges are shed.
    with contextlib.suppress(OSError):
        path.unlink()
    if lock is not None:
        lock.close()


def _adopt(inherited: InheritedSocket) -> BoundSocket:
    """A socket of systemd's: it listens already, and is systemd's to remove."""
    descriptor = os.dup(inherited.descriptor)
    try:
        adopted = socket.socket(fileno=descriptor)
    except OSError:
        os.close(descriptor)
        raise
    if adopted.family != inherited.family or adopted.type != socket.SOCK_STREAM:
        found = f"{adopted.family.name}, {adopted.type.name}"
        adopted.close()
        raise ListenError(f"the socket of systemd is another: {found}")
    return BoundSocket(adopted, is_inherited=True)
