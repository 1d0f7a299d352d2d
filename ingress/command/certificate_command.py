"""
``txingress certificate``: a certificate by CertificateSigningRequest, into a Secret or a folder.
"""

from __future__ import annotations

import argparse
import os
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from ingress.command.api_run import run_with_client
from ingress.command.failure import FINE, CannotRun
from ingress.command.options import add_cluster, cluster_of
from ingress.config import Cluster
from ingress.duration import parse_duration
from ingress.kube.api.client import APIClient
from ingress.kube.api.errors import APIError
from ingress.kube.validate_ingress import host_fault
from ingress.object_name import parse_object_name
from ingress.routing.build.certificate import covers
from ingress.routing.snapshot import ServerCertificate
from ingress.signing.certificate_folder import CertificateFolder
from ingress.signing.procedure import Wish, obtain
from ingress.signing.secret_place import SecretPlace, read_place
from ingress.signing.signing_request import MIN_DURATION

EXAMPLES: Final = """examples:
  txingress certificate shop.example --signer example.com/ingress --secret shop-tls
  txingress certificate shop.example '*.shop.example' --signer example.com/ingress \\
      --secret shop/shop-tls --duration 90d --renew-before 30d --approve
  txingress certificate shop.example --signer example.com/ingress --folder tls/
"""

Place = SecretPlace | CertificateFolder


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Subcommand."""
    parser.add_argument("hosts", metavar="HOST", nargs="+", help="a host, or *.example.com")
    parser.add_argument(
        "--signer", required=True, metavar="NAME", help="who signs, such as example.com/ingress"
    )
    parser.add_argument(
        "--secret", metavar="[NAMESPACE/]NAME", help="the Secret that the certificate is kept in"
    )
    parser.add_argument(
        "--namespace", metavar="NAME", help="that of --secret; else that of the kubeconfig"
    )
    parser.add_argument(
        "--folder", metavar="DIR", type=Path, help="write tls.key (0600) and tls.crt there instead"
    )
    parser.add_argument("--rsa", action="store_true", help="a key of RSA 2048 in place of P-256")
    parser.add_argument(
        "--duration", metavar="TIME", help="how long it is to be valid, such as 90d; 10m at least"
    )
    parser.add_argument(
        "--approve", action="store_true", help="approve the request, too; that needs the right to"
    )
    parser.add_argument(
        "--timeout", metavar="TIME", default="10m", help="how long to wait: 10m by default"
    )
    parser.add_argument(
        "--renew-before",
        metavar="TIME",
        help="do nothing if the certificate that is there is for these hosts, and longer valid",
    )
    parser.add_argument(
        "--force", action="store_true", help="replace what txingress certificate has not made"
    )
    add_cluster(parser)


def run(arguments: argparse.Namespace) -> int:
    """Subcommand."""
    hosts = tuple(host.lower() for host in arguments.hosts)
    for host in hosts:
        fault = host_fault(host)
        if fault or not host:
            raise CannotRun(f"{host or 'the empty name'}: {fault or 'a host is accepted'}")
    if (arguments.secret is None) == (arguments.folder is None):
        raise CannotRun("say where the certificate goes: --secret NAME or --folder DIR")
    duration = _seconds(arguments.duration, "--duration")
    if duration is not None and duration < MIN_DURATION:
        raise CannotRun(f"--duration: {MIN_DURATION} s is the least that an API server accepts")
    wish = Wish(
        hosts,
        arguments.signer,
        None if duration is None else int(duration),
        arguments.rsa,
        arguments.approve,
        _seconds(arguments.timeout, "--timeout") or 0.0,
    )
    renew_before = _seconds(arguments.renew_before, "--renew-before")
    cluster = cluster_of(arguments) or _usual_cluster()
    print(
        run_with_client(
            cluster,
            lambda reactor, client: _certify(reactor, client, arguments, wish, renew_before),
        )
    )
    return FINE


def _seconds(written: str | None, option: str) -> float | None:
    if written is None:
        return None
    seconds = parse_duration(written)
    if seconds is None:
        raise CannotRun(f"{option}: {written!r}: a time such as 90d, 10m or 30s is accepted")
    return seconds


def _usual_cluster() -> Cluster:
    """:return: the one that kubectl talks to."""
    first = os.environ.get("KUBECONFIG", "").partition(os.pathsep)[0] or "~/.kube/config"
    return Cluster(kubeconfig=Path(first).expanduser())


async def _certify(
    reactor: Any,
    client: APIClient,
    arguments: argparse.Namespace,
    wish: Wish,
    renew_before: float | None,
) -> str:
    """:return: what has been done."""
    place = await _find_place(client, arguments)
    if place.exists and not place.is_ours and not arguments.force:
        raise CannotRun(f"{place} is not of txingress certificate; --force replaces it")
    there = place.pair
    if renew_before is not None and there is not None and _lasts(there, wish, renew_before):
        return f"{place} is for these hosts until {there.not_after:%Y-%m-%d %H:%M} (UTC): kept"
    if isinstance(place, SecretPlace):
        wish = wish._replace(secret=place.name)
    try:
        obtained = await obtain(client, reactor, wish, _now, _tell)
        await place.write(client, obtained.chain_pem, obtained.key_pem, wish.signer)
    except APIError as error:
        raise CannotRun(_with_advice(error)) from None
    until = obtained.certificate.not_after
    return f"{place} is for {', '.join(wish.hosts)} until {until:%Y-%m-%d %H:%M} (UTC)"


async def _find_place(client: APIClient, arguments: argparse.Namespace) -> Place:
    if arguments.folder is not None:
        return CertificateFolder(arguments.folder)
    name = parse_object_name(arguments.secret, arguments.namespace or client.namespace)
    if name is None:
        raise CannotRun(f"--secret: {arguments.secret!r}: NAME or NAMESPACE/NAME is accepted")
    if arguments.namespace and name[0] != arguments.namespace:
        raise CannotRun(f"--secret {arguments.secret} is not in --namespace {arguments.namespace}")
    return await read_place(client, name)


def _lasts(pair: ServerCertificate, wish: Wish, seconds: float) -> bool:
    is_for_all = all(covers(pair, host) for host in wish.hosts)
    return is_for_all and pair.not_after - _now() > timedelta(seconds=seconds)


def _with_advice(error: APIError) -> str:
    match error.code:
        case 403:
            return f"{error} (docs/cluster.md lists the rights that this needs)"
        case 409:
            return f"{error}; somebody has changed it meanwhile: run this again"
    return str(error)


def _now() -> datetime:
    return datetime.now(UTC)


def _tell(sentence: str) -> None:
    print(sentence, file=sys.stderr, flush=True)
