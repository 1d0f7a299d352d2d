"""
Tests for `ingress.migration`.
"""
