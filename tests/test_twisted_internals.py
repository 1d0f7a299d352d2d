"""
Tests for what the port and the reactor use of Twisted beyond its public interface.

A new Twisted may change these names without notice. The tests then say which ones, so that
nobody has to conclude it from the behaviour of connections.
"""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Iterator

from twisted.internet import tcp
from twisted.internet.epollreactor import EPollReactor
from twisted.trial.unittest import SynchronousTestCase

from ingress.downstream import accepting_port
from ingress.transports import reactor

MODULES = (reactor, accepting_port)

BASES = (tcp.Port, EPollReactor)

METHODS: dict[tuple[type, str], list[str]] = {
    (tcp.Port, "_logConnectionLostMsg"): [],
}
"""What is called or overridden, and its parameters."""

ATTRIBUTES = {
    (tcp.Port, "_realPortNumber"),
    (tcp.Port, "_shouldShutdown"),
    (EPollReactor, "_poller"),
    (EPollReactor, "_internalReaders"),
}
"""What is read or set."""


def find_defined(base: type) -> Iterator[str]:
    """:return: the names that a class of Twisted defines, in its body and on instances."""
    for each in base.__mro__[:-1]:
        if not each.__module__.startswith("twisted."):
            continue
        for node in ast.walk(ast.parse(textwrap.dedent(inspect.getsource(each)))):
            match node:
                case ast.FunctionDef(name=name) | ast.Name(id=name, ctx=ast.Store()):
                    yield name
                case ast.Attribute(value=ast.Name("self"), attr=name, ctx=ast.Store()):
                    yield name


class InternalsTests(SynchronousTestCase):
    """Twisted has what is used of its internals."""

    def test_methods(self) -> None:
        """Every method is there, with the same parameters."""
        found = {
            (base, name): list(inspect.signature(getattr(base, name)).parameters)
            for base, name in METHODS
            if hasattr(base, name)
        }
        self.assertEqual(found, {key: ["self", *names] for key, names in METHODS.items()})

    def test_attributes(self) -> None:
        """Every attribute is one that Twisted sets."""
        missing = {(base, name) for base, name in ATTRIBUTES if name not in find_defined(base)}
        self.assertEqual(missing, set())

    def test_complete(self) -> None:
        """Everything private of Twisted that these modules use is listed here."""
        private = {name for base in BASES for name in find_defined(base) if name.startswith("_")}
        used = {
            node.attr if isinstance(node, ast.Attribute) else node.name
            for module in MODULES
            for node in ast.walk(ast.parse(inspect.getsource(module)))
            if isinstance(node, ast.Attribute | ast.FunctionDef)
        }
        listed = {name for _, name in (*METHODS, *ATTRIBUTES)}
        unlisted = {name for name in used & private if not name.startswith("__")} - listed
        self.assertEqual(unlisted, set())
