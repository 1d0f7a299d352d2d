"""
Tests for `ingress.kube.manifest_update` and `ingress.kube.manifest_file`.
"""

from __future__ import annotations

from datetime import datetime

from twisted.trial.unittest import SynchronousTestCase

from ingress.kube.manifest_content import Content, digest_documents
from ingress.kube.manifest_file import ManifestFile
from ingress.kube.manifest_update import update_file
from ingress.kube.objects import ConfigMap, Ingress, ObjectKey
from ingress.problem import Origin, Problem
from ingress.steps import finish


def config_map(name: str, value: str = "x") -> str:
    return f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}}}\ndata: {{a: {value}}}\n"


def key(name: str) -> ObjectKey:
    return ("ConfigMap", "default", name)


NOON = datetime(2026, 11, 30, 12, 0).timestamp()


def update(text: str, before: ManifestFile, modified: float = 0.0) -> ManifestFile:
    """What a file gives when its text is ``text``."""
    content = Content(digest_documents(text), modified=modified)
    return finish(update_file("f.yaml", content, before))


class UpdateTests(SynchronousTestCase):
    """What is as before stays; what is broken keeps its last good version."""

    def setUp(self) -> None:
        self.before = update(f"{config_map('a')}---\n{config_map('b')}", ManifestFile())
        self.assertEqual(set(self.before.objects), {key("a"), key("b")})

    def messages(self, file: ManifestFile) -> list[str]:
        return [str(problem) for problem in file.problems]

    def test_unchanged(self) -> None:
        """The objects of documents whose text is as before are the same ones, wherever they are now."""
        after = update(
            f"# new\n{config_map('c')}---\n{config_map('b')}---\n{config_map('a', 'y')}",
            self.before,
        )
        self.assertIs(after.objects[key("b")], self.before.objects[key("b")])
        self.assertIsNot(after.objects[key("a")], self.before.objects[key("a")])
        self.assertEqual(
            {name: after.lines[key(name)] for name in "abc"}, {"c": 2, "b": 7, "a": 12}
        )

    def test_same_object(self) -> None:
        """An object is the same one if only the text around it has changed."""
        item = "- apiVersion: v1\n  kind: ConfigMap\n  metadata: {name: a}\n  data: {a: x}\n"
        after = update(f"apiVersion: v1\nkind: List\nitems:\n# moved\n{item}", self.before)
        self.assertIs(after.objects[key("a")], self.before.objects[key("a")])
        self.assertEqual(after.lines[key("a")], 5)

    def test_gone(self) -> None:
        """Objects that are no longer there are gone."""
        self.assertEqual(set(update(config_map("b"), self.before).objects), {key("b")})
        self.assertEqual(update("", self.before).objects, {})

    def test_faulty(self) -> None:
        """An object with a fault keeps its last good version; its neighbours change."""
        after = update(f"{config_map('a', '5')}---\n{config_map('b', 'y')}", self.before)
        self.assertIs(after.objects[key("a")], self.before.objects[key("a")])
        changed = after.objects[key("b")]
        assert isinstance(changed, ConfigMap)
        self.assertEqual(changed.data, {"a": "y"})
        self.assertEqual(
            self.messages(after),
            [
                "f.yaml, line 4: ConfigMap default/a: data[a]: 5: must be a string: put it in"
                " quotes; its last good version is served"
            ],
        )

    def test_faulty_from_the_start(self) -> None:
        """An object that never was good is not there, and its Problem says so."""
        after = update(config_map("z", "5").replace("ConfigMap", "Secret"), self.before)
        self.assertEqual(after.objects, {})
        self.assertIn("put it in quotes; the object is not used", self.messages(after)[0])

    def test_remains(self) -> None:
        """What remains of a ConfigMap that never was good is there, until a good version comes."""
        after = update(config_map("z", "5"), self.before)
        item = after.objects[key("z")]
        assert isinstance(item, ConfigMap)
        self.assertEqual(item.unreadable, ("a",))
        [message] = self.messages(after)
        self.assertIn("put it in quotes; what can be read of the ConfigMap applies", message)
        good = update(config_map("z"), after)
        self.assertEqual(good.problems, ())
        self.assertIs(update(config_map("z", "5"), good).objects[key("z")], good.objects[key("z")])

    def test_broken_config_map(self) -> None:
        """A ConfigMap in a document that cannot be parsed may be any of its names."""
        broken = config_map("z").replace("a: x", "a: x, a: y")
        after = update(f"{config_map('c')}---\n{broken}", ManifestFile())
        self.assertEqual(set(after.objects), {key("c")})
        [place] = after.unread
        self.assertTrue(place.may_hold(("default", "z")))
        self.assertFalse(place.may_hold(("default", "c")))
        self.assertEqual(place.origin, Origin("f.yaml", 5))
        [message] = self.messages(after)
        self.assertIn("appears twice; the document is not used", message)
        good = update(f"{config_map('c')}---\n{config_map('z')}", after)
        self.assertEqual((good.problems, good.unread), ((), ()))
        kept = update(f"{config_map('c')}---\n{broken}", good)
        self.assertIs(kept.objects[key("z")], good.objects[key("z")])
        other = broken.replace("ConfigMap", "Other")
        self.assertEqual(update(other, ManifestFile()).unread, ())

    def test_broken_guard(self) -> None:
        """What a broken Ingress may guard is there until it is mended, or its former version is."""

        def ingress(host: str, more: str = "") -> str:
            return (
                "apiVersion: networking.k8s.io/v1\nkind: Ingress\n"
                f"metadata: {{name: web, annotations: {{a.b/c: d}}}}\n{more}"
                f"spec: {{rules: [{{host: {host}}}]}}\n"
            )

        def guarded(file: ManifestFile) -> list[str]:
            return [
                rule.host
                for item in file.objects.values()
                if isinstance(item, Ingress) and item.only_guards
                for rule in item.spec.rules
            ]

        broken = update(ingress("a.example", "\t"), self.before)
        self.assertEqual(guarded(broken), ["a.example"])
        self.assertEqual(guarded(update(ingress("b.example", "#\n\t"), broken)), ["b.example"])
        good = update(ingress("a.example"), broken)
        self.assertEqual((guarded(good), len(good.objects)), ([], 1))
        edited = update(ingress("a.example", "\t"), good)
        self.assertEqual((guarded(edited), len(edited.objects)), ([], 1))
        added = update(f"{ingress('a.example')}---\n{ingress('b.example', 'x: [')}", good)
        self.assertEqual(guarded(added), ["b.example"])
        self.assertEqual(guarded(update("", added)), [])

    def test_other_version(self) -> None:
        """A faulty version beside a good one of the same object is not used."""
        after = update(f"{config_map('a', '5')}---\n{config_map('a')}", ManifestFile())
        self.assertIn("put it in quotes; this version is not used", self.messages(after)[0])

    def test_time_of_last_good_version(self) -> None:
        """The version that is served is named by its time, however often the next one is faulty."""
        good = update(config_map("a"), ManifestFile(), NOON)
        faulty = update(config_map("a", "5"), good, NOON + 60)
        told = "its last good version, of 2026-11-30 12:00:00, is served"
        self.assertIn(told, self.messages(faulty)[0])
        self.assertIn(told, self.messages(update(config_map("a", "6"), faulty, NOON + 120))[0])
        broken = update("a: [", good, NOON + 60)
        self.assertIn(told, self.messages(broken)[0])
        self.assertIn(told, self.messages(update("b: [", broken, NOON + 120))[0])

    def test_hidden_fault(self) -> None:
        """A fault stays while a document of its file cannot be parsed, until it is parsed again."""
        faulty = update(config_map("a", "5"), self.before)
        [told] = self.messages(faulty)
        for broken in (update("a: [", faulty), update("b: [", update("a: [", faulty))):
            self.assertEqual(len(self.messages(broken)), 2)
            self.assertIn(told, self.messages(broken))
            self.assertEqual(self.messages(update(config_map("a"), broken)), [])
            self.assertEqual(update(config_map("a"), broken).hidden, ())

    def test_hidden_fault_of_unreadable_file(self) -> None:
        """A fault stays while its file cannot be read at all, also for another reason."""
        faulty = update(config_map("a", "5"), self.before)
        for problem in (Problem("is not UTF-8 text"), Problem("cannot be read")):
            faulty = finish(update_file("f.yaml", Content(problem=problem), faulty))
            first, second = self.messages(faulty)
            self.assertIn(problem.message, first)
            self.assertIn("put it in quotes", second)

    def test_guarding(self) -> None:
        """What a faulty Ingress guards is there until there is a good version, and with a broken one."""

        def ingress(backend: str, annotations: str = "{a: b}") -> str:
            return (
                "apiVersion: networking.k8s.io/v1\nkind: Ingress\n"
                f"metadata: {{name: web, annotations: {annotations}}}\n"
                f"spec: {{defaultBackend: {backend}}}\n"
            )

        def only_guards(file: ManifestFile) -> bool | None:
            item = file.objects.get(("Ingress", "default", "web"))
            return item.only_guards if isinstance(item, Ingress) else None

        good = ingress("{service: {name: web, port: {number: 80}}}")
        faulty = update(ingress("{}"), self.before)
        self.assertTrue(only_guards(faulty))
        self.assertTrue(only_guards(update(ingress("{service: {}}"), faulty)))
        self.assertTrue(only_guards(update(": {", faulty)))
        self.assertIsNone(only_guards(update(ingress("{}", "{}"), faulty)))
        served = update(good, faulty)
        self.assertIs(only_guards(served), False)
        self.assertIs(only_guards(update(ingress("{}"), served)), False)
        self.assertIs(only_guards(update(f"{ingress('{}')}---\n{good}", ManifestFile())), False)

    def test_broken_document(self) -> None:
        """A document that cannot be parsed may be any object that is missing: all of them stay."""
        after = update(f"{config_map('b', 'y')}---\na: [\n---\n{config_map('c')}", self.before)
        self.assertEqual(set(after.objects), {key("a"), key("b"), key("c")})
        self.assertIs(after.objects[key("a")], self.before.objects[key("a")])
        self.assertIsNot(after.objects[key("b")], self.before.objects[key("b")])
        [message] = self.messages(after)
        self.assertTrue(message.startswith("f.yaml, line 7: is not YAML: "), message)
        self.assertTrue(message.endswith("; its last good version is served"), message)

    def test_repaired(self) -> None:
        """What was kept goes once the file is whole without it."""
        broken = update(f"{config_map('b')}---\na: [\n", self.before)
        self.assertEqual(set(update(config_map("b"), broken).objects), {key("b")})

    def test_twice(self) -> None:
        """The second of two objects with one key is a Problem that names both places."""
        after = update(f"{config_map('a', 'y')}---\n{config_map('a', 'z')}", ManifestFile())
        kept = after.objects[key("a")]
        assert isinstance(kept, ConfigMap)
        self.assertEqual(kept.data, {"a": "y"})
        self.assertEqual(
            self.messages(after),
            [
                "f.yaml, line 6: ConfigMap default/a: is ignored: the same object is in f.yaml, line 1"
            ],
        )

    def test_same_text_twice(self) -> None:
        """Two documents with the same text are told apart by their lines."""
        after = update(f"---\n{config_map('a')}---\n{config_map('a')}", ManifestFile())
        self.assertEqual(
            self.messages(after),
            [
                "f.yaml, line 7: ConfigMap default/a: is ignored: the same object is in f.yaml, line 2"
            ],
        )

    def test_moved_problem(self) -> None:
        """The Problem of a document that only moved has the line of now."""
        text = f"---\n{config_map('z', '5')}"
        one = update(text, ManifestFile())
        two = update(f"# comment\n{text}", one)
        self.assertEqual([one.problems[0].origin.line, two.problems[0].origin.line], [5, 6])

    def test_skipped(self) -> None:
        """Objects of other kinds are counted, by their kind."""
        pod = "apiVersion: v1\nkind: Pod\n"
        text = f"{pod}---\n{pod}---\n{config_map('a')}"
        self.assertEqual(update(text, ManifestFile()).skipped, {"Pod": 2})
