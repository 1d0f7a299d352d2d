"""
What annotations do to an exchange, a module each.

A policy is frozen, made once at build time from the annotations of an Ingress
(`annotation` reads their values), and held by the Routes that it governs.
"""
