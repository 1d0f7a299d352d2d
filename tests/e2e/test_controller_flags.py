"""
The Deployment of ingress-nginx with our image: its arguments, its rights, its ConfigMap.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any, ClassVar

from tests.e2e.case import ProcessTestCase
from tests.e2e.cluster_case import PODS, READY, TOKEN, address, endpoint_slice
from tests.support.fake_api import FakeAPIProcess, service_account
from tests.support.manifest import config_map_manifest, ingress_manifest, service_manifest
from tests.support.pod_network import PodNetwork
from tests.support.process import CHECKOUT, ENVIRONMENT, PATIENCE, IngressProcess, wait_until

NAMESPACE = "ingress-nginx"
ACCOUNT = service_account(NAMESPACE, "ingress-nginx").name

ARGUMENTS = (
    "--publish-service=ingress-nginx/ingress-nginx-controller",
    "--election-id=ingress-nginx-leader",
    "--controller-class=k8s.io/ingress-nginx",
    "--ingress-class=nginx",
    "--configmap=ingress-nginx/ingress-nginx-controller",
    "--validating-webhook=:8443",
    "--validating-webhook-certificate=/usr/local/certificates/cert",
    "--validating-webhook-key=/usr/local/certificates/key",
    "--enable-metrics=true",
    "--v=2",
)
"""What the chart writes, as Kubernetes has replaced its variables."""

SETTINGS = {
    "add-headers": f"{NAMESPACE}/added",
    "proxy-set-headers": f"{NAMESPACE}/set",
    "hide-headers": "X-Secret",
    "allow-snippet-annotations": "false",
    "block-user-agents": "~*evilbot",
    "client-body-timeout": "30",
    "client-header-timeout": "30",
    "compute-full-forwarded-for": "true",
    "custom-http-errors": "599",
    "enable-brotli": "false",
    "enable-real-ip": "true",
    "force-ssl-redirect": "false",
    "forwarded-for-header": "X-Client",
    "gzip-level": "2",
    "gzip-min-length": "16",
    "gzip-types": "application/json",
    "hsts": "true",
    "hsts-max-age": "7",
    "hsts-include-subdomains": "false",
    "http-snippet": "map $a $b { default 1; }",
    "keep-alive-requests": "100",
    "large-client-header-buffers": "4 16k",
    "load-balance": "ewma",
    "location-snippet": 'more_set_headers "X-Location: yes";',
    "log-format-escape-json": "true",
    "log-format-upstream": '{"ip": "$remote_addr", "uri": "$request_uri",\n "agent": '
    '"$http_user_agent", "code": $status, "to": "$proxy_upstream_name"}',
    "proxy-body-size": "8k",
    "proxy-read-timeout": "30",
    "proxy-real-ip-cidr": "127.0.0.0/8",
    "server-snippet": "location /closed { deny all; }",
    "server-tokens": "false",
    "ssl-ciphers": "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256",
    "ssl-protocols": "TLSv1.3",
    "upstream-keepalive-requests": "2",
    "use-gzip": "true",
    "use-http2": "false",
    "worker-processes": "4",
    "nonsense": "yes",
}
"""A ConfigMap as people have it."""

PROGRAM = """#!{python}
import sys
sys.path.insert(0, {checkout!r})
from ingress.command.main import main
sys.exit(main())
"""

ASK = """
import http.client, json, ssl, sys
for line in sys.stdin:
    port, method, host, target, fields = json.loads(line)
    context = ssl._create_unverified_context()
    make = http.client.HTTPSConnection if port == 443 else http.client.HTTPConnection
    options = {"context": context} if port == 443 else {}
    try:
        connection = make("127.0.0.1", port, timeout=20, **options)
        connection.request(method, target, headers={"Host": host, **fields})
        response = connection.getresponse()
        body = response.read().decode("latin-1")
        answer = [response.status, response.getheaders(), body]
        connection.close()
    except OSError as error:
        answer = [0, [], str(error)]
    print(json.dumps(answer), flush=True)
