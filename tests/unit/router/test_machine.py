"""Three people send, edit, delete, react and read in any order, with duplicates: a naive model tells what is there.

The model is a list of dicts a conversation. Beside it stand the pages of the three: one lives by pushes alone, as long
as none is lost; the other by sync alone, a small page at a time.
"""

import asyncio
import shutil
import tempfile
from itertools import permutations
from pathlib import Path
from typing import Any

from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from protocols import frames
from protocols.mail import Command
from protocols.rendering import change_frame, message_frame
from protocols.router import DeleteMessage, EditMessage, React, Receipt, SendMessage
from protocols.values import conversation_of
from storage.router import RouterUnit
from tests.support.chat import House, place, pushes, relate
from tests.support.people import ANN, BOB, CAT
from tests.support.uploads import keep, upload

PEOPLE = (ANN, BOB, CAT)
HEART, SUN = "\u2764", "\u2600"

two = st.permutations(PEOPLE).map(lambda people: (people[0], people[1]))
text = st.sampled_from(["a", "b", "c"])
caption = st.sampled_from(["a", "b", ""])
seqs = st.integers(1, 6)
ids = st.integers(0, 12).map(lambda number: f"id-{number}")
Sent = tuple[str, str, Command[Any]]


class Model:
    """What a conversation holds, and who was told no under which id. Commands change it only when they may."""

    def __init__(self) -> None:
        self.messages: dict[str, list[dict[str, Any]]] = {}
        self.read: dict[tuple[str, str], int] = {}
        self.delivered: dict[tuple[str, str], int] = {}
        self.used: dict[tuple[str, str], tuple[Command[Any], str]] = {}

    def do(self, person: str, number: str, command: Command[Any]) -> str:
        """The code of the refusal, or ""."""
        if isinstance(command, Receipt):
            return self._receipt(person, command)
        used = self.used.get((person, number))
        if used is not None:
            return used[1] if used[0] == command else "client_id_reused"
        code = (
            self._send(person, number, command) if isinstance(command, SendMessage) else self._change(person, command)
        )
        self.used[person, number] = (command, code)
        return code

    def unread(self, person: str, peer: str) -> int:
        log = self.messages.get(conversation_of(person, peer), [])
        read = self.read.get((person, conversation_of(person, peer)), 0)
        return sum(one["sender"] == peer and one["seq"] > read and not one["deleted"] for one in log)

    def _send(self, person: str, number: str, command: SendMessage) -> str:
        log = self.messages.get(conversation_of(person, command.to), [])
        if not command.body and not command.file:
            return "invalid"
        if command.reply_to and command.reply_to not in [one["message_id"] for one in log]:
            return "invalid"
        if command.file and command.file != file_of(person, command.to):
            return "not_found"
        if command.file and command.file in [one["file"] for one in log]:
            return "conflict"
        seq = len(log) + 1
        new = {
            "sender": person,
            "client_id": number,
            "body": command.body,
            "seq": seq,
            "deleted": False,
            "edited": False,
        }
        new |= {"message_id": place(person, command.to, seq), "reply_to": command.reply_to or None, "reactions": set()}
        new |= {"file": command.file}
        self.messages.setdefault(conversation_of(person, command.to), log).append(new)
        return ""

    def _change(self, person: str, command: Any) -> str:
        log = self.messages.get(command.conversation, [])
        found = [one for one in log if one["message_id"] == command.message_id]
        if not found or command.conversation not in {conversation_of(person, one) for one in PEOPLE}:
            return "not_found"
        (one,) = found
        if not isinstance(command, React) and one["sender"] != person:
            return "forbidden"
        if isinstance(command, DeleteMessage):
            one.update(body="", deleted=True, edited=False, reply_to=None, reactions=set(), file="")
        elif one["deleted"]:
            return "conflict"
        elif isinstance(command, EditMessage) and not command.body and not one["file"]:
            return "invalid"
        elif isinstance(command, EditMessage):
            one["edited"] |= one["body"] != command.body
            one["body"] = command.body
        elif command.on:
            one["reactions"] |= {(command.emoji, person)}
        else:
            one["reactions"] -= {(command.emoji, person)}
        return ""

    def _receipt(self, person: str, command: Receipt) -> str:
        key = (person, command.conversation)
        log = self.messages.get(command.conversation, [])
        if not log or command.conversation not in {conversation_of(person, one) for one in PEOPLE}:
            return "not_found"
        last = max((one["seq"] for one in log if one["sender"] != person), default=0)
        self.read[key] = max(self.read.get(key, 0), min(command.read, last))
        self.delivered[key] = max(self.delivered.get(key, 0), min(command.delivered, last), self.read[key])
        return ""


