"""
Tests for `ingress.kube.unread`.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from ingress.kube.objects import Ingress
from ingress.kube.unread import TextRemains, remains_of_text
from ingress.problem import Origin
from ingress.steps import finish

ORIGIN = Origin("a.yaml", 7)
INGRESS = """\
kind: Ingress
metadata:
  name: admin
  namespace: shop
  annotations:
    nginx.ingress.kubernetes.io/auth-type: basic
    nginx.ingress.kubernetes.io/whitelist-source-range: "10.0.0.0/8"
spec:
  rules:
  - host: A.example
    http:
      paths:
      - path: /admin
        pathType: Prefix
"""


def remains(text: str) -> TextRemains:
    return finish(remains_of_text(text, ORIGIN))


class ConfigMapTests(SynchronousTestCase):
    """A ConfigMap is recognised in text that is neither YAML nor JSON."""

    def holds(self, text: str, namespace: str, name: str) -> bool:
        return any(each.may_hold((namespace, name)) for each in remains(text).unread)

    def test_recognised(self) -> None:
        """Its kind and its name are enough, however they are written."""
        for text in (
            "kind: ConfigMap\nmetadata:\n  name: a\n  namespace: b\ndata:\n\tc: d",
            "metadata: {namespace: b, name: 'a'}\nkind: \"ConfigMap\" # c\n: :",
            '{"kind":"ConfigMap","metadata":{"name":"a","namespace":"b"},}',
            "kind: ConfigMapList\nitems: [metadata: {name: a, namespace: b}",
        ):
            with self.subTest(text=text):
                self.assertTrue(self.holds(text, "b", "a"))
                self.assertFalse(self.holds(text, "b", "c"))
                self.assertFalse(self.holds(text, "c", "a"))
        self.assertTrue(self.holds("kind: ConfigMap\nname: a", "default", "a"))
        self.assertTrue(self.holds("kind: ConfigMap\nname: a\nnamespace: b", "default", "a"))

    def test_unknown(self) -> None:
        """A name that stands elsewhere may be any."""
        self.assertTrue(self.holds("kind: ConfigMap", "default", "a"))
        self.assertTrue(self.holds("kind: ConfigMap\nname:\n  a\nname: b", "default", "a"))

    def test_others(self) -> None:
        """Another kind is none."""
        for text in ("kind: Ingress\nname: a", "", "name: ConfigMap", "subkind: ConfigMap"):
            self.assertEqual(remains(text).unread, (), text)

    def test_long(self) -> None:
        """It is found in a text of any length, also where two parts of the search meet."""
        for before in (0, 15_330, 15_351, 16_380, 200_000):
            text = f"{'# x' * (before // 3)}\nkind: ConfigMap\nname: a\n{'#' * 300_000}"
            self.assertTrue(self.holds(text, "default", "a"), before)
            self.assertFalse(self.holds(text, "default", "b"), before)


class IngressTests(SynchronousTestCase):
    """What an Ingress may have guarded is recognised."""

    def guards(self, text: str) -> list[Ingress]:
        found = remains(text).guards
        self.assertTrue(all(item.only_guards for item in found))
        return list(found)

    def rules(self, text: str) -> list[tuple[str, list[str] | None]]:
        [item] = self.guards(text)
        return [
            (rule.host, [path.path for path in rule.http.paths] if rule.http else None)
            for rule in item.spec.rules
        ]

    def test_whole(self) -> None:
        """Namespace, annotations, hosts and paths are those of the text."""
        [item] = self.guards(INGRESS)
        self.assertEqual(item.key, ("shop", "a.yaml, line 7"))
        self.assertEqual(
            item.metadata.annotations,
            {
                "nginx.ingress.kubernetes.io/auth-type": "basic",
                "nginx.ingress.kubernetes.io/whitelist-source-range": "10.0.0.0/8",
            },
        )
        self.assertEqual(self.rules(INGRESS), [("a.example", ["/admin"])])

    def test_paths(self) -> None:
        """One path that is not plain stands for all of the host."""
        for path in ("/a(/|$)(.*)", "/a[0-9]", "", "a", "|", "/a//b", "*anchor"):
            text = INGRESS.replace("/admin", path)
            self.assertEqual(self.rules(text), [("a.example", None)], path)
        without = INGRESS.replace("      - path: /admin\n", "")
        self.assertEqual(self.rules(without), [("a.example", None)])

    def test_hosts(self) -> None:
        """A rule without a host is for every host, and so is an Ingress without rules."""
        text = f"{INGRESS}  - http:\n      paths:\n      - path: /b\n"
        self.assertEqual(
            self.rules(text), [("a.example", ["/admin", "/b"]), ("", ["/admin", "/b"])]
        )

    def test_class(self) -> None:
        """The class is known by its field or by its annotation."""
        [item] = self.guards(INGRESS.replace("spec:", "spec:\n  ingressClassName: inner"))
        self.assertEqual(item.spec.ingress_class_name, "inner")
        old = INGRESS.replace("annotations:", "annotations:\n    kubernetes.io/ingress.class: x")
        [item] = self.guards(old)
        self.assertEqual(item.metadata.annotations["kubernetes.io/ingress.class"], "x")
        several = f"{old}ingressClassName: a\ningressClassName: b\n"
        self.assertEqual(
            [item.spec.ingress_class_name for item in self.guards(several)], ["a", "b", None]
        )
        self.assertEqual(len({item.key for item in self.guards(several)}), 3)

    def test_namespaces(self) -> None:
        """Each namespace has its own, because an Ingress closes nothing of others."""
        text = f"{INGRESS}---\n{INGRESS.replace('shop', 'bank')}"
        self.assertEqual(
            [item.key for item in self.guards(text)],
            [("shop", "a.yaml, line 7"), ("bank", "a.yaml, line 7 (1)")],
        )
        without = INGRESS.replace("  namespace: shop\n", "")
        self.assertEqual(
            [item.metadata.namespace for item in self.guards(f"{INGRESS}---\n{without}")],
            ["shop", "default"],
        )
        many = "".join(f"namespace: n{n}\n" for n in range(999))
        self.assertEqual(len(self.guards(f"{INGRESS}{many}")), 100)

    def test_nothing(self) -> None:
        """Without annotations nothing was guarded, nor by a canary, nor by another kind."""
        prefix = "nginx.ingress.kubernetes.io/"
        canary = INGRESS.replace("annotations:", f'annotations:\n    {prefix}canary: "true"')
        for text in (
            "kind: Ingress\nhost: a.example\n",
            canary,
            INGRESS.replace("kind: Ingress", "kind: Other"),
        ):
            self.assertEqual(self.guards(text), [], text)
        self.assertEqual(len(self.guards(canary.replace('"true"', '"false"'))), 1)
        self.assertEqual(len(self.guards(f"{canary}---\n{INGRESS}")), 1)

    def test_bounds(self) -> None:
        """A text of many hosts, paths or annotations comes to as much as can be built."""
        many = "".join(f"host: h{n}\npath: /p{n}\na.b/c{n}: d\n" for n in range(3000))
        [item] = self.guards(f"kind: Ingress\n{many}")
        self.assertEqual(len(item.spec.rules), 1000)
        self.assertEqual(len(item.metadata.annotations), 1000)
        self.assertEqual({rule.http for rule in item.spec.rules}, {None})
        hostile = "a" * 1_000_000 + "/" + "." * 1_000_000 + "host" * 100_000
        self.assertEqual(self.guards(f"kind: Ingress\n{hostile}"), [])
