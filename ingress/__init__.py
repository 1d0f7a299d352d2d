"""
A Kubernetes Ingress controller and reverse proxy on Twisted.

The control plane turns manifests into a Snapshot, in seconds::

    YAML, PEM ─ kube.files ─► kube.objects ─► kube.store ─► controller ─► routing.build ─► Snapshot

The data plane serves each request from the Snapshot that was published when the
request came, in microseconds::

    client ─► downstream.listeners ─► downstream.http1 ─► exchange.exchange ─► routing.match
                                                             │
    endpoint ◄─ upstream.http1 ◄─ upstream.pool ◄─ upstream.balancer

The nouns:

- An *object* is a Kubernetes object, parsed, checked and frozen (`kube.objects`).
- A *Snapshot* is everything that routing needs, frozen; publishing one is one
  assignment (`routing.snapshot`).
- A *VirtualHost* is a host's tree of *ReverseProxyResource* nodes, one for each
  path segment; a *Route* is a rule that matched; an *Upstream* is a Service port
  as a set of *endpoints* (`routing.resource`, `routing.snapshot`).
- An *exchange* is one request and its response, without sockets or reactor;
  its *outcome* says how it ended (`exchange.exchange`).
- A *Problem* is a fault of one object, which never harms another object
  (`problem`).

Imports go one way (see ARCHITECTURE.md); `tests/test_layers.py` checks this.
"""
