"""Tests of `ingress.relay`."""
