"""
Tests against the programs of a Kubernetes control plane: ``make real-cluster``.
"""
