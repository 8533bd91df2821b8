"""What file_chunker answers and tells."""

import asyncio
from pathlib import Path

import pytest

from actors.runtime import Mail
from protocols.errors import Refusal
from protocols.files import PREVIEW_BYTES, Append, CancelUpload, CreateUpload, SetPreview
from storage.file_uploads import ENDED, LEAST
from tests.support.filing import Desk, Sender, code, ended, open_desk, sent, there
from tests.support.people import ANN, BOB, CAT, DAN
from tests.support.waiting import eventually

MIB = 1024 * 1024
PNG = b"\x89PNG\r\n\x1a\n"


async def test_a_file_without_a_byte_is_ready_at_once(desk: Desk) -> None:
    ann = Sender(desk, b"")
    assert (await ann.create()).state == "verifying"
    assert await ended(desk, ann.id) == "ready"
    assert (await desk.row(ann.id)).sha256 == ann.sha256
    assert desk.actor.blobs.path(ann.id) is not None


async def test_who_may_not_send_is_told_why(desk: Desk) -> None:
    assert await code(Sender(desk, b"x").create(to=DAN)) == "not_a_contact"
    assert await code(Sender(desk, b"x", DAN).create(to=ANN)) == "not_a_contact"
    assert await code(Sender(desk, bytes(2 * MIB + 1)).create()) == "too_large"
    for number in range(2):
        await Sender(desk, bytes(2 * MIB), upload=f"quota-of-somebody-{number}").create()
    assert await code(Sender(desk, b"x").create()) == "quota_exceeded"
    await desk.ask("file_chunker", CancelUpload(upload="quota-of-somebody-0"), within=5, person=ANN)
    await Sender(desk, b"x").create()
    await Sender(desk, b"x", CAT).create()


async def test_while_contacts_cannot_be_read_only_who_begins_is_told_so(desk: Desk) -> None:
    ann = Sender(desk, b"abc")
    await ann.create()
    await ann.open()
    contacts = desk.actor.environment.paths.databases / "contacts.db"
    contacts.rename(contacts.with_suffix(".away"))
    mail = Mail("id", ANN, CreateUpload(upload="another", recipient=BOB, name="a", type="", size=1), desk.now)
    with pytest.raises(Refusal) as caught:
        # Not in the transaction: there it would be tried again, ahead of all others' mail.
        await desk.actor.look_for_room(mail)
    assert caught.value.code == "unavailable"
    await ann.append(0, 3)
    await ann.commit(3)
    assert await ended(desk, ann.id) == "ready"


async def test_so_many_small_files_fill_a_quota(desk: Desk) -> None:
    most = 4 * MIB // LEAST
    for number in range(most):
        await Sender(desk, b"x" * (number % 2), upload=f"small-file-of-ann-{number}").create()
    assert await code(Sender(desk, b"").create()) == "quota_exceeded"
    await desk.ask("file_chunker", CancelUpload(upload="small-file-of-ann-1"), within=5, person=ANN)
    await Sender(desk, b"").create()


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", ""),
        ("name", "a\0b"),
        ("name", "ä" * 128),
        ("type", "x" * 200),
        ("size", -1),
        ("width", -1),
        ("height", 1_000_000),
        ("upload", "../../../etc/passwd"),
        ("upload", "short"),
    ],
)
async def test_nonsense_is_refused_by_field(desk: Desk, field: str, value: object) -> None:
    fields = {"upload": "a" * 32, "recipient": BOB, "name": "a", "type": "", "size": 1, field: value}
    with pytest.raises(Refusal) as caught:
        await desk.ask("file_chunker", CreateUpload(**fields), within=5, person=ANN)  # type: ignore[arg-type]
    assert (caught.value.code, list(caught.value.body.fields or {})) == ("invalid", [field])


@pytest.mark.parametrize("name", ["../../x", "\u202egpj.exe", "a/b\\c", "ä" * 127, "CON", "a b.txt"])
async def test_a_name_is_kept_as_it_is(desk: Desk, name: str) -> None:
    command = CreateUpload(upload="a" * 32, recipient=BOB, name=name, type="", size=1)
    assert (await desk.ask("file_chunker", command, within=5, person=ANN)).name == name


async def test_foreign_uploads_look_like_unknown_ones(desk: Desk) -> None:
    ann = Sender(desk, b"abc")
    await ann.create()
    await ann.open()
    for person in (BOB, CAT, DAN):
        thief = Sender(desk, b"xyz", person, ann.id)
        thief.generation = ann.generation
        assert await code(thief.open()) == "not_found"
        assert await code(thief.append(0, 3)) == "not_found"
        # As for one that there is not.
        assert await code(thief.commit(3)) == await code(Sender(desk, b"").commit(3)) == "conflict"
        assert await code(thief.declare()) == "not_found"
        await thief.leave()
    assert (await desk.row(ann.id)).active
    await ann.append(0, 3)
    assert await ended(desk, ann.id) == "ready"
    with desk.actor.blobs.open(ann.id) as reader:
        assert reader.read(0, 10) == b"abc"


