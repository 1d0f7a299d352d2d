"""
Tests of the data path once more, with clients that speak HTTP/2: an exchange is an exchange.

What is left out speaks of the bytes of HTTP/1.1, or of half a request.
"""

from __future__ import annotations

from typing import Final

from twisted.trial.unittest import SynchronousTestCase

from tests.support.translating_peer import over_http2

LEFT_OUT: Final[dict[str, set[str]]] = {
    "test_diversion": set(),
    "test_path_readings": set(),
    "test_shares": {"test_tunnels"},
    "test_limits": {
        "test_changed_while_a_connection_is_kept",
        "test_chunks_too_large",
        "test_length_too_large",
        "test_no_body_limit",
        "test_requests_of_a_connection",
    },
    "test_records": {
        "test_bad_request",
        "test_behind_a_request",
        "test_broken_body",
        "test_half_a_body",
        "test_large_head",
        "test_long_target",
        "test_other_line_ends",
        "test_slow_body",
        "test_slow_head",
        "test_tls_on_the_plain_port",
        "test_unknown_method",
    },
}
"""By module, the tests that are not run."""


def _add(name: str, left_out: set[str]) -> None:
    module = over_http2(f"tests.data_path.{name}")
    for case in list(vars(module).values()):
        if (
            isinstance(case, type)
            and issubclass(case, SynchronousTestCase)
            and case.__module__ == module.__name__
        ):
            # The module is a copy, which nobody else has.
            for test in left_out & vars(case).keys():
                delattr(case, test)
            title = f"{name.removeprefix('test_').title().replace('_', '')}{case.__name__}"
            globals()[title] = type(title, (case,), {"__module__": __name__})


for _name, _left_out in LEFT_OUT.items():
    _add(_name, _left_out)
