"""
Tests of the data path once more, with clients and then with endpoints that speak HTTP/2: an exchange
is an exchange.

They speak HTTP/1.1 to a translator, so some of them are left out: those about the bytes of HTTP/1.1
(empty lines, chunks that are broken, HTTP/1.0, reason phrases, the case of names), about one
connection for each request (``Connection: close``, pipelining, a connection that closed while it
was idle, an endpoint that is never read and so answers no PING), and about the sizes of buffers,
which windows take the place of; and a few that take long and say nothing of a codec.
`tests.downstream.test_http2` and `tests.upstream.test_http2` have what takes their place.
"""

from __future__ import annotations

from typing import Final

from tests.support.other_codec import cases_with_wire
from tests.support.translating_endpoint import HTTP2EndpointWire
from tests.support.translating_peer import HTTP2Wire

OF_CLIENTS: Final[dict[str, str]] = {
    "data_path.test_diversion": "",
    "data_path.test_external_auth": """
        MatrixTests.test_closed
        MatrixTests.test_open
        MatrixTests.test_unreachable
    """,
    "data_path.test_kept_connection": "",
    "data_path.test_limits": """
        LimitTests.test_changed_while_a_connection_is_kept
        LimitTests.test_length_too_large
        LimitTests.test_requests_of_a_connection
    """,
    "data_path.test_path_readings": "",
    "data_path.test_records": """
        BadResponseTests.test_broken_body
        ExchangeTests.test_half_a_body
        RefusalTests.test_bad_request
        RefusalTests.test_behind_a_request
        RefusalTests.test_large_head
        RefusalTests.test_long_target
        RefusalTests.test_other_line_ends
        RefusalTests.test_slow_head
        RefusalTests.test_tls_on_the_plain_port
        RefusalTests.test_unknown_method
    """,
    "data_path.test_shares": "",
    "data_path.test_traces": "",
    "data_path.test_tunnel": """
        TrailerTests.test_not_taken
        TunnelTests.test_answer
        TunnelTests.test_client_ends
        TunnelTests.test_client_resets
        TunnelTests.test_endpoint_ends
        TunnelTests.test_endpoint_resets
        TunnelTests.test_idle
        TunnelTests.test_much_before_the_answer
        TunnelTests.test_only_websockets
        TunnelTests.test_refused
    """,
    "downstream.test_http1": """
        DeadlineTests.test_empty_lines_are_no_head
        DeadlineTests.test_slow_body
        DeadlineTests.test_slow_head
        DeadlineTests.test_slow_reader_that_reads
        DownloadTests.test_interim_responses
        DownloadTests.test_no_answer_for_who_leaves_the_last_unread
        EndTests.test_drain_after_the_head_of_the_answer
        EndTests.test_drain_before_the_head_of_the_answer
        EndTests.test_drain_idle
        EndTests.test_drain_within_a_head
        EndTests.test_half_closed
        EndTests.test_lost_while_its_upload_is_paused
        HTTP10Tests.test_body_of_unknown_length
        HTTP10Tests.test_closes
        HTTP10Tests.test_interim
        HTTP10Tests.test_keep_alive
        HTTP10Tests.test_truncated_body_of_unknown_length
        HTTP10Tests.test_without_host
        KeepAliveTests.test_close
        KeepAliveTests.test_empty_lines_before_a_request
        KeepAliveTests.test_head_larger_than_what_is_kept
        KeepAliveTests.test_pipelined
        KeepAliveTests.test_pipelined_behind_a_body
        KeepAliveTests.test_pipelined_garbage
        KeepAliveTests.test_pipelined_own_answers
        KeepAliveTests.test_pipelined_without_bound
        OneRequestTests.test_over_https
        OneRequestTests.test_whole
        RefusalTests.test_answer_reaches_a_client_that_goes_on_sending
        RefusalTests.test_bad_bodies
        RefusalTests.test_bad_body_after_the_response_began
        RefusalTests.test_bad_heads
        RefusalTests.test_fault_of_our_own
        RefusalTests.test_fault_of_our_own_behind_another_request
        RefusalTests.test_lingering_ends_with_the_process
        RefusalTests.test_lingering_is_bounded
        RefusalTests.test_too_large
        UploadTests.test_back_pressure
        UploadTests.test_early_response
        UploadTests.test_early_response_that_waits_for_its_reader
        UploadTests.test_early_response_to_a_client_that_does_not_read
        UploadTests.test_expectation_failed
    """,
    "exchange.test_compressor": "",
    "exchange.test_exchange_policies": """
        LaterDecisionTests.test_pipelined
    """,
    "exchange.test_pacer": """
        PacerTests.test_http_10
    """,
    "exchange.test_request_copies": """
        NeverInTheWayTests.test_many
    """,
    "exchange.test_shaping": "",
    "exchange.test_subrequests": """
        AskTests.test_head
        FailureTests.test_bound
    """,
    "policy.test_app_root": "",
    "policy.test_client_limits": "",
    "policy.test_cors": "",
    "policy.test_custom_errors": "",
    "policy.test_proxy_cookie": "",
    "policy.test_proxy_redirect": "",
    "policy.test_source_ranges": "",
    "policy.test_upstream_host": "",
}
"""By module, the tests that are not run with clients of HTTP/2."""

