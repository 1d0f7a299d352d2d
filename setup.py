"""
What setup.cfg cannot say: the modules that are compiled.

They are those that every request comes by, so that it costs less processor time; the reason
and the rules for their code are in CONTRIBUTING.md.
"""

import sys

from setuptools import setup

sys.path.insert(0, "etc/build")
from txingress_build import BuildExtensions, extensions

COMPILED = (
    # What all of them speak of.
    "ingress/believed_client.py",
    "ingress/deadline.py",
    "ingress/message.py",
    "ingress/stream_protocol.py",
    # Bytes to messages and back.
    "ingress/http1/body.py",
    "ingress/http1/decoder.py",
    "ingress/http1/encoder.py",
    "ingress/http1/head.py",
    "ingress/http1/request_head.py",
    "ingress/http1/response_head.py",
    # Which route a request takes. Not the Snapshot and what it is made of, nor policies:
    # they are pickled for workers, which is not for compiled classes.
    "ingress/routing/match.py",
    "ingress/routing/path.py",
    "ingress/routing/upstream_target.py",
    # The client's connection, the exchange, and what it decides and writes for each request.
    "ingress/downstream/admission.py",
    "ingress/downstream/clients.py",
    "ingress/downstream/handshake.py",
    "ingress/downstream/http1.py",
    "ingress/downstream/http1_state.py",
    "ingress/downstream/input_gate.py",
    "ingress/downstream/open_connections.py",
    "ingress/downstream/shares.py",
    "ingress/exchange/attempt.py",
    "ingress/exchange/call.py",
    "ingress/exchange/call_receiver.py",
    "ingress/exchange/call_resources.py",
    "ingress/exchange/client.py",
    "ingress/exchange/early_body.py",
    "ingress/exchange/endpoint_choice.py",
    "ingress/exchange/exchange.py",
    "ingress/exchange/exchange_policies.py",
    "ingress/exchange/exchange_resources.py",
    "ingress/exchange/exchange_state.py",
    "ingress/exchange/field_names.py",
    "ingress/exchange/fields.py",
    "ingress/exchange/forwarded.py",
    "ingress/exchange/held_response.py",
    "ingress/exchange/loop_marker.py",
    "ingress/exchange/own_answer.py",
    "ingress/exchange/request_shares.py",
    "ingress/exchange/policy_run.py",
    "ingress/exchange/replayable_body.py",
    "ingress/exchange/response_writer.py",
    "ingress/exchange/retry.py",
    "ingress/exchange/tunnel.py",
    "ingress/policy/context.py",
    "ingress/policy/live_state.py",
    # Which endpoint, and the connection to it.
    "ingress/upstream/balancer.py",
    "ingress/upstream/connection.py",
    "ingress/upstream/endpoint_load.py",
    "ingress/upstream/health.py",
    "ingress/upstream/http1.py",
    "ingress/upstream/http1_state.py",
    "ingress/upstream/pool.py",
    "ingress/upstream/registry.py",
    "ingress/upstream/retry_budget.py",
    "ingress/upstream/stream.py",
    # What is counted and logged of each request.
    "ingress/telemetry/access_log.py",
    "ingress/telemetry/log_line.py",
    "ingress/telemetry/record.py",
    "ingress/telemetry/recorder.py",
    "ingress/telemetry/traffic.py",
)

setup(ext_modules=extensions(COMPILED), cmdclass={"build_ext": BuildExtensions})
