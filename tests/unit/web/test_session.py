"""The socket's protocol, without a socket."""

import json

import pytest
from msgspec import Raw, msgpack

from protocols.errors import ErrorBody, Refusal
from protocols.mail import Done, Outcome
from protocols.router import EditMessage, Receipt, SendMessage
from tests.support.sessions import error, hung_up, send, sent, session, stored, told
from web.session import COPIES, HASTY, Attends, Mention, ReadOn, Session, Tell, Types


def test_a_send_is_told_with_its_client_id_and_answered_once_by_what_is_stored() -> None:
    one = session()
    [tell] = told(one.received(send(1, reply_to="m9")))
    assert tell.command == SendMessage(to="bob", body="hello", reply_to="m9")
    assert tell.id == "c1"
    assert sent(one.outcome(tell.ticket, stored(7))) == [
        {
            "type": "ok",
            "id": "f1",
            "conversation": "k",
            "seq": 7,
            "version": 7,
            "message_id": "m7",
            "at": "2023-11-14T22:13:20.123Z",
        }
    ]
    assert one.outcome(tell.ticket, stored(7)) == ()


@pytest.mark.parametrize("body", ["", "Look"])
def test_a_send_may_name_a_file_and_say_nothing_else(body: str) -> None:
    [tell] = told(session().received(send(1, body=body, file="u1")))
    assert tell.command == SendMessage(to="bob", body=body, file="u1")


def test_a_caption_may_be_taken_away() -> None:
    frame = {"type": "edit", "id": "1", "client_id": "c1", "conversation": "k", "message_id": "m1", "body": ""}
    [tell] = told(session().received(json.dumps(frame)))
    assert tell.command == EditMessage(conversation="k", message_id="m1", body="")


def test_the_sender_cannot_be_named_in_a_frame() -> None:
    [answer] = sent(session().received(send(1, sender="eve")))
    assert (answer["type"], answer["code"], answer["id"]) == ("error", "invalid", "f1")


def test_a_definite_refusal_is_answered_and_the_socket_stays() -> None:
    one = session()
    [tell] = told(one.received(send(1)))
    [answer] = sent(one.outcome(tell.ticket, error("not_a_contact")))
    assert (answer["type"], answer["id"], answer["code"]) == ("error", "f1", "not_a_contact")
    assert not one.over
    assert one.under_way == 0


def test_a_refusal_that_may_be_retried_closes_so_that_order_holds() -> None:
    one = session()
    [first] = told(one.received(send(1)))
    [second] = told(one.received(send(2)))
    actions = one.outcome(first.ticket, error("unavailable"))
    assert hung_up(actions) == 1013
    assert sent(actions) == []
    assert one.outcome(second.ticket, stored(1)) == ()


def test_a_full_lane_closes_as_well() -> None:
    one = session()
    [tell] = told(one.received(send(1)))
    assert hung_up(one.refused(tell.ticket, Refusal("unavailable"))) == 1013


def test_the_command_beyond_the_window_is_held_back_in_order() -> None:
    one = session(window=2)
    tells = [tell for number in (1, 2) for tell in told(one.received(send(number)))]
    assert not one.full
    assert told(one.received(send(3))) == []
    assert one.full
    actions = one.outcome(tells[0].ticket, stored(1))
    assert [tell.id for tell in told(actions)] == ["c3"]
    assert not one.full


def test_a_window_that_stays_full_ends_the_socket() -> None:
    one = session(window=1)
    one.received(send(1))
    one.received(send(2))
    assert hung_up(one.stalled()) == 1013
    assert not one.full


def test_pings_are_answered_while_the_window_is_full() -> None:
    one = session(window=1)
    one.received(send(1))
    assert sent(one.received('{"type":"ping","id":"p"}')) == [{"type": "pong", "id": "p"}]
    assert sent(one.received('{"type":"ping"}')) == [{"type": "pong"}]


def test_receipts_are_answered_when_they_have_an_id() -> None:
    one = session()
    [tell] = told(one.received('{"type":"read","conversation":"k","seq":3,"id":"r"}'))
    assert tell.command == Receipt(conversation="k", read=3)
    done = Outcome(correlation="x", value=Raw(msgpack.encode(Done())))
    assert sent(one.outcome(tell.ticket, done)) == [{"type": "ok", "id": "r"}]
    [mention] = one.received('{"type":"delivered","conversation":"k","seq":4}')
    assert mention == Mention(Receipt(conversation="k", delivered=4))


def test_typing_and_attention_are_passed_on_and_not_answered() -> None:
    one = session(window=1)
    # Neither takes room, nor waits for it.
    one.received(send(1))
    assert one.received('{"type":"typing","conversation":"k"}') == [Types("k")]
    assert one.received('{"type":"attention","visible":true,"conversation":"k"}') == [Attends(True, "k")]
    assert one.received('{"type":"attention","visible":false}') == [Attends(False, "")]
    [answer] = sent(one.received('{"type":"attention","visible":"yes"}'))
    assert (answer["type"], answer["code"]) == ("error", "invalid")
    [answer] = sent(one.received('{"type":"typing","conversation":"k","user":"eve"}'))
    assert (answer["type"], answer["code"]) == ("error", "invalid")


