"""
The Huffman code of HPACK (RFC 7541 section 5.2 and appendix B).
"""

from __future__ import annotations

from typing import Final

from mypy_extensions import i64

from ingress.http2.fault import CompressionFault

_SYMBOLS: Final = (
    (5, b"012aceiost"),
    (6, b" %-./3456789=A_bdfghlmnpru"),
    (7, b":BCDEFGHIJKLMNOPQRSTUVWYjkqvwxyz"),
    (8, b"&*,;XZ"),
    (10, b'!"()?'),
    (11, b"'+|"),
    (12, b"#>"),
    (13, b"\x00$@[]~"),
    (14, b"^}"),
    (15, b"<`{"),
    (19, b"\\\xc3\xd0"),
    (20, b"\x80\x82\x83\xa2\xb8\xc2\xe0\xe2"),
    (21, b"\x99\xa1\xa7\xac\xb0\xb1\xb3\xd1\xd8\xd9\xe3\xe5\xe6"),
    (
        22,
        b"\x81\x84\x85\x86\x88\x92\x9a\x9c\xa0\xa3\xa4\xa9\xaa\xad\xb2\xb5\xb9\xba\xbb\xbd\xbe"
        b"\xc4\xc6\xe4\xe8\xe9",
    ),
    (
        23,
        b"\x01\x87\x89\x8a\x8b\x8c\x8d\x8f\x93\x95\x96\x97\x98\x9b\x9d\x9e\xa5\xa6\xa8\xae\xaf"
        b"\xb4\xb6\xb7\xbc\xbf\xc5\xe7\xef",
    ),
    (24, b"\t\x8e\x90\x91\x94\x9f\xab\xce\xd7\xe1\xec\xed"),
    (25, b"\xc7\xcf\xea\xeb"),
    (26, b"\xc0\xc1\xc8\xc9\xca\xcd\xd2\xd5\xda\xdb\xee\xf0\xf2\xf3\xff"),
    (27, b"\xcb\xcc\xd3\xd4\xd6\xdd\xde\xdf\xf1\xf4\xf5\xf6\xf7\xf8\xfa\xfb\xfc\xfd\xfe"),
    (
        28,
        b"\x02\x03\x04\x05\x06\x07\x08\x0b\x0c\x0e\x0f\x10\x11\x12\x13\x14\x15\x17\x18\x19\x1a"
        b"\x1b\x1c\x1d\x1e\x1f\x7f\xdc\xf9",
    ),
    (30, b"\n\r\x16"),
)
"""
The symbols by the length of their codes in bits. The code is canonical: within a length the codes
are consecutive, and they begin behind the last one of the previous length. EOS is the last one.
"""

EOS: Final = 256


def _make_codes() -> tuple[list[int], list[int]]:
    """:return: the code and its length in bits of each symbol, EOS included."""
    codes, lengths = [0] * 257, [0] * 257
    code = previous = 0
    for length, symbols in _SYMBOLS:
        code <<= length - previous
        previous = length
        for symbol in symbols:
            codes[symbol], lengths[symbol] = code, length
            code += 1
    codes[EOS], lengths[EOS] = code, previous
    return codes, lengths


_ACCEPTS: Final = 0x20000
_EMITS: Final = 0x10000
_FAILS: Final = 0x40000


def _make_states(codes: list[int], lengths: list[int]) -> list[int]:
    """
    Make the automaton that reads four bits at a time.

    Its 256 states are the inner nodes of the tree of codes; state 0 is the root. The entry for a
    state and four bits has the following state in its low eight bits, the symbol in the next eight,
    and flags: a symbol is complete, the string may end here, the code is invalid. Since the
    shortest code has five bits, no four bits complete two symbols.
    """
    children: list[list[int]] = [[-1, -1]]
    for symbol in range(257):
        node = 0
        for shift in range(lengths[symbol] - 1, 0, -1):
            bit = codes[symbol] >> shift & 1
            if children[node][bit] < 0:
                children[node][bit] = len(children)
                children.append([-1, -1])
            node = children[node][bit]
        children[node][codes[symbol] & 1] = 1000 + symbol
    # The padding is the beginning of EOS, less than eight ones (RFC 7541 section 5.2).
    may_end = set()
    node = 0
    for _ in range(8):
        may_end.add(node)
        node = children[node][1]
    states: list[int] = []
    for start in range(len(children)):
        for bits in range(16):
            states.append(_walk(children, start, bits, may_end))
    return states


def _walk(children: list[list[int]], node: int, bits: int, may_end: set[int]) -> int:
    entry = 0
    for shift in (3, 2, 1, 0):
        node = children[node][bits >> shift & 1]
        if node >= 1000:
            if node == 1000 + EOS:
                return _FAILS
            entry = (node - 1000) << 8 | _EMITS
            node = 0
    return entry | node | (_ACCEPTS if node in may_end else 0)


_CODES, _LENGTHS = _make_codes()
_STATES: Final = _make_states(_CODES, _LENGTHS)


def huffman_encode(data: bytes) -> bytes:
    """:return: the encoded form, padded to whole bytes."""
    codes, lengths = _CODES, _LENGTHS
    out: list[int] = []
    waiting: i64 = 0
    bits: i64 = 0
    for octet in data:
        length: i64 = lengths[octet]
        code: i64 = codes[octet]
        waiting = (waiting << length) | code
        bits += length
        while bits >= 8:
            bits -= 8
            out.append((waiting >> bits) & 0xFF)
        waiting &= 0xFF
    if bits:
        rest: i64 = 8 - bits
        out.append(((waiting << rest) | (0xFF >> bits)) & 0xFF)
    return bytes(out)


def huffman_decode(data: bytes) -> bytes:
    """
    :return: the decoded form.
    :raises CompressionFault: for a code or a padding that is invalid.
    """
    states = _STATES
    out: list[int] = []
    entry: i64 = _ACCEPTS
    for octet in data:
        entry = states[((entry & 0xFF) << 4) | (octet >> 4)]
        if entry & _EMITS:
            out.append((entry >> 8) & 0xFF)
        if entry & _FAILS:
            break
        entry = states[((entry & 0xFF) << 4) | (octet & 15)]
        if entry & _EMITS:
            out.append((entry >> 8) & 0xFF)
        if entry & _FAILS:
            break
    if not entry & _ACCEPTS:
        raise CompressionFault("A string of a field block is not a Huffman code.")
    return bytes(out)
