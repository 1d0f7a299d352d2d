"""
Tests for `ingress.command.surprises`.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from ingress.command.surprises import surprises_of
from ingress.kube.objects import Ingress
from tests.support.objects import built, ingress

SERVICE = "web:80"
PATTERNS = {"use-regex": "true"}


def found(*ingresses: Ingress) -> list[tuple[str, str, str]]:
    """:return: code, Ingress and value of each, in order."""
    problems = surprises_of(built(*ingresses))
    return sorted((str(each.code), each.name, each.value.strip('"')) for each in problems)


class SurpriseTests(SynchronousTestCase):
    def test_nothing(self) -> None:
        """A plain path surprises nobody."""
        self.assertEqual(found(ingress("a.example", {"/": SERVICE, "=/b": SERVICE})), [])

    def test_loose(self) -> None:
        """An expression without end, or with letters, takes more than it shows."""
        for path, is_told in (
            ("/api", True),
            ("/[0-9]+", True),
            ("/[0-9]+$", False),
            ("/[0-9]+(/|$)(.*)", False),
            ("/v(.*)", True),
            (r"/\d+$", False),
        ):
            codes = found(ingress("a.example", {f"~{path}": SERVICE}, annotations=PATTERNS))
            self.assertEqual(codes, [("NGX001", "web", path)] if is_told else [], path)

    def test_loose_words(self) -> None:
        """The message says what follows for this very path."""
        (letters,) = surprises_of(
            built(ingress("a.example", {"~/api$": SERVICE}, annotations=PATTERNS))
        )
        self.assertNotIn("goes on behind", letters.message)
        self.assertIn("upper and lower case", letters.message)

    def test_of_another(self) -> None:
        """The other Ingresses of the namespace on the host are told who changes their paths."""
        first = ingress("a.example", {"~/[0-9]+$": SERVICE}, name="first", annotations=PATTERNS)
        same = ingress("a.example", {"=/login": SERVICE, "/": SERVICE}, name="same")
        others = (
            ingress("b.example", {"/login": SERVICE}, name="host"),
            ingress("a.example", {"/cart": SERVICE}, name="shop/space"),
        )
        self.assertEqual(found(first, same, *others), [("NGX002", "same", "/login")])
        (problem,) = surprises_of(built(first, same))
        self.assertIn("Ingress default/first", problem.message)
        self.assertIn("Exact has no effect", problem.message)

    def test_rewrite(self) -> None:
        """A rewrite makes expressions, unless it changes nothing or use-regex says so anyway."""
        paths = {"~/[0-9]+(/|$)(.*)": SERVICE}
        target = {"rewrite-target": "/$2"}
        alone = ingress("a.example", paths, annotations=target)
        self.assertEqual(found(alone), [("NGX003", "web", "/$2")])
        self.assertEqual(found(ingress("a.example", paths, annotations=target | PATTERNS)), [])
        same = ingress("a.example", {"/shop": SERVICE}, annotations={"rewrite-target": "/shop"})
        self.assertEqual(found(same), [])

    def test_slash(self) -> None:
        """A last slash that ingress-nginx added, unless another rule has the path without it."""
        docs = {"/docs/": SERVICE}
        self.assertEqual(found(ingress("a.example", docs)), [("NGX004", "web", "/docs/")])
        self.assertEqual(found(ingress("a.example", {**docs, "=/docs": SERVICE})), [])
        elsewhere = ingress("a.example", {"/docs": SERVICE}, name="other")
        self.assertEqual(found(ingress("a.example", docs), elsewhere), [])
        (exact,) = surprises_of(built(ingress("a.example", {"=/docs/": SERVICE})))
        self.assertIn("does not take", exact.message)

    def test_escapes(self) -> None:
        """Paths that are compared as they are sent, and not decoded."""
        escaped = ("NGX005", "web", "/1%202")
        self.assertEqual(found(ingress("a.example", {"/1%202": SERVICE})), [escaped])
        for path in ("/[0-9]%20$", r"/[0-9]\s$", "/1 2$", "/é$"):
            codes = found(ingress("a.example", {f"~{path}": SERVICE}, annotations=PATTERNS))
            self.assertIn("NGX005", [code for code, *_ in codes], path)
