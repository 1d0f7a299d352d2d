"""
The client of a cluster's API server.

::

    Cluster (of the configuration) ─► connect ─► APIClient: get, send, watch
                                         │           │
            service_account, kubeconfig ─┘           ├─► credentials: who we are
                                                     └─► connection ─► tls: who the server is

The package does not know the objects that it transports.
"""
