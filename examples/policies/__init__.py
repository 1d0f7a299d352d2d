"""
Examples of policies of one's own, each with its test; docs/policies.md explains them.
"""
