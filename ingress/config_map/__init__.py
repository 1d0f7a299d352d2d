"""
The ConfigMap of ingress-nginx: which keys there are, what becomes of each, and their values.

::

    data of the ConfigMap ─ reading ─► values, faults, closed_by ─ settings ─► Config
                              ▲
                            table ◄── access_keys, traffic_keys, server_keys, telemetry_keys

Nothing here knows objects or files: `ingress.routing.build.config_map` finds the ConfigMap that
the configuration names, and keeps the last good values.
"""
