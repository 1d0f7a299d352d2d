"""
Several processes that serve, and the one that tells them what.

::

    control plane                                                   worker
    workers ─► slot ─► link ─┬─ feed ─ difference ─► pieces ──► process ─► replica ─► LocalServing
        │                    └─ channel ◄──── log, counts, state ──┘
        └─ fork_client ─► fork_server: forks workers, tells how they end

A *slot* is the place of one worker, a *link* what is known of the process that has
it now. Only `process`, `replica`, `log_relay` and `fresh_reactor` run in workers.
"""
