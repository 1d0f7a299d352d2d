"""
Run the tests on compiled modules, in a copy of the checkout below `build/`.

The tests themselves stay interpreted. Not among what must always pass quickly, because it
compiles first; arguments name packages, modules or tests; without any, all run.
"""

import os
import subprocess
import sys

from checkout_copy import CHECKOUT, copy_checkout

COPY = CHECKOUT / "build" / "compiled"

DESCRIBE = "from ingress.installation import describe; print(describe())"


def main() -> int:
    copy_checkout(COPY)
    environment = {**os.environ, "PYTHONPATH": str(COPY), "TXINGRESS_COMPILE": "yes"}
    print(f"Compiling in {COPY}", flush=True)
    built = subprocess.run(
        [sys.executable, "setup.py", "--quiet", "build_ext", "--inplace"],
        cwd=COPY,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    if built.returncode:
        print(built.stdout)
        return built.returncode
    del environment["TXINGRESS_COMPILE"]
    subprocess.run([sys.executable, "-c", DESCRIBE], cwd=COPY, env=environment, check=True)
    tests = [sys.executable, "-m", "tests", "--no-lint", *sys.argv[1:]]
    return subprocess.run(tests, cwd=COPY, env=environment).returncode


if __name__ == "__main__":
    sys.exit(main())
