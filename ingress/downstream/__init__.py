"""
The client's side: listeners, TLS, and the HTTP codec.
"""
