"""
Tests for `ingress.config_file` and, through it, for `ingress.config.section`.
"""

from __future__ import annotations

import shutil
from dataclasses import fields, is_dataclass, replace
from ipaddress import ip_network
from pathlib import Path
from textwrap import indent

from twisted.trial.unittest import SynchronousTestCase

from ingress.config import (
    HSTS,
    TLS,
    AccessLog,
    Admin,
    Cluster,
    Config,
    FilesSource,
    Hosts,
    IngressClassFilter,
    Limits,
    Listen,
    ListenerKind,
    ProcessLogSettings,
    PublicPorts,
    StatusAddresses,
)
from ingress.config.limit_store import LimitStore
from ingress.config.root import MAX_FILE_SIZE
from ingress.config_file import ConfigError, load_config
from ingress.document import load_documents
from tests.support.certs import CertificateAuthority

SOURCE = "source: {files: [manifests]}\n"
DOCUMENTED = Path(__file__).resolve().parents[1] / "etc" / "ingress.yaml"


class ConfigTestCase(SynchronousTestCase):
    """A folder with ``manifests`` in it, for configurations to be written to."""

    def setUp(self) -> None:
        self.folder = Path(self.mktemp()).absolute()
        self.folder.joinpath("manifests").mkdir(parents=True)
        self.path = self.folder / "ingress.yaml"

    def load(self, text: str | bytes) -> Config:
        self.path.write_bytes(text.encode() if isinstance(text, str) else text)
        return load_config(self.path)

    def mistakes(self, text: str | bytes) -> list[str]:
        """Each line of the refusal, without the file's path."""
        error = self.assertRaises(ConfigError, self.load, text)
        lines = str(error).splitlines()
        self.assertEqual(len(lines), len(error.mistakes))
        for line in lines:
            self.assertTrue(line.startswith(str(self.path)), line)
        return [line.removeprefix(str(self.path)).lstrip(",: ") for line in lines]


