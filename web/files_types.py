"""What a file is by its first bytes. Pure; nothing is decoded.

Only what browsers show without running anything in it: never SVG, HTML or PDF, whatever their names say.
"""

from typing import Final

HEAD_BYTES: Final = 64
"""Of a file are looked at."""

PICTURES: Final = frozenset({"image/png", "image/jpeg", "image/webp"})
"""What a preview may be."""

_BEGINNINGS: Final = (
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
    (b"fLaC", "audio/flac"),
    (b"ID3", "audio/mpeg"),
)

_RIFF: Final = {b"WEBP": "image/webp", b"WAVE": "audio/wav"}
_OGG: Final = {
    b"\x80theora": "video/ogg",
    b"\x01vorbis": "audio/ogg",
    b"OpusHead": "audio/ogg",
    b"\x7fFLAC": "audio/ogg",
}
_MP4_AUDIO: Final = frozenset({b"M4A ", b"M4B "})
_MP4_VIDEO: Final = frozenset(
    {b"isom", b"iso2", b"iso4", b"iso5", b"iso6", b"mp41", b"mp42", b"avc1", b"M4V ", b"dash", b"MSNV"}
)


def inline_type(head: bytes) -> str | None:
    """The media type under which a file may be shown in a page, or None: then it is only handed over."""
    for beginning, kind in _BEGINNINGS:
        if head.startswith(beginning):
            return kind
    if head.startswith(b"RIFF"):
        return _RIFF.get(head[8:12])
    if head.startswith(b"OggS"):
        # Its first packet, behind the page's head, names the codec.
        return next((kind for mark, kind in _OGG.items() if mark in head[28:HEAD_BYTES]), None)
    if head[4:8] == b"ftyp":
        brand = head[8:12]
        return "audio/mp4" if brand in _MP4_AUDIO else "video/mp4" if brand in _MP4_VIDEO else None
    if head.startswith(b"\x1a\x45\xdf\xa3"):
        return "video/webm" if b"webm" in head[:HEAD_BYTES] else None
    return "audio/mpeg" if _mp3_frame(head) else None


def _mp3_frame(head: bytes) -> bool:
    """Whether it begins with a frame of MPEG audio, layer III, whose bitrate and sampling rate exist."""
    if len(head) < 3 or head[0] != 0xFF:  # noqa: PLR2004  (bytes of a frame's head)
        return False
    version, layer = head[1] >> 3 & 3, head[1] >> 1 & 3
    bitrate, sampling = head[2] >> 4, head[2] >> 2 & 3
    return head[1] >> 5 == 7 and version != 1 and layer == 1 and bitrate not in {0, 15} and sampling != 3  # noqa: PLR2004  (fields of it)
