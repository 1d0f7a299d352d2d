"""
Tests for `ingress.kube.api.kubeconfig`, and through it for the modules that read its users
and values.
"""

from __future__ import annotations

from base64 import b64encode
from pathlib import Path
from typing import Any

import yaml
from twisted.trial.unittest import SynchronousTestCase

from ingress.config_file import ConfigError
from ingress.kube.api.credential_files import Material
from ingress.kube.api.exec_plugin import ExecPlugin
from ingress.kube.api.kubeconfig import APIAccess, load_kubeconfig
from ingress.kube.api.server import Server
from tests.support.certs import CertificateAuthority

CA = CertificateAuthority()
OURS = CA.issue("somebody")
OTHER = CA.issue("other")
SECRET = "s3cr3t"


def base64(data: bytes) -> str:
    return b64encode(data).decode()


def kubeconfig(
    cluster: dict[str, Any] | None = None,
    user: dict[str, Any] | None = None,
    context: dict[str, Any] | None = None,
    **root: Any,
) -> dict[str, Any]:
    """As a file has it, with one of each."""
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "preferences": {},
        "current-context": "here",
        "contexts": [
            {"name": "here", "context": context or {"cluster": "lab", "user": "we"}},
        ],
        "clusters": [
            {"name": "lab", "cluster": {"server": "https://10.0.0.1:6443", **(cluster or {})}}
        ],
        "users": [{"name": "we", "user": user or {}}],
        **root,
    }


class KubeconfigTestCase(SynchronousTestCase):
    """A folder for kubeconfigs to be written to."""

    def setUp(self) -> None:
        self.folder = Path(self.mktemp()).absolute()
        self.folder.mkdir()
        self.path = self.folder / "config"

    def load(self, content: dict[str, Any] | str, context: str | None = None) -> APIAccess:
        # In the order of the keys here, so that lines are told in that of the file.
        text = content if isinstance(content, str) else yaml.safe_dump(content, sort_keys=False)
        self.path.write_text(text)
        return load_kubeconfig(self.path, context)

    def mistakes(self, content: dict[str, Any] | str, context: str | None = None) -> list[str]:
        """Each line of the refusal, without the file's path and the line."""
        error = self.assertRaises(ConfigError, self.load, content, context)
        found = []
        for line in str(error).splitlines():
            self.assertTrue(line.startswith(str(self.path)), line)
            self.assertNotIn(SECRET, line)
            where, _, rest = line.removeprefix(str(self.path)).partition(": ")
            self.assertRegex(where, r"\A(, line [0-9]+)?\Z")
            found.append(rest)
        return found

    def mistake(self, *args: Any, **kwargs: Any) -> str:
        (line,) = self.mistakes(kubeconfig(*args, **kwargs))
        return line


