"""
The log of Ingresses that are left to other controllers, by class.

They are no Problem: a cluster may have several controllers. But an Ingress of a mistyped
class, or without one, would be missing without a trace.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

from ingress.config import IngressClassFilter
from ingress.routing.build.foreign_table import largest_classes

LINE_DELAY: Final = 1.0
"""Seconds from the first change to its line; the changes in between are one line."""


class ForeignLog:
    """
    Logs the number of Ingresses of other classes whenever it changes.

    :param clock: schedules the lines.
    """

    log = Logger()

    def __init__(self, clock: IReactorTime) -> None:
        self._clock = clock
        self._counts: Mapping[str, int] = {}
        self._ours = IngressClassFilter()
        self._logged: Mapping[str, int] = {}
        self._line: IDelayedCall | None = None

    def __repr__(self) -> str:
        return f"<ForeignLog {dict(self._counts)}>"

    def take(self, counts: Mapping[str, int], ours: IngressClassFilter) -> None:
        """
        Note the Ingresses of other classes.

        :param ours: the classes that are served.
        """
        self._counts, self._ours = counts, ours
        if self._line is None and counts != self._logged:
            self._line = self._clock.callLater(LINE_DELAY, self._write)

    def _write(self) -> None:
        self._line = None
        if self._counts == self._logged:
            return
        self._logged = self._counts
        if not self._counts:
            self.log.info("No Ingress of another class is left")
            return
        self.log.info(
            "Ingresses of other classes are not served: {classes}; served are those of class"
            " {name}, of IngressClasses with the controller {controller}{without}",
            classes=", ".join(f"{name} {count}" for name, count in largest_classes(self._counts)),
            name=self._ours.name,
            controller=self._ours.controller,
            without=self._without_class(),
        )

    def _without_class(self) -> str:
        """What is served of Ingresses that name no class, and what to do if there are any."""
        if self._ours.without_class:
            return ", and those without a class"
        if "" not in self._counts:
            return ""
        return (
            f"; an Ingress without a class needs spec.ingressClassName: {self._ours.name}, or"
            " class.without-class: true in the configuration, which serves all of them"
        )
