"""
Tests for `ingress.policy.configured_fields`.
"""

from __future__ import annotations

import pickle

from twisted.trial.unittest import SynchronousTestCase

from ingress.config import Config
from ingress.config.nginx_settings import HeaderDefaults, NginxSettings
from ingress.field_edits import FieldEdits
from ingress.policy.configured_fields import ConfiguredFields
from ingress.policy.decision import Proceed
from ingress.policy.policy import Phase
from ingress.testing import policy_context, read_annotations, rule_scope, verdict_of


def read(headers: HeaderDefaults) -> ConfiguredFields | None:
    config = Config(nginx=NginxSettings(headers=headers))
    feature = read_annotations(ConfiguredFields, {}, config=config).feature
    assert feature is None or isinstance(feature, ConfiguredFields)
    return feature.at(rule_scope()) if feature is not None else None


class ConfiguredFieldsTests(SynchronousTestCase):
    """The ConfigMap sets fields."""

    def test_nothing(self) -> None:
        """Without keys there is no policy."""
        self.assertIsNone(read(HeaderDefaults(allowed_custom=frozenset({"x"}))))

    def test_responses(self) -> None:
        """Fields are set and hidden in every response, without a phase."""
        policy = read(HeaderDefaults(removed=("X-Powered-By",), added=(("X-Frame", "DENY"),)))
        assert policy is not None
        self.assertEqual(
            policy.response_edits,
            FieldEdits(replace=((b"X-Frame", b"DENY"),), remove=frozenset({b"x-powered-by"})),
        )
        self.assertEqual((policy.phases, policy.request_edits), (frozenset(), FieldEdits()))

    def test_requests(self) -> None:
        """Constant fields of requests are ready-made; an empty one is removed."""
        policy = read(HeaderDefaults(set_upstream=(("X-A", "1"), ("Accept-Encoding", ""))))
        assert policy is not None
        self.assertEqual(
            policy.request_edits,
            FieldEdits(replace=((b"X-A", b"1"),), remove=frozenset({b"accept-encoding"})),
        )
        self.assertEqual(policy.phases, frozenset())

    def test_variables(self) -> None:
        """Fields with variables are made for each request; a value cannot end its field."""
        headers = HeaderDefaults(
            set_upstream=(("X-Service", "$namespace/$service_name"), ("X-Agent", "<$http_x>"))
        )
        policy = read(headers)
        assert policy is not None
        self.assertEqual(policy.phases, frozenset({Phase.REQUEST}))
        context = policy_context(fields=[(b"X", b"a\x0bb")])
        verdict = verdict_of(policy.request(context))
        assert isinstance(verdict, Proceed)
        self.assertEqual(
            verdict.request_edits.replace, ((b"X-Service", b"default/web"), (b"X-Agent", b"<ab>"))
        )

    def test_original_uri(self) -> None:
        """Endpoints get the target as the client wrote it, where they shall."""
        policy = read(HeaderDefaults(adds_original_uri=True))
        assert policy is not None
        verdict = verdict_of(policy.request(policy_context(target=b"/a//b?c")))
        assert isinstance(verdict, Proceed)
        self.assertEqual(verdict.request_edits.replace, ((b"X-Original-URI", b"/a//b?c"),))

    def test_secrets(self) -> None:
        """Values are nowhere to be seen."""
        policy = read(HeaderDefaults(set_upstream=(("X-Key", "hunter2"), ("X-B", "hunter2 $host"))))
        assert policy is not None
        self.assertNotIn("hunter2", f"{policy!r} {policy.shown()} {policy.explain()}")
        self.assertEqual(pickle.loads(pickle.dumps(policy)), policy)
