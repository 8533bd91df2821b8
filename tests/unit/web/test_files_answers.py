"""Which part of a file is answered, under which name and conditions, and what it may be shown as."""

from email.message import Message
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.errors import Refusal
from tests.support.uploads import upload
from web import files_answers as answers
from web.files_answers import Part
from web.files_types import inline_type

WHOLE = Part(0, 100, whole=True)


@pytest.mark.parametrize(
    ("asked", "part"),
    [
        (None, WHOLE),
        ("bytes=0-", Part(0, 100, whole=False)),
        ("bytes=0-0", Part(0, 1, whole=False)),
        ("bytes=99-", Part(99, 100, whole=False)),
        ("bytes=10-19", Part(10, 20, whole=False)),
        ("bytes=10-1000", Part(10, 100, whole=False)),
        ("bytes=-1", Part(99, 100, whole=False)),
        ("bytes=-1000", Part(0, 100, whole=False)),
        (" bytes=10-19 ", Part(10, 20, whole=False)),
        ("bytes=19-10", WHOLE),
        ("bytes=-", WHOLE),
        ("bytes=a-b", WHOLE),
        ("bytes=+1-5", WHOLE),
        ("bytes=0-1,5-6", WHOLE),
        ("pieces=0-1", WHOLE),
        ("bytes 0-1", WHOLE),
        (f"bytes={'9' * 40}-", WHOLE),
    ],
)
def test_which_part_a_range_asks_for(asked: str | None, part: Part) -> None:
    assert answers.part_asked(asked, 100) == part


@pytest.mark.parametrize(("asked", "size"), [("bytes=100-", 100), ("bytes=-0", 100), ("bytes=0-", 0), ("bytes=-5", 0)])
def test_a_range_behind_the_end_cannot_be_satisfied(asked: str, size: int) -> None:
    with pytest.raises(Refusal) as refused:
        answers.part_asked(asked, size)
    assert refused.value.status == 416


@given(
    st.text(max_size=30).map(lambda text: f"bytes={text}") | st.from_regex(r"bytes=[0-9]*-[0-9]*"), st.integers(0, 200)
)
def test_whatever_is_asked_lies_within(asked: str, size: int) -> None:
    try:
        part = answers.part_asked(asked, size)
    except Refusal:
        return
    assert 0 <= part.first <= part.end <= size
    assert part.first < part.end or part.whole


def test_conditions() -> None:
    tag = answers.etag(upload())
    assert answers.matches("*", tag)
    assert answers.matches(f'"other", W/{tag}', tag)
    assert not answers.matches('"other"', tag)
    assert not answers.matches(None, tag)
    assert answers.range_counts(None, tag)
    assert answers.range_counts(tag, tag)
    # A weak one, another one, or a date: the part could be of other bytes.
    for other in (f"W/{tag}", '"other"', "Wed, 21 Oct 2015 07:28:00 GMT"):
        assert not answers.range_counts(other, tag)


def names(header: str) -> tuple[str, str]:
    """(plain name, full name) as a client reads them."""
    assert not [sign for sign in header if ord(sign) < 32 or ord(sign) > 126], header
    message = Message()
    message["Content-Disposition"] = header
    parameters = dict(message.get_params(header="content-disposition", unquote=True) or [])
    kind, _, encoded = header.rpartition("filename*=UTF-8''")
    plain = kind.partition('filename="')[2].partition('"')[0]
    assert set(parameters) >= {"attachment", "filename"} or set(parameters) >= {"inline", "filename"}
    return plain, unquote(encoded)


