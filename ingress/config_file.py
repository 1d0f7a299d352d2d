"""
Reading of the configuration file: YAML in, a frozen Config or a list of all mistakes out.
"""

from __future__ import annotations

from pathlib import Path

from ingress.config import (
    HSTS,
    TLS,
    AccessLog,
    Admin,
    Cluster,
    Config,
    FilesSource,
    Hosts,
    IngressClassFilter,
    Listen,
    LocalAddress,
    LocalService,
    ProcessLogSettings,
    PublicPorts,
    StatusAddresses,
    file_value,
)
from ingress.config import value as accept
from ingress.config.compression_section import read_compression
from ingress.config.explain_section import read_explain
from ingress.config.limit_section import read_limits
from ingress.config.listen_section import read_listen
from ingress.config.otlp_section import read_otlp
from ingress.config.ports_section import read_port_services
from ingress.config.root import read_root
from ingress.config.section import Mistake, Mistakes, NotAccepted, Section
from ingress.error_pages import ErrorPages
from ingress.errors import IngressError
from ingress.listen_address import TCPAddress, parse_listen_address
from ingress.policy.configured import read_policies

MAX_GRACE = 86400.0
"""One day, in seconds. A larger value is a mistake of units."""

MAX_AGE = (1 << 31) - 1
"""Seconds that every client can represent (RFC 9111 section 1.2.2)."""

SECRETS = "secrets"
"""The default of tls.secrets, next to the configuration file."""

_DEFAULT = Config()
_EMPTY = "it must have source.files or source.kubernetes (see etc/ingress.yaml)"
_ONE_SOURCE = "exactly one of files and kubernetes"
_NO_ACCESS_LOG = "path and format, or off"


class ConfigError(IngressError):
    """
    The configuration file cannot be used; the message has one line for each mistake.

    :param mistakes: every mistake, in the order of the file.
    """

    def __init__(self, mistakes: tuple[Mistake, ...]) -> None:
        super().__init__("\n".join(str(mistake) for mistake in mistakes))
        self.mistakes = mistakes


def load_config(path: Path, running: Listen | None = None) -> Config:
    """
    Read the configuration.

    Relative paths are made absolute, because a daemon changes its folder.

    :param path: as the user wrote it; mistakes quote it.
    :param running: the listeners of the running process, if it reads the file again: the
        default of ``public-ports`` is their ports.
    :raises ConfigError: with every mistake of the file.
    """
    mistakes = Mistakes(str(path))
    absolute = path.absolute()
    config = Config(path=absolute)
    root = read_root(path, mistakes, _EMPTY)
    if root is not None:
        config = _read_config(root, absolute, running)
    found = mistakes.in_order()
    if found:
        raise ConfigError(found)
    return config