async def test_a_later_request_takes_over_and_the_dead_ones_pieces_are_refused(desk: Desk) -> None:
    ann = Sender(desk, b"abcdef")
    await ann.create()
    first = (await ann.open()).generation
    await ann.append(0, 2)
    second = (await ann.open(2)).generation
    assert await code(ann.append(2, 4, generation=first)) == "locked"
    assert (await ann.append(2, 4, generation=second)).offset == 4
    # A copy of a piece that counts already is answered, and changes nothing.
    assert (await ann.append(2, 4, generation=second)).offset == 4
    assert await code(ann.append(5, 6, generation=second)) == "conflict"
    assert await code(ann.open(2)) == "conflict"
    assert (await desk.row(ann.id)).offset == 4


async def test_what_a_dead_request_still_sends_disturbs_nobody(desk: Desk) -> None:
    ann = Sender(desk, b"abcdef")
    await ann.create()
    first = (await ann.open()).generation
    second = (await ann.open()).generation
    written = await desk.actor.writing.write(ann.id, (ANN, second), 0, b"abc")
    assert await code(ann.append(0, 3, generation=first)) == "locked"
    assert await code(Sender(desk, b"xyz", BOB, ann.id).append(0, 3, generation=second)) == "not_found"
    assert desk.actor.writing.stands(ann.id, written)


async def test_what_is_held_counts_when_its_checksum_is_right_and_is_cut_off_else(desk: Desk) -> None:
    ann = Sender(desk, b"abcdef")
    await ann.create()
    await ann.open()
    assert (await ann.append(0, 2, hold=True)).offset == 2
    assert (await ann.append(2, 3, hold=True)).offset == 3
    assert (await desk.row(ann.id)).offset == 0
    assert await code(ann.commit(4)) == "conflict"
    assert (await ann.commit(3)).offset == 3
    await ann.append(3, 5, hold=True)
    await ann.leave()
    assert (await ann.open(3)).offset == 3
    await ann.append(3, 6)
    assert await ended(desk, ann.id) == "ready"
    assert (await desk.row(ann.id)).sha256 == ann.sha256


async def test_a_piece_is_of_a_size_that_travels(desk: Desk) -> None:
    ann = Sender(desk, bytes(MIB))
    await ann.create()
    await ann.open()
    assert await code(ann.append(0, 256 * 1024 + 1)) == "invalid"
    assert await code(ann.append(0, 0)) == "invalid"
    command = Append(upload=ann.id, generation=ann.generation, offset=MIB - 1, data=b"xx")
    assert await code(ann.ask(command)) == "conflict"


async def test_a_person_sends_so_many_at_a_time_and_a_silent_one_makes_room(desk: Desk) -> None:
    one, two, three = (Sender(desk, b"abc") for _ in range(3))
    for sender in (one, two, three):
        await sender.create()
    await one.open()
    await two.open()
    assert await code(three.open()) == "rate_limited"
    await two.leave()
    await three.open()
    assert await code(two.open()) == "rate_limited"
    # Two goes on sending, three is heard of no more.
    desk.clock += 4
    await one.append(0, 1)
    desk.clock += 2
    await desk.quiet()
    assert [frame.active for frame in desk.frames if frame.id == three.id] == [True, False]
    await two.open()
    assert (await desk.row(one.id)).active


async def test_a_request_that_was_silent_for_a_while_is_seen_to_go_on(desk: Desk) -> None:
    ann = Sender(desk, b"abcdef")
    await ann.create()
    await ann.open()
    await ann.append(0, 1)
    desk.clock += 6
    await desk.quiet()
    assert [frame.active for frame in desk.frames] == [True, True, False]
    await ann.append(1, 2)
    assert (desk.frames[-1].offset, desk.frames[-1].active) == (2, True)
    assert (await desk.row(ann.id)).active
    # Once it has ended, what of it is still on its way does not make it one that goes on.
    desk.clock += 6
    await desk.quiet()
    await ann.leave()
    await ann.append(2, 3)
    assert (desk.frames[-1].offset, desk.frames[-1].active) == (3, False)
    assert not (await desk.row(ann.id)).active