@pytest.mark.parametrize(
    ("name", "plain", "full"),
    [
        ("report.pdf", "report.pdf", "report.pdf"),
        ("größe.txt", "gr__e.txt", "größe.txt"),
        ("../../etc/passwd", "_.._etc_passwd", "_.._etc_passwd"),
        ('a"b;c\\d.txt', "a_b_c_d.txt", 'a"b;c_d.txt'),
        ("a\r\nSet-Cookie: x=y", "a__Set-Cookie_ x_y", "a__Set-Cookie: x=y"),
        ("nul\x00.txt", "nul_.txt", "nul_.txt"),
        ("\u202egpj.exe", "_gpj.exe", "_gpj.exe"),
        ("\u0645\u06cc\u200c\u062e", "____", "\u0645\u06cc\u200c\u062e"),
        ("...", "file", "file"),
        ("日本語", "___", "日本語"),
        ("a" * 255, "a" * 255, "a" * 255),
        ("100%.txt", "100_.txt", "100%.txt"),
    ],
)
def test_a_name_cannot_do_anything(name: str, plain: str, full: str) -> None:
    assert names(answers.disposition(name, inline=False)) == (plain, full)


@given(st.text(min_size=1, max_size=100))
def test_any_name_makes_one_header(name: str) -> None:
    plain, full = names(answers.disposition(name, inline=True))
    for one in (plain, full):
        assert one
        assert not set(one) & set("/\\\r\n\0\u202e")
        assert not one.startswith(".")


def test_what_is_shown_is_fenced_in_and_what_is_not_is_handed_over() -> None:
    ready = upload(state="ready", offset=100, sha256="00" * 32)
    shown = answers.headers(ready, Part(10, 20, whole=False), "image/png", attachment=False)
    assert shown["Content-Type"] == "image/png"
    assert shown["Content-Disposition"].startswith("inline;")
    assert shown["Content-Security-Policy"] == "default-src 'none'; sandbox"
    assert (shown["Content-Range"], shown["Content-Length"]) == ("bytes 10-19/100", "10")
    assert shown["Repr-Digest"] == f"sha-256=:{'A' * 43}=:"
    assert answers.headers(ready, WHOLE, "image/png", attachment=True)["Content-Disposition"].startswith("attachment;")
    other = answers.headers(upload(), WHOLE, None, attachment=False)
    assert other["Content-Disposition"].startswith("attachment;")
    assert other["Content-Type"] == "application/octet-stream"
    assert not {"Repr-Digest", "Content-Range"} & other.keys()


@pytest.mark.parametrize(
    ("head", "kind"),
    [
        (b"\x89PNG\r\n\x1a\n\0\0", "image/png"),
        (b"\xff\xd8\xff\xe0", "image/jpeg"),
        (b"GIF89a", "image/gif"),
        (b"RIFF\x10\0\0\0WEBPVP8 ", "image/webp"),
        (b"RIFF\x10\0\0\0WAVEfmt ", "audio/wav"),
        (b"\0\0\0\x20ftypisom\0\0", "video/mp4"),
        (b"\0\0\0\x20ftypM4A \0\0", "audio/mp4"),
        (b"\x1a\x45\xdf\xa3\x01\0\0\0\0\0\0\x1f\x42\x82\x84webm", "video/webm"),
        (b"OggS\0\x02" + bytes(22) + b"OpusHead", "audio/ogg"),
        (b"OggS\0\x02" + bytes(22) + b"\x80theora", "video/ogg"),
        (b"fLaC\0", "audio/flac"),
        (b"ID3\x04", "audio/mpeg"),
        (b"\xff\xfb\x90\x64", "audio/mpeg"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'>", None),
        (b"<!doctype html><script>", None),
        (b"%PDF-1.7", None),
        (b"RIFF\x10\0\0\0AVI LIST", None),
        (b"\0\0\0\x20ftypheic\0\0", None),
        (b"\x1a\x45\xdf\xa3\x01\0\0\0\0\0\0\x1f\x42\x82\x88matroska", None),
        (b"OggS\0\x02" + bytes(22) + b"unknown", None),
        (b"\xff\xff\xff\xff", None),
        (b"\xff\xfe<\0h\0t\0m\0l\0", None),
        (b"", None),
        (b"\xff", None),
    ],
)
def test_what_a_file_is_by_its_first_bytes(head: bytes, kind: str | None) -> None:
    assert inline_type(head) == kind


@given(st.binary(max_size=80))
def test_any_bytes_are_something_or_nothing(head: bytes) -> None:
    kind = inline_type(head)
    assert kind is None or kind.partition("/")[0] in {"image", "audio", "video"}
    assert kind != "image/svg+xml"