class LoadTests(ConfigTestCase):
    """A file without a mistake becomes a Config."""

    def test_defaults(self) -> None:
        """What is not there has its default."""
        self.assertEqual(
            self.load(SOURCE),
            Config(
                path=self.path,
                public_ports=PublicPorts(8080, 8443),
                source=FilesSource(paths=(self.folder / "manifests",)),
                tls=TLS(secrets=self.folder / "secrets"),
            ),
        )

    def test_everything(self) -> None:
        """Each key arrives where it belongs."""
        config = self.load("""
            listen:
              http: [tcp:80, "unix:run/http"]
              https: null
              admin: tcp:9000
            public-ports: {http: 8080, https: 8443}
            source:
              files: [manifests, /]
              endpoints:
                default/web: 127.0.0.1:3000
                default/api:http: ["[::1]:4000", "localhost:4001"]
            admin: {hosts: [Metrics.ingress.svc, 192.0.2.1]}
            tls: {secrets: /run/secrets, default: web/wildcard}
            class: {name: nginx, controller: example.com/ingress, without-class: true}
            trusted-proxies: 10.0.0.0/8
            field-names: any
            paths: strict
            hosts: {ownership: namespace}
            ssl-redirect: false
            service-upstream: true
            auth-verify: true
            mirror-verify: true
            hsts: {max-age: 60, include-subdomains: false, preload: true}
            snippets: ignore
            shutdown-grace: 2.5
            log: {format: json, level: warn}
            workers: 1
            """)
        self.assertEqual(
            config,
            Config(
                path=self.path,
                listen=Listen(("tcp:80", "unix:run/http"), (), ("tcp:9000",)),
                public_ports=PublicPorts(8080, 8443),
                source=FilesSource(
                    (self.folder / "manifests", Path("/")),
                    {
                        ("default", "web", ""): (("127.0.0.1", 3000),),
                        ("default", "api", "http"): (("::1", 4000), ("localhost", 4001)),
                    },
                ),
                admin=Admin(("metrics.ingress.svc", "192.0.2.1")),
                tls=TLS(Path("/run/secrets"), ("web", "wildcard")),
                ingress_class=IngressClassFilter("nginx", "example.com/ingress", True),
                trusted_proxies=(ip_network("10.0.0.0/8"),),
                field_names="any",
                paths="strict",
                hosts=Hosts("namespace"),
                ssl_redirect=False,
                service_upstream=True,
                auth_verify=True,
                mirror_verify=True,
                hsts=HSTS(60, False, True),
                snippets="ignore",
                shutdown_grace=2.5,
                log=ProcessLogSettings("json", "warn"),
            ),
        )

    def test_proxy_protocol(self) -> None:
        """A listener for clients may be a mapping, and then want headers."""
        listen = self.load(
            f"{SOURCE}listen: {{http: {{endpoint: '81', proxy-protocol: true}},"
            " https: {endpoint: ['444', '445']}}"
        ).listen
        self.assertEqual(listen.proxy_protocol, {ListenerKind.HTTP})
        self.assertEqual((listen.http, listen.https), (("81",), ("444", "445")))
        default = self.load(f"{SOURCE}listen: {{https: {{proxy-protocol: true}}}}").listen
        self.assertEqual(default, Listen(proxy_protocol=frozenset({ListenerKind.HTTPS})))
        for text, found in (
            ("{http: {endpoint: 81, proxy-protocol: yes please}}", "listen.http.proxy-protocol"),
            ("{http: {port: 81}}", "listen.http.port"),
            ("{admin: {endpoint: '81'}}", "listen.admin"),
        ):
            self.assertIn(found, self.mistakes(f"{SOURCE}listen: {text}")[-1])

    def test_limits(self) -> None:
        """Each limit arrives where it belongs, none at another's place."""
        numbers = [limit for limit in fields(Limits) if limit.name not in ("store", "concurrency")]
        keys = [limit.name.replace("_", "-") for limit in numbers]
        text = "".join(f"  {key}: {30 + place}\n" for place, key in enumerate(keys))
        text = text.replace("retry-budget: 52", "retry-budget: 0.5")
        text = text.replace("client-share: 43", "client-share: 0.25")
        text = text.replace("route-share: 44", "route-share: 0.75")
        sizes = ("trailer-size", "table-size", "stream-window", "connection-window", "queue")
        factors = {f"http2-{key}": 10_000 for key in sizes} | {"http2-table-size": 100}
        for place, key in enumerate(keys):
            if key in factors:
                text = text.replace(f"{key}: {30 + place}", f"{key}: {(30 + place) * factors[key]}")
        for key in ("head-size", "target-size", "metric-lines"):
            text = text.replace(f"{key}: ", f"{key}: 10")  # These have a higher bound.
        limits = self.load(f"{SOURCE}limits:\n{text}").limits
        places = {
            each.name: getattr(limits, each.name) / factors.get(each.name.replace("_", "-"), 1) - 30
            for each in numbers
        }
        expected = {limit.name: float(place) for place, limit in enumerate(numbers)}
        expected |= {"head_size": 1007.0, "target_size": 1009.0, "retry_budget": 0.5 - 30}
        expected |= {"client_share": 0.25 - 30, "route_share": 0.75 - 30, "metric_lines": 1024.0}
        self.assertEqual(places, expected)

    def test_store(self) -> None:
        """The store of limits is a URL; a mistake does not quote it, for it may have a password."""
        for url, expected in (
            ("redis://redis", LimitStore("redis")),
            ("redis://[::1]:7000/4", LimitStore("::1", 7000, 4)),
            ("rediss://u:p%40ss@a.example:1", LimitStore("a.example", 1, 0, "u", "p@ss", True)),
            ("redis://:hunter2@a", LimitStore("a", password="hunter2")),
            ("null", None),
        ):
            limits = self.load(f"{SOURCE}limits: {{store: '{url}'}}\n".replace("'null'", "null"))
            self.assertEqual(limits.limits.store, expected, url)
        for url in (
            "http://:hunter2@a",
            "redis://:hunter2@",
            "redis://:hunter2@a:99999",
            "redis://:hunter2@a/x",
            "redis://:hunter2@a/1?hunter2",
            "hunter2",
            "redis://[hunter2",
        ):
            error = self.assertRaises(
                ConfigError, self.load, f"{SOURCE}limits: {{store: '{url}'}}\n"
            )
            self.assertNotIn("hunter2", str(error))
            self.assertIn("limits.store: redis://[USER:PASSWORD@]HOST", str(error))

    def test_store_authorities(self) -> None:
        """The authorities of the store come from a file, which must have some."""
        authority = CertificateAuthority()
        folder = Path(self.mktemp()).resolve()
        folder.mkdir()
        (folder / "ca.pem").write_bytes(authority.root_pem)
        (folder / "empty.pem").write_bytes(b"")
        (folder / "large.pem").write_bytes(authority.root_pem + b"\n" * (1 << 20))
        text = SOURCE + "limits: {store: 'rediss://a', store-ca: '%s'}\n"
        store = self.load(text % (folder / "ca.pem")).limits.store
        assert store is not None
        self.assertEqual(store.authorities, authority.root_pem)
        for name in ("none.pem", "empty.pem", "large.pem", ""):
            error = self.assertRaises(ConfigError, self.load, text % (folder / name))
            self.assertIn("limits.store-ca", str(error))

    def test_no_limit(self) -> None:
        """Nought is no limit where there may be none."""
        limits = self.load(SOURCE + "limits: {body-size: 0, connections-per-client: 0}\n").limits
        self.assertIsNone(limits.body_size)
        self.assertIsNone(limits.connections_per_client)

    def test_public_ports_of_files(self) -> None:
        """With files the public ports are those of the first TCP listeners, unless given."""
        for listen, ports in (
            ("{http: ['unix:s', '127.0.0.1:81', '82'], https: '[::1]:444'}", PublicPorts(81, 444)),
            ("{http: 127.0.0.1:0, https: null}", PublicPorts(80, 443)),
            ("{http: 81}\npublic-ports: {https: 9443}", PublicPorts(81, 9443)),
        ):
            self.assertEqual(self.load(f"{SOURCE}listen: {listen}\n").public_ports, ports, listen)

    def test_public_ports_of_running_process(self) -> None:
        """Listeners that need a restart change no public ports before it."""
        self.load(SOURCE + "listen: {http: 81}\n")
        config = load_config(self.path, Listen(http=("tcp:90",)))
        self.assertEqual(config.public_ports.http, 90)
        self.assertEqual(config.listen.http, ("81",))

    def test_public_ports_of_cluster(self) -> None:
        """In a cluster the public ports are 80 and 443, because a Service maps them."""
        config = self.load("source: {kubernetes: {}}\nlisten: {http: 81, https: 444}\n")
        self.assertEqual(config.public_ports, PublicPorts(80, 443))

    def test_home(self) -> None:
        """A path may begin with the home folder."""
        config = self.load(SOURCE + "tls: {secrets: ~/secrets}\n")
        self.assertEqual(config.tls.secrets, Path("~/secrets").expanduser())

    def test_null(self) -> None:
        """Null switches off what can be switched off."""
        config = self.load(SOURCE + "hsts: null\ntls: {secrets: null, default: null}\n")
        self.assertIsNone(config.hsts)
        self.assertEqual(config.tls, TLS())

    def test_relative(self) -> None:
        """Paths come out absolute, even if the file's own is not."""
        self.load(SOURCE)
        relative = Path(self.folder.name, "ingress.yaml")
        self.addCleanup(shutil.rmtree, self.folder.name, True)
        shutil.copytree(self.folder, self.folder.name)
        config = load_config(relative)
        self.assertEqual(config.path, relative.absolute())
        self.assertEqual(config.source.paths, (relative.absolute().parent / "manifests",))

    def test_json(self) -> None:
        """JSON is YAML."""
        self.assertEqual(self.load('{"source": {"files": "manifests"}}'), self.load(SOURCE))


