"""
Formats of lines of the access log, as nginx's ``log_format`` has them: text with variables.

This module knows which variables there are; `ingress.telemetry.custom_line` gives their values.
"""

from __future__ import annotations

import re
from difflib import get_close_matches
from typing import Final, NamedTuple

from ingress.errors import IngressError
from ingress.frozen import dataclass

MAX_SIZE: Final = 16_384
"""Characters of a format."""

_SHOWN: Final = 60
"""Characters of a name that a message has."""

MAX_VARIABLES: Final = 256
"""Variables in a format: each costs something for each line."""

_DEFAULT: Final = (
    '$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent "$http_referer" '
    '"$http_user_agent" $request_length $request_time [$proxy_upstream_name] '
    "[$proxy_alternative_upstream_name] $upstream_addr $upstream_response_length "
    "$upstream_response_time $upstream_status $req_id"
)

VARIABLES: Final = frozenset(
    """
    args best_http_host body_bytes_sent bytes_sent content_length content_type document_uri host
    hostname http2 https ingress_name is_args location_path msec namespace opentelemetry_span_id
    opentelemetry_trace_id otel_span_id otel_trace_id pass_access_scheme pass_port
    pass_server_port pid pipe proxy_add_x_forwarded_for proxy_alternative_upstream_name
    proxy_host proxy_protocol_addr proxy_upstream_name query_string remote_addr remote_user
    req_id request request_completion request_id request_length request_method request_time
    request_uri scheme server_name server_port server_protocol service_name service_port status
    the_real_ip time_iso8601 time_local txingress_outcome txingress_reason upstream_addr
    upstream_connect_time upstream_header_time upstream_response_length upstream_response_time
    upstream_status uri
    """.split()  # noqa: SIM905
)
"""The variables that have values."""

FAMILIES: Final = ("http_", "cookie_", "arg_")
"""The beginnings of the names of families that have values: the rest is a name of the client's."""

WITHOUT_VALUE: Final = frozenset(
    """
    ancient_browser auth_cookie auth_http_x_forwarded_for binary_remote_addr connection
    connection_requests connection_time connections_active connections_reading
    connections_waiting connections_writing date_gmt date_local document_root
    escaped_request_uri fastcgi_path_info fastcgi_script_name geoip_area_code geoip_city
    geoip_city_continent_code geoip_city_country_code geoip_city_country_code3
    geoip_city_country_name geoip_country_code geoip_country_code3 geoip_country_name
    geoip_dma_code geoip_latitude geoip_longitude geoip_org geoip_postal_code geoip_region
    geoip_region_name global_rate_limit_exceeding gzip_ratio http3 invalid_referer
    limit_conn_status limit_rate limit_req_status memcached_key modern_browser msie
    nginx_version opentelemetry_context_b3 opentelemetry_context_traceparent original_uri
    otel_parent_id otel_parent_sampled proxy_internal_body_length proxy_port proxy_protocol_port
    proxy_protocol_server_addr proxy_protocol_server_port realip_remote_addr realip_remote_port
    realpath_root redirect_to remote_port request_body request_body_file request_filename
    secure_link server_addr session_log_id slice_range ssl_alpn_protocol ssl_cipher ssl_ciphers
    ssl_client_cert ssl_client_escaped_cert ssl_client_fingerprint ssl_client_i_dn
    ssl_client_raw_cert ssl_client_s_dn ssl_client_serial ssl_client_v_end ssl_client_v_remain
    ssl_client_v_start ssl_client_verify ssl_curve ssl_curves ssl_early_data ssl_protocol
    ssl_server_name ssl_session_id ssl_session_reused tcpinfo_rcv_space tcpinfo_rtt
    tcpinfo_rttvar tcpinfo_snd_cwnd uid_got uid_reset uid_set upstream_bytes_received
    upstream_bytes_sent upstream_cache_status upstream_last_server_name upstream_queue_time
    """.split()  # noqa: SIM905
)
"""Variables of nginx and ingress-nginx that have none here."""

_FAMILIES_WITHOUT_VALUE: Final = (
    "geoip2_",
    "jwt_",
    "sent_http_",
    "sent_trailer_",
    "trailer_",
    "upstream_cookie_",
    "upstream_http_",
    "upstream_trailer_",
)

_PIECE: Final = re.compile(
    r"\\(?P<escaped>[\"'\\tnr])|\$(?:(?P<plain>[A-Za-z0-9_]+)|\{(?P<braced>[A-Za-z0-9_]+)\})?"
)
_LINE_END: Final = re.compile(r"\s*[\r\n]\s*")
_ESCAPES: Final = {"t": "\t", "n": " ", "r": " "}


class TemplateRefused(IngressError):
    """A text is no format; the message says what is accepted."""


class TemplatePart(NamedTuple):
    """A piece of a format."""

    variable: str
    """Its name in lower case; empty for text."""

    text: str = ""


@dataclass(frozen=True, slots=True)
class LogTemplate:
    """A format that was read. It is pickled for workers."""

    parts: tuple[TemplatePart, ...]

    @classmethod
    def read(cls, written: str) -> LogTemplate:
        """
        Read a format. A line stays one line: an end of line in the format becomes a blank.

        :raises TemplateRefused: for a variable that nginx does not know, and what is too large.
        """
        if len(written) > MAX_SIZE:
            raise TemplateRefused(f"a format of at most {MAX_SIZE} characters is accepted")
        template = cls(tuple(_parts(_LINE_END.sub(" ", written.strip()))))
        if sum(bool(part.variable) for part in template.parts) > MAX_VARIABLES:
            raise TemplateRefused(f"a format of at most {MAX_VARIABLES} variables is accepted")
        return template

    @property
    def without_value(self) -> tuple[str, ...]:
        """The variables in it that have no value here, by name."""
        names = {part.variable for part in self.parts if part.variable}
        return tuple(sorted(name for name in names if not has_value(name)))

    @property
    def is_default(self) -> bool:
        """Whether it is ingress-nginx's own."""
        return self == DEFAULT_TEMPLATE


def has_value(name: str) -> bool:
    """:return: whether a variable has a value here; `name` is in lower case."""
    return name in VARIABLES or any(name.startswith(each) and name != each for each in FAMILIES)


def _parts(written: str) -> list[TemplatePart]:
    parts: list[TemplatePart] = []
    text, end = "", 0
    for match in _PIECE.finditer(written):
        text += written[end : match.start()]
        end = match.end()
        if match["escaped"]:
            text += _ESCAPES.get(match["escaped"], match["escaped"])
            continue
        name = (match["plain"] or match["braced"] or "").lower()
        _check(name)
        if text:
            parts.append(TemplatePart("", text))
            text = ""
        parts.append(TemplatePart(name))
    text += written[end:]
    return [*parts, TemplatePart("", text)] if text else parts


def _check(name: str) -> None:
    """:raises TemplateRefused: if nginx has no such variable."""
    if not name:
        raise TemplateRefused("text and variables of nginx are accepted; $ begins a variable")
    families = _FAMILIES_WITHOUT_VALUE
    is_known = has_value(name) or name in WITHOUT_VALUE or name.startswith(families)
    if not is_known:
        close = get_close_matches(name, VARIABLES, 1, 0.7)
        hint = f"; did you mean ${close[0]}?" if close else ""
        raise TemplateRefused(f"there is no variable ${name[:_SHOWN]}{hint}")


DEFAULT_TEMPLATE: Final = LogTemplate(tuple(_parts(_DEFAULT)))
"""ingress-nginx's own."""
