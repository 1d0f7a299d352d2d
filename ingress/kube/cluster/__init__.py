"""
Reads objects from a cluster's API server, and follows their changes.

::

    APIClient ─► Reflector ─► Mirror ─┬───────────────────────────► StoreBatch ─► ObjectStore
                 list, watch          ├─► IngressGate ──────────────┤
                    │                 │        │ names              │
                 Contact              └─► ReferencedObjects ────────┘
                    └─► staleness, Problems       Secrets

- A **Reflector** lists one kind (in one namespace, or one object) and then watches it: an
  endless loop that survives every answer of the server. Its **Contact** records the state of
  the connection.
- A **Mirror** holds the server's objects: checked ones, and the faults of the others. After a
  list it drops the objects that are gone.
- An **IngressGate** holds an Ingress back until the Secrets that it names were read, so it is
  never served without them.
- A **NameGate** does the same for Services and the host names that they lead to.
- **ReferencedObjects** are the Secrets and ConfigMaps that are named somewhere; all others are
  dropped on arrival, or never asked for.
- **ConfiguredObjects** are those that the configuration names, ingress-nginx's ConfigMap among
  them. Other ConfigMaps of ingress-nginx (`foreign_config_maps`) are read to be reported, and the
  proxy can do without them.
- A **StoreBatch** combines changes that arrive together into one change of the store.
- The **ClusterSource** puts these together: an `ObjectSource`.
"""
