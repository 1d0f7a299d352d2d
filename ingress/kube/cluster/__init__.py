"""
Objects out of a cluster's API server, followed as they change.

::

    APIClient ─► Reflector ─► Mirror ─┬───────────────────────────► StoreBatch ─► ObjectStore
                 list, watch          ├─► IngressGate ──────────────┤
                    │                 │        │ names              │
                 Contact              └─► ReferencedObjects ────────┘
                    └─► staleness, Problems       Secrets, ConfigMaps

- A **Reflector** lists one kind (in one namespace, or of one name) and watches it from there
  on: an endless loop that survives whatever the server does. Its **Contact** tells how it fares.
- A **Mirror** is what the server has, as far as it can be read: checked objects, what is
  wrong with the others, and who is gone after a list.
- An **IngressGate** keeps an Ingress back until the Secrets that it names were asked for, so
  that it is never served without them for a moment.
- A **NameGate** does the same for Services and the names that they lead to.
- **ReferencedObjects** are the Secrets and ConfigMaps that somebody names; all others are
  dropped where they arrive.
- A **StoreBatch** changes the store once for all that arrives together.
- The **ClusterSource** puts these together: an `ObjectSource`.
"""
