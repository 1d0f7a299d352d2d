"""
Resolves the names of hosts outside of the cluster, again after each TTL.

::

    Built.names ─► NameResolver ─► Lookup ─┬─ SystemFiles: /etc/resolv.conf, /etc/hosts
                        │                  └─ DNSClient: UDP, and TCP for long answers
                        └─► ObjectStore ─► build

- A **NameResolver** knows which names are in use, when each is due, and what to keep while no
  name server answers.
- A **Lookup** resolves one name once: the hosts file, the search list, A and AAAA, CNAMEs.
- A **DNSClient** asks one question of one name server after the other.
"""
