"""
What a build costs: from scratch, after one change, its longest step, and a look-up.

Usage: ``python -m benchmarks.build_benchmark [--hosts N] [--runs N]``

The objects are made here, so that no parser is measured: N Ingresses with a host
and two paths each, to a Service of their own and to one that all of them use; each
Service has an EndpointSlice. With TLS each host has a tls entry and a Secret, too.

Figures are processor time, which does not depend on who else uses the machine, and
the median of the runs. The collector is treated as the controller does: objects are
settled after a large build, and while it runs.
"""

from __future__ import annotations

import argparse
import gc
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median

import msgspec
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from ingress.config import Config, FilesSource
from ingress.kube.objects import (
    EndpointPort,
    EndpointSlice,
    HTTPIngressPath,
    HTTPIngressRuleValue,
    Ingress,
    IngressBackend,
    IngressRule,
    IngressServiceBackend,
    IngressSpec,
    IngressTLS,
    KubeObject,
    Metadata,
    Objects,
    Secret,
    Service,
    ServiceBackendPort,
    ServicePort,
    ServiceSpec,
    SliceEndpoint,
)
from ingress.memory import settle_objects
from ingress.routing.build import Built, build, build_steps
from ingress.routing.match import find_route

CONFIG = Config(source=FilesSource(paths=(Path("manifests"),)))
NOW = datetime.now(UTC)
SHARED = "shared"
ROUNDS = 200
SETTLE_INTERVAL = 0.005
"""Seconds of work between two settlings, as in the controller."""


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n\n")[0])
    parser.add_argument("--hosts", type=int, default=10_000)
    parser.add_argument("--runs", type=int, default=5)
    arguments = parser.parse_args()
    count, runs = arguments.hosts, arguments.runs
    plain, with_tls = make_objects(count), make_objects(count, has_tls=True)
    settle_objects()
    print(f"{count} Ingresses, hosts, Services and EndpointSlices; median of {runs} runs")
    for name, objects in (("from scratch", plain), ("from scratch with TLS", with_tls)):
        report_build(name, [in_steps(objects) for _ in range(runs)])
    built = build(with_tls, CONFIG, now=NOW)
    settle_objects()
    for name, changed in changes(with_tls, count):
        report_build(f"one change: {name}", [in_steps(changed, built) for _ in range(runs)])
    single = build(make_objects(1), CONFIG, now=NOW)
    report("look-up among 1 host", median(look_up(single, 1) for _ in range(runs)))
    report(f"look-up among {count} hosts", median(look_up(built, count) for _ in range(runs)))


def report_build(name: str, runs: list[tuple[float, float]]) -> None:
    """:param runs: what `in_steps` gave."""
    report(name, median(total for total, _ in runs))
    report("  its longest step", median(longest for _, longest in runs))


def report(name: str, seconds: float) -> None:
    text = f"{seconds * 1000:9.2f} ms" if seconds > 0.0001 else f"{seconds * 1e6:9.2f} µs"
    print(f"{name:<40} {text}", flush=True)


# What is measured.


def in_steps(objects: Objects, previous: Built | None = None) -> tuple[float, float]:
    """Seconds of a build, settling aside, and of its longest step."""
    gc.collect()
    steps = build_steps(objects, CONFIG, previous, now=NOW)
    longest = total = unsettled = 0.0
    built: Built | None = None
    while built is None:
        started = time.process_time()
        try:
            next(steps)
        except StopIteration as end:
            built = end.value
        took = time.process_time() - started
        longest, total, unsettled = max(longest, took), total + took, unsettled + took
        if unsettled > SETTLE_INTERVAL:
            settle_objects()
            unsettled = 0.0
    return total, longest


def look_up(built: Built, count: int) -> float:
    """Seconds to find the Route of one of many requests that are spread over all hosts."""
    snapshot = built.snapshot
    hosts = [f"h{number * 7919 % count}.example.com".encode() for number in range(1000)]
    started = time.process_time()
    for _ in range(ROUNDS):
        for host in hosts:
            find_route(snapshot, host, b"/shared/page")
    return (time.process_time() - started) / (ROUNDS * len(hosts))