def file_of(person: str, peer: str) -> str:
    """The id of the one file that a person has for another."""
    return f"{person}-for-{peer}"


def seen(frame: frames.Message | frames.MessageChanged) -> dict[str, Any]:
    return {
        "sender": frame.sender,
        "client_id": frame.client_id,
        "body": frame.body,
        "seq": frame.seq,
        "deleted": frame.deleted,
        "edited": frame.edited_at is not None,
        "message_id": frame.message_id,
        "reply_to": frame.reply_to,
        "reactions": {(one.emoji, user) for one in frame.reactions for user in one.users},
        "file": frame.file.id if frame.file else "",
    }


class Page:
    """A client that drops versions it has seen; `change` is how far it has synced."""

    def __init__(self) -> None:
        self.messages: dict[str, tuple[int, dict[str, Any]]] = {}
        self.receipts: dict[tuple[str, str], tuple[int, int]] = {}
        self.change = 0

    def copy(self) -> "Page":
        page = Page()
        page.messages, page.receipts, page.change = {**self.messages}, {**self.receipts}, self.change
        return page

    def take(self, frame: frames.Message | frames.MessageChanged | frames.ReceiptFrame) -> None:
        if isinstance(frame, frames.ReceiptFrame):
            self.receipts[frame.user, frame.conversation] = (frame.delivered, frame.read)
        elif self.messages.get(frame.message_id, (0,))[0] < frame.version:
            self.messages[frame.message_id] = (frame.version, seen(frame))


