"""Tests of policies of the configuration."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from ingress.policy.chosen import POLICIES_ANNOTATION, chosen_policies
from ingress.policy.registry import FEATURES, Registry
from ingress.routing.match import find_route
from ingress.testing import read_annotations
from tests.support.objects import built, ingress, problems_of, served
from tests.support.permanent_redirect import PermanentRedirect


class ChosenPoliciesTests(SynchronousTestCase):
    """Policies of the configuration are further entries."""

    registry = Registry(
        (
            *FEATURES,
            *chosen_policies(
                {"one": PermanentRedirect("http://one"), "two": PermanentRedirect("http://two")},
                for_all={"two"},
            ),
        )
    )

    def chosen(self, value: str | None) -> tuple[list[str], list[str]]:
        """The URLs of the policies that an Ingress gets, and its Problems."""
        web = ingress("a.example", {"/": "web:80"})
        if value is not None:
            web.metadata.annotations[POLICIES_ANNOTATION] = value
        result = built(web, served("web"), registry=self.registry)
        route = find_route(result.snapshot, b"a.example", b"/")
        assert route is not None
        urls = [each.url for each in route.policies if isinstance(each, PermanentRedirect)]
        return urls, problems_of(result)

    def test_for_all(self) -> None:
        """A policy for all rules needs no annotation."""
        self.assertEqual(self.chosen(None), (["http://two"], []))
        self.assertEqual(self.chosen(""), (["http://two"], []))

    def test_names(self) -> None:
        """Others are chosen by name; the configuration gives their order."""
        self.assertEqual(self.chosen("one"), (["http://one", "http://two"], []))
        self.assertEqual(self.chosen(" two , one,"), (["http://one", "http://two"], []))

    def test_unknown_name(self) -> None:
        """A policy that is not configured might have decided access: the paths are closed, once."""
        urls, (problem,) = self.chosen("one, three, three")
        self.assertEqual(urls, [])
        self.assertIn('no policy "three" is configured (`policies` has one, two)', problem)
        self.assertIn("the paths answer 503", problem)

    def test_none(self) -> None:
        """Without policies in the configuration, none can be chosen."""
        reading = read_annotations(chosen_policies({})[-1], {POLICIES_ANNOTATION: "one"})
        self.assertEqual(list(reading.faults), [POLICIES_ANNOTATION])
        self.assertIsNotNone(reading.closing)