def changes(objects: Objects, count: int) -> Iterator[tuple[str, Objects]]:
    """One change each, by its name."""
    middle = f"s{count // 2}"

    def changed(kind: str, item: KubeObject) -> Objects:
        items = {**getattr(objects, kind), item.key: item}
        return msgspec.structs.replace(objects, **{kind: items})

    yield "none", msgspec.structs.replace(objects)
    yield "Ingress", changed("ingresses", make_ingress(count // 2, path="/new", has_tls=True))
    yield "Service", changed("services", make_service(middle, port=81))
    yield "EndpointSlice", changed("endpoint_slices", make_slice(middle, "10.255.0.1"))
    yield "Secret", changed("secrets", next(iter(make_secrets(1, middle).values())))
    yield "EndpointSlice that all use", changed("endpoint_slices", make_slice(SHARED, "10.255.0.1"))
    yield "Service that all use", changed("services", make_service(SHARED, port=80, target=9))
    yield "Service that all use, without port", changed("services", make_service(SHARED, port=81))


# Objects.


def make_objects(count: int, has_tls: bool = False) -> Objects:
    names = [*(f"s{number}" for number in range(count)), SHARED]
    addresses = [f"10.{n >> 16}.{n >> 8 & 255}.{n & 255}" for n in range(count + 1)]
    ingresses = [make_ingress(number, has_tls=has_tls) for number in range(count)]
    services = [make_service(name) for name in names]
    slices = [make_slice(*pair) for pair in zip(names, addresses, strict=True)]
    return Objects(
        ingresses={item.key: item for item in ingresses},
        services={item.key: item for item in services},
        endpoint_slices={item.key: item for item in slices},
        secrets=make_secrets(count) if has_tls else {},
    )


def make_ingress(number: int, *, path: str = "/", has_tls: bool = False) -> Ingress:
    host = f"h{number}.example.com"
    paths = tuple(
        HTTPIngressPath(
            path=written,
            path_type="Prefix",
            backend=IngressBackend(
                service=IngressServiceBackend(name=name, port=ServiceBackendPort(number=80))
            ),
        )
        for written, name in ((path, f"s{number}"), ("/shared", SHARED))
    )
    return Ingress(
        metadata=Metadata(name=f"i{number}"),
        spec=IngressSpec(
            rules=(IngressRule(host=host, http=HTTPIngressRuleValue(paths=paths)),),
            tls=(IngressTLS(hosts=(host,), secret_name=f"s{number}"),) if has_tls else (),
        ),
    )


def make_service(name: str, port: int = 80, target: int = 8080) -> Service:
    port_of_service = ServicePort(port=port, target_port=target)
    return Service(metadata=Metadata(name=name), spec=ServiceSpec(ports=(port_of_service,)))


def make_slice(service: str, address: str) -> EndpointSlice:
    return EndpointSlice(
        metadata=Metadata(name=f"{service}-1", labels={"kubernetes.io/service-name": service}),
        address_type="IPv4",
        endpoints=(SliceEndpoint(addresses=(address,)),),
        ports=(EndpointPort(port=8080),),
    )


def make_secrets(count: int, only: str = "") -> dict[tuple[str, str], Secret]:
    """
    Certificates of one key, which reading them does not know.

    :param only: the name of the one Secret to make, if not all.
    """
    key = ec.generate_private_key(ec.SECP256R1())
    key_pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    secrets: dict[tuple[str, str], Secret] = {}
    for number in range(count):
        name = only or f"s{number}"
        data = {"tls.crt": _certificate(key, f"h{name[1:]}.example.com"), "tls.key": key_pem}
        item = Secret(metadata=Metadata(name=name), type="kubernetes.io/tls", data=data)
        secrets[item.key] = item
    return secrets


def _certificate(key: ec.EllipticCurvePrivateKey, host: str) -> bytes:
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host)])
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(NOW - timedelta(days=1))
        .not_valid_after(NOW + timedelta(days=90))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False)
    )
    return builder.sign(key, SHA256()).public_bytes(Encoding.PEM)


if __name__ == "__main__":
    main()
