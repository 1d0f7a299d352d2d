"""
Tests for `ingress.explain.left_out`, `ingress.explain.not_found` and `ingress.explain.remedies`: what an
explanation says of what is written and not served.
"""

from __future__ import annotations

from dataclasses import replace

import msgspec
from twisted.trial.unittest import SynchronousTestCase

from ingress.config import Hosts
from ingress.explain.asked import ask
from ingress.explain.explanation import Explanation, explain
from ingress.explain.left_out import MOST, MOST_UNKNOWN
from ingress.explain.remedies import remedy_of
from ingress.explain.told import TO_CHANGE
from ingress.kube.objects import IngressBackend
from ingress.problem import Origin, Problem
from ingress.problem_code import KINDS, Code, Severity
from tests.support.objects import FILES, NOW, built, ingress, served

SHOP = ingress("shop.example", {"/cart": "web:80", "/b%zz/d": "web:80"}, name="shop")


def explained(
    url: str, *objects: object, problems: tuple[Problem, ...] = (), config: object = FILES
) -> Explanation:
    result = built(*objects, served("web"), config=config)  # type: ignore[arg-type]
    known = (*problems, *result.all_problems())
    return explain(result, ask(url), now=NOW, problems=known)


def invalid(name: str) -> Problem:
    """That of an Ingress that is not used."""
    return Problem(
        "must be Exact, Prefix or ImplementationSpecific; the object is not used",
        "Ingress", "shop", name, "spec.rules[0].http.paths[0].pathType", '"Prefx"',
        Origin(f"{name}.yaml", 7), Code.OBJECT_INVALID,
    )  # fmt: skip


class LeftOutTests(SynchronousTestCase):
    def told(self, explanation: Explanation, code: Code) -> int:
        """Check that a Problem is named with a remedy behind it; return where."""
        self.assertEqual(explanation.status, 404)
        hints = explanation.hints
        [index] = [at for at, each in enumerate(hints) if f": {code} " in each]
        self.assertTrue(hints[index + 1].startswith(TO_CHANGE), hints)
        self.assertTrue(hints[-1].startswith(TO_CHANGE), hints)
        self.assertIn(code, {each.code for each in explanation.problems})
        return index

    def test_path(self) -> None:
        """A path that no request has is named on a host with other rules, the nearer one first."""
        self.assertEqual(
            self.told(explained("http://shop.example/b", SHOP), Code.PATH_IMPOSSIBLE), 0
        )
        explanation = explained("http://shop.example/cart2", SHOP)
        self.assertEqual(self.told(explanation, Code.PATH_IMPOSSIBLE), 2)
        self.assertIn("nearest: Prefix /cart", explanation.hints[0])

    def test_same_host(self) -> None:
        """What is left out of other hosts is not told; that of a host without rules is."""
        other = ingress("other.example", {"/a": "web:80"}, name="other")
        hints = explained("http://other.example/b", SHOP, other).hints
        self.assertNotIn("RUL004", " ".join(hints))
        alone = ingress("alone.example", {"/b%zz": "web:80"}, name="alone")
        for found in (
            explained("http://alone.example/b", alone),
            explained(
                "http://sub.alone.example/b", ingress("*.alone.example", {"/b%zz": "web:80"})
            ),
        ):
            self.told(found, Code.PATH_IMPOSSIBLE)

    def test_ownership(self) -> None:
        """Rules of a namespace that does not have the host are named first if they would match."""
        config = replace(FILES, hosts=Hosts(ownership="namespace"))
        late = ingress("shop.example", {"/late": "web:80"}, name="late/late", created="2026-02-01")
        shop = ingress("shop.example", {"/cart": "web:80"}, name="shop", created="2026-01-01")
        explanation = explained("http://shop.example/late/1", shop, late, config=config)
        self.assertEqual(self.told(explanation, Code.HOST_TAKEN), 0)
        self.assertTrue(explanation.hints[0].startswith("left out, and would match: "))

    def test_duplicate(self) -> None:
        """So is a rule that another one has."""
        again = ingress("shop.example", {"/cart": "web:80"}, name="shop2")
        self.told(explained("http://shop.example/cart2", SHOP, again), Code.RULE_TAKEN)

    def test_backend(self) -> None:
        """A rule whose backend is no Service answers 404, and says why."""
        (rule,) = SHOP.spec.rules
        assert rule.http is not None
        bucket = msgspec.structs.replace(rule.http.paths[0], backend=IngressBackend())
        http = msgspec.structs.replace(rule.http, paths=(bucket,))
        rule = msgspec.structs.replace(rule, http=http)
        shop = msgspec.structs.replace(SHOP, spec=msgspec.structs.replace(SHOP.spec, rules=(rule,)))
        self.told(explained("http://shop.example/cart", shop), Code.BACKEND_NO_SERVICE)

    def test_catch_all(self) -> None:
        """An Ingress that is left out whole is named for each of its hosts."""
        whole = ingress("shop.example", {"/": "web:80"}, name="whole", default="web:80")
        config = replace(FILES, catch_all=False)
        explanation = explained("http://shop.example/", whole, config=config)
        self.told(explanation, Code.CATCH_ALL_REFUSED)

    def test_class(self) -> None:
        """An Ingress of another class is named if it would match, on a host with other rules too."""
        other = ingress("shop.example", {"/other": "web:80"}, name="o", class_annotation="nginx")
        config = replace(FILES, source=replace(FILES.source, paths=()))
        shop = ingress("shop.example", {"/cart": "web:80"}, class_name=config.ingress_class.name)
        hints = explained("http://shop.example/other/1", shop, other, config=config).hints
        self.assertIn("Ingress default/o has a rule for it, but is of the class nginx", hints[0])
        self.assertIn(f"its ingressClassName to {config.ingress_class.name}", hints[1])
        hints = explained("http://shop.example/else", shop, other, config=config).hints
        self.assertIn("nearest: ", hints[0])

    def test_not_read(self) -> None:
        """Ingresses and files that could not be read are told last, and no more than some."""
        faults = tuple(invalid(f"bad{number}") for number in range(9))
        file = Problem("is not YAML", origin=Origin("b.yaml", 3), code=Code.FILE_NOT_PARSED)
        for url in ("http://shop.example/x", "http://none.example/"):
            explanation = explained(url, SHOP, problems=(file, faults[0]))
            self.assertLess(
                self.told(explanation, Code.OBJECT_INVALID),
                self.told(explanation, Code.FILE_NOT_PARSED),
            )
            explanation = explained(url, SHOP, problems=(file, *faults))
            named = [each for each in explanation.hints if "OBJ001" in each]
            self.assertEqual(len(named), MOST_UNKNOWN)
            self.assertIn("bad0.yaml, line 7", named[0])
            self.told(explanation, Code.FILE_NOT_PARSED)
            self.assertIn("what else is left out", explanation.hints[-1])
            self.assertLess(len(explanation.problems), len(faults))

    def test_bounded(self) -> None:
        """Of a host with many rules that are left out some are named, the nearest first."""
        paths = {f"/{number}%zz": "web:80" for number in range(9)}
        many = ingress("shop.example", paths, name="many")
        hints = explained("http://shop.example/8", many, SHOP).hints
        named = [each for each in hints if each.startswith("left out")]
        self.assertEqual(len(named), MOST)
        self.assertIn('"/8%zz"', named[0])
        self.assertIn("what else is left out", hints[-1])

    def test_like_pattern(self) -> None:
        """A path that looks like a regular expression is told if it would match as one."""
        plain = ingress("shop.example", {"~/v1(/|$)(.*)": "web:80"}, name="plain")
        found = explained("http://shop.example/v1/a", plain)
        self.assertEqual(self.told(found, Code.PATH_LIKE_PATTERN), 0)
        hints = " ".join(explained("http://shop.example/v2", plain).hints)
        self.assertNotIn("RUL005", hints)

    def test_matched(self) -> None:
        """Where a rule answers nothing of all this is told."""
        file = Problem("is not YAML", origin=Origin("b.yaml", 3), code=Code.FILE_NOT_PARSED)
        explanation = explained("http://shop.example/cart", SHOP, problems=(file, invalid("bad")))
        self.assertEqual(explanation.hints, ())