OF_ENDPOINTS: Final[dict[str, str]] = {
    "data_path.test_diversion": "",
    "data_path.test_kept_connection": """
        LateBodyTests.test_late_body
        UntoldTests.test_closed
        UntoldTests.test_unasked_answer
    """,
    "data_path.test_limits": "",
    "data_path.test_path_readings": """
        GuardedHostTests.test_pieces
    """,
    "data_path.test_records": """
        BadResponseTests.test_broken_body
        BadResponseTests.test_ended
        BadResponseTests.test_reason
        BadResponseTests.test_too_slow
        ExchangeTests.test_slow_body
    """,
    "data_path.test_shares": "",
    "data_path.test_traces": "",
    "downstream.test_http1": """
        DeadlineTests.test_endpoint_at_work
        DeadlineTests.test_slow_body
        DeadlineTests.test_slow_reader
        DeadlineTests.test_slow_reader_of_the_last_answer
        DeadlineTests.test_slow_reader_of_the_last_answer_before_a_close
        DownloadTests.test_back_pressure
        DownloadTests.test_broken_chunks
        DownloadTests.test_interim_responses
        DownloadTests.test_no_answer_for_who_leaves_the_last_unread
        KeepAliveTests.test_head_larger_than_what_is_kept
        KeepAliveTests.test_pipelined_without_bound
        OneRequestTests.test_chunked_request
        OneRequestTests.test_whole
        RefusalTests.test_bad_bodies
        RefusalTests.test_bad_heads
        RefusalTests.test_fault_of_our_own
        RefusalTests.test_fault_of_our_own_behind_another_request
        UploadTests.test_early_response_that_waits_for_its_reader
    """,
    "exchange.test_call": "",
    "exchange.test_compressor": """
        CompressorTests.test_back_pressure
        ThreadTests.test_ends_meanwhile
        ThreadTests.test_holds
        ThreadTests.test_whole
    """,
    "exchange.test_exchange": """
        DialTests.test_body_that_waited_fills_the_connection
        FailureTests.test_reads_in_the_end
        FailureTests.test_time_of_the_upload_is_the_clients
        FailureTests.test_too_slow
        FailureTests.test_too_slow_in_the_body
        KeptConnectionTests.test_asked_again_before_the_body
        KeptConnectionTests.test_asked_again_once
        KeptConnectionTests.test_asked_again_with_a_small_body
        KeptConnectionTests.test_closed_by_an_endpoint_that_is_gone
        KeptConnectionTests.test_closed_when_asked
        KeptConnectionTests.test_reset_when_asked
        RecordTests.test_dead_connection
        RecordTests.test_half_a_response
        ResponseTests.test_early_while_the_body_is_on_its_way
        ResponseTests.test_paused
        ResponseTests.test_paused_by_an_interim_response
        ResponseTests.test_session
    """,
    "exchange.test_exchange_policies": """
        DecisionTests.test_response
        LaterDecisionTests.test_broken_meanwhile
    """,
    "exchange.test_pacer": """
        PacerTests.test_back_pressure
        PacerTests.test_chunked
        PacerTests.test_head_only
        PacerTests.test_http_10
        PacerTests.test_resumes
    """,
    "exchange.test_request_copies": """
        NeverInTheWayTests.test_broken
        NeverInTheWayTests.test_client_lost
        NeverInTheWayTests.test_endless
        NeverInTheWayTests.test_many
        OwnHostTests.test_loop
    """,
    "exchange.test_subrequests": """
        AskTests.test_head
        FailureTests.test_bound
        FailureTests.test_broken
    """,
    "policy.test_client_limits": "",
    "policy.test_cors": """
        WireTests.test_own_answer
    """,
    "policy.test_custom_errors": "",
    "policy.test_proxy_cookie": "",
    "policy.test_proxy_redirect": "",
    "policy.test_upstream_host": "",
}
"""By module, the tests that are not run with endpoints of HTTP/2."""

for _wire, _table in ((HTTP2Wire, OF_CLIENTS), (HTTP2EndpointWire, OF_ENDPOINTS)):
    for _name, _left_out in _table.items():
        globals().update(cases_with_wire(f"tests.{_name}", _wire, set(_left_out.split()), __name__))
