"""Tests of `ingress.routing.path_handling`, and of which rules a build gives one."""

from __future__ import annotations

from dataclasses import replace

from twisted.trial.unittest import SynchronousTestCase

from ingress.config import Config, PathSetting
from ingress.routing.match import find_route
from ingress.routing.path_handling import PathHandling, path_handling
from tests.support.objects import FILES, built, ingress, served

GUARD = {"auth-url": "x"}


class SettingTests(SynchronousTestCase):
    def test_auto(self) -> None:
        """By default only hosts with an access rule have canonical paths, and are guarded."""
        self.assertIsNone(path_handling("auto", is_guarded=False))
        self.assertEqual(
            path_handling("auto", is_guarded=True),
            PathHandling(sends_canonical=True, is_guarded=True),
        )

    def test_as_written(self) -> None:
        """Paths as written are sent as they are, and guarded hosts stay guarded."""
        self.assertIsNone(path_handling("as-written", is_guarded=False))
        self.assertEqual(
            path_handling("as-written", is_guarded=True), PathHandling(is_guarded=True)
        )

    def test_all_hosts(self) -> None:
        """The settings canonical and strict hold for every host."""
        for is_guarded in (False, True):
            self.assertEqual(
                path_handling("canonical", is_guarded=is_guarded),
                PathHandling(sends_canonical=True, is_guarded=is_guarded),
            )
            self.assertEqual(
                path_handling("strict", is_guarded=is_guarded),
                PathHandling(refuses_others=True, is_guarded=is_guarded),
            )


class BuildTests(SynchronousTestCase):
    def handlings(self, *ingresses: object, paths: PathSetting = "auto") -> list[bool | None]:
        """Whether ``/`` and ``/admin`` of a.example and ``/`` of b.example are guarded."""
        config: Config = replace(FILES, paths=paths)
        snapshot = built(*ingresses, served("web"), config=config).snapshot  # type: ignore[arg-type]
        found: list[bool | None] = []
        for host, path in ((b"a.example", b"/"), (b"a.example", b"/admin"), (b"b.example", b"/")):
            route = find_route(snapshot, host, path)
            assert route is not None
            found.append(None if route.paths is None else route.paths.is_guarded)
        return found

    def test_guarded_host(self) -> None:
        """One access rule guards all paths of its host, of other Ingresses too, and no other host."""
        items = (
            ingress("a.example", {"/": "web:80"}, name="open"),
            ingress("a.example", {"/admin": "web:80"}, name="guarded", annotations=GUARD),
            ingress("b.example", {"/": "web:80"}, name="other"),
        )
        self.assertEqual(self.handlings(*items), [True, True, None])
        self.assertEqual(self.handlings(*items, paths="canonical"), [True, True, False])
        self.assertEqual(self.handlings(*items, paths="as-written"), [True, True, None])

    def test_default_backend(self) -> None:
        """A default backend with an access rule counts as a rule."""
        items = (
            ingress("a.example", {"/": "web:80", "/admin": "web:80"}, name="open"),
            ingress("a.example", {}, name="guarded", default="web:80", annotations=GUARD),
            ingress("b.example", {"/": "web:80"}, name="other"),
        )
        self.assertEqual(self.handlings(*items), [True, True, None])

    def test_open_host(self) -> None:
        """Without access rules no rule has a handling."""
        items = (
            ingress("a.example", {"/": "web:80", "/admin": "web:80"}, name="open"),
            ingress("b.example", {"/": "web:80"}, name="other"),
        )
        self.assertEqual(self.handlings(*items), [None, None, None])
