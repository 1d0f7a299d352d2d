"""
Tests for `ingress.kube.manifest`.
"""

from __future__ import annotations

from datetime import UTC, datetime

from twisted.trial.unittest import SynchronousTestCase

from ingress.document import load_documents
from ingress.kube.manifest import Reading, read_objects
from ingress.kube.objects import (
    ConfigMap,
    Endpoints,
    EndpointSlice,
    Ingress,
    IngressClass,
    KubeObject,
    Secret,
    Service,
)

INGRESS = """\
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata:
  name: web
  annotations: {}
spec:
  rules:
  - host: a.example
    http:
      paths:
      - path: /
        pathType: Prefix
        backend:
          service:
            name: web
            port: {number: 80}
"""

CONFIG_MAP = """\
apiVersion: v1
kind: ConfigMap
metadata: {name: controller, namespace: nginx}
data: {a: b, c: d}
"""


def read(text: str) -> list[Reading]:
    """What every object of a text comes to."""
    return [
        reading for document in load_documents(text) for reading in read_objects(document, "m.yaml")
    ]


def read_one(text: str) -> KubeObject:
    """The one object of a text, which has no fault."""
    [reading] = read(text)
    assert reading.item is not None, reading.problems
    return reading.item


def problems(text: str) -> list[str]:
    """Every Problem of a text, as its line of the log."""
    return [str(problem) for reading in read(text) for problem in reading.problems]


class KindTests(SynchronousTestCase):
    """Our kinds are read, others skipped, and what is neither is a Problem."""

    def test_kinds(self) -> None:
        """Each of our kinds becomes its type."""
        named = "metadata: {name: a}\n"
        expected: dict[type[KubeObject], str] = {
            Ingress: INGRESS,
            IngressClass: f"apiVersion: networking.k8s.io/v1\nkind: IngressClass\n{named}spec: {{controller: a.b/c}}",
            Service: f"apiVersion: v1\nkind: Service\n{named}spec: {{ports: [{{port: 80}}]}}",
            EndpointSlice: f"apiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\n{named}addressType: IPv4",
            Endpoints: f"apiVersion: v1\nkind: Endpoints\n{named}",
            Secret: f"apiVersion: v1\nkind: Secret\n{named}",
            ConfigMap: f"apiVersion: v1\nkind: ConfigMap\n{named}",
        }
        for type_, text in expected.items():
            self.assertIs(type(read_one(text)), type_)

    def test_others(self) -> None:
        """Objects of other kinds, and of other groups with kinds of the same names, are skipped."""
        for kind, version in (
            ("Deployment", "apps/v1"),
            ("Gateway", "gateway.networking.k8s.io/v1"),
            ("Ingress", "config.openshift.io/v1"),
            ("Service", "serving.knative.dev/v1"),
            ("PodList", "v1"),
        ):
            [reading] = read(
                f"apiVersion: {version}\nkind: {kind}\nmetadata: {{name: x}}\nitems: [1]\n"
            )
            self.assertEqual(reading.skipped, kind)

    def test_no_object(self) -> None:
        """A document that is no mapping, or has no kind, is a Problem."""
        self.assertEqual(
            problems("just text\n---\n- a\n---\na: 1\n---\nkind: [a]\n"),
            [
                "m.yaml, line 1: must be a Kubernetes object: a mapping with apiVersion and kind",
                "m.yaml, line 3: must be a Kubernetes object: a mapping with apiVersion and kind",
                "m.yaml, line 5: must have a kind: a Kubernetes object has apiVersion and kind",
                "m.yaml, line 7: must have a kind: a Kubernetes object has apiVersion and kind",
            ],
        )

    def test_spelling(self) -> None:
        """A kind in other letters than ours is not skipped in silence."""
        self.assertEqual(
            problems("apiVersion: v1\nkind: service\n"),
            ['m.yaml, line 2: kind: "service": must be Service'],
        )

    def test_version(self) -> None:
        """A version that is missing or unknown is told with the one that is right."""
        self.assertEqual(
            problems("kind: Ingress\nmetadata: {name: a}\n"),
            [
                "m.yaml, line 1: Ingress default/a: apiVersion: must be networking.k8s.io/v1 for kind Ingress"
            ],
        )
        for version in ("v1", "networking.k8s.io/v2", "apps/v1"):
            [problem] = problems(f"apiVersion: {version}\nkind: Ingress\nmetadata: {{name: a}}\n")
            self.assertIn("networking.k8s.io/v1 for kind Ingress", problem)

    def test_obsolete(self) -> None:
        """An Ingress of a removed version is one line, with all that has to be written otherwise."""
        text = (
            "apiVersion: extensions/v1beta1\nkind: Ingress\nmetadata: {name: old}\nspec:\n  backend:\n"
            "    serviceName: a\n    servicePort: 80\n  rules:\n  - http:\n      paths:\n"
            "      - backend:\n          serviceName: b\n          servicePort: http\n"
        )
        self.assertEqual(
            problems(text),
            [
                'm.yaml, line 1: Ingress default/old: apiVersion: "extensions/v1beta1": '
                "must be networking.k8s.io/v1 for kind Ingress, in which spec.backend is called"
                " defaultBackend; each path needs a pathType: Exact, Prefix or"
                " ImplementationSpecific; serviceName is written service: {name: …}; servicePort"
                " is written service: {port: {number: …}}; servicePort is written service:"
                " {port: {name: …}}"
            ],
        )