"""
"""A client within the network of the pods."""

Answer = tuple[int, dict[str, str], str]


class ControllerFlagsTests(ProcessTestCase):
    """A Pod with the arguments of the chart."""

    api: ClassVar[FakeAPIProcess]
    client: ClassVar[subprocess.Popen[str]]
    program: ClassVar[Path]
    network: ClassVar[PodNetwork]
    is_ended = False
    """Whether the test ends the process."""

    @classmethod
    def prepare(cls, folder: Path) -> None:
        cls.network = PodNetwork()
        cls.resources.callback(cls.network.close)
        cls.network.add_pod("a", address(PODS["a"]))
        cls.api = FakeAPIProcess(folder / "api.log", cls.network.prefix)
        cls.resources.callback(cls.api.close)
        cls.api.set_token(TOKEN, ACCOUNT)
        cls.api.grant(ACCOUNT, *rules())
        cls.api.put(*objects())
        cls.program = folder / "nginx-ingress-controller"
        cls.program.write_text(PROGRAM.format(python=sys.executable, checkout=str(CHECKOUT)))
        cls.program.chmod(0o755)
        (folder / "kubeconfig").write_text(cls.api.kubeconfig(TOKEN, NAMESPACE))
        process = cls.process = IngressProcess(folder / "pod")
        process.command = (*cls.network.prefix, str(cls.program))
        process.environment = {
            **ENVIRONMENT,
            "POD_NAME": "controller-0",
            "POD_NAMESPACE": NAMESPACE,
            "TMPDIR": str(folder),
        }
        cls.resources.callback(process.stop)
        process.spawn(*ARGUMENTS, f"--kubeconfig={folder / 'kubeconfig'}")
        process.wait_for_line(r"listen\.https on ")
        cls.client = subprocess.Popen(
            [*cls.network.prefix, sys.executable, "-c", ASK],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        cls.resources.callback(cls.end_client)

    @classmethod
    def end_client(cls) -> None:
        cls.client.communicate(timeout=PATIENCE)

    def tearDown(self) -> None:
        if not self.is_ended:
            super().tearDown()

    def ask(
        self,
        port: int,
        target: str = "/",
        host: str = "shop.example",
        method: str = "GET",
        **fields: str,
    ) -> Answer:
        """The answer to one request; the status is 0 where there is none."""
        assert self.client.stdin is not None
        assert self.client.stdout is not None
        named = {name.replace("_", "-"): value for name, value in fields.items()}
        self.client.stdin.write(json.dumps([port, method, host, target, named]) + "\n")
        self.client.stdin.flush()
        status, pairs, body = json.loads(self.client.stdout.readline())
        return status, {name.lower(): value for name, value in pairs}, body

    def test_served(self) -> None:
        """
        It serves 80, 443 and probes as the Deployment expects, keeps the ConfigMap's rules, writes
        the address of the Service, and tells what it has not.
        """
        wait_until(lambda: self.ask(80)[0] == 200, "the Ingress to be served")
        status, fields, body = self.ask(80)
        echo = json.loads(body)
        self.assertEqual((status, fields["x-added"]), (200, "yes"))
        self.assertEqual(self.ask(443, "/")[0], 200)
        self.assertEqual(self.ask(10254, "/healthz", "localhost")[0], 200)
        self.assertIn("--validating-webhook=:8443: not supported", self.process.log)
        self.assertEqual(echo["name"], "a")

        def is_written() -> bool:
            found = self.api.get("networking.k8s.io/v1", "Ingress", "shop", "shop")
            return bool(found and found.get("status", {}).get("loadBalancer"))

        wait_until(is_written, "the address to be written")
        lease = self.api.get("coordination.k8s.io/v1", "Lease", "ingress-nginx-leader", NAMESPACE)
        assert lease is not None
        self.assertTrue(lease["spec"]["holderIdentity"].startswith("controller-0"))

    def test_config_map(self) -> None:
        """What the keys of the ConfigMap ask for is seen from outside."""
        wait_until(lambda: self.ask(80)[0] == 200, "the Ingress to be served")
        status, fields, body = self.ask(
            443, "/a?b", X_Client="192.0.2.7", X_Forwarded_Host="evil.example", User_Agent='"curl"'
        )
        sent = {name.lower(): value for name, value in json.loads(body)["fields"]}
        self.assertEqual((status, fields["x-location"], fields["x-added"]), (200, "yes", "yes"))
        self.assertEqual(fields["strict-transport-security"], "max-age=7")
        self.assertEqual(
            [sent[name] for name in ("x-real-ip", "host", "x-from")],
            ["192.0.2.7", "shop.example", "shop.example"],
        )
        line = self.process.wait_for_line(r'^.*"uri": "/a\?b".*$')[0]
        self.assertEqual(
            json.loads(line),
            {"ip": "192.0.2.7", "uri": "/a?b", "agent": '"curl"', "code": 200, "to": "shop-web-80"},
        )
        self.assertEqual(self.ask(80, "/closed/x")[0], 403)
        self.assertEqual(self.ask(80, User_Agent="EvilBot/1")[0], 403)
        self.assertEqual(self.ask(80, method="POST", Content_Length="9000")[0], 413)
        self.assertEqual(self.ask(80, Accept_Encoding="gzip")[1]["content-encoding"], "gzip")
        for key, message in (
            ("worker-processes", "has no effect"),
            ("http-snippet", "is not supported"),
            ("nonsense", "ingress-nginx has no such key"),
        ):
            self.process.wait_for_line(rf"data\[{key}\]: .*{message}")
        told = {line for line in self.process.log.splitlines() if "CMP001" in line}
        self.assertEqual(len(told), 3, told)

    def test_wait_shutdown(self) -> None:
        """/wait-shutdown ends the process, waits for it, and leaves no file."""
        hook = self.program.with_name("wait-shutdown")
        hook.symlink_to(self.program)
        done = subprocess.run(
            [str(hook), "--pid", str(self.process.pid)],
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertEqual(self.process.wait(), 0, self.process.log)
        self.assertEqual(list(self.program.parent.glob("txingress-*")), [])
        self.assertNotIn("Traceback", self.process.log)
        self.is_ended = True


def objects() -> list[dict[str, Any]]:
    """What is in the cluster."""
    front: dict[str, Any] = service_manifest("ingress-nginx-controller")
    front["status"] = {"loadBalancer": {"ingress": [{"ip": "192.0.2.10"}]}}
    front["spec"]["type"] = "LoadBalancer"
    settings = config_map_manifest("ingress-nginx-controller", SETTINGS)
    added = config_map_manifest("added", {"X-Added": "yes"})
    sent = config_map_manifest("set", {"X-From": "$host"})
    ingress_class = {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "IngressClass",
        "metadata": {"name": "nginx"},
        "spec": {"controller": "k8s.io/ingress-nginx"},
    }
    shop: dict[str, Any] = ingress_manifest("shop", "shop.example", {"/": "web"})
    shop["spec"]["ingressClassName"] = "nginx"
    namespaces = [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
        for name in (NAMESPACE, "shop")
    ]
    own = [within(NAMESPACE, each) for each in (front, settings, added, sent)]
    web = (shop, service_manifest("web"), endpoint_slice("web", a=READY))
    return [*namespaces, ingress_class, *own, *(within("shop", each) for each in web)]


def within(namespace: str, document: dict[str, Any]) -> dict[str, Any]:
    return {**document, "metadata": {**document["metadata"], "namespace": namespace}}


def rules() -> list[dict[str, Any]]:
    """The rights that the chart of ingress-nginx gives, and no others."""
    watched = ["list", "watch"]
    return [
        *(
            {"apiGroups": [group], "resources": resources, "verbs": verbs}
            for group, resources, verbs in (
                (
                    "",
                    ["configmaps", "endpoints", "nodes", "pods", "secrets", "namespaces"],
                    watched,
                ),
                ("", ["services"], ["get", *watched]),
                ("", ["events"], ["create", "patch"]),
                ("networking.k8s.io", ["ingresses", "ingressclasses"], ["get", *watched]),
                ("networking.k8s.io", ["ingresses/status"], ["update"]),
                ("discovery.k8s.io", ["endpointslices"], ["get", *watched]),
                ("coordination.k8s.io", ["leases"], ["create", "get", "update"]),
            )
        ),
    ]
