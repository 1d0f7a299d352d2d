"""
The command ``txingress``: what is wrong with manifests, what they do, and why.

Nothing is decided here: readers, builds, matching and policies are those that serve.
"""