class MistakeTests(ConfigTestCase):
    """Each mistake is a line that names file, line, key, value and what is accepted."""

    def test_every_mistake(self) -> None:
        """All mistakes of a file are told at once, from top to bottom."""
        self.assertEqual(
            self.mistakes(
                "snippets: allow\n"
                "source:\n"
                "  files:\n"
                "  - manifests\n"
                "  - missing.yaml\n"
                "public-ports: {http: eighty}\n"
            ),
            [
                'line 1: snippets: "allow": refuse or ignore or interpret',
                'line 5: source.files[1]: "missing.yaml": an existing file or folder;'
                f" {self.folder}/missing.yaml does not exist",
                'line 6: public-ports.http: "eighty": a whole number from 1 to 65535',
            ],
        )

    def test_unknown_key(self) -> None:
        """An unknown key is a mistake, with the one that may be meant, or all there are."""
        self.assertEqual(
            self.mistakes(SOURCE + "ssl_redirect: false\npublic-ports: {quic: 443}\n"),
            [
                "line 2: ssl_redirect: false: unknown key; did you mean ssl-redirect?",
                "line 3: public-ports.quic: 443: unknown key; known are http, https",
            ],
        )

    def test_wrong_type(self) -> None:
        """A value of another type is a mistake wherever it is, null included."""
        for key in (
            *("listen", "listen.http", "public-ports", "public-ports.https", "source.files"),
            *("source.endpoints", "tls", "tls.default", "class", "class.name", "class.controller"),
            *("class.without-class", "trusted-proxies", "ssl-redirect", "hsts", "hsts.max-age"),
            "service-upstream",
            "auth-verify",
            "mirror-verify",
            *("hsts.preload", "snippets", "shutdown-grace", "workers", "limits", "access-log"),
            *("access-log.format", "log.format", "log.level"),
            *(f"limits.{limit.name.replace('_', '-')}" for limit in fields(Limits)),
        ):
            for value in ("'no such value'", "{a: {b: c}}" if "." in key else "[[]]"):
                outer, _, inner = key.partition(".")
                text = f"{outer}:\n  {inner}: {value}\n" if inner else f"{outer}: {value}\n"
                if outer == "source":
                    text += "" if inner.startswith("files") else "  files: [manifests]\n"
                else:
                    text += SOURCE
                found = [one for one in self.mistakes(text) if key in one]
                self.assertEqual(len(found), 1, (key, value))

    def test_listen(self) -> None:
        """An endpoint string that cannot be listened on is a mistake, each of a list."""
        first, second = self.mistakes(SOURCE + "listen: {http: [tcp:http, 'ssl:443']}")
        self.assertTrue(first.startswith('line 2: listen.http[0]: "tcp:http": tcp:PORT'), first)
        self.assertTrue(second.startswith('line 2: listen.http[1]: "ssl:443": HOST:PORT'), second)

    def test_no_source(self) -> None:
        """Something to serve is needed."""
        missing = (
            "line 1: source.files: is missing: name files or folders,"
            " or write kubernetes: {} for a cluster"
        )
        self.assertEqual(self.mistakes("workers: 1\n"), [missing])
        self.assertEqual(self.mistakes("source: {}\n"), [missing])
        (none,) = self.mistakes("source: {files: []}\n")
        self.assertIn("at least one", none)

    def test_two_sources(self) -> None:
        """Files and a cluster exclude each other."""
        self.assertEqual(
            self.mistakes("source: {files: manifests, kubernetes: {}}\n"),
            ["line 1: source.kubernetes: {}: exactly one of files and kubernetes"],
        )

    def test_endpoints_of_cluster(self) -> None:
        """A cluster knows its endpoints itself."""
        self.assertEqual(
            self.mistakes("source: {kubernetes: {}, endpoints: {default/web: '127.0.0.1:1'}}\n"),
            ['line 1: source.endpoints: {"default/web": "127.0.0.1:1"}: applies to files only'],
        )

    def test_cluster(self) -> None:
        """Where objects come from a cluster, everything about it has its key."""
        self.folder.joinpath("config").touch()
        config = self.load(
            """
            source:
              kubernetes:
                kubeconfig: config
                context: staging
                namespaces: [shop, blog]
                status: {service: ingress/proxy, clear-on-shutdown: true}
                lease: ingress/leader
                events: false
            """
        )
        self.assertEqual(config.source, FilesSource())
        self.assertEqual(
            config.cluster,
            Cluster(
                kubeconfig=self.folder / "config",
                context="staging",
                namespaces=("shop", "blog"),
                status=StatusAddresses(service=("ingress", "proxy"), clear_on_shutdown=True),
                lease=("ingress", "leader"),
                events=False,
            ),
        )
        status = "{service: ingress/proxy, nodes: external, addresses: []}"
        nodes = self.load(f"source: {{kubernetes: {{status: {status}}}}}").cluster
        expected = StatusAddresses(service=("ingress", "proxy"), nodes="external")
        self.assertEqual(nodes, Cluster(status=expected))
        self.assertEqual(self.load("source: {kubernetes: {}}").cluster, Cluster())
        lease = self.load("source: {kubernetes: {lease: leader}}").cluster
        self.assertEqual(lease, Cluster(lease=("", "leader")))

    def test_cluster_mistakes(self) -> None:
        """What is wrong about the cluster is told key by key."""
        for text, key in (
            ("kubernetes: []", "source.kubernetes"),
            ("kubernetes: {kubeconfig: none}", "source.kubernetes.kubeconfig"),
            ("kubernetes: {context: ''}", "source.kubernetes.context"),
            ("kubernetes: {namespaces: [Shop]}", "source.kubernetes.namespaces[0]"),
            ("kubernetes: {status: on}", "source.kubernetes.status"),
            ("kubernetes: {status: {service: proxy}}", "source.kubernetes.status.service"),
            ("kubernetes: {status: {nodes: any}}", "source.kubernetes.status.nodes"),
            ("kubernetes: {status: {addresses: [A_B]}}", "source.kubernetes.status.addresses[0]"),
            (
                "kubernetes: {status: {addresses: [10.0.0.300]}}",
                "source.kubernetes.status.addresses[0]",
            ),
            (
                "kubernetes: {status: {addresses: [10.0.0.3], nodes: internal}}",
                "source.kubernetes.status.nodes",
            ),
            (
                "kubernetes: {status: {addresses: [10.0.0.3], service: ingress/proxy}}",
                "source.kubernetes.status.service",
            ),
            ("kubernetes: {lease: a/b/c}", "source.kubernetes.lease"),
            ("kubernetes: {events: maybe}", "source.kubernetes.events"),
        ):
            (line,) = self.mistakes(f"source: {{{text}}}\n")
            self.assertIn(f"line 1: {key}: ", line)

    def test_workers(self) -> None:
        """A number of processes, or one for each core."""
        self.assertEqual(self.load(f"{SOURCE}workers: 3\n").workers, 3)
        self.assertGreaterEqual(self.load(f"{SOURCE}workers: auto\n").workers, 1)
        for value in ("0", "-1", "true", "many", "257"):
            (line,) = self.mistakes(f"{SOURCE}workers: {value}\n")
            self.assertTrue(
                line.endswith(": a whole number from 1 to 256; or auto for one per core"), line
            )

    def test_access_log(self) -> None:
        """A file or standard output, a format, or none at all."""
        for text, expected in (
            ("{path: access.log}", AccessLog(self.folder / "access.log")),
            ("{path: stdout, format: json}", AccessLog(format="json")),
            ("{path: ./stdout}", AccessLog(self.folder / "stdout")),
            ("off", None),
            ("'off'", None),
            ("", None),
        ):
            self.assertEqual(self.load(f"{SOURCE}access-log: {text}\n").access_log, expected)

    def test_access_log_without_folder(self) -> None:
        """A file that cannot be made is a mistake."""
        (line,) = self.mistakes(f"{SOURCE}access-log: {{path: logs/access.log}}\n")
        self.assertEqual(
            line,
            'line 2: access-log.path: "logs/access.log": a file in an existing folder;'
            f" there is no folder {self.folder / 'logs'}",
        )

    def test_hostile_text(self) -> None:
        """Whatever is in the file, a mistake is one line without control characters."""
        (line,) = self.mistakes(SOURCE + '"a\\nb\\x1b[2J": "c\\nd\\x1b[2J\\u2028"\n')
        self.assertTrue(line.isprintable(), line)

    def test_long_value(self) -> None:
        """A long value is shortened."""
        (line,) = self.mistakes(f"{SOURCE}snippets: {'x' * 1000}\n")
        self.assertLess(len(line), 200)


