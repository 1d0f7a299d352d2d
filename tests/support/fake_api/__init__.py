"""
A Kubernetes API server for tests.

::

    request ─► resource ─► access ─► registry ─► store ─► watch ─► events
                  │                 default, validation, patch, field_owner
                  ├─► listing, table, discovery ─► answer
                  └─► disturbance: failures that a test asks for

`FakeAPI` is the server without sockets. `FakeAPIServer` serves it over TLS on the
reactor of the test. `FakeAPIProcess` runs it in a process of its own, for tests of
whole processes: ``python -m tests.support.fake_api``.

It is a verified fake: `tests.fake_api` compares its answers with recorded ones of a
real server, and runs `tests.kube_client_suite` against it as well as against a real
cluster (``make real-cluster``). It lacks admission webhooks, quotas, finalizers, graceful deletion,
controllers (nothing makes EndpointSlices from Services), protobuf, JSON patches,
watch lists, and validation rules that do not matter here.
"""

from tests.support.fake_api.access import ADMINISTRATOR, Rule, User, service_account
from tests.support.fake_api.api import FakeAPI
from tests.support.fake_api.disturbance import Fault
from tests.support.fake_api.process import FakeAPIProcess
from tests.support.fake_api.server import FakeAPIServer

__all__ = [
    "ADMINISTRATOR",
    "FakeAPI",
    "FakeAPIProcess",
    "FakeAPIServer",
    "Fault",
    "Rule",
    "User",
    "service_account",
]
