"""
The part of the packaging that setup.cfg has no place for: the modules that are compiled.

These are the modules on the way of every request, which costs less processor time if they are
compiled. CONTRIBUTING.md has the reasons, and the rules for their code.
"""

import sys

from setuptools import setup

sys.path.insert(0, "etc/build")
from txingress_build import BuildExtensions, extensions

COMPILED = (
    # The values and seams that all others use.
    "ingress/believed_client.py",
    "ingress/deadline.py",
    "ingress/message.py",
    "ingress/recent_values.py",
    "ingress/stream_protocol.py",
    "ingress/turn_end.py",
    # Bytes to messages and back.
    "ingress/http1/body.py",
    "ingress/http1/decoder.py",
    "ingress/http1/encoder.py",
    "ingress/http1/head.py",
    "ingress/http1/request_head.py",
    "ingress/http1/response_head.py",
    # The same for HTTP/2.
    "ingress/http2/client.py",
    "ingress/http2/connection.py",
    "ingress/http2/field_check.py",
    "ingress/http2/flow.py",
    "ingress/http2/frame.py",
    "ingress/http2/guard.py",
    "ingress/http2/hpack_decoder.py",
    "ingress/http2/hpack_encoder.py",
    "ingress/http2/huffman.py",
    "ingress/http2/output.py",
    "ingress/http2/priority.py",
    "ingress/http2/request_head.py",
    "ingress/http2/response_head.py",
    "ingress/http2/server.py",
    "ingress/http2/settings.py",
    "ingress/http2/static_table.py",
    "ingress/http2/stream.py",
    "ingress/http2/stream_table.py",
    # The Route of a request. Policies, the Snapshot and its parts are not compiled: they are
    # pickled for workers, and compiled frozen dataclasses cannot be.
    "ingress/routing/match.py",
    "ingress/routing/path.py",
    "ingress/routing/pattern_index.py",
    "ingress/routing/upstream_target.py",
    # The client's connection, the exchange and its calls.
    "ingress/downstream/admission.py",
    "ingress/downstream/clients.py",
    "ingress/downstream/handshake.py",
    "ingress/downstream/http1.py",
    "ingress/downstream/http1_state.py",
    "ingress/downstream/http2.py",
    "ingress/downstream/http2_state.py",
    "ingress/downstream/http2_stream.py",
    "ingress/downstream/input_gate.py",
    "ingress/downstream/open_connections.py",
    "ingress/downstream/prior_knowledge.py",
    "ingress/downstream/shares.py",
    "ingress/exchange/attempt.py",
    "ingress/exchange/call.py",
    "ingress/exchange/call_receiver.py",
    "ingress/exchange/call_resources.py",
    "ingress/exchange/call_state.py",
    "ingress/exchange/canary_choice.py",
    "ingress/exchange/client.py",
    "ingress/exchange/compressor.py",
    "ingress/exchange/early_body.py",
    "ingress/exchange/endpoint_choice.py",
    "ingress/exchange/exchange.py",
    "ingress/exchange/exchange_policies.py",
    "ingress/exchange/exchange_resources.py",
    "ingress/exchange/exchange_state.py",
    "ingress/exchange/explained_response.py",
    "ingress/exchange/field_names.py",
    "ingress/exchange/fields.py",
    "ingress/exchange/forwarded.py",
    "ingress/exchange/grpc_answer.py",
    "ingress/exchange/held_response.py",
    "ingress/exchange/loop_marker.py",
    "ingress/exchange/mirrored_call.py",
    "ingress/exchange/new_exchange.py",
    "ingress/exchange/own_answer.py",
    "ingress/exchange/request_copies.py",
    "ingress/exchange/request_shares.py",
    "ingress/exchange/pacer.py",
    "ingress/exchange/policy_journal.py",
    "ingress/exchange/policy_run.py",
    "ingress/exchange/replayable_body.py",
    "ingress/exchange/response_writer.py",
    "ingress/exchange/retry.py",
    "ingress/exchange/shaping.py",
    "ingress/exchange/stage.py",
    "ingress/exchange/subrequest_call.py",
    "ingress/exchange/subrequests.py",
    "ingress/exchange/tunnel.py",
    # 24,000 instructions for a bucket while it was interpreted.
    "ingress/policy/bucket_table.py",
    "ingress/policy/context.py",
    "ingress/policy/live_state.py",
    # The choice of an endpoint, and the connection to it.
    "ingress/upstream/balancer.py",
    "ingress/upstream/connection.py",
    "ingress/upstream/endpoint_load.py",
    "ingress/upstream/health.py",
    "ingress/upstream/http1.py",
    "ingress/upstream/http1_state.py",
    "ingress/upstream/http2.py",
    "ingress/upstream/http2_stream.py",
    "ingress/upstream/pool.py",
    "ingress/upstream/registry.py",
    "ingress/upstream/retry_budget.py",
    "ingress/upstream/shared_pool.py",
    "ingress/upstream/slow_start.py",
    "ingress/upstream/stream.py",
    # Counters and the access log.
    "ingress/telemetry/access_log.py",
    "ingress/telemetry/exchange_ring.py",
    "ingress/telemetry/log_line.py",
    "ingress/telemetry/record.py",
    "ingress/telemetry/recorder.py",
    "ingress/telemetry/series_counts.py",
    "ingress/telemetry/traffic.py",
)

setup(ext_modules=extensions(COMPILED), cmdclass={"build_ext": BuildExtensions})
