"""
HTTP/1.1 syntax, shared by both sides: heads and bodies, bytes in, values out.

`httptools` takes heads apart; what it lets pass and we do not is refused before
it sees the head. Bodies are framed by decoders of our own, because a parser that
runs on into the next message cannot say where a body ended (docs/adr/0001).
"""
