"""The reference against the vectors of RFC 3711 appendix B and RFC 7714 16, 17."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from bench.srtp import derive, gcm_iv, gcm_rtcp_iv, keystream

QUID = b"Quid pro quo"  # the salt of RFC 7714
KEY = bytes(range(32))


def test_keystream() -> None:
    """RFC 3711 B.2."""
    key = bytes.fromhex("2B7E151628AED2A6ABF7158809CF4F3C")
    counter = bytes.fromhex("F0F1F2F3F4F5F6F7F8F9FAFBFCFD0000")
    assert keystream(key, counter, 48).hex() == (
        "e03ead0935c95e80e166b16dd92b4eb4d23513162b02d0f72a43a2fe4a5f97ab41e95b3bb0a2e8dd477901e4fca894c0"
    )


def test_key_derivation() -> None:
    """RFC 3711 B.3."""
    key = bytes.fromhex("E1F97A0D3E018BE0D64FA32C06DE4139")
    salt = bytes.fromhex("0EC675AD498AFEEBB6960B3AABE6")
    assert derive(key, salt, 0, 16).hex() == "c61e7a93744f39ee10734afe3ff7a087"
    assert derive(key, salt, 2, 14).hex() == "30cbbc08863d8c85d49db34a9ae1"
    assert derive(key, salt, 1, 20).hex() == "cebe321f6ff7716b6fd4ab49af256a156d38baa4"


@pytest.mark.parametrize(
    ("key", "sealed"),
    [
        (KEY[:16], "f24de3a3fb34de6cacba861c9d7e4bcabe633bd50d294e6f42a5f47a51c7d19b36de3adf88"
                   "33899d7f27beb16a9152cf765ee4390cce"),
        (KEY, "32b1de78a822fe12ef9f78fa332e33aab18012389a58e2f3b50b2a0276ffae0f1ba63799b8"
              "7b7aa3db36dfffd6b0f9bb7878d7a76c13"),
    ],
)  # fmt: skip
def test_gcm(key: bytes, sealed: str) -> None:
    """RFC 7714 16.1.1 and 16.2.1."""
    header = bytes.fromhex("8040f17b8041f8d35501a0b2")
    iv = gcm_iv(QUID, header[8:], 0, 0xF17B)
    assert iv.hex() == "51753c6580c2726f20718414"
    assert AESGCM(key).encrypt(iv, b"Gallia est omnis divisa in partes tres", header).hex() == sealed


def test_gcm_rtcp() -> None:
    """RFC 7714 17.1."""
    header = bytes.fromhex("81c8000d4d617273")
    clear = bytes.fromhex("4e5450314e545032525450200000042a0000e9304c756e61" + "deadbeef" * 5)
    iv = gcm_rtcp_iv(QUID, header[4:], 0x5D4)
    sealed = AESGCM(KEY[:16]).encrypt(iv, clear, header + bytes.fromhex("800005d4"))
    assert sealed.hex() == (
        "63e94885dcdab67ca727d7662f6b7e997ff5c0f76c06f32dc676a5f1730d6fda4ce09b4686303ded0bb9275bc84aa45896cf4d2fc5abf872"
        "45d9eade"
    )
