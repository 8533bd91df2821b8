"""What a tus request says, from its headers alone."""

import base64
import hashlib
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from multidict import CIMultiDict

from protocols.errors import Refusal
from tests.support.uploads import upload
from web import files_tus as tus

LARGEST = 1_000
NEW = {
    "Tus-Resumable": "1.0.0",
    "Upload-Length": "100",
    "Upload-Metadata": tus.metadata_text({"filename": "a.txt", "filetype": "text/plain", "recipient": "bob"}),
}
MORE = {"Tus-Resumable": "1.0.0", "Upload-Offset": "5", "Content-Type": tus.BYTES}


def headers(base: dict[str, str], **changed: str | None) -> CIMultiDict[str]:
    """`changed`: underscores for hyphens; None leaves a header out."""
    given_headers = {**base, **{name.replace("_", "-"): value for name, value in changed.items()}}
    return CIMultiDict({name: value for name, value in given_headers.items() if value is not None})


def code_of(make: Callable[[], object]) -> tuple[str, list[str]]:
    """(code, names of fields) of the refusal that it raises; ("", []) without one."""
    try:
        make()
    except Refusal as refusal:
        return refusal.code, list(refusal.body.fields or {})
    return "", []


def with_metadata(**told: str) -> CIMultiDict[str]:
    metadata = {"filename": "a.txt", "filetype": "text/plain", "recipient": "bob", **told}
    return headers(NEW, Upload_Metadata=tus.metadata_text(metadata))


def test_a_creation_says_all_of_a_file() -> None:
    made = tus.creation(with_metadata(promised="1", width="640", height="480"), LARGEST)
    assert made == tus.Creation(
        size=100,
        name="a.txt",
        type="text/plain",
        recipient="bob",
        promised=True,
        width=640,
        height=480,
        portion=None,
    )


@pytest.mark.parametrize(
    ("header", "value", "expected"),
    [
        ("Tus-Resumable", None, ("wrong_version", [])),
        ("Tus-Resumable", "0.2.2", ("wrong_version", [])),
        ("Upload-Length", None, ("invalid", ["Upload-Length"])),
        ("Upload-Length", "", ("invalid", ["Upload-Length"])),
        ("Upload-Length", "+5", ("invalid", ["Upload-Length"])),
        ("Upload-Length", "-5", ("invalid", ["Upload-Length"])),
        ("Upload-Length", " 5", ("invalid", ["Upload-Length"])),
        ("Upload-Length", "5_0", ("invalid", ["Upload-Length"])),
        ("Upload-Length", "0x5", ("invalid", ["Upload-Length"])),
        ("Upload-Length", "5.0", ("invalid", ["Upload-Length"])),
        ("Upload-Length", "\u0665", ("invalid", ["Upload-Length"])),
        ("Upload-Length", "1" * 31, ("invalid", ["Upload-Length"])),
        ("Upload-Length", "1001", ("too_large", [])),
        ("Upload-Length", str(2**63), ("too_large", [])),
        ("Upload-Length", "1000", ("", [])),
        ("Upload-Length", "0", ("", [])),
        ("Upload-Defer-Length", "1", ("invalid", ["Upload-Defer-Length"])),
        ("Upload-Concat", "partial", ("invalid", ["Upload-Concat"])),
        ("Upload-Metadata", None, ("invalid", ["Upload-Metadata"])),
        ("Upload-Metadata", "filename", ("invalid", ["Upload-Metadata"])),
        ("Upload-Metadata", "filename YQ,filename YQ==", ("invalid", ["Upload-Metadata"])),
        ("Upload-Metadata", "filename YQ==,filename YQ==", ("invalid", ["Upload-Metadata"])),
        ("Upload-Metadata", "filename /w==,recipient Ym9i", ("invalid", ["Upload-Metadata"])),
        ("Upload-Metadata", "filename YQ==,recipient Ym9i", ("", [])),
        ("Upload-Metadata", "filename YQ==,recipient Ym9i,is_secret", ("", [])),
        ("Upload-Metadata", "filename YQ==,,recipient Ym9i", ("invalid", ["Upload-Metadata"])),
        ("Upload-Metadata", "filename YQ==  ,recipient  Ym9i", ("invalid", ["Upload-Metadata"])),
        ("Upload-Metadata", "filename YQ==,recipient Ym8vLi4vYg==", ("invalid", ["Upload-Metadata"])),
        ("Upload-Metadata", f"filename {'Y' * 4096}", ("invalid", ["Upload-Metadata"])),
        ("Content-Length", "5", ("unsupported", [])),
        ("Transfer-Encoding", "chunked", ("unsupported", [])),
        ("Content-Length", "0", ("", [])),
    ],
)
def test_what_a_creation_is_refused_for(header: str, value: str | None, expected: tuple[str, list[str]]) -> None:
    assert code_of(lambda: tus.creation(headers(NEW, **{header: value}), LARGEST)) == expected