class ContextTests(KubeconfigTestCase):
    """A context leads to a cluster and a user."""

    CONTENT = kubeconfig(
        contexts=[
            {"name": "here", "context": {"cluster": "lab", "user": "we", "namespace": "ours"}},
            {"name": "there", "context": {"cluster": "far", "user": "they"}},
            {"name": "nobody", "context": {"cluster": "far"}},
            {"name": "lost", "context": {"cluster": "gone", "user": "gone"}},
            {"name": "empty", "context": {}},
        ],
        clusters=[
            {"name": "lab", "cluster": {"server": "https://lab.example"}},
            {"name": "far", "cluster": {"server": "https://far.example/base/"}},
            {"name": "far", "cluster": {"server": "https://second.example"}},
            {"name": "wrong", "cluster": {"server": "nowhere"}},
        ],
        users=[
            {"name": "we", "user": {"token": "ours"}},
            {"name": "they", "user": {"token": "theirs"}},
        ],
    )

    def test_current(self) -> None:
        """Without a given context the current one applies."""
        self.assertEqual(
            self.load(self.CONTENT),
            APIAccess(Server("lab.example", 443), Material(token=b"ours"), "ours"),
        )

    def test_named(self) -> None:
        """One that is named counts; of two clusters of a name it is the first."""
        self.assertEqual(
            self.load(self.CONTENT, "there"),
            APIAccess(
                Server("far.example", 443, base_path="/base"), Material(token=b"theirs"), "default"
            ),
        )

    def test_nobody(self) -> None:
        """Without a user we are anonymous."""
        self.assertEqual(self.load(self.CONTENT, "nobody").user, Material())

    def test_unknown(self) -> None:
        """A missing entry is a mistake that lists the known names."""
        self.assertEqual(
            self.mistakes(self.CONTENT, "elsewhere"),
            [
                'contexts: no context is named "elsewhere"; known names: "here", "there", "nobody",'
                ' "lost", "empty"'
            ],
        )
        self.assertEqual(
            self.mistakes(self.CONTENT, "lost"),
            [
                'clusters: no cluster is named "gone"; known names: "lab", "far", "far", "wrong"',
                'users: no user is named "gone"; known names: "we", "they"',
            ],
        )
        self.assertEqual(
            self.mistakes(self.CONTENT, "empty"),
            ["contexts[4].context.cluster: missing: the name of one of clusters"],
        )

    def test_none(self) -> None:
        """A file without a current context, as kubectl makes it, needs one to be named."""
        empty = "apiVersion: v1\nkind: Config\nclusters: null\ncontexts: null\nusers: null\n"
        self.assertEqual(
            self.mistakes(empty + 'current-context: ""\n'),
            ["current-context: missing: the name of a context; or source.kubernetes.context"],
        )
        self.assertEqual(
            self.mistakes(empty, "here"),
            ['contexts: no context is named "here"; known names: none'],
        )

    def test_no_kubeconfig(self) -> None:
        """A file that is not a kubeconfig is refused."""
        self.assertEqual(self.mistakes(""), ["is empty; clusters, users and contexts are needed"])
        self.assertEqual(self.mistakes("[]"), ["must be a mapping of keys and values"])
        self.assertIn("is not YAML", self.mistakes("a: [")[0])
        error = self.assertRaises(ConfigError, load_kubeconfig, self.folder / "none")
        self.assertIn("none: cannot be read: No such file", str(error))

    def test_wrong_types(self) -> None:
        """Whatever is of another type is a mistake, and no content of a user is shown."""
        self.assertEqual(
            self.mistakes(kubeconfig(users={"token": SECRET})),
            ["users: a list of mappings, each with a name"],
        )
        self.assertEqual(
            self.mistakes(kubeconfig(users=[{"name": "we", "user": SECRET}])),
            ["users[0].user: a mapping of keys and values"],
        )
        self.assertEqual(self.mistake(contexts=5), "contexts: a list of mappings, each with a name")


class ClusterTests(KubeconfigTestCase):
    """The server of a cluster, and its verification."""

    def server(self, **cluster: Any) -> Server:
        return self.load(kubeconfig(cluster)).server

    def test_urls(self) -> None:
        """A URL has a scheme, a host and perhaps a port and a path."""
        for url, server in {
            "https://10.0.0.1:6443": Server("10.0.0.1", 6443),
            "https://[fd00::1]:6443/": Server("fd00::1", 6443),
            "https://api.example": Server("api.example", 443),
            "http://127.0.0.1:8001": Server("127.0.0.1", 8001, is_tls=False),
            "https://rancher.example/k8s/clusters/c-m-1": Server(
                "rancher.example", 443, base_path="/k8s/clusters/c-m-1"
            ),
        }.items():
            self.assertEqual(self.server(server=url), server)

    def test_wrong_urls(self) -> None:
        """Every other text is refused as a server."""
        for url in (
            *(
                "10.0.0.1:6443",
                "ftp://a",
                "https://",
                "https://a b",
                "https://a:99999",
                "https://a:0",
            ),
            *("https://user:pass@a", "https://a?b=c", "https://a#b", "https://a/%2e", ""),
            *("https://[fd00::1", "https://a..b", "https://a/\r\nHost: b"),
        ):
            line = self.mistake({"server": url})
            self.assertRegex(line, r"\Aclusters\[0\]\.cluster\.server: .*a URL such as https://")
        line = self.mistake({"server": None})
        self.assertIn("cluster.server: null: text", line)
        self.assertEqual(
            self.mistakes(kubeconfig(clusters=[{"name": "lab", "cluster": {}}])),
            ["clusters[0].cluster.server: missing: the URL of the API server"],
        )

    def test_ca(self) -> None:
        """A CA is a file, relative to the kubeconfig, or data, which are preferred."""
        self.folder.joinpath("ca.crt").write_bytes(CA.root_pem)
        access = self.load(kubeconfig({"certificate-authority": "ca.crt"}))
        self.assertEqual(access.server.ca_pem, CA.root_pem)
        self.assertEqual(access.ca_file, self.folder / "ca.crt")
        data = CertificateAuthority().root_pem
        access = self.load(
            kubeconfig(
                {"certificate-authority": "none", "certificate-authority-data": base64(data)}
            )
        )
        self.assertEqual((access.server.ca_pem, access.ca_file), (data, None))

    def test_wrong_ca(self) -> None:
        """A malformed certificate is a mistake."""
        self.assertEqual(
            self.mistake({"certificate-authority": "none"}),
            'clusters[0].cluster.certificate-authority: "none": a file that can be read;'
            f" {self.folder}/none cannot be read: No such file or directory",
        )
        self.assertIn(
            "one certificate or more, as PEM", self.mistake({"certificate-authority": "config"})
        )
        self.assertIn(
            "the content of a file, in base64",
            self.mistake({"certificate-authority-data": "-----BEGIN"}),
        )
        self.assertIn(
            "one certificate or more, as PEM",
            self.mistake({"certificate-authority-data": base64(b"nothing")}),
        )

    def test_unverified(self) -> None:
        """It need not be known at all, if that is what is wanted."""
        self.assertFalse(self.server(**{"insecure-skip-tls-verify": True}).is_verified)
        self.assertTrue(self.server(**{"insecure-skip-tls-verify": False}).is_verified)
        self.assertIn(
            "no certificate-authority beside it",
            self.mistake(
                {
                    "insecure-skip-tls-verify": True,
                    "certificate-authority-data": base64(CA.root_pem),
                }
            ),
        )

    def test_server_name(self) -> None:
        """The certificate may be for another name."""
        self.assertEqual(
            self.server(**{"tls-server-name": "api.example"}).server_name, "api.example"
        )
        self.assertIn("a host name or an IP", self.mistake({"tls-server-name": "a b"}))

    def test_proxy(self) -> None:
        """A proxy is refused rather than passed by."""
        self.assertIn(
            "a proxy to the API server is not supported",
            self.mistake({"proxy-url": "http://proxy.example:3128"}),
        )
        self.assertEqual(self.server(**{"proxy-url": ""}), self.server())

    def test_unknown_keys(self) -> None:
        """Unknown keys are ignored."""
        self.assertEqual(self.server(**{"disable-compression": True}), self.server())


