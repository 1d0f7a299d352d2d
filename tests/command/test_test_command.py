"""
Tests for `ingress.command.test_command` and `ingress.command.expectation`.
"""

from __future__ import annotations

import io
import sys
from pathlib import Path
from xml.etree import ElementTree as ET

import yaml
from twisted.trial.unittest import SynchronousTestCase

from ingress.command.expectation import KEYS
from tests.support.certs import CertificateAuthority
from tests.support.command import run
from tests.support.manifest import ingress_manifest, secret_manifest, service_manifest

HOST = "shop.example"


class TestCommandTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.folder = Path(self.mktemp())
        self.folder.mkdir(parents=True)
        self.manifests = self.folder / "manifests.yaml"
        self.manifests.write_text(
            yaml.safe_dump_all(
                [
                    ingress_manifest(
                        "shop", HOST, {"~/api(/|$)(.*)": "api"}, tls={"pair": [HOST]},
                        annotations={
                            "use-regex": "true", "rewrite-target": "/$2", "enable-cors": "true",
                            "whitelist-source-range": "10.0.0.0/8",
                        },
                    ),
                    ingress_manifest(
                        "old", "old.example", {"/": "web"},
                        annotations={"permanent-redirect": "https://new.example/"},
                    ),
                    secret_manifest("pair", CertificateAuthority().issue(HOST)),
                    service_manifest("api"), service_manifest("web"),
                ]
            )
        )  # fmt: skip

    def file(self, text: str, name: str = "tests.yaml") -> str:
        path = self.folder / name
        path.write_text(text)
        return str(path)

    def test(self, text: str, *options: str) -> tuple[int, str]:
        """:return: the status, and what people read; there are no remarks."""
        status, out, err = run("test", self.file(text), *options, "--", str(self.manifests))
        self.assertEqual(err, "")
        return status, out

    def test_all_keys(self) -> None:
        """Everything may be expected: what an endpoint gets, and what the proxy answers itself."""
        status, text = self.test(
            """
- name: a rewrite
  request:
    url: https://shop.example/api/cart?x=1
    method: POST
    client: 10.0.0.7
    headers: {Origin: "https://a.example", Accept: [text/html, text/plain], X-Number: 7}
  expect:
    status: null
    upstream: default/api:80
    ingress: default/shop
    redirect: null
    path: /cart
    certificate: default/pair
    policy: {cors: passes, source-ranges: passes, https-redirect: passes, basic-auth: null}
    request-headers:
      x-forwarded-for: 10.0.0.7
      X-Number: "7"
      Accept: text/html, text/plain
      Cookie: null
    response-headers: {Access-Control-Allow-Origin: "*", X-Other: null}
- request: {url: "https://shop.example/api/", client: 10.0.0.7}
  expect: {path: "/", policy: [cors, source-ranges]}
- request: {url: "https://shop.example/api/?x=1", client: 10.0.0.7}
  expect: {path: "/?x=1", policy: cors}
- request: {url: "https://shop.example/api/", client: 192.0.2.1}
  expect: {status: 403, path: null, policy: {source-ranges: answers 403}}
- request: {url: "https://other.example/"}
  expect: {status: 404, ingress: null, upstream: null, certificate: null}
---
- request: {url: old.example/x}
  expect:
    {status: 301, redirect: "https://new.example/", response-headers: {location: "https://new.example/"}}
"""
        )
        self.assertEqual((status, text), (0, "6 requests: 6 as expected, 0 not\n"))

    def test_misses(self) -> None:
        """What is not as expected is told for each key, with the explanation."""
        status, text = self.test(
            """
- request: {url: "https://shop.example/api/x", client: 10.0.0.7}
  expect:
    status: 200
    upstream: default/web:80
    ingress: default/other
    redirect: https://a.example/
    path: /api/x
    certificate: null
    policy: {cors: answers 204, cross: "", source-ranges: null}
    request-headers: {X-Real-IP: 10.0.0.8, Host: null}
    response-headers: {X-A: "1"}
"""
        )
        self.assertEqual(status, 1)
        lines = text.splitlines()
        self.assertEqual(
            [line.strip() for line in lines[: lines.index("  because:")]],
            [
                f"{self.folder}/tests.yaml:2: GET https://shop.example/api/x",
                "status: 200 is expected, but it is null: the endpoint 192.0.2.1:80 of "
                "default/api:80 answers",
                "redirect: https://a.example/ is expected, but it is none",
                "upstream: default/web:80 is expected, but it is default/api:80",
                "ingress: default/other is expected, but it is default/shop",
                "path: /api/x is expected, but it is /x",
                "policy: cors: answers 204 is expected, but it is passes",
                "policy: cross: any verdict is expected, but it is none",
                "policy: source-ranges: none is expected, but it is passes",
                "request-headers: X-Real-IP: 10.0.0.8 is expected, but it is 10.0.0.7",
                "request-headers: Host: none is expected, but it is shop.example",
                "response-headers: X-A: 1 is expected, but it is none",
                "certificate: none is expected, but it is default/pair",
            ],
        )
        self.assertIn("    -> the endpoint 192.0.2.1:80 of default/api:80 answers", lines)
        self.assertEqual(lines[-1], "1 request: 0 as expected, 1 not")

    def test_mistakes(self) -> None:
        """A file with mistakes is not run: each is told with its line and what is accepted."""
        for text, line, part in (
            ("- request: {url: a.example}\n  expcet: {status: 200}\n", 2, "did you mean expect?"),
            ("- request: {url: a.example}\n", 1, "is missing"),
            ("- request: {url: a.example}\n  expect: {}\n", 2, "something is expected"),
            ("- request:\n    ulr: a.example\n  expect: {status: 1}", 2, "did you mean url?"),
            ("- request: {url: a}\n  expect:\n    statsu: 200", 3, "did you mean status?"),
            ("- request: {url: a}\n  expect: {status: '200'}", 2, "100 to 599"),
            (
                "- request: {url: 'ftp://a'}\n  expect: {status: 200}",
                1,
                "https://shop.example/cart",
            ),
            ("- request: {url: a, headers: {'A\\nB': x}}\n  expect: {status: 200}", 1, ""),
            ("- request: {url: a, headers: [x]}\n  expect: {status: 200}", 1, "a mapping of names"),
            ("- request: {url: a}\n  expect: {policy: 7}", 2, "the name of a policy"),
            ("- request: {url: a}\n  expect: {request-headers: {'a b': x}}", 2, "a mapping of"),
            ("- request: {url: a}\n  expect: {upstream: 7}", 2, "or null for none"),
            ("- 7", 1, "is accepted"),
            ("a: b", 1, "a list of"),
            ("", 0, "nothing to test"),
            ("- [", 0, ""),
        ):
            file = self.file(text)
            status, out, err = run("test", file, "--", str(self.manifests))
            self.assertEqual((status, out), (2, ""), text)
            self.assertIn(f"{file}, line {line}: " if line else file, err, text)
            self.assertIn(part, err, text)

    def test_all_mistakes(self) -> None:
        """All mistakes of a file are told at once."""
        file = self.file("- request: {x: 1}\n  expect: {y: 1}\n- request: {}\n  z: 1\n")
        err = run("test", file, "--", str(self.manifests))[2]
        self.assertEqual(err.count(file), 7, err)
        self.assertIn(", ".join(sorted(KEYS)), err)

    def test_unable(self) -> None:
        """Files that cannot be read, and standard input for two things."""
        for arguments in (("/nowhere", "--", str(self.manifests)), ("-", "--", "-")):
            self.assertEqual(run("test", *arguments)[0], 2)
        good = self.file("- request: {url: a}\n  expect: {status: 404}\n")
        status, _, err = run("test", good, "--junit", "/nowhere/x", "--", str(self.manifests))
        self.assertEqual((status, "/nowhere/x" in err), (2, True))

    def test_standard_input(self) -> None:
        """Expectations come from standard input, too."""
        data = io.BytesIO(b"- request: {url: a.example}\n  expect: {status: 200}\n")
        self.patch(sys, "stdin", io.TextIOWrapper(data))
        status, text, _ = run("test", "-", "--", str(self.manifests))
        self.assertEqual((status, text.splitlines()[0]), (1, "-:1: GET http://a.example/"))

    def test_junit(self) -> None:
        """The report is XML, whatever stands in names, with the explanation of each failure."""
        report = self.folder / "report.xml"
        self.test(
            """
- name: "<a> & \\"b\\" \\x01"
  request: {url: "http://a.example/<x>&y"}
  expect: {status: 200}
- request: {url: a.example}
  expect: {status: 404}
""",
            "--junit",
            str(report),
        )
        root = ET.parse(report).getroot()
        self.assertEqual((root.get("tests"), root.get("failures")), ("2", "1"))
        (suite,) = root
        self.assertEqual((suite.get("tests"), suite.get("failures")), ("2", "1"))
        failed, passed = suite
        self.assertEqual(failed.get("name"), '<a> & "b" \\x01')
        self.assertEqual((failed.get("line"), passed.get("line")), ("2", "5"))
        (failure,) = failed
        self.assertEqual(failure.get("message"), "status: 200 is expected, but it is 400")
        self.assertIn("-> 400 bad_request", failure.text or "")
        self.assertEqual(list(passed), [])
