"""
The OpenAPI document of the admin listener. `tests.e2e.test_admin` compares it with real answers.
"""

from __future__ import annotations

from openapi_spec_validator import validate
from twisted.internet.defer import maybeDeferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from ingress.admin.pages import make_pages
from ingress.admin.turns import Turns
from ingress.problem_code import Severity
from tests.support.observed_proxy import HandProxy
from tests.support.open_api import mistakes_in, open_api, parameters_of


class DocumentTests(SynchronousTestCase):
    def test_valid(self) -> None:
        """It is a document of OpenAPI 3.1."""
        validate(open_api())

    def test_complete(self) -> None:
        """It has every page with its parameters, and no other."""
        pages = make_pages(HandProxy().proxy, Turns(Clock()), maybeDeferred)
        documented = open_api()["paths"].keys() - {"/healthz", "/readyz"}
        self.assertEqual(documented, {f"/{name}" for name in pages})
        for name, page in pages.items():
            if page.parameters is not None:
                self.assertEqual(parameters_of(f"/{name}"), page.parameters, name)

    def test_strict(self) -> None:
        """A value with a name that it does not know, or without one that it does, is a mistake."""
        value: dict[str, object] = {"total": 0, "offset": 0, "limit": 100, "routes": []}
        self.assertEqual(mistakes_in(value, "/routes"), [])
        others: tuple[dict[str, object], ...] = (
            {**value, "more": 1},
            {**value, "routes": None},
            {"routes": []},
        )
        for wrong in others:
            self.assertNotEqual(mistakes_in(wrong, "/routes"), [], wrong)

    def test_severities(self) -> None:
        """It has all severities."""
        listed = open_api()["components"]["schemas"]["Severity"]["enum"]
        self.assertEqual(listed, [str(each) for each in Severity])
