"""
The admin listener: probes, metrics, and the state of routing.

::

    request ─► site ─► access_check ─┬─► readiness                   /healthz, /readyz
                                     ├─► page ─► pieces ─► streaming
                                     │    └ representation: a value of resources as JSON, or as
                                     │      HTML by html_pages
                                     ├─► page ─► live_stream         /live, and what is followed
                                     └─► page_files                  /assets/

Large pages are made of pieces. `streaming` makes them in slices of time, because the
same reactor serves traffic.
"""
