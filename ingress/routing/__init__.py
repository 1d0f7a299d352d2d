"""
From objects to routes: frozen data and pure functions.

`build` makes a Snapshot from objects, `match` finds a request's Route in it.
Nothing here has side effects, and nothing imports a reactor.
"""
