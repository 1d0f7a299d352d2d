"""
What we write to the API server, and who of several replicas does.

::

    Lease ◄─► Elector ──► leader: may write      Service, EndpointSlices, Nodes
                             │                                │ AddressReader
    controller: served ──────┼─► StatusWriter ◄───────────────┘
    IngressStatuses ─────────┤        └─► WriteQueue ─► PATCH ingresses/status
    ProblemLog ──────────────┴─► EventWriter
                                      └─► WriteQueue ─► POST, PATCH events

- A **Lease** names its holder. An **Elector** follows one, and decides by `lease.next_step`
  alone whether to take it, to renew it, or to wait.
- The **leader** is the replica that holds it. It alone writes anything else.
- What is to be written is decided when it is written, from what is known then: a
  **WriteQueue** holds names, not values, so that nothing stale waits in it.
"""
