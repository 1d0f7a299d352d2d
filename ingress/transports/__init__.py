"""
TCP transports for protocols of Twisted that send at once, and TLS on the socket.

They go with every reactor that watches descriptors (`IReactorFDSet`) and offer what Twisted's own
do (`ITCPTransport`, `IConsumer`, `IPushProducer`), without its code: compiled by mypyc, an event
costs them a third of the instructions. The package uses nothing of the rest of this program
(docs/adr/0068-transports-of-our-own.md)::

    a port that accepts ─► SocketTransport, or TLSTransport ─► protocol
    Connector           ─►                                  ─► protocol of the factory

- `stream` has the seam between a transport and a protocol that are both compiled. Any other
  `IProtocol` can be used as well.
- `socket_transport` is the plain transport, `tls_transport` the one with OpenSSL on the socket,
  whose calls are in `tls_channel`.
- `connector` makes connections.
- `turn_time` is the time of a turn, which is read once for all of its events.
- `reactor` is Twisted's epoll reactor with a shorter way from an event to a transport.
"""