@pytest.mark.parametrize(
    "name", ["../../etc/passwd", "a" * 255, "\u202etxt.exe", "ä" * 127, "a\nb", "CON", ".", "🚢" * 63]
)
def test_names_are_taken_as_they_are(name: str) -> None:
    assert tus.creation(with_metadata(filename=name), LARGEST).name == name


@pytest.mark.parametrize("name", ["", "a" * 256, "ä" * 128])
def test_names_have_a_length(name: str) -> None:
    assert code_of(lambda: tus.creation(with_metadata(filename=name), LARGEST)) == ("invalid", ["Upload-Metadata"])


@pytest.mark.parametrize(
    ("width", "fine"), [("0", True), ("65535", True), ("65536", False), ("-1", False), ("x", False)]
)
def test_sides_are_pixels(width: str, fine: bool) -> None:
    assert (code_of(lambda: tus.creation(with_metadata(width=width), LARGEST)) == ("", [])) == fine


@pytest.mark.parametrize(
    ("told", "kept"),
    [
        ("image/PNG; q=1", "image/png"),
        ("", tus.UNKNOWN_TYPE),
        ("text/html\r\nSet-Cookie: a=b", tus.UNKNOWN_TYPE),
        ("no type", tus.UNKNOWN_TYPE),
    ],
)
def test_types_that_are_none_are_unknown(told: str, kept: str) -> None:
    assert tus.creation(with_metadata(filetype=told), LARGEST).type == kept


def test_a_creation_may_bring_the_first_bytes() -> None:
    first = tus.creation(headers(NEW, Content_Type=tus.BYTES, Content_Length="100"), LARGEST).portion
    assert first == tus.Portion(0, 100, None)
    assert code_of(lambda: tus.creation(headers(NEW, Content_Type=tus.BYTES, Content_Length="101"), LARGEST)) == (
        "too_large",
        [],
    )
    assert code_of(lambda: tus.creation(headers(NEW, Content_Type=tus.BYTES, Upload_Offset="1"), LARGEST)) == (
        "conflict",
        [],
    )


def checksum(algorithm: str, digest: bytes) -> str:
    return f"{algorithm} {base64.b64encode(digest).decode()}"


