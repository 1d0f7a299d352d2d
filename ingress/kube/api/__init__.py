"""
The client of a cluster's API server.

::

    Cluster (of the configuration) ─► connect ─► APIClient: get, send, watch
                                         │           │
            service_account, kubeconfig ─┘           ├─► credentials: our identity
                                                     └─► connection ─► tls: the server's certificate

The package does not know the objects that it transports.
"""
