"""
Tests for `ingress.policy.backend_version`.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from ingress.config import Config
from ingress.policy.backend_tls import H2, HTTP1, BackendTLS
from ingress.policy.backend_version import BackendVersion
from ingress.testing import read_annotations


class ReadTests(SynchronousTestCase):
    def test_protocols(self) -> None:
        """GRPC and GRPCS are HTTP/2; HTTPS is if the configuration has http2; HTTP never is."""
        for protocol, http2, is_http2, alpn in (
            ("GRPC", False, True, None),
            ("grpcs", False, True, (H2,)),
            ("HTTPS", False, False, (HTTP1,)),
            ("HTTPS", True, True, (H2, HTTP1)),
            ("HTTP", True, False, None),
        ):
            config, written = Config(http2=http2), {"backend-protocol": protocol}
            version = read_annotations(BackendVersion, written, config=config).feature
            self.assertEqual(version, BackendVersion(is_http2), protocol)
            reading = read_annotations(BackendTLS, written, config=config)
            self.assertEqual(reading.faults, {})
            tls = reading.feature
            self.assertEqual(tls.alpn if isinstance(tls, BackendTLS) else None, alpn, protocol)

    def test_nothing(self) -> None:
        """Without the annotation the Service port decides."""
        self.assertIsNone(read_annotations(BackendVersion, {}).feature)
