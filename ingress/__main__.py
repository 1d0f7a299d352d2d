"""
``python -m ingress``: the same as ``txingress``.
"""

import sys

from ingress.command.main import main

if __name__ == "__main__":
    sys.exit(main())
