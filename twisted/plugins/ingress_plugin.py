"""
The ``twistd ingress`` command.

There is no ``__init__.py`` here nor in the folder above: both are parts of
Twisted's own packages.
"""

from twisted.application.service import ServiceMaker

ingress = ServiceMaker(
    "txingress",
    "ingress.tap",
    "A Kubernetes Ingress controller and reverse proxy.",
    "ingress",
)
