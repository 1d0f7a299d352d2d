"""
Tests for `ingress.policy.backend_protocol`.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from ingress.answer import Answer
from ingress.policy.backend_protocol import BackendProtocol
from ingress.testing import policy_context, read_annotations, verdict_of
from tests.support.objects import built, ingress, problems_of, served


class BackendProtocolTests(SynchronousTestCase):
    """FastCGI is not spoken."""

    def test_fcgi(self) -> None:
        """Requests get 502, in either case of the value."""
        for value in ("FCGI", "fcgi"):
            policy = read_annotations(BackendProtocol, {"backend-protocol": value}).feature
            assert isinstance(policy, BackendProtocol)
            answer = verdict_of(policy.request(policy_context()))
            assert isinstance(answer, Answer)
            self.assertEqual(answer.status, 502)

    def test_others(self) -> None:
        """No other protocol is concerned."""
        for value in ("", "HTTP", "HTTPS", "GRPC", "nonsense"):
            self.assertIsNone(
                read_annotations(BackendProtocol, {"backend-protocol": value}).feature
            )

    def test_problem(self) -> None:
        """It is one Problem, which says what follows."""
        web = ingress("a.example", {"/": "web:80"}, annotations={"backend-protocol": "FCGI"})
        (problem,) = problems_of(built(web, served("web")))
        self.assertIn("requests get 502", problem)
