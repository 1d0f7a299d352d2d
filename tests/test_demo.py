"""
The demo: its manifests through the real code, and its commands as a newcomer types them.
"""

from __future__ import annotations

from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from ingress.config_file import load_config
from ingress.document import load_documents
from ingress.kube.manifest import read_objects
from ingress.kube.store import ObjectStore
from ingress.routing.build import Built, build
from tests.support.objects import NOW
from tests.support.route_table import render

DEMO = Path(__file__).resolve().parents[1] / "etc" / "demo"

ROUTES = """\
host bar.example.com
  Prefix                 / -> default-bar-80 (Ingress default/hosts)
host foo.example.com
  Prefix                 / -> default-foo-80 (Ingress default/hosts)
host kubia.example.com
  Prefix                 / -> default-kubia-nodeport-80 (Ingress default/kubia)
host paths.example.com
  Prefix                 /foo   -> default-foo-80 (Ingress default/paths)
  Prefix                 /kubia -> default-kubia-nodeport-80 (Ingress default/paths)
host secure.example.com
  Prefix                 / -> default-kubia-nodeport-80 (Ingress default/secure; to https:8443)
host sticky.example.com
  Prefix                 / -> default-kubia-nodeport-80 (Ingress default/sticky; \
cookie route at /, balanced)
upstream default-bar-80: 127.0.0.1:18012
upstream default-foo-80: 127.0.0.1:18011
upstream default-kubia-nodeport-80: 127.0.0.1:18001, 127.0.0.1:18002, 127.0.0.1:18003
"""


def build_demo() -> Built:
    """What the demo's configuration and manifests come to, without its certificate."""
    store = ObjectStore()
    for path in sorted((DEMO / "manifests").iterdir()):
        for document in load_documents(path.read_text()):
            for reading in read_objects(document, path.name):
                assert reading.item is not None, reading
                store.apply([reading.item])
    return build(store.view(), load_config(DEMO / "ingress.yaml"), now=NOW)


class ManifestTests(SynchronousTestCase):
    """The files of etc/demo."""

    def test_routes(self) -> None:
        """The manifests come to the routes and endpoints that the demo promises."""
        self.assertEqual(render(build_demo().snapshot), ROUTES)

    def test_only_certificate_is_missing(self) -> None:
        """Nothing is at fault but the Secret, which `run.py` makes."""
        problems = list(build_demo().all_problems())
        self.assertEqual([problem.field for problem in problems], ["spec.tls[0].secretName"])
