"""
TLS 1.3 records that no client library makes, encrypted with the keys of a real handshake.
"""

from __future__ import annotations

import struct
from pathlib import Path

from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305
from cryptography.hazmat.primitives.hashes import SHA256, SHA384, HashAlgorithm
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

_HANDSHAKE, _APPLICATION_DATA = 22, 23
_KEY_UPDATE = b"\x18\x00\x00\x01\x00"
"""RFC 8446 section 4.6.3; the other side need not renew its own."""

_SUITES: dict[str, tuple[type[AESGCM | ChaCha20Poly1305], int, type[SHA256 | SHA384]]] = {
    "TLS_AES_128_GCM_SHA256": (AESGCM, 16, SHA256),
    "TLS_AES_256_GCM_SHA384": (AESGCM, 32, SHA384),
    "TLS_CHACHA20_POLY1305_SHA256": (ChaCha20Poly1305, 32, SHA256),
}


def new_keys(times: int, data: bytes, suite: str, key_log: Path) -> bytes:
    """
    Make a client's records after its handshake: a number of key updates, then `data`.

    :param suite: the negotiated suite.
    :param key_log: the file to which the client's library wrote the secrets of one handshake.
    """
    lines = [line.split() for line in key_log.read_text().splitlines()]
    (secret,) = (bytes.fromhex(line[2]) for line in lines if line[0] == "CLIENT_TRAFFIC_SECRET_0")
    cipher, key_length, digest = _SUITES[suite]
    records = []
    for content, kind in [(_KEY_UPDATE, _HANDSHAKE)] * times + [(data, _APPLICATION_DATA)]:
        key, nonce = (
            _expand(secret, label, length, digest())
            for label, length in ((b"key", key_length), (b"iv", 12))
        )
        head = struct.pack(">BHH", _APPLICATION_DATA, 0x0303, len(content) + 17)
        records.append(head + cipher(key).encrypt(nonce, content + bytes([kind]), head))
        secret = _expand(secret, b"traffic upd", len(secret), digest())
    return b"".join(records)


def _expand(secret: bytes, label: bytes, length: int, digest: HashAlgorithm) -> bytes:
    """HKDF-Expand-Label of RFC 8446 section 7.1, without a context."""
    label = b"tls13 " + label
    info = struct.pack(">HB", length, len(label)) + label + b"\x00"
    return HKDFExpand(digest, length, info).derive(secret)
