"""
Snippets of nginx's configuration, read as data: ``configuration-snippet`` and ``server-snippet``.

``tokens`` reads the text, ``reader`` makes a ``program`` of it, ``run`` carries that out for a
request, ``edits`` has the fields that follow, and `ingress.policy.snippets` is the policies.
Nothing is ever evaluated as text, and a directive that is not known refuses the whole snippet.

Source of the rules: docs/snippets.md.
"""