class ListTests(SynchronousTestCase):
    """Lists are read item by item."""

    def test_list(self) -> None:
        """Each item of a List has its own line; what is wrong with one harms no other."""
        text = (
            "apiVersion: v1\nkind: List\nitems:\n"
            "- apiVersion: v1\n  kind: ConfigMap\n  metadata: {name: a}\n"
            "- 5\n"
            "- apiVersion: v1\n  kind: Service\n  metadata: {name: A}\n  spec: {ports: [{port: 1}]}\n"
            "- apiVersion: v1\n  kind: ConfigMap\n  metadata: {name: b}\n"
        )
        readings = read(text)
        self.assertEqual([reading.line for reading in readings], [4, 7, 8, 12])
        self.assertEqual(
            [reading.item is not None for reading in readings], [True, False, False, True]
        )
        self.assertEqual([problem.origin.line for problem in readings[2].problems], [10])
        assert readings[3].item is not None
        self.assertEqual(readings[3].item.origin.line, 12)

    def test_typed_list(self) -> None:
        """The items of a typed list have its kind and version."""
        text = (
            '{"apiVersion": "v1", "kind": "ConfigMapList", "items": [{"metadata": {"name": "a"}}]}'
        )
        self.assertIsInstance(read_one(text), ConfigMap)

    def test_nested(self) -> None:
        """A list in a list is read as well, and found again."""
        text = (
            "apiVersion: v1\nkind: List\nitems:\n- kind: List\n  apiVersion: v1\n  items:\n"
            "  - {apiVersion: v1, kind: ConfigMap, metadata: {name: A}}\n"
        )
        self.assertEqual([reading.line for reading in read(text)], [7])

    def test_empty(self) -> None:
        """A list may be empty, in either way; anything else in its place is a Problem."""
        for items in ("[]", "null", ""):
            self.assertEqual(read(f"apiVersion: v1\nkind: List\nitems: {items}\n"), [])
        self.assertEqual(
            problems("apiVersion: v1\nkind: List\nitems: {a: 1}\n"),
            ["m.yaml, line 3: items: must be a list"],
        )


