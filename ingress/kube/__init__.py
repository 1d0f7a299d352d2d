"""
Everything that knows the shape of Kubernetes objects.

Manifests in files, or objects of a cluster's API, become frozen, checked objects in the
ObjectStore. Readers of the store never see a dict or raw bytes of a manifest.
"""
