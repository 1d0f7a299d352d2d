"""
HTTP/2 (RFC 9113) and HPACK (RFC 7541), shared by both sides: bytes in, values and bytes out.

A `connection.Connection` takes the bytes of a peer, keeps the state of its streams, and makes the
bytes for the peer; it knows neither sockets nor time but by arguments. `server.ServerConnection`
is the side of clients, `client.ClientConnection` the side of endpoints. What comes on a stream goes
to its `stream.StreamEvents`. Requests and responses are those of `ingress.message`, checked by the
same code as those of HTTP/1.1.
"""
