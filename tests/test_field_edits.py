"""Tests of `ingress.field_edits`."""

from __future__ import annotations

import pickle

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from ingress.field_edits import CONNECTION_FIELDS, NO_EDITS, FieldEdits

FIELDS = [(b"A", b"1"), (b"b", b"2"), (b"a", b"3"), (b"C", b"4")]

names = st.sampled_from([b"A", b"a", b"B", b"c", b"D"])
pairs = st.lists(st.tuples(names, st.sampled_from([b"", b"x", b"y z"])), max_size=3)
edits = st.builds(
    lambda replace, add, remove: FieldEdits(
        tuple(replace), tuple(add), frozenset(name.lower() for name in remove)
    ),
    pairs,
    pairs,
    st.sets(names, max_size=3),
)


class FieldEditsTests(SynchronousTestCase):
    def test_replace(self) -> None:
        """A field takes the place of all others of its name, in whatever case."""
        changed = FieldEdits(replace=((b"A", b"x"),)).apply(FIELDS)
        self.assertEqual(changed, [(b"b", b"2"), (b"C", b"4"), (b"A", b"x")])

    def test_add(self) -> None:
        """A field is added beside those of its name."""
        changed = FieldEdits(add=((b"A", b"x"),)).apply(FIELDS)
        self.assertEqual(changed, [*FIELDS, (b"A", b"x")])

    def test_remove(self) -> None:
        """Fields are removed by name, in whatever case."""
        changed = FieldEdits(remove=frozenset({b"a"})).apply(FIELDS)
        self.assertEqual(changed, [(b"b", b"2"), (b"C", b"4")])

    def test_other_spellings(self) -> None:
        """Of a client's fields those go as well that a program cannot tell from a dropped one."""
        spoofed = [
            (b"X_User", b"evil"),
            (b"x.user", b"evil"),
            (b"X-User", b"evil"),
            (b"Y_User", b"1"),
        ]
        changed = FieldEdits(replace=((b"X-User", b"alice"),))
        self.assertEqual(
            changed.apply_to_request(spoofed), [(b"Y_User", b"1"), (b"X-User", b"alice")]
        )
        self.assertIn((b"X_User", b"evil"), changed.apply(spoofed))

    def test_none(self) -> None:
        """Edits without effect are false, and have an empty key."""
        self.assertFalse(FieldEdits())
        self.assertEqual(FieldEdits().key, b"")
        self.assertEqual(NO_EDITS.apply(FIELDS), FIELDS)

    def test_host(self) -> None:
        """A Host is apart, because it is no field of a request."""
        host = FieldEdits(replace=((b"Host", b"a.example"), (b"X", b"1")))
        self.assertEqual(host.host, b"a.example")
        self.assertEqual(host.apply([]), [(b"X", b"1")])
        self.assertIsNone(NO_EDITS.host)

    def test_refused(self) -> None:
        """What would end a field, or frame the message, is refused, and its value not shown."""
        for name, value in (
            (b"X", b"secret\r\nY: 1"),
            (b"X", b"secret\n"),
            (b"X", b"secret\0"),
            (b"X", b" secret"),
            (b"X", b"secret\t"),
            (b"X Y", b"secret"),
            (b"", b"secret"),
            (b"X:", b"secret"),
            *((name, b"secret") for name in CONNECTION_FIELDS),
        ):
            for make in (
                lambda pair: FieldEdits(replace=(pair,)),
                lambda pair: FieldEdits(add=(pair,)),
            ):
                with self.subTest(name=name, value=value):
                    error = self.assertRaises(ValueError, make, (name, value))
                    self.assertNotIn("secret", str(error))
        for name in (*CONNECTION_FIELDS, b"", b"a b"):
            self.assertRaises(ValueError, FieldEdits, remove=frozenset({name}))

    @given(edits, edits, pairs)
    def test_then(
        self, first: FieldEdits, second: FieldEdits, fields: list[tuple[bytes, bytes]]
    ) -> None:
        """One after the other is the same as both in one go, but for the order of names."""
        expected = second.apply(first.apply(fields))
        self.assertEqual(sorted(first.then(second).apply(fields)), sorted(expected))

    @given(edits, edits)
    def test_key(self, one: FieldEdits, other: FieldEdits) -> None:
        """Keys are equal where edits are, and only there."""
        self.assertEqual(one.key == other.key, one == other)

    def test_pickled(self) -> None:
        """Edits survive the way to a worker, and no edits are the same object there."""
        one = FieldEdits(replace=((b"A", b"x"),))
        self.assertEqual(pickle.loads(pickle.dumps(one)).key, one.key)
        self.assertIs(pickle.loads(pickle.dumps(NO_EDITS)), NO_EDITS)
