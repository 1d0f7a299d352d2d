"""
Take the picture of the page that README.md shows: the demo under traffic for some minutes, of which
one has errors.

Chromium has to be installed, and the ports of the demo have to be free.
"""

from __future__ import annotations

import http.client
import math
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from configparser import ConfigParser
from pathlib import Path

from tests.support.browser import Browser

CHECKOUT = Path(__file__).resolve().parents[1]
PICTURE = CHECKOUT / "docs" / "images" / "page.png"
WIDTH, HEIGHT = 1440, 1000
SECONDS = 660.0
BROKEN = (0.55, 0.65)
"""The part of the time in which a Service has an endpoint that is not there."""

TARGETS = (
    ("kubia.example.com", "/", 5),
    ("paths.example.com", "/kubia", 3),
    ("paths.example.com", "/foo", 2),
    ("bar.example.com", "/", 2),
    ("foo.example.com", "/cart", 1),
    ("paths.example.com", "/nothing", 0.2),
)


def copy_demo(folder: Path) -> Path:
    """:return: the demo in a checkout whose other parts are links, so that it can be changed."""
    demo = folder / "etc" / "demo"
    shutil.copytree(CHECKOUT / "etc" / "demo", demo)
    for name in ("ingress", "twisted"):
        (folder / name).symlink_to(CHECKOUT / name)
    # As it is named where it is installed.
    setup = ConfigParser()
    setup.read(CHECKOUT / "setup.cfg", encoding="utf-8")
    installed = folder / "txingress.dist-info"
    installed.mkdir()
    version = setup["metadata"]["version"]
    (installed / "METADATA").write_text(f"Name: txingress\nVersion: {version}\n")
    return demo


def send(random_: random.Random, rate: float) -> None:
    """Send the requests of a second, one after the other."""
    weights = [weight for _, _, weight in TARGETS]
    for host, path, _ in random_.choices(TARGETS, weights, k=round(rate)):
        connection = http.client.HTTPConnection("localhost", 8080, timeout=10)
        try:
            connection.request("GET", path, headers={"Host": host})
            connection.getresponse().read()
        except OSError:
            pass
        finally:
            connection.close()


def drive(demo: Path, seconds: float) -> None:
    """Send requests, the number of which rises and falls."""
    settings = demo / "ingress.yaml"
    whole = settings.read_text()
    random_ = random.Random(7)
    began = time.monotonic()
    while (now := time.monotonic() - began) < seconds:
        is_broken = BROKEN[0] < now / seconds < BROKEN[1]
        wanted = whole.replace("127.0.0.1:18012", "127.0.0.1:1") if is_broken else whole
        if settings.read_text() != wanted:
            settings.write_text(wanted)
        send(random_, 12 + 7 * math.sin(now / 70) + 4 * random_.random())
        time.sleep(max(0.0, began + now + 1 - time.monotonic()))


def main(file: Path, seconds: float) -> None:
    """Write the picture, and the same in the dark and on a phone beside it if asked for."""
    with tempfile.TemporaryDirectory(prefix="txingress-") as folder:
        demo = copy_demo(Path(folder))
        served = subprocess.Popen(
            [sys.executable, demo / "run.py"], stdout=subprocess.DEVNULL, cwd=folder
        )
        try:
            time.sleep(5)
            drive(demo, seconds)
            with Browser() as browser:
                for name, width, height, emulated in (
                    ("", WIDTH, HEIGHT, {}),
                    *(
                        (f"-{width}{'-dark' if dark else ''}", width, 844, {"is_dark": dark})
                        for width in (1440, 390)
                        for dark in (False, True)
                        if file.resolve() != PICTURE
                    ),
                ):
                    page = browser.page(width=width, height=height, **emulated)
                    page.open("http://127.0.0.1:10254/")
                    page.wait_for("document.getElementById('live').textContent === 'live'")
                    shot = file.with_stem(f"{file.stem}{name}")
                    page.screenshot(shot, is_whole=bool(name))
                    page.close()
        finally:
            served.send_signal(signal.SIGINT)
            served.wait(30)


if __name__ == "__main__":
    main(
        Path(sys.argv[1]) if len(sys.argv) > 1 else PICTURE,
        float(sys.argv[2]) if len(sys.argv) > 2 else SECONDS,
    )
