"""
The client's side: listeners, TLS, the HTTP codec, and the exchange.
"""
