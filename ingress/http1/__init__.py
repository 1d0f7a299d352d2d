"""
HTTP/1.1 syntax, shared by both sides: heads and bodies, bytes in, values out.

`httptools` parses heads; whatever it accepts and we do not is refused before it sees the
head. Bodies are framed by decoders of our own, because a parser that continues into the
next message cannot say where a body ended (docs/adr/0001).
"""
