"""
All that knows what a manifest looks like.

Files (later: a cluster's API) become frozen, checked objects in the
ObjectStore; whoever reads the store sees no dict and no raw byte of a manifest.
"""
