"""
Several processes that serve, and the one that tells them what.
"""