class UserTests(KubeconfigTestCase):
    """The credentials of a user."""

    def user(self, **user: Any) -> Any:
        return self.load(kubeconfig(user=user)).user

    def file(self, name: str, content: bytes) -> Path:
        path = self.folder / name
        path.write_bytes(content)
        return path

    def test_token(self) -> None:
        """A token is given, or a file of it, which is preferred."""
        self.assertEqual(self.user(token=SECRET), Material(token=SECRET.encode()))
        path = self.file("token", SECRET.encode())
        self.assertEqual(self.user(token="old", tokenFile="token"), Material(token=path))

    def test_wrong_token(self) -> None:
        """An impossible token is a mistake, and is not shown."""
        self.file("empty", b"\n")
        self.assertEqual(
            self.mistake(user={"tokenFile": "empty"}),
            f"users[0].user.tokenFile: a token; {self.folder}/empty is empty; a token is needed",
        )
        self.assertIn("cannot be read", self.mistake(user={"tokenFile": "none"}))
        for wrong in (f"{SECRET} ", f"{SECRET}\r\nX: y", f"{SECRET} é", {"a": SECRET}, [SECRET]):
            if wrong != f"{SECRET} ":
                self.assertIn("users[0].user.token: ", self.mistake(user={"token": wrong}))

    def test_login(self) -> None:
        """A user may have a name and a password, but not a token as well."""
        self.assertEqual(self.user(username="a", password="b"), Material(login=("a", "b")))
        self.assertIn("no token beside it", self.mistake(user={"username": "a", "token": SECRET}))
        self.assertEqual(
            self.mistake(user={"username": "a", "password": 5}),
            "users[0].user.password: text",
        )

    def test_certificate(self) -> None:
        """A certificate and its key are given, or files of them; data are preferred."""
        chain = self.file("tls.crt", OURS.chain_pem)
        key = self.file("tls.key", OURS.key_pem)
        files = {"client-certificate": "tls.crt", "client-key": str(key)}
        data = {
            "client-certificate-data": base64(OURS.chain_pem),
            "client-key-data": base64(OURS.key_pem),
        }
        self.assertEqual(self.user(**files), Material(chain=chain, key=key))
        expected = Material(chain=OURS.chain_pem, key=OURS.key_pem)
        self.assertEqual(self.user(**data), expected)
        self.assertEqual(self.user(**files, **data), expected)

    def test_wrong_certificate(self) -> None:
        """A half, or two halves that do not fit, are mistakes."""
        chain, key = base64(OURS.chain_pem), base64(OURS.key_pem)
        self.assertIn("client-key: missing", self.mistake(user={"client-certificate-data": chain}))
        self.assertIn("client-certificate: missing", self.mistake(user={"client-key-data": key}))
        for pair in ((chain, base64(OTHER.key_pem)), (chain, base64(b"no")), (base64(b"no"), key)):
            line = self.mistake(
                user={"client-certificate-data": pair[0], "client-key-data": pair[1]}
            )
            self.assertIn("client-certificate: a certificate as PEM, and its key", line)
        self.assertIn(
            "client-key-data: the content of a file, in base64",
            self.mistakes(kubeconfig(user={"client-key-data": SECRET + "!"}))[0],
        )

    def test_refused(self) -> None:
        """Keys that would change the meaning are refused if they are not supported."""
        for key in ("auth-provider", "as", "as-uid", "as-groups", "as-user-extra"):
            self.assertIn(f"users[0].user.{key}: ", self.mistake(user={key: SECRET}))

    def test_in_the_clear(self) -> None:
        """Credentials go to another machine by TLS alone."""
        far = {"server": "http://far.example"}
        self.assertIn("https: over http", self.mistake(far, {"token": SECRET}))
        for server in ("http://127.0.0.1:8001", "http://[::1]:8001", "http://localhost"):
            self.load(kubeconfig({"server": server}, {"token": SECRET}))
        self.load(kubeconfig(far))


