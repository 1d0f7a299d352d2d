"""
Tests for `ingress.signing`.
"""
