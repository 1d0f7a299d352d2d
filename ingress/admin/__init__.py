"""
The admin listener: probes, metrics, and the state of routing.

::

    request ─► site ─► host_check ─┬─► readiness              /healthz, /readyz
                                   └─► a page ─► pieces ─► streaming

Large pages are made of pieces. `streaming` makes them in slices of time, because the
same reactor serves traffic.
"""
