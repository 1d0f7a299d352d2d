"""Tests of the kinds of password hashes."""

from __future__ import annotations

import shutil
import subprocess
from base64 import b64encode
from hashlib import sha1

import bcrypt
from twisted.trial.unittest import SkipTest, SynchronousTestCase

from ingress.policy.password_hash import MAX_ROUNDS, kind_of, verify, verify_in_python

HASHES = {
    "bcrypt of Apache": b"$2y$05$7NahAfovruaG6coeLvDSI.kSve4VNEouKByqWECjbOPC4gIMnWRZK",
    "bcrypt of others": b"$2b$05$7NahAfovruaG6coeLvDSI.kSve4VNEouKByqWECjbOPC4gIMnWRZK",
    "bcrypt of old": b"$2a$05$7NahAfovruaG6coeLvDSI.kSve4VNEouKByqWECjbOPC4gIMnWRZK",
    "MD5 of Apache": b"$apr1$97wPE1nU$d9Jb6FAen5Yoz0ybAg5WL/",
    "MD5": b"$1$abc$iCQ2D3nhptRYi27fDYv2s1",
    "SHA-1": b"{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ=",
    "SHA-1, salted": b"{SSHA}" + b64encode(sha1(b"secretsalt").digest() + b"salt"),
    "SHA-1, one byte of salt": b"{SSHA}" + b64encode(sha1(b"secretx").digest() + b"x"),
    "plain": b"{PLAIN}secret",
    "DES": b"UnxmzQAXtRhWw",
    "SHA-256": b"$5$Kuqz1svRbFKuv.gF$b4PhYLEJCvNnEV7cBI3wJx2y5aMm6iqgdndSncE0O7.",
    "SHA-512": b"$6$abcdefgh$ltjgWl6579NluT/Vi1nwEvcil.G5Nbc4NiXZaNGStk8PSwGfQv72N2CKPPrVACtLtip/"
    b"cZ/1GM/O6IND4WQhG.",
    "SHA-512, many rounds": b"$6$rounds=656000$abc$.beQ97nf1P5y5S31LjwdL3n2yPxhA4SoUE5TA9iqjZn7dlG"
    b"lQ5vBASA3Zn7tCPjc58Gx5rPc3HO3vKyWt5OTA0",
}
"""Of the password ``secret``."""

QUICK = {"SHA-1", "SHA-1, salted", "SHA-1, one byte of salt", "plain"}


class KindTests(SynchronousTestCase):
    def test_kinds(self) -> None:
        """Each kind is known; those that take microseconds are told apart."""
        for name, stored in HASHES.items():
            kind = kind_of(stored)
            assert kind is not None, name
            self.assertEqual(kind.is_quick, name in QUICK, name)

    def test_unknown(self) -> None:
        """What is no hash is none, and neither is one that would take minutes."""
        bcrypt = HASHES["bcrypt of Apache"]
        for stored in (
            b"",
            b"secret",
            b"*0",
            b"x" * 12,
            b"x" * 14,
            b"{SHA}",
            b"{SHA}AAAA",
            b"{sha}5en6G6MezRroT3XKqkdPOmY/BfQ=",
            b"{SSHA}5en6G6MezRroT3XKqkdPOmY/BfQ=",
            b"{PLAIN}",
            b"{MD5}abc",
            b"$argon2id$v=19$m=65536,t=4,p=1$c2FsdA$aGFzaA",
            bcrypt[:-1],
            bcrypt + b".",
            bcrypt.replace(b"$05$", b"$16$"),
            bcrypt.replace(b"$05$", b"$31$"),
            bcrypt.replace(b"$05$", b"$03$"),
            bcrypt.replace(b"$2y$", b"$2x$"),
            HASHES["SHA-256"].replace(b"$5$", b"$6$"),
            HASHES["SHA-512, many rounds"].replace(b"656000", b"%d" % (MAX_ROUNDS + 1)),
            HASHES["MD5"] + b"x",
            b"$1$abc$\xe4CQ2D3nhptRYi27fDYv2s1",
            b"a" * 1_000_000,
            b"{SSHA}" + b"AAAA" * 100_000 + b"A",
        ):
            self.assertIsNone(kind_of(stored), stored[:40])


class VerifyTests(SynchronousTestCase):
    def test_verified(self) -> None:
        """The right password is right with every kind, and others are not."""
        for name, stored in HASHES.items():
            self.assertTrue(verify(stored, b"secret"), name)
            for wrong in (b"", b"secre", b"Secret", b"\xff\xfe", b"x" * 1024, stored):
                self.assertFalse(verify(stored, wrong), (name, wrong))

    def test_in_python(self) -> None:
        """Where there is no libcrypt, libpass verifies its kinds."""
        for name in ("MD5", "MD5 of Apache", "DES", "SHA-256", "SHA-512"):
            self.assertTrue(verify_in_python(HASHES[name], b"secret"), name)
            self.assertFalse(verify_in_python(HASHES[name], b"Secret"), name)

    def test_long(self) -> None:
        """Bcrypt looks at 72 bytes, as in Apache and PHP, and DES at 8."""
        long = b"p" * 72
        stored = bcrypt.hashpw(long, bcrypt.gensalt(4))
        self.assertTrue(verify(stored, long + b"more"))
        self.assertFalse(verify(stored, long[:-1]))
        self.assertTrue(verify(b"UnxmzQAXtRhWw", b"secret"))

    def test_htpasswd(self) -> None:
        """Whatever the program writes is verified."""
        program = shutil.which("htpasswd")
        if program is None:
            raise SkipTest("the program htpasswd is not there (Debian has it in apache2-utils)")
        for flag in ("-B", "-m", "-s", "-d", "-2", "-5"):
            output = subprocess.run(
                [program, "-nb", flag, "alice", "hunter22"], capture_output=True, check=False
            ).stdout
            if not output and flag in ("-2", "-5"):
                continue  # Since 2.4.59.
            stored = output.strip().partition(b":")[2]
            self.assertIsNotNone(kind_of(stored), flag)
            self.assertTrue(verify(stored, b"hunter22"), flag)
            self.assertFalse(verify(stored, b"hunter23"), flag)