class ObjectTests(SynchronousTestCase):
    """Objects have what their manifests say."""

    def test_origin(self) -> None:
        """An object knows its file and line, whatever the manifest says under that name."""
        item = read_one(f"# first\n---\n{INGRESS}origin: {{file: /etc/passwd, line: 1}}\n")
        self.assertEqual(str(item.origin), "m.yaml, line 3")

    def test_only_guards(self) -> None:
        """A manifest cannot say of an Ingress that it only guards."""
        item = read_one(f"{INGRESS}onlyGuards: true\n")
        assert isinstance(item, Ingress)
        self.assertFalse(item.only_guards)

    def test_remains(self) -> None:
        """What an Ingress guards remains of it, whatever its fault, with its Problem."""
        guarded = INGRESS.replace("annotations: {}", "annotations: {a: b}")
        for old, new in (
            ("number: 80", "number: 0"),
            ("kind: Ingress", "kind: ingress"),
            ("networking.k8s.io/v1", "extensions/v1beta1"),
            ("a: b", "a: 5"),
            ("name: web\n  ann", "ann"),
        ):
            with self.subTest(fault=new):
                [reading] = read(guarded.replace(old, new, 1))
                item = reading.item
                assert isinstance(item, Ingress)
                self.assertTrue(item.only_guards)
                self.assertEqual(reading.key, ("Ingress", *item.key))
                self.assertNotEqual(reading.problems, ())
        [reading] = read(INGRESS.replace("number: 80", "number: 0"))
        self.assertIsNone(reading.item)

    def test_remains_of_config_map(self) -> None:
        """What can be read of a ConfigMap remains of it, whatever its fault, with its Problem."""
        for old, new, data, unreadable in (
            ("a: b", "a: 5", {"c": "d"}, ("a",)),
            ("a: b", "a: [b]", {"c": "d"}, ("a",)),
            ("a: b", "a: null", {"c": "d"}, None),
            ("kind: ConfigMap", "kind: Configmap", {"a": "b", "c": "d"}, ()),
            ("apiVersion: v1", "apiVersion: v2", {"a": "b", "c": "d"}, ()),
            ("data: {a: b, c: d}", "data: [a]", {}, ("",)),
            ("data: {a: b, c: d}", "data: {5: {}}", {}, ("5",)),
        ):
            with self.subTest(fault=new):
                [reading] = read(CONFIG_MAP.replace(old, new, 1))
                item = reading.item
                assert isinstance(item, ConfigMap)
                self.assertEqual((item.data, item.unreadable), (data, unreadable))
                self.assertEqual(reading.key, ("ConfigMap", "nginx", "controller"))
                self.assertEqual(reading.problems != (), unreadable is not None)
        [reading] = read(CONFIG_MAP.replace("name: controller", "name: 5"))
        self.assertIsNone(reading.item)

    def test_whole_config_map(self) -> None:
        """A manifest cannot say of a ConfigMap that it is remains."""
        item = read_one(f"{CONFIG_MAP}unreadable: [block-cidrs]\n")
        assert isinstance(item, ConfigMap)
        self.assertIsNone(item.unreadable)

    def test_namespace(self) -> None:
        """No namespace means default; a kind without namespaces has none."""
        for namespace in ("", "namespace: null", "namespace: ''"):
            text = f"apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: a\n  {namespace}\n"
            self.assertEqual(read_one(text).key, ("default", "a"))
        text = (
            "apiVersion: networking.k8s.io/v1\nkind: IngressClass\n"
            "metadata: {name: a, namespace: b}\nspec: {controller: a.b/c}\n"
        )
        self.assertEqual(read_one(text).key, ("", "a"))
        self.assertEqual(read(text)[0].key, ("IngressClass", "", "a"))

    def test_timestamp(self) -> None:
        """A creation time is read with or without quotes; without a zone it is a Problem."""
        for text in ("2026-01-31T12:00:00Z", "'2026-01-31T12:00:00Z'", "2026-01-31T13:00:00+01:00"):
            item = read_one(INGRESS.replace("annotations: {}", f"creationTimestamp: {text}"))
            self.assertEqual(
                item.metadata.creation_timestamp, datetime(2026, 1, 31, 12, tzinfo=UTC)
            )
        for text in ("2026-01-31", "2026-01-31T12:00:00", "yesterday"):
            [problem] = problems(INGRESS.replace("annotations: {}", f"creationTimestamp: {text}"))
            self.assertIn("must be a time such as 2026-01-31T12:00:00Z", problem)

    def test_nulls(self) -> None:
        """null means absent, at every depth; a label or an annotation is there, and empty."""
        text = INGRESS.replace(
            "annotations: {}", "annotations:\n    a:\n  labels: null\n  creationTimestamp: null"
        )
        item = read_one(f"{text}  tls: null\nstatus: null\n")
        self.assertEqual((item.metadata.labels, item.metadata.annotations), ({}, {"a": ""}))

    def test_unknown_fields(self) -> None:
        """Fields that are not read may be anything."""
        read_one(f"{INGRESS}  unknown: [1, {{a: b}}]\nstatus: {{loadBalancer: {{}}}}\n")


