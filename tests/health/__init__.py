"""Tests of `ingress.health`."""
