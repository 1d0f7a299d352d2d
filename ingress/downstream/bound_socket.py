"""
Sockets that are bound, but do not listen yet.

They are bound before the process becomes a daemon and sheds its privileges. The message
about a port that is taken or forbidden appears on the terminal, not in a log.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import socket
import stat
from collections.abc import Callable
from functools import partial
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
"""The errors of a machine without IPv6, or without IPv4."""

_PORT_ATTEMPTS = 8
"""Attempts at finding a port that is free in both families, for port 0."""


class ListenError(IngressError):
    """An address cannot be listened on; the message is one line."""


class BoundSocket:
    """
    A bound socket, and the files that belong to it.

    :param remove: removes the files; called once when the socket is closed.
    """

    address: str
    """The address as the log shows it: ``127.0.0.1:80``, ``[::]:80``, or a path."""

    port: int | None = None
    """The TCP port; None for a UNIX socket."""

    def __init__(
        self,
        bound: socket.socket,
        remove: Callable[[], None] = lambda: None,
        *,
        is_inherited: bool = False,
        is_twin: bool = False,
        has_own_queue: bool = False,
    ) -> None:
        bound.setblocking(False)
        self.socket = bound
        self._remove = remove
        self._is_inherited = is_inherited
        self.is_twin = is_twin
        """Whether each worker has such a socket for the same address."""

        self._has_own_queue = has_own_queue

        self._name = bound.getsockname()
        if bound.family == socket.AF_UNIX:
            self.address = os.fsdecode(self._name)
        else:
            host, self.port = self._name[:2]
            self.address = f"[{host}]:{self.port}" if ":" in host else f"{host}:{self.port}"

    def __repr__(self) -> str:
        return f"<BoundSocket {self.address}>"

    @property
    def hosts(self) -> tuple[str, ...]:
        """The IP addresses that it is bound to: two if it takes both families, none if UNIX."""
        if self.port is None:
            return ()
        if self._name[0] == "::" and not self.socket.getsockopt(
            socket.IPPROTO_IPV6, socket.IPV6_V6ONLY
        ):
            return ("::", "0.0.0.0")  # noqa: S104 - described, not bound to
        return (self._name[0],)

    def overlaps(self, other: BoundSocket) -> bool:
        """
        Whether the two sockets cannot both listen.

        The system allows both to be bound: with SO_REUSEADDR only the second `listen` fails.
        """
        if self.socket.family != other.socket.family:
            return False
        if self.port is None:
            return bool(self._name == other._name)
        hosts = {self._name[0], other._name[0]}
        return self.port == other.port and (len(hosts) == 1 or not hosts.isdisjoint(_ALL))

    def twin(self) -> BoundSocket:
        """
        A socket for the same address in a worker.

        A TCP socket has a queue of its own: the kernel spreads connections over all that
        listen. The fork server holds it as well, so that connections in the queue
        survive the worker. UNIX and inherited sockets share one queue.

        :raises OSError: if another process listens there.
        """
        if self.port is None or self._is_inherited:
            return BoundSocket(self.socket.dup(), is_twin=True)
        twin = _bind_socket(self.socket.family, self._name, is_shared=True)
        return BoundSocket(twin, is_twin=True, has_own_queue=True)

    def withdraw(self) -> None:
        """
        Stop listening in every process that holds this socket, so that the kernel gives
        new connections to the other twins. Connections in the queue are reset.

        A socket that shares its queue stays: other workers accept from it.
        """
        if self._has_own_queue:
            # It may not listen yet, or no longer.
            with contextlib.suppress(OSError):
                self.socket.shutdown(socket.SHUT_RDWR)

    def claim(self) -> None:
        """
        Make sure that no other process listens on a TCP address before the twins do, and
        close this socket. The twins share their address with any process of our user.

        :raises OSError: if another process listens.
        """
        if self.port is not None and not self._is_inherited:
            # Clients that connect in this moment would have been refused a moment before.
            self.socket.listen(0)
            self.close()

    def close(self) -> None:
        """Close the socket, and remove its files."""
        self.socket.close()
        self.removed()

    def removed(self) -> None:
        """Remove the files of a socket that its port has closed."""
        remove, self._remove = self._remove, lambda: None
        remove()


_ALL = frozenset({"0.0.0.0", "::"})  # noqa: S104 - compared with, not bound to


def bind(address: ListenAddress, *, is_shared: bool = False) -> list[BoundSocket]:
    """
    Bind an address; TCP on all addresses takes a socket for each family.

    :param is_shared: whether other workers listen on the same TCP address.
    :raises ListenError: if the address is in use, forbidden, or not on this machine.
    """
    try:
        if isinstance(address, TCPAddress):
            bind_stream = partial(_bind_socket, is_shared=is_shared)
            bound = _bind_tcp(address, bind_stream)
            return [BoundSocket(each, is_twin=is_shared) for each in bound]
        if isinstance(address, UNIXPath):
            return [_bind_unix(address)]
        return [_adopt(address)]
    except OSError as error:
        raise ListenError(describe(error, address)) from None


def bind_datagrams(address: TCPAddress, *, is_shared: bool = False) -> list[socket.socket]:
    """
    Bind a port of UDP, on one address or on all: a socket for each family.

    :param is_shared: whether other workers have sockets for the same address; the kernel gives
        each the datagrams of some clients.
    :raises ListenError: if the address is in use, forbidden, or not on this machine.
    """
    try:
        return _bind_tcp(address, partial(_bind_datagram_socket, is_shared=is_shared))
    except OSError as error:
        raise ListenError(describe(error, address)) from None


def describe(error: OSError, address: ListenAddress) -> str:
    """Why an address cannot be bound, with the remedy for a port that needs privileges."""
    reason = error.strerror or str(error)
    if error.errno == errno.EACCES and isinstance(address, TCPAddress):
        return (
            f"{reason}: ports below 1024 need root, the capability CAP_NET_BIND_SERVICE or a lower"
            " net.ipv4.ip_unprivileged_port_start; others, such as 8080, need nothing"
        )
    return reason


BindSocket = Callable[[int, Any], socket.socket]
"""Makes a socket of a family and binds it to an address."""


def _bind_tcp(address: TCPAddress, bind_socket: BindSocket) -> list[socket.socket]:
    if address.interface:
        family = family_of(address.interface)
        return [_bind_to(family, address.interface, address.port, bind_socket)]
    attempts_left = 1 if address.port else _PORT_ATTEMPTS
    while True:
        attempts_left -= 1
        try:
            return _bind_both_families(address.port, bind_socket)
        except OSError as error:
            # A port that is free for IPv4 may be taken for IPv6.
            if error.errno != errno.EADDRINUSE or not attempts_left:
                raise


def _bind_both_families(port: int, bind_socket: BindSocket) -> list[socket.socket]:
    bound: list[socket.socket] = []
    missing: OSError | None = None
    for family, host in ((socket.AF_INET, "0.0.0.0"), (socket.AF_INET6, "::")):  # noqa: S104
        try:
            bound.append(_bind_to(family, host, port, bind_socket))
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


def _bind_to(family: int, host: str, port: int, bind_socket: BindSocket) -> socket.socket:
    numeric = socket.getaddrinfo(
        host, port, family, socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST
    )
    return bind_socket(family, numeric[0][4])


def _bind_socket(family: int, address: Any, *, is_shared: bool = False) -> socket.socket:
    """
    :param is_shared: whether other sockets with this option may listen as well.
    """
    bound = socket.socket(family, socket.SOCK_STREAM)
    try:
        # Lingering connections of a predecessor must not block its port.
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        # Accepted connections inherit it: each of our writes is a whole message.
        bound.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        _bind(bound, address, is_shared)
    except BaseException:
        bound.close()
        raise
    return bound


def _bind_datagram_socket(family: int, address: Any, *, is_shared: bool = False) -> socket.socket:
    # Without SO_REUSEADDR: for datagrams it would let two processes have the same address.
    bound = socket.socket(family, socket.SOCK_DGRAM)
    try:
        bound.setblocking(False)
        _bind(bound, address, is_shared)
    except BaseException:
        bound.close()
        raise
    return bound


def _bind(bound: socket.socket, address: Any, is_shared: bool) -> None:
    if is_shared:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    if bound.family == socket.AF_INET6:
        # Else an IPv4 client would be ::ffff:192.0.2.1 and match no trusted-proxies.
        bound.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    bound.bind(address)


def _bind_unix(address: UNIXPath) -> BoundSocket:
    """Bind a socket in the file system; with a lock, replace that of a dead process."""
    lock = _take_lock(address.path) if address.has_lock else None
    bound = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        if lock is not None:
            _remove_stale(address.path)
        bound.bind(os.fspath(address.path))
        # No client can connect before this: the socket does not listen yet.
        address.path.chmod(address.mode)
    except BaseException:
        bound.close()
        if lock is not None:
            lock.close()
        raise
    return BoundSocket(bound, lambda: _remove_unix(address.path, lock))


def _take_lock(path: Path) -> IO[bytes]:
    """
    Twisted's own lock contains the process id, which changes when the process becomes a
    daemon. A lock of the system survives that.

    :raises OSError: EADDRINUSE if another process has the lock.
    """
    lock = open(f"{path}.lock", "ab")  # noqa: SIM115 - held until the socket is closed
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        lock.close()
        raise OSError(errno.EADDRINUSE, os.strerror(errno.EADDRINUSE)) from None
    return lock


def _remove_stale(path: Path) -> None:
    """Remove a socket without a listener; a file of another kind stays."""
    with contextlib.suppress(FileNotFoundError):
        if stat.S_ISSOCK(path.lstat().st_mode):
            path.unlink()


def _remove_unix(path: Path, lock: IO[bytes] | None) -> None:
    """Remove the socket. The lock file stays: another process may be opening it."""
    # After privileges are shed, the folder may not be writable.
    with contextlib.suppress(OSError):
        path.unlink()
    if lock is not None:
        lock.close()


def _adopt(inherited: InheritedSocket) -> BoundSocket:
    """Adopt a socket of systemd: it listens already, and systemd removes it."""
    if inherited.descriptor < 0:
        raise ListenError(
            f"systemd has passed on no socket of the name {inherited.name} to this process:"
            " the unit with this FileDescriptorName has to be enabled"
        )
    descriptor = os.dup(inherited.descriptor)
    try:
        adopted = socket.socket(fileno=descriptor)
    except OSError:
        os.close(descriptor)
        raise
    if adopted.family != inherited.family or adopted.type != socket.SOCK_STREAM:
        found = f"{adopted.family.name}, {adopted.type.name}"
        adopted.close()
        raise ListenError(f"the socket of systemd is of another kind: {found}")
    return BoundSocket(adopted, is_inherited=True)
