"""Tests of what of a request is hashed."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from ingress.policy.hash_key import parse_hash_key
from ingress.policy.variables import VariableUnknown
from ingress.testing import policy_context, rule_scope


def key(written: str, *, address: bytes = b"192.0.2.1") -> bytes:
    source = policy_context(target=b"/a/b", host=b"example.com", address=address)
    return parse_hash_key(written).of(source)


class KeyTests(SynchronousTestCase):
    """Variables and the text around them make the key."""

    def test_text(self) -> None:
        """Text stands for itself."""
        self.assertEqual(key("a-$host-b"), b"a-example.com-b")

    def test_empty(self) -> None:
        """There is no key where no variable has a value; text alone is a key."""
        self.assertEqual(key("$http_x-text"), b"")
        self.assertEqual(key("$remote_addr", address=b""), b"")
        self.assertEqual(key("$http_x-$host"), b"-example.com")
        self.assertEqual(key("constant"), b"constant")

    def test_distinct(self) -> None:
        """Values of several variables are not confused where they meet."""
        hash_key = parse_hash_key("$arg_a$arg_b")
        one, other = (policy_context(target=b"/?" + query) for query in (b"a=xy&b=z", b"a=x&b=yz"))
        self.assertEqual(hash_key.of(one), hash_key.of(other))
        self.assertNotEqual(hash_key.distinct(one), hash_key.distinct(other))
        self.assertEqual(hash_key.distinct(policy_context()), b"")

    def test_rule(self) -> None:
        """A variable of the rule gets its value when the key is adapted to the rule."""
        adapted = parse_hash_key("$service_name$uri").at(rule_scope(service="shop"))
        self.assertEqual(adapted.of(policy_context(target=b"/a")), b"shop/a")
        plain = parse_hash_key("$uri")
        self.assertIs(plain.at(rule_scope()), plain)

    def test_unknown(self) -> None:
        """A variable that is not in the table is refused."""
        error = self.assertRaises(VariableUnknown, parse_hash_key, "$connection")
        self.assertIn("no variable $connection;", str(error))
