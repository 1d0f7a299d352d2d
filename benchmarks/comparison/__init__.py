"""
The proxy beside its peers: ``python -m benchmarks.comparison``.

A **site** is what all of them serve: hosts, certificates and two endpoints. A **peer**
knows how one proxy is configured for it; a **contender** is a peer that runs. A
**scenario** is one kind of load, a **run** one measurement of a contender under it::

    options ─► site ─► peer.command ─► contender ┐
                                      scenario ──┴─► rounds: run, run, run ... ─► report

Contenders run on one core, the load and the endpoints on another. Runs are interleaved
over scenarios and contenders, so that what else happens on the machine meets them all.
A run in which the proxy did not have its core for itself does not count, and is repeated.
"""
