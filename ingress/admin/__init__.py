"""
The admin listener: probes, metrics, and what is served at the moment.

::

    request ─► site ─┬─► readiness              /healthz, /readyz
                     └─► a page ─► pieces ─► streaming

Pages that may be large come in pieces, which `streaming` makes in slices: the same
reactor serves traffic.
"""