class ClosedTests(SynchronousTestCase):
    """A path that is closed says what to change."""

    def test_value(self) -> None:
        """It is the value of an annotation, with what is accepted."""
        annotations = {"whitelist-source-range": "10.0.0.0/99"}
        web = ingress("a.example", {"/": "web:80"}, annotations=annotations)
        because, change = explained("http://a.example/", web).hints
        self.assertIn("a list of IP addresses and CIDR ranges is accepted", because)
        self.assertIn("to change: the value of whitelist-source-range to what is accepted", change)

    def test_secret(self) -> None:
        """A Secret that is not there is to be made."""
        annotations = {"auth-type": "basic", "auth-secret": "missing"}
        web = ingress("a.example", {"/": "web:80"}, annotations=annotations)
        _, change = explained("http://a.example/", web).hints
        self.assertIn("to change: what auth-secret names: make it", change)

    def test_fault(self) -> None:
        """Where an object with a fault is closed, the fault itself is told."""
        annotations = {"auth-url": "http://auth.default.svc/"}
        web = msgspec.structs.replace(
            ingress("a.example", {"/": "web:80"}, annotations=annotations), only_guards=True
        )
        fault = replace(invalid("web"), namespace="default")
        hints = explained("http://a.example/", web, problems=(fault,)).hints
        self.assertEqual(len(hints), 4)
        told = " ".join(hints)
        for words in ("ANN007", "OBJ001 web.yaml, line 7", "must be Exact", "pathType of Ingress"):
            self.assertIn(words, told)

    def test_policy(self) -> None:
        """An answer of a policy names it, and where it comes from."""
        annotations = {"whitelist-source-range": "192.0.2.0/24"}
        web = ingress("a.example", {"/": "web:80"}, annotations=annotations)
        by, change = explained("http://a.example/", web).hints
        self.assertIn("by whitelist-source-range, at Prefix / of Ingress default/web", by)
        self.assertEqual(change, "to change: the request, or whitelist-source-range")


class RemedyTests(SynchronousTestCase):
    def test_all(self) -> None:
        """Each error of rules, files, certificates and closed paths has a remedy."""
        without = {
            code
            for code in Code
            if KINDS[code].severity is Severity.ERROR
            and code[:3] in ("RUL", "FIL", "ANN", "OBJ")
            and not remedy_of(Problem("", "Ingress", "a", "b", code=code))
        }
        self.assertEqual(without, {Code.OBJECT_NAMELESS})
