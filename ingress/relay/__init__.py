"""
Bytes that are carried without being understood: what a port of a TCP service is for.

::

    client ─► transport ─► RelaySide ◄─ Relay ─► RelaySide ◄─ transport ◄─ endpoint
                                          │
                         RelayResources: balancer, dialer, deadlines, recorder

A *relay* joins the transport of a client to an endpoint of an Upstream. It chooses the endpoint,
connects, asks the next one if that fails, and then passes on what comes on one side to the other,
at the pace of the slower one. It knows nothing of ports and of what goes through it: who accepts
connections, or reads something of them first, makes a `Relay` and lets it `Relay.begin`.
"""