async def test_nobody_is_silent_whose_pieces_wait_for_their_turn(tmp_path: Path) -> None:
    async with open_desk(tmp_path, rate_mib=1) as desk:
        ann = Sender(desk, bytes(2 * MIB))
        await ann.create()
        await ann.open()
        sending = asyncio.create_task(ann.send(0, 2 * MIB))

        async def half() -> bool:
            return (await desk.row(ann.id)).offset == MIB

        await eventually(half)
        desk.clock += 6
        await desk.quiet()
        assert (await desk.row(ann.id)).active
        await sending


async def test_what_a_sender_did_before_a_pause_is_told_all_the_same(desk: Desk) -> None:
    ann = Sender(desk, b"abcd")
    await ann.create()
    await ann.open()
    await ann.append(0, 1)
    await ann.append(1, 3)
    assert desk.frames[-1].offset == 1
    await desk.quiet()
    assert (desk.frames[-1].offset, desk.frames[-1].active) == (3, True)
    frames = len(desk.frames)
    await desk.quiet()
    assert len(desk.frames) == frames


async def test_a_promised_digest_is_waited_for(desk: Desk) -> None:
    ann = await sent(desk, b"abc", promised=True)
    await ann.declare()
    assert await ended(desk, ann.id) == "ready"
    row = await desk.row(ann.id)
    assert (row.sha256, row.verified) == (ann.sha256, True)
    assert await code(ann.declare("0" * 64)) == "conflict"


async def test_another_digest_than_the_bytes_have_fails_the_upload_and_they_go(desk: Desk) -> None:
    ann = await sent(desk, b"abc", promised=True)
    await ann.declare("0" * 64)
    assert await ended(desk, ann.id) == "failed"
    assert (await desk.row(ann.id)).reason == "checksum_mismatch"
    await eventually(lambda: not there(desk, ann.id), within=10)
    assert await code(ann.open()) == "gone"
    # It can be repeated, as another one.
    again = await sent(desk, b"abc", promised=True)
    await again.declare()
    assert await ended(desk, again.id) == "ready"


async def test_a_digest_that_nobody_promised_may_come_late(desk: Desk) -> None:
    ann = await sent(desk, b"abc")
    assert await ended(desk, ann.id) == "ready"
    assert not (await desk.row(ann.id)).verified
    assert await code(ann.declare("0" * 64)) == "checksum_mismatch"
    assert (await ann.declare()).verified


async def test_cancelling_frees_the_bytes(desk: Desk) -> None:
    ann = Sender(desk, b"abcdef")
    await ann.create()
    await ann.open()
    await ann.append(0, 2)
    assert await code(desk.ask("file_chunker", CancelUpload(upload=ann.id), within=5, person=CAT)) == "not_found"
    await desk.ask("file_chunker", CancelUpload(upload=ann.id), within=5, person=BOB)
    await eventually(lambda: not there(desk, ann.id), within=10)
    assert await code(ann.append(2, 4)) == "gone"
    done = await sent(desk, b"abc")
    assert await ended(desk, done.id) == "ready"
    assert await code(desk.ask("file_chunker", CancelUpload(upload=done.id), within=5, person=BOB)) == "forbidden"
    await desk.ask("file_chunker", CancelUpload(upload=done.id), within=5, person=ANN)
    await eventually(lambda: not there(desk, done.id), within=10)


async def test_a_picture_is_small_and_of_the_kind_it_says(desk: Desk) -> None:
    ann = Sender(desk, b"abc")
    await ann.create()

    async def picture(data: bytes) -> None:
        await ann.ask(SetPreview(upload=ann.id, type="image/png", data=data))

    assert await code(picture(PNG + bytes(PREVIEW_BYTES))) == "too_large"
    assert await code(picture(b"<svg onload=alert(1)>")) == "unsupported"
    await picture(PNG + b"rest")
    assert await desk.database.read(lambda tx: tx.uploads.preview(ann.id)) == ("image/png", PNG + b"rest")
    await desk.ask("file_chunker", CancelUpload(upload=ann.id), within=5, person=ANN)
    assert await desk.database.read(lambda tx: tx.uploads.preview(ann.id)) is None


async def test_both_are_told_of_states_and_now_and_then_of_offsets(desk: Desk) -> None:
    ann = Sender(desk, b"x" * 100)
    await ann.create(promised=True)
    await ann.open()
    for offset in range(0, 100, 10):
        desk.clock += 0.1
        await ann.append(offset, offset + 10)
    assert all(push.to == [ANN, BOB] for push in desk.pushes)
    offsets = [frame.offset for frame in desk.frames if frame.state == "open" and frame.offset]
    assert offsets == [10, 40, 70]
    await desk.ask("file_chunker", CancelUpload(upload=ann.id), within=5, person=ANN)
    assert [frame.state for frame in desk.frames][-2:] == ["verifying", "cancelled"]
    assert (await desk.row(ann.id)).state in ENDED
