"""SRTP and SRTCP written down plainly from RFC 3711, RFC 6188 and RFC 7714, to hold the worker's packets against.

`tests/bench/test_srtp.py` holds this against the vectors of the RFCs.
"""

from __future__ import annotations

import hashlib
import hmac

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

TAG_BYTES = {"80": 10, "32": 4}


def keystream(key: bytes, counter: bytes, size: int) -> bytes:
    """AES in counter mode, RFC 3711 4.1.1; `counter` has 16 bytes."""
    encryptor = Cipher(algorithms.AES(key), modes.CTR(counter)).encryptor()
    return encryptor.update(bytes(size))


def derive(master_key: bytes, master_salt: bytes, label: int, size: int) -> bytes:
    """RFC 3711 4.3.1 with a key derivation rate of 0; a 12-byte salt is padded (RFC 7714 11)."""
    salt = int.from_bytes(master_salt.ljust(14, b"\0")) ^ (label << 48)
    return keystream(master_key, (salt << 16).to_bytes(16), size)


def exclusive_or(a: bytes, b: bytes) -> bytes:
    return bytes(x ^ y for x, y in zip(a, b, strict=True))


def gcm_iv(salt: bytes, ssrc: bytes, roc: int, seq: int) -> bytes:
    """RFC 7714 8.1."""
    return exclusive_or(b"\0\0" + ssrc + roc.to_bytes(4) + seq.to_bytes(2), salt)


def gcm_rtcp_iv(salt: bytes, ssrc: bytes, index: int) -> bytes:
    """RFC 7714 9.1."""
    return exclusive_or(b"\0\0" + ssrc + b"\0\0" + index.to_bytes(4), salt)


class Srtp:
    """One direction: `key` is the master key followed by its salt. Packets have no extension and no sources but one."""

    def __init__(self, suite: str, key: bytes) -> None:
        self.gcm = suite.startswith("AEAD")
        self.tag_bytes = 16 if self.gcm else TAG_BYTES[suite[-2:]]
        key_bytes, salt_bytes = 32 if "256" in suite else 16, 12 if self.gcm else 14
        master, salt = key[:key_bytes], key[key_bytes:]
        assert len(salt) == salt_bytes
        self.key, self.rtcp_key = (derive(master, salt, label, key_bytes) for label in (0, 3))
        self.auth, self.rtcp_auth = (derive(master, salt, label, 20) for label in (1, 4))
        self.salt, self.rtcp_salt = (derive(master, salt, label, salt_bytes) for label in (2, 5))
        self.rtcp_index = 0

    def protect(self, packet: bytes, roc: int = 0) -> bytes:
        header, payload = packet[:12], packet[12:]
        seq, ssrc = int.from_bytes(packet[2:4]), packet[8:12]
        if self.gcm:
            return header + AESGCM(self.key).encrypt(gcm_iv(self.salt, ssrc, roc, seq), payload, header)
        whole = header + self._counter_mode(self.key, self.salt, ssrc, roc << 16 | seq, payload)
        return whole + hmac.digest(self.auth, whole + roc.to_bytes(4), hashlib.sha1)[: self.tag_bytes]

    def unprotect(self, packet: bytes, roc: int = 0) -> bytes:
        """The packet in the clear; ValueError if its tag is wrong."""
        clear = packet[:12] + self._open(packet, roc)
        if self.protect(clear, roc) != packet:
            raise ValueError("wrong tag")
        return clear

    def protect_rtcp(self, packet: bytes) -> bytes:
        """The index counts by itself; it is sent with the flag that says encrypted."""
        index, self.rtcp_index = self.rtcp_index, self.rtcp_index + 1
        header, ssrc, trailer = packet[:8], packet[4:8], (0x80000000 | index).to_bytes(4)
        if self.gcm:
            iv = gcm_rtcp_iv(self.rtcp_salt, ssrc, index)
            return header + AESGCM(self.rtcp_key).encrypt(iv, packet[8:], header + trailer) + trailer
        whole = header + self._counter_mode(self.rtcp_key, self.rtcp_salt, ssrc, index, packet[8:]) + trailer
        return whole + hmac.digest(self.rtcp_auth, whole, hashlib.sha1)[:10]

    def unprotect_rtcp(self, packet: bytes) -> bytes:
        header, ssrc = packet[:8], packet[4:8]
        if self.gcm:
            trailer = packet[-4:]
            index = int.from_bytes(trailer) & 0x7FFFFFFF
            iv = gcm_rtcp_iv(self.rtcp_salt, ssrc, index)
            return header + AESGCM(self.rtcp_key).decrypt(iv, packet[8:-4], header + trailer)
        whole, tag = packet[:-10], packet[-10:]
        if hmac.digest(self.rtcp_auth, whole, hashlib.sha1)[:10] != tag:
            raise ValueError("wrong tag")
        index = int.from_bytes(whole[-4:]) & 0x7FFFFFFF
        return header + self._counter_mode(self.rtcp_key, self.rtcp_salt, ssrc, index, whole[8:-4])

    def _open(self, packet: bytes, roc: int) -> bytes:
        seq, ssrc = int.from_bytes(packet[2:4]), packet[8:12]
        payload = packet[12 : -self.tag_bytes]
        if self.gcm:
            counter = gcm_iv(self.salt, ssrc, roc, seq) + (2).to_bytes(4)
            return exclusive_or(payload, keystream(self.key, counter, len(payload)))
        return self._counter_mode(self.key, self.salt, ssrc, roc << 16 | seq, payload)

    @staticmethod
    def _counter_mode(key: bytes, salt: bytes, ssrc: bytes, index: int, payload: bytes) -> bytes:
        """RFC 3711 4.1.1."""
        counter = int.from_bytes(salt) << 16 ^ int.from_bytes(ssrc) << 64 ^ index << 16
        return exclusive_or(payload, keystream(key, counter.to_bytes(16), len(payload)))