def test_typing_counts_in_the_rate() -> None:
    one = session(wait=0.5)
    assert one.received('{"type":"typing","conversation":"k"}') == []
    assert (one.full, one.pause) == (True, 0.5)


def test_sync_is_read_on_and_its_failure_leaves_the_socket_open() -> None:
    one = session()
    assert one.received('{"type":"sync","id":"s","since":"e.1"}') == [ReadOn("s", "e.1")]
    [page] = sent(one.read_on("s", [], "e.2", more=False))
    assert page == {"type": "ok", "id": "s", "changes": [], "next": "e.2", "more": False}
    [answer] = sent(one.cannot_read_on("s", ErrorBody("unavailable", "no", retry_after=1)))
    assert (answer["code"], answer["retry_after"]) == ("unavailable", 1)
    assert not one.over


@pytest.mark.parametrize(
    "text",
    [
        send(1, body=""),
        send(1, body="x" * 8001, file="u1"),
        send(1, file=""),
        send(1, body="", file=None),
        send(1, body=5),
        send(1, to=""),
        send(1, to="../etc"),
        send(1, extra=1),
        send(1, client_id=None),
        '{"type":"send","id":"f1"}',
        '{"type":"read","id":"f1","conversation":"k","seq":0}',
        '{"type":"read","id":"f1","conversation":"k","seq":1e400}',
        '{"type":"react","id":"f1","client_id":"c","conversation":"k","message_id":"m","emoji":"","on":true}',
        '{"type":"of a newer version","id":"f1"}',
    ],
)
def test_a_bad_field_is_an_error_with_the_frames_own_id_and_no_strike(text: str) -> None:
    one = session()
    for _ in range(10):
        [answer] = sent(one.received(text))
        assert (answer["type"], answer["id"], answer["code"]) == ("error", "f1", "invalid")
    assert not one.over


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "null", "5", "[" * 5_000, '{"id":"a"}', '{"type":5}', '{"type":null}', "\x00"]
)
def test_the_third_frame_in_a_row_that_is_none_ends_the_socket(text: str) -> None:
    one = session()
    for _ in range(2):
        actions = one.received(text)
        assert sent(actions)[0]["code"] == "invalid"
        assert hung_up(actions) is None
    actions = one.received(text)
    assert sent(actions)[0]["code"] == "invalid"
    assert hung_up(actions) == 1008


@pytest.mark.parametrize("text", ['{"type":"nonsense"}', send(1, body="")])
def test_answers_to_mistakes_keep_to_the_rate(text: str) -> None:
    one = session(wait=0.25)
    assert one.received(text) == []
    assert (one.full, one.pause) == (True, 0.25)


def test_what_the_owner_says_of_a_field_reaches_the_client() -> None:
    one = session()
    [tell] = told(one.received(send(1)))
    refused = Outcome(correlation="", error=ErrorBody("invalid", "no", fields={"to": "This is yourself."}))
    [answer] = sent(one.outcome(tell.ticket, refused))
    assert answer["fields"] == {"to": "This is yourself."}


def test_a_good_frame_forgives_strikes_and_binary_frames_are_strikes() -> None:
    one = session()
    for _ in range(5):
        one.received("{")
        one.received_binary()
        assert not one.over
        one.received('{"type":"ping"}')


def test_an_id_that_is_no_id_is_answered_by_null() -> None:
    [answer] = sent(session().received('{"type":"send","id":7}'))
    assert answer["id"] is None


def test_beyond_the_rate_frames_are_held_back_in_order_and_nothing_is_refused() -> None:
    waits = [0.0, 0.25, 0.25]
    one = Session(window=8, admit=lambda _: waits.pop(0))
    assert [tell.id for tell in told(one.received(send(1)))] == ["c1"]
    assert one.received(send(2)) == []
    assert one.full
    assert one.pause == 0.25
    assert one.received('{"type":"ping","id":"p"}') == []
    waits[:] = [0.0, 0.5]
    assert [tell.id for tell in told(one.go_on())] == ["c2"]
    assert (one.full, one.pause) == (True, 0.5)
    waits[:] = [0.0]
    assert sent(one.go_on()) == [{"type": "pong", "id": "p"}]
    assert not one.full


def test_a_frame_that_waits_for_room_is_counted_once() -> None:
    asked: list[float] = []

    def admit(_: str) -> float:
        asked.append(0.0)
        return 0.0

    one = Session(window=1, admit=admit)
    [first] = told(one.received(send(1)))
    one.received(send(2))
    assert [tell.id for tell in told(one.outcome(first.ticket, stored(1)))] == ["c2"]
    assert len(asked) == 2


def test_who_never_slows_down_is_sent_away() -> None:
    one = session(wait=0.25)
    codes = [hung_up(one.received(send(1))), *(hung_up(one.go_on()) for _ in range(HASTY - 1))]
    assert codes[:-1] == [None] * (HASTY - 1)
    assert codes[-1] == 4008


