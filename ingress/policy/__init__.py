"""
The effects of annotations on an exchange, one module for each.

A policy is frozen, made once at build time from the annotations of an Ingress
(`annotation` reads their values), and held by the Routes that it governs.
"""
