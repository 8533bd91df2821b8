"""Several text frames as the bytes that travel. Pure."""

from collections.abc import Iterable

_SHORT = 126
_WORD = 1 << 16


def text_frames(texts: Iterable[bytes]) -> bytes:
    """Whole, unmasked, uncompressed text frames one after the other, as a server sends them (RFC 6455, 5.2)."""
    return b"".join(part for text in texts for part in (_head(len(text)), text))


def _head(length: int) -> bytes:
    if length < _SHORT:
        return bytes((0x81, length))
    if length < _WORD:
        return b"\x81\x7e" + length.to_bytes(2, "big")
    return b"\x81\x7f" + length.to_bytes(8, "big")
