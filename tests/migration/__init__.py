"""Tests for `ingress.migration`."""
