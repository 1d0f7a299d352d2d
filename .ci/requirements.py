"""
Print the requirements of setup.cfg and of the extras named, one a line.

So that the dependencies can be installed without the project itself: a second
copy of it beside the checkout would hide changes, and an editable install hides
the twistd plugin.
"""

import sys
from configparser import ConfigParser

if __name__ == "__main__":
    setup = ConfigParser()
    setup.read("setup.cfg", encoding="utf-8")
    requirements = setup["options"]["install_requires"].split("\n")
    for extra in sys.argv[1:]:
        requirements += setup["options.extras_require"][extra].split("\n")
    print("\n".join(filter(None, requirements)))