def _read_config(section: Section, path: Path, running: Listen | None) -> Config:
    folder = path.parent
    with section as root:
        source, cluster = _read_source(root, folder)
        listen, listed = read_listen(root, path)
        ports = PublicPorts() if cluster is not None else _own_ports(running or listen, folder)
        return Config(
            path=path,
            listen=listen,
            public_ports=_read_public_ports(root, ports),
            port_services=read_port_services(root, listed),
            source=source,
            cluster=cluster,
            installation=root.take(
                "installation", accept.or_null(accept.installation), _DEFAULT.installation
            ),
            admin=_read_admin(root),
            tls=_read_tls(root, folder),
            ingress_class=_read_class(root),
            trusted_proxies=root.take_all("trusted-proxies", accept.network, ()),
            field_names=root.take(
                "field-names", accept.one_of("plain", "underscores", "any"), _DEFAULT.field_names
            ),
            hosts=_read_hosts(root),
            paths=root.take(
                "paths", accept.one_of("auto", "canonical", "as-written", "strict"), _DEFAULT.paths
            ),
            default_backend=root.take(
                "default-backend", accept.or_null(accept.local_service), _DEFAULT.default_backend
            ),
            error_pages=_read_error_pages(root, folder),
            config_map=root.take(
                "config-map", accept.or_null(accept.object_name), _DEFAULT.config_map
            ),
            external_names=root.take("external-names", accept.boolean, _DEFAULT.external_names),
            catch_all=root.take("catch-all", accept.boolean, _DEFAULT.catch_all),
            ssl_passthrough=root.take("ssl-passthrough", accept.boolean, _DEFAULT.ssl_passthrough),
            ssl_redirect=root.take("ssl-redirect", accept.boolean, _DEFAULT.ssl_redirect),
            compression=read_compression(root),
            http2=root.take("http2", accept.boolean, _DEFAULT.http2),
            service_upstream=root.take(
                "service-upstream", accept.boolean, _DEFAULT.service_upstream
            ),
            auth_verify=root.take("auth-verify", accept.boolean, _DEFAULT.auth_verify),
            mirror_verify=root.take("mirror-verify", accept.boolean, _DEFAULT.mirror_verify),
            hsts=_read_hsts(root),
            policies=read_policies(root, folder),
            limits=read_limits(root, folder),
            certificate_signers=root.take_all("certificate-signers", accept.signer_name, ()),
            snippets=root.take(
                "snippets", accept.one_of("refuse", "ignore", "interpret"), _DEFAULT.snippets
            ),
            shutdown_delay=root.take(
                "shutdown-delay", accept.seconds(MAX_GRACE), _DEFAULT.shutdown_delay
            ),
            shutdown_grace=root.take(
                "shutdown-grace", accept.seconds(MAX_GRACE), _DEFAULT.shutdown_grace
            ),
            log=_read_process_log(root),
            access_log=_read_access_log(root, folder),
            otlp=read_otlp(root),
            explain=read_explain(root, folder),
            workers=root.take("workers", accept.workers, _DEFAULT.workers),
        )


def _own_ports(listen: Listen, folder: Path) -> PublicPorts:
    """The ports of the first TCP listeners, which clients see if nothing else maps ports."""
    default = _DEFAULT.public_ports
    return PublicPorts(
        http=_tcp_port(listen.http, folder) or default.http,
        https=_tcp_port(listen.https, folder) or default.https,
    )


def _tcp_port(descriptions: tuple[str, ...], folder: Path) -> int:
    """The first TCP port; 0 if there is none, or if the system chooses it."""
    addresses = (parse_listen_address(description, folder) for description in descriptions)
    return next((one.port for one in addresses if isinstance(one, TCPAddress)), 0)


def _read_public_ports(root: Section, default: PublicPorts) -> PublicPorts:
    with root.section("public-ports") as section:
        return PublicPorts(
            http=section.take("http", accept.port_number, default.http),
            https=section.take("https", accept.port_number, default.https),
        )


def _read_admin(root: Section) -> Admin:
    with root.section("admin") as section:
        return Admin(
            section.take_all("hosts", accept.admin_host, _DEFAULT.admin.hosts),
            section.take_all("clients", accept.network, _DEFAULT.admin.clients),
            section.take("health-path", accept.health_path, _DEFAULT.admin.health_path),
        )


def _read_source(root: Section, folder: Path) -> tuple[FilesSource, Cluster | None]:
    with root.section("source") as section:
        if section.has("kubernetes"):
            if section.has("files"):
                section.refuse("kubernetes", _ONE_SOURCE)
            elif section.has("endpoints"):
                section.refuse("endpoints", "applies to files only")
        elif not section.has("files"):
            section.miss(
                "files",
                "is missing: name files or folders, or write kubernetes: {} for a cluster",
            )
        paths = section.take_all("files", file_value.existing_path(folder), ())
        if section.has("files") and section.is_empty("files"):
            section.refuse("files", "a file or folder, or a list with at least one")
        files = FilesSource(paths=paths, endpoints=_read_endpoints(section))
        return files, _read_cluster(section, folder) if section.has("kubernetes") else None


