"""
Keeps the certificates that Ingresses want from a signer: asked for once, and renewed in time.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger
from twisted.python.failure import Failure

from ingress.errors import IngressError
from ingress.growing_delay import growing_delay
from ingress.kube.api.client import APIClient
from ingress.kube.objects import OWNER_LABEL, Ingress, ObjectName, Secret
from ingress.kube.writing.event import Notice
from ingress.routing.build.certificate import PairError, covers, read_pair
from ingress.routing.snapshot import ServerCertificate
from ingress.signing.procedure import Wish, obtain
from ingress.signing.secret_place import OWNER, read_place
from ingress.signing.wanted import Wanted, wanted_certificates
from ingress.token_bucket import TokenBucket

LOOK_PERIOD: Final = 60.0
"""Seconds between two looks at what has to be renewed."""

AT_ONCE: Final = 50
AT_ONCE_OF_ONE: Final = 5
"""
Requests that wait for their signers at the same time, of all namespaces and of one; further ones
wait for these.
"""

BURST: Final = 100
PACE: Final = 60.0
"""
Requests of one namespace at once, and then the seconds for each further one: whoever changes an
Ingress or removes a Secret again and again does not wear out a signer that counts its certificates.
"""

TIMEOUT: Final = 3600.0
"""Seconds that a request waits: the API server removes one that nobody approves after a day."""

FIRST_DELAY: Final = 60.0
MAX_DELAY: Final = 6 * 3600.0
"""Seconds until a certificate is asked for again after a failure, the first time and at most."""

RENEWED_PART: Final = 1 / 3
"""The rest of its lifetime with which a certificate is renewed, as cert-manager does it."""


class _Failed(NamedTuple):
    wanted: Wanted
    times: int
    until: float


class CertificateKeeper:
    """
    Acts on ``txingress.dev/certificate-signer``, while this process leads.

    A Secret that we have not made is never changed.

    :param secrets: returns the Secrets of our Ingresses, as they are known now.
    :param signers: returns who may be asked, as the configuration says it now.
    :param tell: takes each step.
    :param clock: for timeouts.
    :param now: the time of day, with a zone.
    """

    log = Logger()

    def __init__(
        self,
        client: APIClient,
        secrets: Callable[[], Mapping[ObjectName, Secret]],
        signers: Callable[[], Collection[str]],
        tell: Callable[[Notice], None],
        *,
        clock: Any,
        now: Callable[[], datetime],
    ) -> None:
        self._client = client
        self._secrets = secrets
        self._signers = signers
        self._tell = tell
        self._clock = clock
        self._now = now
        self._served: Mapping[ObjectName, Ingress] = {}
        self._working: dict[ObjectName, tuple[Wanted, Deferred[None]]] = {}
        self._failed: dict[ObjectName, _Failed] = {}
        self._refused: dict[ObjectName, Wanted] = {}
        self._paces: dict[str, TokenBucket] = {}
        """By namespace; those that are full are forgotten."""

        self._look_call: IDelayedCall | None = None
        self._is_running = False

    def __repr__(self) -> str:
        return f"<CertificateKeeper: {len(self._working)} requests, {len(self._failed)} failed>"

    def serve(self, served: Mapping[ObjectName, Ingress]) -> None:
        """
        Take over which Ingresses are served from now on.

        :param served: by name; never changed.
        """
        self._served = served
        if self._is_running:
            self._look_in(0.0)

    def start(self) -> None:
        """Ask for certificates until `stop`."""
        self._is_running = True
        self._look_in(0.0)

    def stop(self) -> None:
        """Ask for nothing more; requests that wait are removed, because their keys are gone."""
        self._is_running = False
        if self._look_call is not None:
            self._look_call.cancel()
            self._look_call = None
        for _, working in tuple(self._working.values()):
            working.cancel()
        self._failed.clear()
        self._refused.clear()

    def _look_in(self, seconds: float) -> None:
        if self._look_call is not None:
            self._look_call.cancel()
        self._look_call = self._clock.callLater(seconds, self._look)

    def _look(self) -> None:
        self._look_call = None
        wanted = wanted_certificates(self._served, self._signers())
        self._forget(wanted)
        for secret, each in wanted.items():
            if each.refusal:
                self._refuse(each)
            elif self._has_room(secret[0]) and self._is_due(each) and self._is_in_pace(secret[0]):
                self._begin(secret, each)
        self._look_in(LOOK_PERIOD)

    def _has_room(self, namespace: str) -> bool:
        of_one = sum(1 for name, _ in self._working if name == namespace)
        return len(self._working) < AT_ONCE and of_one < AT_ONCE_OF_ONE

    def _is_in_pace(self, namespace: str) -> bool:
        pace = self._paces.get(namespace)
        if pace is None:
            pace = self._paces[namespace] = TokenBucket(1 / PACE, BURST)
        return pace.take(self._clock.seconds()) == 0

    def _forget(self, wanted: Mapping[ObjectName, Wanted]) -> None:
        """End what nobody wants any more; what is wanted otherwise begins anew."""
        for secret, (before, working) in tuple(self._working.items()):
            if wanted.get(secret) != before:
                working.cancel()
        now = self._clock.seconds()
        self._paces = {name: pace for name, pace in self._paces.items() if not pace.is_full(now)}
        self._failed = {
            secret: failed
            for secret, failed in self._failed.items()
            if wanted.get(secret) == failed.wanted
        }
        self._refused = {
            secret: before
            for secret, before in self._refused.items()
            if wanted.get(secret) == before
        }

    def _refuse(self, wanted: Wanted) -> None:
        if self._refused.get(wanted.secret) != wanted:
            self._refused[wanted.secret] = wanted
            self._step(wanted, "CertificateRefused", f"No certificate: {wanted.refusal}", True)

    def _is_due(self, wanted: Wanted) -> bool:
        failed = self._failed.get(wanted.secret)
        if wanted.secret in self._working:
            return False
        if failed is not None and self._clock.seconds() < failed.until:
            return False
        secret = self._secrets().get(wanted.secret)
        if secret is None:
            return True
        if secret.metadata.labels.get(OWNER_LABEL) != OWNER:
            return False
        try:
            pair = read_pair(secret)
        except PairError:
            return True
        return not self._is_good(pair, wanted)

    def _is_good(self, pair: ServerCertificate, wanted: Wanted) -> bool:
        lifetime = pair.not_after - pair.not_before
        is_young = self._now() < pair.not_after - lifetime * RENEWED_PART
        return is_young and all(covers(pair, host) for host in wanted.hosts)

    def _begin(self, secret: ObjectName, wanted: Wanted) -> None:
        working = Deferred.fromCoroutine(self._certify(wanted))
        self._working[secret] = (wanted, working)
        working.addErrback(self._fail, wanted)
        working.addErrback(self._report)
        working.addBoth(self._end, secret)

    def _end(self, _: object, secret: ObjectName) -> None:
        self._working.pop(secret, None)
        if self._is_running:
            # What waited for its turn comes now, unless a look is due sooner.
            self._look_in(1.0)

    async def _certify(self, wanted: Wanted) -> None:
        place = await read_place(self._client, wanted.secret)
        if place.exists and not place.is_ours:
            return  # Our copy is older.
        if place.pair is not None and self._is_good(place.pair, wanted):
            return
        wish = Wish(
            wanted.hosts,
            wanted.signer,
            timeout=TIMEOUT,
            secret=wanted.secret,
            ingress=wanted.ingress,
        )

        def tell(sentence: str) -> None:
            self._step(wanted, "CertificateRequested", sentence, False)

        obtained = await obtain(self._client, self._clock, wish, self._now, tell)
        await place.write(self._client, obtained.chain_pem, obtained.key_pem, wanted.signer)
        self._failed.pop(wanted.secret, None)
        until = obtained.certificate.not_after
        self._step(wanted, "CertificateIssued", f"{place} is valid until {until:%Y-%m-%d}", False)

    def _fail(self, failure: Failure, wanted: Wanted) -> None:
        if failure.check(CancelledError):
            return
        before = self._failed.get(wanted.secret)
        times = before.times + 1 if before is not None else 1
        delay = growing_delay(FIRST_DELAY, MAX_DELAY, times)
        self._failed[wanted.secret] = _Failed(wanted, times, self._clock.seconds() + delay)
        failure.trap(IngressError)
        again = timedelta(seconds=delay)
        note = f"{failure.getErrorMessage()}; asked for again in {again}"
        self._step(wanted, "CertificateFailed", note, True)

    def _report(self, failure: Failure) -> None:
        self.log.failure("A certificate could not be asked for, by a fault of ours", failure)

    def _step(self, wanted: Wanted, reason: str, note: str, is_warning: bool) -> None:
        about = f"Secret {wanted.secret[1]}: {note}"
        say = self.log.warn if is_warning else self.log.info
        say("Ingress {ingress}: {about}", ingress="/".join(wanted.ingress), about=about)
        self._tell(Notice(wanted.ingress, reason, about, is_warning))
