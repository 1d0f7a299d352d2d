"""
Writes statuses and Events to the API server, from one of several replicas.

::

    Lease ◄─► Elector ──► leader: may write      Service, EndpointSlices, Nodes
                             │                                │ AddressReader
    controller: served ──────┼─► StatusWriter ◄───────────────┘
    IngressStatuses ─────────┤        └─► WriteQueue ─► PATCH ingresses/status
    ProblemLog ──────────────┴─► EventWriter
                                      └─► WriteQueue ─► POST, PATCH events

- A **Lease** names its holder. An **Elector** follows one; `lease.next_step` alone decides
  whether it takes the Lease, renews it, or waits.
- The **leader** is the replica that holds the Lease. Only the leader writes anything else.
- A **WriteQueue** holds names, not values. The value is computed when its turn comes, so
  nothing in the queue is ever stale.
"""
