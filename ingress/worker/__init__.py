"""
Several processes that serve, and the one that controls them.

::

    control plane                                                   worker
    workers ─► slot ─► link ─┬─ feed ─ difference ─► pieces ──► process ─► replica ─► LocalServing
        │                    └─ channel ◄──── log, counts, state ──┘
        └─ fork_client ─► fork_server: forks workers, reports how they end

A *slot* is the place of one worker. A *link* is the control plane's view of the process
in a slot. Only `process`, `replica`, `log_relay` and `fresh_reactor` run in workers.
"""
