"""
This proxy as a contender: installed as a user would, and started as one.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from hashlib import sha256
from pathlib import Path

import yaml

from benchmarks.comparison.peer import Command, NotInstalled, Place
from benchmarks.comparison.site import KEEP_ALIVE_REQUESTS, Site
from tests.support.manifest import ingress_manifest, served_manifests

CHECKOUT = Path(__file__).resolve().parents[2]

INSTALLED = (
    *("ingress", "twisted", "etc/build", "setup.cfg", "setup.py", "pyproject.toml", "mypyc.ini"),
    *("etc/ingress.yaml", "etc/man", "etc/systemd", "README.md", "LICENSE"),
)
"""What of a checkout ``pip install`` looks at; older ones do not have all of it."""

DESCRIBE = """
import platform
from importlib.metadata import version
try:
    from ingress.installation import is_compiled
except ImportError:  # an older checkout
    kind = "interpreted"
else:
    kind = "compiled" if is_compiled() else "interpreted"
python = f"{platform.python_version()} and Twisted {version('twisted')}"
print(version("txingress"), kind, "on Python", python)
"""
"""A program that says what is installed."""

DISTRIBUTION_PYTHON = "/usr/bin/python3"
"""Debian's is built with profile-guided optimisation, as are the container images of
Python; what else there is on a machine often is not, and 10 to 15 % slower."""


class TxIngress:
    """
    :param python: whose virtual environment it is installed in.
    :param checkout: what is installed, so that two versions can be compared.
    """

    notes = "as installed by pip, one process; log to a file"

    def __init__(self, python: str, checkout: Path = CHECKOUT, name: str = "txingress") -> None:
        self.name = name
        self._python = python
        self._checkout = checkout
        self._folder = CHECKOUT / "build" / "comparison" / name

    def find(self) -> str:
        if not Path(self._python).exists():
            raise NotInstalled(f"no {self._python} to install it with; see --python")
        self._install()
        command = [str(self._folder / "bin" / "python"), "-I", "-c", DESCRIBE]
        said = subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
        return f"{said} ({self._commit()})"

    def _commit(self) -> str:
        command = ["git", "-C", str(self._checkout), "describe", "--always", "--dirty"]
        ended = subprocess.run(command, capture_output=True, text=True)
        return ended.stdout.strip() or "no commit"

    def _install(self) -> None:
        """Into an environment that is kept for the next time, if anything has changed."""
        digest = self._digest()
        stamp = self._folder / "installed"
        if stamp.exists() and stamp.read_text() == digest:
            return
        print(f"Installing {self.name} of {self._checkout}", file=sys.stderr)
        shutil.rmtree(self._folder, ignore_errors=True)
        self._folder.parent.mkdir(parents=True, exist_ok=True)
        subprocess.run([self._python, "-m", "venv", self._folder], check=True)
        python = str(self._folder / "bin" / "python")
        pip = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        # A copy: pip builds in the tree, and would find what an earlier build left there.
        with tempfile.TemporaryDirectory(prefix="comparison-") as folder:
            for source in self._sources():
                copy = shutil.copytree if source.is_dir() else shutil.copyfile
                target = Path(folder, source.relative_to(self._checkout))
                target.parent.mkdir(exist_ok=True)
                copy(source, target)
            # An error, where it cannot be compiled, unless it is not to be.
            environment = {"TXINGRESS_COMPILE": "yes", **os.environ}
            ended = subprocess.run([*pip, folder], capture_output=True, text=True, env=environment)
        if ended.returncode:
            raise NotInstalled(f"pip: {ended.stderr}")
        stamp.write_text(digest)

    def _sources(self) -> list[Path]:
        """What there is of `INSTALLED`."""
        paths = [self._checkout / name for name in INSTALLED]
        return [path for path in paths if path.exists()]

    def _digest(self) -> str:
        """Of all that is installed, and of what with."""
        digest = sha256(self._python.encode())
        digest.update(os.environ.get("TXINGRESS_COMPILE", "").encode())
        for path in self._sources():
            files = sorted(path.rglob("*")) if path.is_dir() else [path]
            for file in files:
                if file.is_file() and file.suffix != ".pyc":
                    digest.update(str(file.relative_to(self._checkout)).encode())
                    digest.update(file.read_bytes())
        return digest.hexdigest()

    def command(self, site: Site, place: Place) -> Command:
        config = place.folder / "ingress.yaml"
        listen = {
            "http": [f"tcp:{port}:interface=127.0.0.1" for port in (place.http, place.h2c)],
            "https": f"tcp:{place.https}:interface=127.0.0.1",
            "admin": f"tcp:{place.admin}:interface=127.0.0.1",
        }
        settings: dict[str, object] = {
            "listen": listen,
            "source": {"files": ["manifests"]},
            "tls": {"default": "default/default"},
            "ssl-redirect": False,
            "limits": {"keep-alive-requests": KEEP_ALIVE_REQUESTS},
            "access-log": {"path": str(place.log)},
        }
        config.write_text(yaml.safe_dump(settings))
        self._write_manifests(site, place.folder)
        twistd = str(self._folder / "bin" / "twistd")
        line = [twistd, "-n", "--pidfile=", "ingress", "--config", str(config)]
        # Else what is interpreted in a checkout might go before what was installed.
        return Command(line, environment={"PYTHONPATH": ""})

    def _write_manifests(self, site: Site, folder: Path) -> None:
        own = dict(site.pairs)
        secrets = {"default": site.default}
        objects: list[object] = []
        paths: dict[bool, dict[str, str]] = {False: {}, True: {}}
        for prefix, name, port, is_grpc in site.routes:
            objects += served_manifests(name, port)
            paths[is_grpc][prefix] = name
        for number, host in enumerate(site.hosts):
            name = f"host-{number}"
            tls = {"default": [host]}
            if pair := own.get(host):
                secrets[name] = pair
                tls = {name: [host]}
            objects.append(ingress_manifest(name, host, paths[False], tls=tls))
            if site.has_grpc:
                way = {"backend-protocol": "GRPC"}
                objects.append(ingress_manifest(f"{name}-grpc", host, paths[True], annotations=way))
        folder.joinpath("manifests").mkdir()
        with folder.joinpath("manifests", "all.yaml").open("w") as file:
            yaml.dump_all(objects, file, Dumper=getattr(yaml, "CSafeDumper", yaml.SafeDumper))
        for name, pair in secrets.items():
            secret = folder / "secrets" / "default" / name
            secret.mkdir(parents=True)
            secret.joinpath("tls.crt").write_bytes(pair.chain.read_bytes())
            secret.joinpath("tls.key").write_bytes(pair.key.read_bytes())