class FileTests(ConfigTestCase):
    """What is wrong with the file itself is a mistake, too."""

    def test_missing(self) -> None:
        """A file that is missing, a folder, and one that may not be read."""
        for path, reason in [
            (self.folder / "none.yaml", "No such file or directory"),
            (self.folder, "Is a directory"),
            (self.folder / ("x" * 300), "File name too long"),
        ]:
            error = self.assertRaises(ConfigError, load_config, path)
            self.assertEqual(str(error), f"{error.mistakes[0].file}: cannot be read: {reason}")

    def test_empty(self) -> None:
        """A file without content."""
        for text in ("", "\n# nothing\n", "---\n"):
            (line,) = self.mistakes(text)
            self.assertTrue(line.startswith("is empty;"), line)

    def test_no_yaml(self) -> None:
        """Text that is no YAML is told with its line."""
        for text in ("a: 1\nb: [\n", "a: 1\na: 2\n", "a: b\n\tc: d\n"):
            (line,) = self.mistakes(text)
            self.assertRegex(line, r"^line [23]: ")

    def test_no_mapping(self) -> None:
        """Another document than a mapping."""
        for text in ("- source\n", "source\n", "5\n"):
            self.assertEqual(self.mistakes(text), ["line 1: must be a mapping of keys and values"])

    def test_two_documents(self) -> None:
        """A second document."""
        self.assertEqual(
            self.mistakes(f"{SOURCE}---\n{SOURCE}"),
            ["line 3: must hold one YAML document; a second one starts here"],
        )

    def test_no_text(self) -> None:
        """Bytes that are no UTF-8."""
        (line,) = self.mistakes(b"snippets: ignore\nclass: {name: \xff}\n")
        self.assertIn("line 2: is not UTF-8", line)

    def test_too_large(self) -> None:
        """A file that is no configuration is not read to its end."""
        (line,) = self.mistakes("#" * (MAX_FILE_SIZE + 1))
        self.assertIn("larger", line)
        error = self.assertRaises(ConfigError, load_config, Path("/dev/zero"))
        self.assertIn("larger", str(error))


