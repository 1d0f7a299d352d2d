"""
Tests for `ingress.migration.flags` and `ingress.migration.flag_settings`.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import yaml
from twisted.trial.unittest import SynchronousTestCase

from ingress.config_file import load_config
from ingress.migration.flag import FlagVerdict
from ingress.migration.flag_table import FLAGS
from ingress.migration.flags import ReadFlags, expand, read

POD = {"POD_NAME": "controller-7", "POD_NAMESPACE": "ingress-nginx", "NODE_NAME": "node-a"}

CHART = [
    "--publish-service=$(POD_NAMESPACE)/ingress-nginx-controller",
    "--election-id=ingress-nginx-leader",
    "--controller-class=k8s.io/ingress-nginx",
    "--ingress-class=nginx",
    "--configmap=$(POD_NAMESPACE)/ingress-nginx-controller",
    "--validating-webhook=:8443",
    "--validating-webhook-certificate=/usr/local/certificates/cert",
    "--validating-webhook-key=/usr/local/certificates/key",
]
"""What the chart of ingress-nginx writes, behind the name of the program."""


def reading(*words: str, **environment: str) -> ReadFlags:
    return read(words, environment or POD)


def stops(*words: str) -> list[str]:
    return [str(each) for each in reading(*words).stops]


class SettingsTests(SynchronousTestCase):
    """What flags set."""

    def test_chart(self) -> None:
        """The arguments of the chart become a whole configuration, as YAML that is accepted."""
        found = reading(*CHART)
        self.assertEqual(found.stops, ())
        self.assertEqual(
            found.settings,
            {
                "listen": {"http": "*:80", "https": "*:443", "admin": "*:10254"},
                "source": {
                    "kubernetes": {
                        "lease": "ingress-nginx-leader",
                        "status": {
                            "service": "ingress-nginx/ingress-nginx-controller",
                            "clear-on-shutdown": True,
                        },
                    }
                },
                "class": {
                    "name": "nginx",
                    "controller": "k8s.io/ingress-nginx",
                    "without-class": False,
                    "by-name": False,
                },
                "admin": {"health-path": "/healthz"},
                "ssl-passthrough": False,
                "shutdown-grace": 240,
                "config-map": "ingress-nginx/ingress-nginx-controller",
            },
        )
        (told,) = found.with_verdict(FlagVerdict.TOLD)
        self.assertEqual(told.flag, "validating-webhook")

    def test_accepted(self) -> None:
        """Whatever flags set, the configuration file accepts."""
        folder = Path(self.mktemp()).absolute()
        folder.mkdir()
        kubeconfig = folder / "kubeconfig"
        kubeconfig.write_text("{}")
        everything = (
            *CHART,
            f"--kubeconfig={kubeconfig}",
            "--watch-namespace=shop",
            "--default-backend-service=a/b",
            "--tcp-services-configmap=a/b",
            "--udp-services-configmap=a/b",
            "--default-ssl-certificate=a/b",
            "--watch-ingress-without-class",
            "--healthz-host=::1",
            "--v=5",
            "--tcp-services-configmap=a/tcp",
            "--disable-catch-all",
            "--disable-svc-external-name",
            "--shutdown-grace-period=7",
            "--health-check-path=/health/live",
        )
        for words in (
            (),
            everything,
            ("--update-status=false",),
            ("--publish-status-address=a,b",),
        ):
            file = Path(tempfile.mkstemp(dir=folder, suffix=".yaml")[1])
            file.write_text(yaml.safe_dump(reading(*words).settings))
            config = load_config(file)
            self.assertIsNotNone(config.cluster)
        self.assertEqual(reading(*everything).settings["log"], {"level": "debug"})

    def test_status(self) -> None:
        """The addresses are those of the Service, a list, the node, or none at all."""
        for words, status in (
            (["--publish-service=a/b"], {"service": "a/b", "clear-on-shutdown": True}),
            (
                ["--publish-status-address=192.0.2.1, lb.example"],
                {"addresses": ["192.0.2.1", "lb.example"]},
            ),
            (
                ["--publish-service=a/b", "--update-status-on-shutdown=0"],
                {"service": "a/b", "clear-on-shutdown": False},
            ),
            ([], {"nodes": "external"}),
            (
                ["--report-node-internal-ip-address"],
                {"nodes": "internal"},
            ),
            (["--publish-service=a/b", "--update-status=false"], None),
        ):
            found = reading(*words).settings["source"]["kubernetes"]
            self.assertEqual(found.get("status"), status, words)

    def test_no_node(self) -> None:
        """Without a Service and the name of the node nothing is written, which is told."""
        found = reading(POD_NAMESPACE="a")
        self.assertNotIn("status", found.settings["source"]["kubernetes"])
        (told,) = found.remarks
        self.assertEqual((told.flag, told.verdict), ("publish-service", FlagVerdict.TOLD))

    def test_last(self) -> None:
        """The last of several values counts; lists are joined."""
        words = ("--http-port=1", "--http-port=8080", "--publish-status-address=a")
        settings = reading(*words, "--publish-status-address=b").settings
        self.assertEqual(settings["listen"]["http"], "*:8080")
        self.assertEqual(settings["source"]["kubernetes"]["status"]["addresses"], ["a", "b"])


class RemarkTests(SynchronousTestCase):
    """What is said about flags."""

    def test_each(self) -> None:
        """Every flag of the table can be given, and has a remark with its verdict."""
        for flag in FLAGS.values():
            value = {"boolean": "true", "integer": "7", "duration": "7s", "number": "7"}.get(
                flag.kind.value, "7" if flag.kind.value == "numbers" else "192.0.2.1"
            )
            if value == flag.default:
                value = "false"
            remark = reading(f"--{flag.name}={value}").remarks[0]
            self.assertEqual((remark.flag, remark.verdict), (flag.name, flag.verdict))

    def test_default(self) -> None:
        """A flag that asks for what is the default anyway stops nothing and is not told."""
        for name in ("annotations-prefix=nginx.ingress.kubernetes.io", "metrics-per-host=true"):
            (remark,) = reading(f"--{name}").remarks
            self.assertEqual(remark.verdict, FlagVerdict.NO_EFFECT)

    def test_stops(self) -> None:
        """What decides about access or safety and cannot be honoured stops the start."""
        for word in (
            "--watch-namespace-selector=team=a",
            "--annotations-prefix=other.example",
            "--apiserver-host=https://192.0.2.1",
        ):
            (line,) = stops(word)
            self.assertTrue(line.startswith(f"{word}: stops the start: "), line)

    def test_mistakes(self) -> None:
        """Mistakes stop the start, as in ingress-nginx; each has a line."""
        self.assertEqual(
            stops("--publsh-service=secret", "--http-port=x", "--https-port=0", "--configmap=a"),
            [
                "stops the start: --publsh-service: ingress-nginx has no such flag; "
                "did you mean --publish-service?",
                "--http-port=x: stops the start: a whole number is accepted",
                "--https-port=0: stops the start: a port from 1 to 65535 is accepted",
                "--configmap=a: stops the start: NAMESPACE/NAME of an object is accepted",
            ],
        )

    def test_pairs(self) -> None:
        """Flags that exclude each other stop the start."""
        for words in (
            ("--publish-service=a/b", "--publish-status-address=c"),
            ("--metrics-per-undefined-host", "--metrics-per-host=false"),
        ):
            self.assertEqual(len(stops(*words)), 1)

    def test_argument(self) -> None:
        """What is no flag is told; a boolean behind a blank above all."""
        remarks = reading("--enable-metrics", "false", "x").remarks
        self.assertIn("behind =", remarks[1].text)
        self.assertIn("is not looked at", remarks[2].text)

    def test_secret(self) -> None:
        """The license key is never repeated."""
        self.assertNotIn("s3cret", repr(reading("--maxmind-license-key=s3cret").remarks))

    def test_hostile(self) -> None:
        """Line ends and other controls in values and names reach no line as they are."""
        for word in (
            "--x\r\nERROR=1",
            "--http-port=1\r\n",
            "x\0\x1b[2J",
            "--configmap=" + "a" * 99_999,
        ):
            for remark in reading(word).remarks:
                line = str(remark)
                self.assertTrue(line.isprintable() and len(line) < 500, line[:99])

    def test_version(self) -> None:
        """--version and --help are asked for."""
        self.assertTrue(reading("--version").wants_version)
        self.assertTrue(reading("--help").wants_help)


class ExpandTests(SynchronousTestCase):
    def test_variables(self) -> None:
        """$(NAME) is replaced as Kubernetes does."""
        for word, expanded in (
            ("$(A)/x", "a/x"),
            ("$$(A)", "$(A)"),
            ("$(B)", "$(B)"),
            ("$A ${A}", "$A ${A}"),
        ):
            self.assertEqual(expand(word, {"A": "a"}), expanded)

    def test_absent(self) -> None:
        """A variable that does not exist stops the start."""
        (line,) = stops("--configmap=$(NAMESPACE)/x")
        self.assertIn("NAMESPACE is not in the environment", line)