class ExecTests(KubeconfigTestCase):
    """Credentials from a program."""

    def exec(self, cluster: dict[str, Any] | None = None, **plugin: Any) -> Any:
        plugin = {"apiVersion": "client.authentication.k8s.io/v1", "command": "aws", **plugin}
        return self.load(kubeconfig(cluster, {"exec": plugin})).user

    def test_all(self) -> None:
        """Everything about it arrives."""
        extension = {"name": "client.authentication.k8s.io/exec", "extension": {"a": [1]}}
        self.assertEqual(
            self.exec(
                {"extensions": [{"name": "other", "extension": 1}, extension]},
                apiVersion="client.authentication.k8s.io/v1beta1",
                args=["eks", "get-token"],
                env=[{"name": "AWS_PROFILE", "value": "lab"}],
                interactiveMode="IfAvailable",
                provideClusterInfo=True,
                installHint="install aws",
            ),
            ExecPlugin(
                command="aws",
                args=("eks", "get-token"),
                env=(("AWS_PROFILE", "lab"),),
                api_version="client.authentication.k8s.io/v1beta1",
                install_hint="install aws",
                wants_cluster=True,
                cluster_config={"a": [1]},
            ),
        )

    def test_null(self) -> None:
        """As kubectl writes it where there is nothing."""
        self.assertEqual(
            self.exec(args=None, env=None, provideClusterInfo=False, installHint=None),
            ExecPlugin("aws"),
        )

    def test_command(self) -> None:
        """A path is relative to the kubeconfig; a name is looked for later."""
        self.assertEqual(self.exec(command="bin/login").command, str(self.folder / "bin/login"))
        self.assertEqual(self.exec(command="/bin/login").command, "/bin/login")
        self.assertEqual(self.exec(command="login").command, "login")

    def test_mistakes(self) -> None:
        """A plugin that cannot be run as configured is refused, and no secret is shown."""
        v1 = {"apiVersion": "client.authentication.k8s.io/v1", "command": "aws"}
        for plugin, expected in (
            ({"command": "aws"}, "exec.apiVersion: missing: client.authentication.k8s.io/v1 or"),
            ({**v1, "apiVersion": "v2"}, 'exec.apiVersion: "v2": client.authentication.k8s.io/v1'),
            ({"apiVersion": v1["apiVersion"]}, "exec.command: missing"),
            ({**v1, "command": ""}, 'exec.command: "": the program to run'),
            ({**v1, "interactiveMode": "Always"}, "nobody can answer a prompt"),
            ({**v1, "args": SECRET}, "exec.args: a list of arguments"),
            ({**v1, "args": [5]}, "exec.args: text"),
            ({**v1, "env": [{"name": "A", "value": 5}]}, "exec.env[0].value: text"),
            ({**v1, "env": [{"value": SECRET}]}, "exec.env[0].name: missing"),
            ({**v1, "env": [{"name": "A=B", "value": SECRET}]}, "the name of a variable"),
            ({**v1, "env": {"A": SECRET}}, "exec.env: a list of name and value"),
            (SECRET, "exec: a mapping"),
        ):
            lines = self.mistakes(kubeconfig(user={"exec": plugin}))
            self.assertIn(expected, lines[0])
        self.assertIn(
            "exec: no other credentials beside it",
            self.mistake(user={"exec": v1, "token": SECRET}),
        )
