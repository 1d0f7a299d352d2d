"""
The rules that a shadow decides by: read and built as in serving, and again with each change.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from datetime import datetime
from random import Random
from typing import Any

from twisted.internet.defer import Deferred

from ingress.command.assumed_endpoints import assumed_endpoints
from ingress.config import Config
from ingress.controller import BuildSteps, Controller
from ingress.kube.api.client import APIClient
from ingress.kube.cluster.reflector import Access
from ingress.kube.cluster.source import ClusterSource
from ingress.kube.files import FilesSource
from ingress.kube.objects import Objects
from ingress.kube.slices import Slices
from ingress.kube.store import ObjectStore
from ingress.memory import settle_objects
from ingress.problem_log import ProblemLog
from ingress.routing.build import Built, build_steps
from ingress.routing.build.reference import reference_rule
from ingress.routing.snapshot import Snapshot


def build_assumed(
    objects: Objects, config: Config, previous: Built | None, *, now: datetime
) -> Generator[None, None, Built]:
    """`BuildSteps`: in which each Service of files has an endpoint, as in ``simulate``."""
    return build_steps(assumed_endpoints(objects, config), config, previous, now=now)


class LiveRules:
    """
    Follows files or a cluster. A fault of an object is that object's, as in serving; what was read
    last stays where nothing better can be read.

    :param client: of the cluster; None for the files of the configuration.
    :param changed: takes each new build.
    """

    def __init__(
        self,
        reactor: Any,
        config: Config,
        client: APIClient | None,
        changed: Callable[[Built], None],
    ) -> None:
        store = ObjectStore()
        self._changed = changed
        if client is not None:
            access = Access(client, reactor, Random(), Slices(reactor, settle_objects))  # noqa: S311
            self._source: Any = ClusterSource(access, store, config, reference_rule)
            build: BuildSteps = build_steps
        else:
            self._source = FilesSource(
                reactor,
                store,
                config.source.paths,
                config.tls.secrets,
                configuration=config.path,
                config_map=config.config_map,
            )
            build = build_assumed
        problems = ProblemLog(reactor)
        self._controller = Controller(
            store, config, self._publish, problems, clock=reactor, build=build
        )

    def __repr__(self) -> str:
        return f"<LiveRules {self._source}>"

    async def start(self) -> None:
        """Return when the first rules are there."""
        await self._source.start()
        self._controller.start()
        await self._controller.published

    def stop(self) -> Deferred[None]:
        """:return: fires when nothing is read any more."""
        self._controller.stop()
        stopped: Deferred[None] = self._source.stop()
        return stopped

    @property
    def problems(self) -> int:
        """How many there are: of what is read, and of what is built of it."""
        built = self._controller.built
        found = sum(len(those) for those in self._source.problems.values())
        return found + (sum(1 for _ in built.all_problems()) if built is not None else 0)

    def _publish(self, snapshot: Snapshot) -> None:
        built = self._controller.built
        assert built is not None
        self._changed(built)
