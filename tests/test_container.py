"""
Tests for etc/container/Containerfile: what it builds serves from a read-only tree, as
somebody who owns nothing, and ends when it is told to.

There is no container engine here. The commands are those of the file, except that paths
are below a folder of the test, and that dependencies are copied from where the tests have
them instead of downloaded. Where there is no compiler it builds what is interpreted.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from configparser import ConfigParser
from importlib.metadata import Distribution, distribution
from pathlib import Path

from packaging.requirements import Requirement
from twisted.trial.unittest import SkipTest, SynchronousTestCase

from tests.support.build import load_build
from tests.support.client import HTTPClient
from tests.support.containerfile import Build, Command, Stage, parse_containerfile, parse_list
from tests.support.endpoints import EchoEndpoint
from tests.support.manifest import ingress_manifest, served_manifests
from tests.support.process import CHECKOUT, IngressProcess

CONTAINERFILE = CHECKOUT / "etc" / "container" / "Containerfile"

PATHS = ("/src", "/opt/txingress")
"""What the file makes in the image."""

MOUNT_READ_ONLY = 'mount --bind / / && mount -o remount,bind,ro / && exec "$@"'


def stages() -> list[Stage]:
    return parse_containerfile(CONTAINERFILE.read_text())


class ContainerfileTests(SynchronousTestCase):
    """What can be read off the file."""

    def setUp(self) -> None:
        self.build, self.final = stages()

    def test_images(self) -> None:
        """Both stages are of one image: its tag tells readers the version, its digest the engine."""
        self.assertEqual(self.build.image, self.final.image)
        self.assertRegex(self.final.image, r"/python:3\.\d+\.\d+-slim-[a-z]+@sha256:[0-9a-f]{64}$")

    def test_health_check(self) -> None:
        """The engine asks the interpreter of the image, without a shell and without curl."""
        _, command = self.final.last("HEALTHCHECK").split(" CMD ")
        program, option, code = parse_list(command)
        self.assertEqual((program, option), ("/opt/txingress/bin/python", "-c"))
        compile(code, "HEALTHCHECK", "exec")

    def test_user(self) -> None:
        """It is nobody in particular, and the Deployment says the same."""
        self.assertEqual(self.final.last("USER"), "65532:65532")

    def test_entry_point(self) -> None:
        """
        The command is the process itself: it serves in the foreground, with a configuration or
        with the arguments of ingress-nginx's Deployment.
        """
        self.assertEqual(
            parse_list(self.final.last("ENTRYPOINT")), ["/opt/txingress/bin/txingress"]
        )
        self.assertEqual(
            parse_list(self.final.last("CMD")), ["run", "--config", "/etc/txingress/ingress.yaml"]
        )

    def test_copied(self) -> None:
        """
        The image gets the package and the plugin, and the command under the names of
        ingress-nginx's programs; tests and history stay outside.
        """
        command = "/opt/txingress/bin/txingress"
        self.assertEqual(
            self.final.all("COPY"),
            [
                f"--from={self.build.name} {taken}"
                for taken in (
                    "/opt/txingress /opt/txingress",
                    f"{command} /nginx-ingress-controller",
                    f"{command} /wait-shutdown",
                )
            ],
        )
        copied = [name for text in self.build.all("COPY") for name in text.split()[:-1]]
        self.assertEqual(
            copied,
            [
                *("setup.cfg", "setup.py", "pyproject.toml", "mypyc.ini", "README.md", "LICENSE"),
                *("etc/build", "etc/ingress.yaml", "etc/man", "etc/systemd", "ingress", "twisted"),
            ],
        )

    def test_compiled(self) -> None:
        """A build that cannot compile fails; the compiler is not in the image."""
        self.assertEqual(self.build.environment["TXINGRESS_COMPILE"], "yes")
        self.assertIn('"gcc"', " ".join(self.build.all("RUN")))
        self.assertEqual(self.final.all("RUN"), [])


class EntryPointTests(SynchronousTestCase):
    """What the file builds runs. It compiles first, so it is part of ``make check-wheel``."""

    def setUp(self) -> None:
        if not os.environ.get("TXINGRESS_TEST_CONTAINER"):
            raise SkipTest("it takes a minute: make check-wheel")
        self.folder = Path(tempfile.mkdtemp(prefix="ingress-"))
        self.addCleanup(shutil.rmtree, self.folder)
        self.folder.chmod(0o755)
        build, self.final = stages()
        self.obstacle = load_build().find_obstacle()
        self.choice = {"TXINGRESS_COMPILE": "no"} if self.obstacle else {}
        self.build = Build(
            self.folder,
            CHECKOUT,
            PATHS,
            self.prepare,
            {"PATH": os.environ["PATH"], "HOME": str(self.folder), **self.choice},
        )
        self.build.run(build)
        shutil.rmtree(self.folder / "src")

    def prepare(self, command: Command) -> Command:
        """Have a command of the file do without the network, and with our interpreter."""
        if command[:3] == ["python", "-m", "venv"]:
            return [sys.executable, "-m", "venv", "--without-pip", *command[3:]]
        if command[0] == "apt-get":
            return ["true"]
        if command[1:4] == ["-m", "pip", "install"]:
            site = next(self.folder.joinpath("opt/txingress/lib").glob("python3*/site-packages"))
            copy_distributions(site, command[0], "pip", "setuptools", "mypy", *required())
            return [*command, "--no-deps", "--no-build-isolation"]
        return command

    def check_flags(self, process: IngressProcess) -> None:
        """
        The arguments of ingress-nginx's Deployment are taken, by each name of the program, up to
        the credentials that only a Pod has.
        """
        for name in ("nginx-ingress-controller", "/nginx-ingress-controller"):
            process.spawn(name, "--configmap=a/b", "--http-port=0")
            self.assertEqual(process.wait(), 2, process.log)
            self.assertIn("--http-port=0: stops the start", process.log)
            process.spawn(name, "--configmap=a/b", "--election-id=x")
            self.assertNotEqual(process.wait(), 0, process.log)
            self.assertIn("KUBERNETES_SERVICE_HOST", process.log)

    def set_writable(self, is_writable: bool) -> None:
        """Everything below the folder, or nothing."""
        for path in (self.folder, *self.folder.rglob("*")):
            if not path.is_symlink():
                mode = path.stat().st_mode
                path.chmod(mode | 0o200 if is_writable else mode & ~0o222)

    def test_serves(self) -> None:
        """
        It serves, compiled, writes nothing, not even what a plugin cache would need, and
        ends with status 0 at SIGTERM.
        """
        endpoint = EchoEndpoint("web")
        self.addCleanup(endpoint.stop)
        process = IngressProcess(self.folder / "etc")
        self.addCleanup(process.stop)
        process.write(
            "web.yaml",
            ingress_manifest("web", "a.example", {"/": "web"}),
            *served_manifests("web", endpoint.port),
        )
        [program] = map(self.build.place, parse_list(self.final.last("ENTRYPOINT")))
        *command, config = parse_list(self.final.last("CMD"))
        self.assertEqual(config, "/etc/txingress/ingress.yaml")
        process.command = (*confinement(program), program)
        process.environment = {"PATH": os.environ["PATH"], **self.final.environment}
        self.set_writable(False)
        self.addCleanup(self.set_writable, True)
        before = listing(self.folder)
        self.check_flags(process)
        process.spawn(*command, str(process.config))
        with HTTPClient(process.port("http")) as client:
            self.assertEqual(client.request().echo["name"], "web")
        process.signal(signal.SIGTERM)
        self.assertEqual(process.wait(), 0, process.log)
        self.assertEqual(listing(self.folder), before)
        self.assertNotIn("Traceback", process.log)
        self.assertNotIn("plugin cache", process.log)
        if self.obstacle is not None:
            raise SkipTest(f"it serves, but not compiled: {self.obstacle}")
        self.assertIn("data path compiled", process.log)


class ChrootTests(SynchronousTestCase):
    """The file, command by command as it stands there, in a chroot of Debian: ``make container``."""

    def setUp(self) -> None:
        folder = os.environ.get("TXINGRESS_TEST_CHROOT", "")
        if not folder:
            raise SkipTest("it takes minutes, and needs root: make container")
        self.root = CHECKOUT / folder
        self.build, self.final = stages()
        for path in PATHS:
            shutil.rmtree(f"{self.root}{path}", ignore_errors=True)
        # Each command runs in the folder of WORKDIR, also the first ones.
        Path(f"{self.root}{self.build.last('WORKDIR')}").mkdir()
        # What the base has: `python`, and a way to the networks of this machine.
        python = self.root / "usr" / "local" / "bin" / "python"
        python.unlink(missing_ok=True)
        python.symlink_to("/usr/bin/python3")
        for name in ("etc/resolv.conf", "etc/ssl/certs/ca-certificates.crt"):
            shutil.copyfile(f"/{name}", self.root / name)

    def command(self, command: Command, user: str = "0:0") -> Command:
        place = self.build.last("WORKDIR") if user == "0:0" else self.final.last("WORKDIR")
        inside = [each.removeprefix(str(self.root)) for each in command]
        # By its path, because the health check has to do without any PATH.
        chroot = shutil.which("chroot") or "/usr/sbin/chroot"
        enter = [chroot, f"--userspec={user}", str(self.root), "/usr/bin/env", f"--chdir={place}"]
        return [*enter, *inside]

    def copy(self) -> None:
        """COPY of the last stage, which is of the same base."""
        for text in self.final.all("COPY"):
            _, source, target = text.split()
            if source != target:
                place = self.root / target[1:]
                place.unlink(missing_ok=True)
                shutil.copy2(f"{self.root}{source}", place)

    def test_built(self) -> None:
        """It builds, compiled; serves as the user of the image; and the health check tells so."""
        environment = {
            "PATH": "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin",
            "HOME": "/root",
            "DEBIAN_FRONTEND": "noninteractive",
            "PIP_CERT": "/etc/ssl/certs/ca-certificates.crt",
        }
        Build(self.root, CHECKOUT, PATHS, self.command, environment).run(self.build)
        self.copy()
        endpoint = EchoEndpoint("web")
        self.addCleanup(endpoint.stop)
        process = IngressProcess(self.root / "etc" / "txingress")
        self.addCleanup(shutil.rmtree, process.folder)
        self.addCleanup(process.stop)
        process.write(
            "web.yaml",
            ingress_manifest("web", "a.example", {"/": "web"}),
            *served_manifests("web", endpoint.port),
        )
        user = self.final.last("USER")
        entry = parse_list(self.final.last("ENTRYPOINT"))
        process.command = tuple(self.command(entry, user))
        process.environment = {"PATH": environment["PATH"], **self.final.environment}
        process.spawn(*parse_list(self.final.last("CMD")))
        with HTTPClient(process.port("http")) as client:
            self.assertEqual(client.request().echo["name"], "web")
        self.assertIn("data path compiled", process.log)
        self.check_health(process, user)

    def check_health(self, process: IngressProcess, user: str) -> None:
        """It says 0 while the process serves, and 1 when it does not."""
        _, text = self.final.last("HEALTHCHECK").split(" CMD ")
        port = str(process.port("admin"))
        command = [each.replace("10254", port) for each in parse_list(text)]
        asked = self.command(command, user)
        path = {"PATH": os.environ["PATH"]}
        self.assertEqual(subprocess.run(asked, env=path, check=False).returncode, 0)
        process.signal(signal.SIGTERM)
        self.assertEqual(process.wait(), 0, process.log)
        ended = subprocess.run(asked, env=path, capture_output=True, check=False)
        self.assertEqual(ended.returncode, 1)


def required() -> list[str]:
    """The distributions that txingress needs, and those that they need."""
    setup = ConfigParser()
    setup.read(CHECKOUT / "setup.cfg")
    return [line for line in setup["options"]["install_requires"].splitlines() if line]


def copy_distributions(target: Path, python: str, *requirements: str) -> None:
    """
    Copy what is installed here, with all that it requires.

    :param python: the interpreter that its scripts are to have.
    """
    seen: set[str] = set()
    waiting = [Requirement(each) for each in requirements]
    while waiting:
        requirement = waiting.pop()
        extras = requirement.extras or {""}
        if requirement.name in seen:
            continue
        seen.add(requirement.name)
        found = distribution(requirement.name)
        copy_files(found, target, python)
        for each in map(Requirement, found.requires or ()):
            markers = each.marker
            if markers is None or any(markers.evaluate({"extra": extra}) for extra in extras):
                waiting.append(each)


def copy_files(found: Distribution, target: Path, python: str) -> None:
    for file in found.files or ():
        source, place = Path(str(file.locate())), target / file
        if source.suffix == ".pyc" or not source.exists():
            continue
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(source, place)
        if source.parent.name == "bin":
            _, _, script = source.read_text().partition("\n")
            place.write_text(f"#!{python}\n{script}")


def confinement(program: str) -> list[str]:
    """
    What runs a program with nothing writable, as far as this machine allows: the whole
    file system is read-only, and we are somebody who owns nothing.
    """
    is_root = os.getuid() == 0
    tries = [
        ["unshare", "-m" if is_root else "-rm", "sh", "-c", MOUNT_READ_ONLY, "sh"],
        [
            *("setpriv", "--reuid=65532", "--regid=65532", "--clear-groups"),
            *("--no-new-privs", "--bounding-set=-all", "--inh-caps=-all"),
        ],
    ]
    possible: list[str] = []
    for prefix in tries if is_root else tries[:1]:
        asked = [*possible, *prefix, program, "--version"]
        if not subprocess.run(asked, capture_output=True, check=False).returncode:
            possible += prefix
    return possible


def listing(folder: Path) -> dict[str, tuple[int, int]]:
    """Size and time of the last change of everything below."""
    return {
        str(path): (path.lstat().st_size, path.lstat().st_mtime_ns) for path in folder.rglob("*")
    }