def test_a_resync_forgets_what_is_unanswered_and_lets_held_commands_go() -> None:
    one = session(window=1)
    [first] = told(one.received(send(1)))
    one.received(send(2))
    actions = one.resync()
    assert sent(actions) == [{"type": "resync"}]
    assert [tell.id for tell in told(actions)] == ["c2"]
    assert one.outcome(first.ticket, stored(1)) == ()


@pytest.mark.parametrize("source", ["", "router"])
def test_a_repeat_after_a_resync_with_its_owner_is_told_again(source: str) -> None:
    one = session()
    [first] = told(one.received(send(1)))
    one.resync(source)
    [again] = told(one.received(send(1)))
    assert (again.id, again.ticket) == ("c1", first.ticket + 1)


@pytest.mark.parametrize("source", ["contacts", "notifier"])
def test_a_resync_with_another_owner_leaves_what_is_under_way_and_a_repeat_waits_with_it(source: str) -> None:
    one = session(window=1)
    [first] = told(one.received(send(1)))
    assert sent(one.resync(source)) == [{"type": "resync", "source": source}]
    assert one.received(send(1, id="again")) == []
    assert one.received(send(1, id="again")) == []
    assert not one.full
    assert [answer["id"] for answer in sent(one.outcome(first.ticket, stored(1)))] == ["f1", "again"]
    # Answered, it is told again as any copy.
    assert [tell.id for tell in told(one.received(send(1)))] == ["c1"]


def test_a_repeat_that_says_something_else_is_told_and_so_are_copies_beyond_the_bound() -> None:
    one = session()
    [first] = told(one.received(send(1)))
    [other] = told(one.received(send(1, id="other", body="something else")))
    assert sent(one.outcome(other.ticket, error("client_id_reused")))[0]["id"] == "other"
    one.resync()
    [first] = told(one.received(send(1)))
    tells = [tell for number in range(COPIES) for tell in told(one.received(send(1, id=f"copy {number}")))]
    assert len(tells) == 1
    assert len(sent(one.outcome(first.ticket, stored(1)))) == COPIES
    assert [answer["id"] for answer in sent(one.outcome(tells[0].ticket, stored(1)))] == [f"copy {COPIES - 1}"]


def test_copies_that_wait_are_refused_with_the_first() -> None:
    one = session()
    [first] = told(one.received(send(1)))
    one.received(send(1, id="again"))
    assert [(answer["id"], answer["code"]) for answer in sent(one.outcome(first.ticket, error("not_a_contact")))] == [
        ("f1", "not_a_contact"),
        ("again", "not_a_contact"),
    ]


def test_nothing_comes_out_of_a_session_that_is_over() -> None:
    one = session()
    [tell] = told(one.received(send(1)))
    one.stalled()
    assert one.received(send(2)) == ()
    assert one.received_binary() == ()
    assert one.outcome(tell.ticket, stored(1)) == ()
    assert one.refused(tell.ticket, Refusal("unavailable")) == ()
    assert one.resync() == ()
    assert one.stalled() == ()
    assert one.read_on("s", [], "", more=False) == ()
    assert one.cannot_read_on("s", ErrorBody("unavailable", "no")) == ()


def test_what_is_read_is_told_as_the_person_wishes_then() -> None:
    wishes = iter([True, False, True])
    one = Session(window=8, admit=lambda _: 0.0, private=lambda _: next(wishes))
    (first,) = one.received('{"type": "read", "conversation": "c", "seq": 1}')
    (second,) = one.received('{"type": "read", "conversation": "c", "seq": 2, "id": "r"}')
    (third,) = one.received('{"type": "delivered", "conversation": "c", "seq": 3}')
    told = [action.command for action in (first, second, third) if isinstance(action, Mention | Tell)]
    assert told == [
        Receipt(conversation="c", read=1, private=True),
        Receipt(conversation="c", read=2),
        Receipt(conversation="c", delivered=3),
    ]


def test_a_send_names_the_one_that_it_must_not_overtake() -> None:
    one = session(window=8)
    first, second, third = (told(one.received(send(number)))[0] for number in (1, 2, 3))
    assert [tell.after for tell in (first, second, third)] == ["", "c1", "c2"]
    one.outcome(first.ticket, stored(1))
    one.outcome(second.ticket, error("not_a_contact"))
    one.outcome(third.ticket, stored(2))
    assert told(one.received(send(4)))[0].after == ""


def test_what_was_sent_before_a_resync_was_heard_of_must_not_overtake_what_was_lost() -> None:
    one = session(window=8)
    for number in (1, 2):
        one.received(send(number))
    one.resync()
    # Still on its way when the client was told to repeat the others.
    [late] = told(one.received(send(3)))
    assert late.after == "c2"
    assert [told(one.received(send(number)))[0].after for number in (1, 2)] == ["", "c1"]
    assert told(one.received(send(3))) == []
    actions = one.outcome(late.ticket, error("out_of_order"))
    assert (hung_up(actions), sent(actions)) == (1013, [])