class DocumentedTests(ConfigTestCase):
    """``etc/ingress.yaml`` documents what there is."""

    def test_defaults(self) -> None:
        """Every documented value is the default."""
        config = self.load(DOCUMENTED.read_bytes())
        apart = replace(
            config, path=None, source=FilesSource(), tls=TLS(), public_ports=PublicPorts()
        )
        self.assertEqual(apart, Config())
        self.assertEqual(config, self.load(SOURCE))

    def test_complete(self) -> None:
        """Every field of the configuration has its key, but for what only a ConfigMap sets."""
        (document,) = load_documents(DOCUMENTED.read_text())
        keys = set(_keys(document.value))
        renamed = {
            "ingress-class": "class",
            "source.paths": "source.files",
            "cluster": "source",
            "listen.proxy-protocol": "listen.http",
            "port-services": "listen",
            "port-services.listed": "listen.tcp",
            "port-services.tcp": "tcp-services",
            "port-services.udp": "udp-services",
        }
        apart = ("nginx", "error-pages.", "access-log.custom", "access-log.has-")
        for name in _fields(Config()):
            if name != "path" and not name.startswith(apart):
                outer, dot, inner = name.partition(".")
                name = renamed.get(name, renamed.get(outer, outer) + dot + inner)
                self.assertIn(name, keys)

    def test_cluster(self) -> None:
        """The keys of a cluster, which exclude those of files, are there as comments."""
        text = DOCUMENTED.read_text()
        begin = text.index("# kubernetes:")
        block = [line.strip() for line in text[begin:].split("\n\ntls:")[0].splitlines()]
        commented = "\n".join(line.removeprefix("#").removeprefix(" ") for line in block)
        self.folder.joinpath("config").touch()
        config = self.load("source:\n" + indent(commented, "  "))
        self.assertEqual(config.cluster, Cluster())
        (document,) = load_documents(commented)
        assert isinstance(document.value, dict)
        keys = _keys(document.value["kubernetes"])
        self.assertEqual(set(keys), set(_fields(Cluster())))


def _keys(value: object, before: str = "") -> list[str]:
    if not isinstance(value, dict):
        return []
    found = []
    for key, below in value.items():
        found += [f"{before}{key}", *_keys(below, f"{before}{key}.")]
    return found


def _fields(config: object, before: str = "") -> list[str]:
    if not is_dataclass(config):
        return []
    found = []
    for field in fields(config):
        name = f"{before}{field.name.replace('_', '-')}"
        found += [name, *_fields(getattr(config, field.name), f"{name}.")]
    return found