@pytest.mark.parametrize(
    ("header", "value", "expected"),
    [
        ("Tus-Resumable", None, ("wrong_version", [])),
        ("Content-Type", None, ("unsupported", [])),
        ("Content-Type", "application/octet-stream", ("unsupported", [])),
        ("Content-Type", "application/offset+octet-stream; charset=binary", ("", [])),
        ("Content-Encoding", "gzip", ("unsupported", [])),
        ("Upload-Offset", None, ("invalid", ["Upload-Offset"])),
        ("Upload-Offset", "+5", ("invalid", ["Upload-Offset"])),
        ("Upload-Offset", "-1", ("invalid", ["Upload-Offset"])),
        ("Upload-Checksum", "md5 1B2M2Y8AsgTpgAmY7PhCfg==", ("invalid", ["Upload-Checksum"])),
        ("Upload-Checksum", "sha1", ("invalid", ["Upload-Checksum"])),
        ("Upload-Checksum", "sha1 !", ("invalid", ["Upload-Checksum"])),
        ("Upload-Checksum", checksum("sha1", hashlib.sha256(b"").digest()), ("invalid", ["Upload-Checksum"])),
        ("Upload-Checksum", checksum("sha1", hashlib.sha1(b"", usedforsecurity=False).digest()), ("", [])),
        ("Upload-Checksum", checksum("sha256", hashlib.sha256(b"").digest()), ("", [])),
    ],
)
def test_what_a_patch_is_refused_for(header: str, value: str | None, expected: tuple[str, list[str]]) -> None:
    assert code_of(lambda: tus.portion(headers(MORE, **{header: value}))) == expected


def test_what_is_given_twice_is_refused() -> None:
    for name in ("Upload-Offset", "Tus-Resumable", "Upload-Checksum", "Content-Type"):
        twice = headers(MORE)
        twice.add(name, MORE.get(name, "sha1 x"))
        twice.add(name, MORE.get(name, "sha1 x"))
        assert code_of(lambda twice=twice: tus.portion(twice)) == ("invalid", [name])  # type: ignore[misc]


@pytest.mark.parametrize(
    ("part", "code"),
    [
        (tus.Portion(0, 100, None), ""),
        (tus.Portion(100, 0, None), ""),
        (tus.Portion(0, 101, None), "too_large"),
        (tus.Portion(101, 0, None), "conflict"),
        (tus.Portion(2**80, 5, None), "conflict"),
        (tus.Portion(50, None, None), ""),
    ],
)
def test_a_portion_must_fit(part: tus.Portion, code: str) -> None:
    assert code_of(lambda: tus.check_fits(part, 100))[0] == code


def test_head_says_what_was_made() -> None:
    one = upload(expires=86_400_000, recipient="bob", name="ä,b c.txt", type="", offset=40)
    told = tus.described(one)
    assert told["Upload-Offset"] == "40"
    assert told["Upload-Length"] == "100"
    assert told["Upload-Expires"] == "Fri, 02 Jan 1970 00:00:00 GMT"
    decoded = {key: value.decode() for key, value in tus.metadata(told["Upload-Metadata"]).items()}
    assert decoded == {"filename": "ä,b c.txt", "filetype": "", "recipient": "bob"}


@given(st.dictionaries(st.from_regex(r"[!-+\-.-~]{1,20}", fullmatch=True), st.text(max_size=60), max_size=8))
def test_metadata_comes_back_as_it_went(told: dict[str, str]) -> None:
    decoded = {key: value.decode() for key, value in tus.metadata(tus.metadata_text(told)).items()}
    assert decoded == told


NAMES = ["Tus-Resumable", "Upload-Length", "Upload-Offset", "Upload-Metadata", "Upload-Checksum", "Content-Type"]
VALUES = st.one_of(
    st.text(max_size=30),
    st.integers(-(2**70), 2**70).map(str),
    st.sampled_from(["1.0.0", tus.BYTES, "sha1 AA==", "filename YQ==,recipient Ym9i", "chunked", "0", "+5"]),
)


@given(st.lists(st.tuples(st.sampled_from([*NAMES, "Content-Length", "Content-Encoding"]), VALUES), max_size=10))
def test_whatever_is_sent_is_understood_or_refused(sent: list[tuple[str, str]]) -> None:
    told = CIMultiDict([("Tus-Resumable", "1.0.0"), ("Content-Type", tus.BYTES)][: len(sent) % 3] + sent)
    for read in (tus.portion, lambda one: tus.creation(one, LARGEST)):
        code, _ = code_of(lambda read=read: read(told))  # type: ignore[misc]
        assert code in {"", "invalid", "unsupported", "wrong_version", "too_large", "conflict"}
