"""
Install the checkout as a user would and look for the twistd plugin.

Not among the tests, because it downloads every dependency. An editable install
and the checkout itself on the path would both hide a package that setup.cfg
leaves out.
"""

import subprocess
import sys
import tempfile
import venv
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parent.parent


def main() -> int:
    with tempfile.TemporaryDirectory(prefix="txingress ") as folder:
        venv.create(folder, with_pip=True)
        python = Path(folder, "bin", "python")
        subprocess.run([python, "-m", "pip", "install", "--quiet", CHECKOUT], check=True)
        listed = subprocess.run(
            [Path(folder, "bin", "twistd"), "--help"],
            check=True,
            cwd=folder,
            capture_output=True,
            text=True,
        ).stdout
    lines = [line for line in listed.splitlines() if line.split()[:1] == ["ingress"]]
    print("\n".join(lines) or "twistd does not list the plugin")
    return 0 if len(lines) == 1 else 1


if __name__ == "__main__":
    sys.exit(main())