def _read_cluster(source: Section, folder: Path) -> Cluster:
    default = Cluster()
    with source.section("kubernetes") as section:
        return Cluster(
            kubeconfig=section.take(
                "kubeconfig", accept.or_null(file_value.existing_path(folder)), default.kubeconfig
            ),
            context=section.take("context", accept.or_null(accept.context_name), default.context),
            namespaces=section.take_all("namespaces", accept.namespace, default.namespaces),
            status=_read_status(section),
            lease=section.take("lease", accept.own_object_name, default.lease),
            events=section.take("events", accept.boolean, default.events),
        )


def _read_status(cluster: Section) -> StatusAddresses:
    default = StatusAddresses()
    with cluster.section("status") as section:
        addresses = section.take_all("addresses", accept.status_address, ())
        for key in ("service", "nodes"):
            if addresses and section.has(key) and not section.is_null(key):
                section.refuse(key, "cannot be combined with addresses")
        return StatusAddresses(
            service=section.take("service", accept.or_null(accept.object_name), None),
            addresses=addresses,
            nodes=section.take(
                "nodes", accept.or_null(accept.one_of("external", "internal")), None
            ),
            clear_on_shutdown=section.take(
                "clear-on-shutdown", accept.boolean, default.clear_on_shutdown
            ),
        )


def _read_process_log(root: Section) -> ProcessLogSettings:
    default = _DEFAULT.log
    with root.section("log") as section:
        return ProcessLogSettings(
            format=section.take("format", accept.one_of("text", "json"), default.format),
            level=section.take(
                "level", accept.one_of("debug", "info", "warn", "error"), default.level
            ),
        )


def _read_access_log(root: Section, folder: Path) -> AccessLog | None:
    if root.is_off("access-log"):
        return None
    default = AccessLog()
    with root.section("access-log", _NO_ACCESS_LOG) as section:
        return AccessLog(
            path=section.take("path", file_value.log_file(folder), default.path),
            format=section.take(
                "format", accept.one_of("nginx", "nginx-exact", "json"), default.format
            ),
        )


def _read_endpoints(source: Section) -> dict[LocalService, tuple[LocalAddress, ...]]:
    endpoints = {}
    with source.section("endpoints") as section:
        for key in section.all_keys():
            try:
                service = accept.local_service(key)
            except NotAccepted as error:
                section.refuse(key, str(error))
                continue
            endpoints[service] = section.take_all(key, accept.local_address, ())
    return endpoints


def _read_tls(root: Section, folder: Path) -> TLS:
    with root.section("tls") as section:
        return TLS(
            secrets=section.take(
                "secrets", accept.or_null(file_value.path(folder)), folder / SECRETS
            ),
            default=section.take("default", accept.or_null(accept.object_name), None),
        )


def _read_class(root: Section) -> IngressClassFilter:
    default = _DEFAULT.ingress_class
    with root.section("class") as section:
        return IngressClassFilter(
            name=section.take("name", accept.class_name, default.name),
            controller=section.take("controller", accept.controller_name, default.controller),
            without_class=section.take("without-class", accept.boolean, default.without_class),
            by_name=section.take("by-name", accept.boolean, default.by_name),
        )


def _read_hosts(root: Section) -> Hosts:
    with root.section("hosts") as section:
        return Hosts(
            section.take(
                "ownership", accept.one_of("shared", "namespace"), _DEFAULT.hosts.ownership
            )
        )


def _read_error_pages(root: Section, folder: Path) -> ErrorPages:
    if root.is_null("error-pages"):
        return _DEFAULT.error_pages
    return root.take("error-pages", file_value.error_pages(folder), _DEFAULT.error_pages)


def _read_hsts(root: Section) -> HSTS | None:
    if root.is_null("hsts"):
        return None
    default = HSTS()
    with root.section("hsts", "max-age, include-subdomains and preload, or null") as section:
        return HSTS(
            max_age=section.take("max-age", accept.integer(0, MAX_AGE), default.max_age),
            include_subdomains=section.take(
                "include-subdomains", accept.boolean, default.include_subdomains
            ),
            preload=section.take("preload", accept.boolean, default.preload),
        )
