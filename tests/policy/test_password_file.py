"""Tests of files and maps of passwords."""

from __future__ import annotations

import pickle
from typing import NamedTuple

from twisted.trial.unittest import SynchronousTestCase

from ingress.policy.password_file import (
    MAX_FAULTS,
    PasswordFile,
    Passwords,
    read_password_file,
    read_password_map,
)
from ingress.policy.secret_content import SecretFault

SHA = b"{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ="
DES = b"UnxmzQAXtRhWw"


class Secret(NamedTuple):
    data: dict[str, bytes]


def read(data: bytes) -> PasswordFile:
    return read_password_file(Secret({"auth": data}))


class FileTests(SynchronousTestCase):
    def test_lines(self) -> None:
        """Each line has a user, a hash and maybe a comment; lines may be empty or comments."""
        data = b"# users\r\nalice:" + SHA + b"\r\n\nbob:" + DES + b":the builder\n \ncarol:" + SHA
        passwords, faults = read(data)
        self.assertEqual(faults, ())
        self.assertEqual([passwords.of(user) for user in (b"alice", b"bob")], [SHA, DES])
        self.assertEqual(passwords.of(b"carol"), SHA)
        self.assertEqual(
            (passwords.of(b"# users"), passwords.of(b""), len(passwords)), (None,) * 2 + (3,)
        )

    def test_faults(self) -> None:
        """A bad line lets nobody in, harms no other one, and is named without its content."""
        bad = (
            b"alice",
            b"alice:",
            b":" + SHA,
            b"alice:hunter2",
            b":",
            b"alice:" + SHA[:-1],
            b"\xff:\0",
        )
        for line in bad:
            passwords, (fault,) = read(b"bob:" + SHA + b"\n" + line + b"\ncarol:" + DES)
            self.assertEqual((len(passwords), passwords.of(b"carol")), (2, DES))
            self.assertTrue(fault.startswith("line 2 has no "), fault)
            self.assertNotIn("alice", fault)

    def test_again(self) -> None:
        """The first line of a user counts, as in nginx, a bad one as well."""
        passwords, faults = read(b"alice:" + SHA + b"\nalice:" + DES)
        self.assertEqual(passwords.of(b"alice"), SHA)
        self.assertEqual(faults, ("line 2 has a user of an earlier line, which counts",))
        passwords, faults = read(b"alice:x\nalice:" + DES + b"\nbob:" + SHA)
        self.assertEqual((passwords.of(b"alice"), len(passwords)), (None, 1))

    def test_many_faults(self) -> None:
        """Of many faults the first ones are named."""
        _, faults = read(b"x\n" * 1000)
        self.assertEqual(len(faults), MAX_FAULTS + 2)
        self.assertEqual(faults[-2], f"{1000 - MAX_FAULTS} more lines have faults")

    def test_empty(self) -> None:
        """A file without users is one that lets nobody in."""
        for data in (b"", b"\n\n", b"# nobody"):
            passwords, faults = read(data)
            self.assertEqual((len(passwords), passwords.decoy(7)), (0, None))
            self.assertEqual(faults, ("has no user that could be let in",))

    def test_no_key(self) -> None:
        """A Secret without the key is a fault, and its content is not in it."""
        fault = self.assertRaises(SecretFault, read_password_file, Secret({"hunter2": SHA}))
        self.assertEqual(str(fault), "has no key auth")


class MapTests(SynchronousTestCase):
    def test_map(self) -> None:
        """Each key is a user and its value a hash, with or without an end of line."""
        passwords, faults = read_password_map(Secret({"bob": DES + b"\n", "alice": SHA}))
        self.assertEqual((passwords.of(b"alice"), passwords.of(b"bob"), faults), (SHA, DES, ()))

    def test_faults(self) -> None:
        """A bad value lets nobody in, and is named by its number."""
        data = {"alice": SHA + b"\nmallory:" + SHA, "bob": DES, "carol": b""}
        passwords, faults = read_password_map(Secret(data))
        self.assertEqual((len(passwords), passwords.of(b"mallory")), (1, None))
        self.assertEqual(
            faults,
            tuple(f"key {number} of 3 has no hash of an accepted kind" for number in (1, 3)),
        )
        self.assertEqual(len(read_password_map(Secret({})).passwords), 0)


class PasswordsTests(SynchronousTestCase):
    def test_compared(self) -> None:
        """They are compared by their content, survive pickling, and show nothing of it."""
        one = Passwords({b"alice": SHA, b"bob": DES})
        self.assertEqual(pickle.loads(pickle.dumps(one)), one)
        self.assertEqual(hash(one), hash(Passwords({b"alice": SHA, b"bob": DES})))
        for other in ({b"alice": SHA}, {b"alice": DES, b"bob": SHA}, {b"alicex": SHA, b"bob": DES}):
            self.assertNotEqual(one, Passwords(other))
        self.assertNotEqual(one, SHA)
        self.assertEqual(repr(one), "<Passwords of 2 users>")

    def test_decoy(self) -> None:
        """Any number gives a hash, each one of them."""
        passwords = Passwords({b"alice": SHA, b"bob": DES})
        self.assertEqual({passwords.decoy(number) for number in range(10)}, {SHA, DES})