class ShapeTests(SynchronousTestCase):
    """What has the wrong shape is a Problem with field, line, value and what is accepted."""

    def field_problem(self, old: str, new: str) -> str:
        """The one Problem, from its line on."""
        self.assertIn(old, INGRESS)
        [problem] = problems(INGRESS.replace(old, new))
        return problem.removeprefix("m.yaml, line ").replace("Ingress default/web: ", "")

    def test_types(self) -> None:
        """Each type is named as an author of YAML knows it."""
        for old, new, expected in (
            ("a.example", "5", "8: spec.rules[0].host: 5: must be a string: put it in quotes"),
            ("a.example", "yes", "8: spec.rules[0].host: true: must be a string: put it in quotes"),
            ("a.example", "[a]", "8: spec.rules[0].host: must be a string"),
            ("number: 80", "number: '80'", 'number: "80": must be a number without a fraction'),
            ("number: 80", "number: 80.5", "number: 80.5: must be a number without a fraction"),
            ("annotations: {}", "annotations: []", "5: metadata.annotations: must be a mapping"),
            (
                "annotations: {}",
                "annotations: {a: 1}",
                "5: metadata.annotations[a]: 1: must be a string: put it in",
            ),
            (
                "pathType: Prefix",
                "pathType: prefix",
                '"prefix": must be Exact, Prefix or ImplementationSpecific',
            ),
            (
                "pathType: Prefix",
                "other: a",
                "must be there: Exact, Prefix or ImplementationSpecific",
            ),
            (
                "name: web\n  annotations: {}",
                "labels: {}",
                "3: Ingress: metadata.name: must be there",
            ),
        ):
            self.assertIn(expected, self.field_problem(old, new))

    def test_every_value_of_a_mapping(self) -> None:
        """Each value of a mapping that is no string is told."""
        found = problems(
            INGRESS.replace("annotations: {}", "annotations:\n    a: true\n    b: x\n    c: 1")
        )
        self.assertEqual(len(found), 2)
        self.assertIn("line 8: Ingress default/web: metadata.annotations[c]: 1", found[1])

    def test_metadata(self) -> None:
        """Metadata of any shape is a Problem, not a crash."""
        for metadata in ("", "metadata: 1", "metadata: []", "metadata: {name: 1}", "metadata: {name: [a]}",
                         "metadata: {name: a, namespace: 1}", "metadata: {name: ''}"):  # fmt: skip
            self.assertNotEqual(
                problems(f"apiVersion: v1\nkind: ConfigMap\n{metadata}\n"), [], metadata
            )

    def test_one_line(self) -> None:
        """No name, field or value can end the line of the log that it is in, or make it long."""
        name = "a\\nm.yaml: everything is fine\\e[2J" + "x" * 800
        text = INGRESS.replace("name: web\n", f'name: "{name}"\n', 1).replace(
            "{}", f'{{"{name}": "{name}"}}'
        )
        found = problems(text)
        self.assertEqual(len(found), 2)
        for problem in found:
            self.assertTrue(problem.isprintable())
            self.assertLess(len(problem), 600)


class SecretTests(SynchronousTestCase):
    """Secrets are decoded, and never shown."""

    def secret(self, rest: str) -> str:
        return f"apiVersion: v1\nkind: Secret\nmetadata: {{name: s}}\n{rest}"

    def test_data(self) -> None:
        """``data`` is base64 as Go reads it, newlines ignored; ``stringData`` wins."""
        item = read_one(
            self.secret(
                'data: {a: "aGFs\\r\\nbG8=", b: eA==, c: null, d: ""}\nstringData: {b: ü}\n'
            )
        )
        assert isinstance(item, Secret)
        self.assertEqual(item.data, {"a": b"hallo", "b": "ü".encode(), "d": b""})

    def test_base64(self) -> None:
        """What Go refuses is refused."""
        for text in ("aGFsbG8", "aGFs bG8=", "aGFsbG8=x", "ü", "a-_b", "====", "'a'"):
            self.assertEqual(
                problems(self.secret(f'data:\n  k: "{text}"\n')),
                [
                    "m.yaml, line 5: Secret default/s: data[k]: must be base64 (plain text: stringData)"
                ],
            )

    def test_shape(self) -> None:
        """Anything but mappings of strings is a Problem, each with its line."""
        self.assertEqual(
            problems(self.secret("data:\n  a: 1\n  b: [hunter2]\nstringData: hunter2\n")),
            [
                "m.yaml, line 5: Secret default/s: data[a]: must be a string: put it in quotes",
                "m.yaml, line 6: Secret default/s: data[b]: must be a string",
                "m.yaml, line 7: Secret default/s: stringData: must be a mapping",
            ],
        )

    def test_never_shown(self) -> None:
        """No Problem shows a value of a Secret, however it came to be one."""
        for text in (
            self.secret("data: {a: hunter2, 'b c': hunter2}\ntype: [hunter2]\n"),
            self.secret("type: kubernetes.io/tls\nstringData: {hunter: hunter2}\n").replace(
                "{name", "{labels: {a: hunter2 x}, name"
            ),
            "kind: Secret\napiVersion: hunter2\nmetadata: {name: hunter2 x}\n".replace(
                "hunter2 x", "s"
            ),
            "kind: SecretList\napiVersion: v1\nitems: [{data: {a: hunter2!}}, hunter2]\n",
            "kind: secret\nmetadata: hunter2\n",
            "hunter2\n",
        ):
            found = problems(text)
            self.assertNotEqual(found, [], text)
            self.assertNotIn("hunter2", " ".join(found))
        self.assertNotIn("hunter2", repr(read(self.secret("stringData: {a: hunter2}"))))