class Chat(RuleBasedStateMachine):
    @initialize()
    def open(self) -> None:
        self.loop = asyncio.new_event_loop()
        self.folder = Path(tempfile.mkdtemp(prefix="parley-router-"))
        self.house = self.loop.run_until_complete(House.open(self.folder))
        self.loop.run_until_complete(relate(self.folder, [(BOB, CAT)]))
        files = [upload(file_of(me, peer), owner=me, recipient=peer) for me, peer in permutations(PEOPLE, 2)]
        self.loop.run_until_complete(keep(self.folder, *files))
        self.model = Model()
        self.pushed = {person: Page() for person in PEOPLE}
        self.synced = {person: Page() for person in PEOPLE}
        self.past: list[Sent] = []

    def teardown(self) -> None:
        if hasattr(self, "house"):
            self.loop.run_until_complete(self.house.close())
            self.loop.close()
            shutil.rmtree(self.folder)

    @rule(commands=st.lists(st.tuples(two, ids, text, st.one_of(st.just(0), seqs)), min_size=1, max_size=4))
    def send(self, commands: list[tuple[tuple[str, str], str, str, int]]) -> None:
        self.make([
            (me, number, SendMessage(to=peer, body=body, reply_to=place(me, peer, answer) if answer else ""))
            for (me, peer), number, body, answer in commands
        ])  # fmt: skip

    @rule(people=two, meant=two, number=ids, body=caption)
    def send_file(self, people: tuple[str, str], meant: tuple[str, str], number: str, body: str) -> None:
        """Which may be another's, or for somebody else, or be sent already."""
        self.make([(people[0], number, SendMessage(to=people[1], body=body, file=file_of(*meant)))])

    @rule(people=two, number=ids, body=caption)
    def send_own_file(self, people: tuple[str, str], number: str, body: str) -> None:
        self.make([(people[0], number, SendMessage(to=people[1], body=body, file=file_of(*people)))])

    @rule(people=two, foreign=st.sampled_from([0, 0, 0, 1]), number=ids, seq=seqs, body=caption)
    def edit(self, people: tuple[str, str], foreign: int, number: str, seq: int, body: str) -> None:
        me, place_ = self.target(people, foreign, seq)
        self.make([(me, f"edit-{number}", EditMessage(**place_, body=body))])

    @rule(people=two, foreign=st.sampled_from([0, 0, 0, 1]), number=ids, seq=seqs)
    def delete(self, people: tuple[str, str], foreign: int, number: str, seq: int) -> None:
        me, place_ = self.target(people, foreign, seq)
        self.make([(me, f"delete-{number}", DeleteMessage(**place_))])

    @rule(people=two, number=ids, seq=seqs, emoji=st.sampled_from([HEART, SUN]), on=st.booleans())
    def react(self, people: tuple[str, str], number: str, seq: int, emoji: str, on: bool) -> None:
        me, place_ = self.target(people, 0, seq)
        self.make([(me, f"react-{number}", React(**place_, emoji=emoji, on=on))])

    @rule(receipts=st.lists(st.tuples(two, st.integers(0, 7), st.integers(0, 7)), min_size=1, max_size=4))
    def receive(self, receipts: list[tuple[tuple[str, str], int, int]]) -> None:
        self.make([
            (me, "receipt", Receipt(conversation=conversation_of(me, peer), delivered=delivered, read=read))
            for (me, peer), delivered, read in receipts
        ])  # fmt: skip

    @rule(data=st.data())
    def repeat(self, data: st.DataObject) -> None:
        """A late copy of any mail that ever was."""
        if self.past:
            self.make([data.draw(st.sampled_from(self.past))])

    @rule(person=st.sampled_from(PEOPLE), limit=st.integers(1, 3))
    def sync(self, person: str, limit: int) -> None:
        page = self.synced[person]
        changes, page.change, _ = self.read(lambda tx: tx.messages.changes(person, page.change, limit))
        assert len(changes) <= limit
        for change in changes:
            page.take(change_frame(change))

    @invariant()
    def both_hold_the_same(self) -> None:
        if not hasattr(self, "house"):
            return
        for person in PEOPLE:
            self.compare(person)

    def compare(self, person: str) -> None:
        mine = {peer: conversation_of(person, peer) for peer in PEOPLE if peer != person}
        log = {name: self.model.messages[name] for name in mine.values() if name in self.model.messages}
        stored = {name: self.read(lambda tx, n=name: tx.messages.before(n, None, 200))[0] for name in log}
        assert {name: [seen(message_frame(one)) for one in rows] for name, rows in stored.items()} == log

        everything = {one["message_id"]: one for rows in log.values() for one in rows}
        assert {name: one for name, (_, one) in self.pushed[person].messages.items()} == everything
        page, more = self.synced[person].copy(), True
        while more:
            changes, page.change, more = self.read(lambda tx: tx.messages.changes(person, page.change, 3))
            for change in changes:
                page.take(change_frame(change))
        assert {name: one for name, (_, one) in page.messages.items()} == everything
        assert page.receipts == self.pushed[person].receipts
        assert page.change == self.read(lambda tx: tx.journal.change())

        listed = {one.id: one for one in self.read(lambda tx: tx.conversations.of(person))}
        assert set(listed) == set(log)
        for peer, name in mine.items():
            if name in listed:
                summary = listed[name]
                assert (summary.peer, summary.unread, summary.seq) == (
                    peer,
                    self.model.unread(person, peer),
                    len(log[name]),
                )
                assert summary.my_read == self.model.read.get((person, name), 0)
                assert summary.peer_delivered == self.model.delivered.get((peer, name), 0)
                assert summary.last_message == stored[name][-1]
                self.compare_versions(name, summary.version)

    def compare_versions(self, conversation: str, latest: int) -> None:
        """From any version on, the pages hold exactly the messages with later ones, in their order."""
        rows = self.read(lambda tx: tx.messages.before(conversation, None, 200))[0]
        for version in range(latest + 1):
            found, at, more = [], version, True
            while more:
                page, at, more = self.read(lambda tx, since=at: tx.messages.since(conversation, since, 2))
                found += page
            assert at == latest
            assert found == sorted((one for one in rows if one.version > version), key=lambda one: one.version)

    def target(self, people: tuple[str, str], foreign: int, seq: int) -> tuple[str, dict[str, str]]:
        """Who acts, and on which message: of one of their own conversations, or of the one of the other two."""
        me, peer = people
        if foreign:
            (third,) = set(PEOPLE) - {me, peer}
            return me, {"conversation": conversation_of(peer, third), "message_id": place(peer, third, seq)}
        return me, {"conversation": conversation_of(me, peer), "message_id": place(me, peer, seq)}

    def make(self, commands: list[Sent]) -> None:
        self.house.now += 1
        self.past += commands
        results = self.loop.run_until_complete(self.house.make(*commands))
        expected = [self.model.do(*command) for command in commands]
        assert [one.error.code if one.error else "" for one in results] == expected
        for result in results:
            for to, frame in pushes(result):
                for person in to:
                    self.pushed[person].take(frame)

    def read(self, work: Any) -> Any:
        def reading(tx: RouterUnit) -> Any:
            return work(tx)

        return self.loop.run_until_complete(self.house.database.read(reading))


TestChat = Chat.TestCase
TestChat.settings = hypothesis_settings(max_examples=25, stateful_step_count=25, deadline=None)
