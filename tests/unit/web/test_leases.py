"""Which leases a front sends, by a clock of the test."""

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from protocols.notifier import Attention, Device, Lease
from web.leases import GAP, ROUND, SETTLE, Leases, Seat

AT = 1_700_000_000_000


def started() -> Leases:
    """A front that has sent its first, empty, lease at 0."""
    leases = Leases("front.1:abc")
    first = leases.take(0.0, AT)
    assert first == Lease(front="front.1:abc", number=1, at=AT, whole=True)
    return leases


def seen(session: str = "s1", viewing: str = "", *, visible: bool = True) -> Device:
    return Device(session=session, visible=visible, viewing=viewing)


def taken(leases: Leases, now: float) -> Lease:
    lease = leases.take(now, AT + int(now * 1000))
    assert lease is not None
    return lease


def test_everybody_is_named_each_round() -> None:
    leases = started()
    leases.attend(leases.enter("ann", "s1", 1.0), "k", visible=True)
    leases.attend(leases.enter("bob", "s2", 1.0), "", visible=False)
    assert not taken(leases, 1.0).whole
    assert leases.take(ROUND - 0.01, AT) is None
    lease = taken(leases, ROUND)
    assert (lease.number, lease.at, lease.whole) == (3, AT + 5000, True)
    assert lease.people == [
        Attention(user="ann", devices=[seen(viewing="k")]),
        Attention(user="bob", devices=[seen("s2", visible=False)]),
    ]
    assert leases.due() == 2 * ROUND


def test_who_changes_is_named_at_once_and_alone() -> None:
    leases = started()
    ann = leases.enter("ann", "s1", 1.0)
    leases.attend(leases.enter("bob", "s2", 1.0), "", visible=True)
    leases.attend(ann, "", visible=True)
    taken(leases, 1.0)
    leases.attend(ann, "k", visible=True)
    assert leases.due() <= 2.0
    assert taken(leases, 2.0).people == [Attention(user="ann", devices=[seen(viewing="k")])]
    leases.leave(ann)
    leases.leave(ann)
    assert taken(leases, 3.0).people == [Attention(user="ann")]
    assert leases.due() == ROUND


def test_what_changes_nothing_is_not_told() -> None:
    leases = started()
    ann = leases.enter("ann", "s1", 1.0)
    assert leases.attend(ann, "k", visible=True)
    taken(leases, 1.0)
    assert not leases.attend(ann, "k", visible=True)
    assert leases.take(2.0, AT) is None


def test_however_often_somebody_changes_there_are_four_leases_a_second() -> None:
    leases = started()
    ann = leases.enter("ann", "s1", 1.0)
    sent = 0
    for step in range(1000):
        leases.attend(ann, "", visible=bool(step % 2))
        sent += leases.take(1.0 + step / 1000, AT) is not None
    assert sent == 1 / GAP


def test_a_new_socket_is_not_told_of_before_it_says_what_it_shows() -> None:
    leases = started()
    first = leases.enter("ann", "s1", 1.0)
    leases.leave(first)
    ann = leases.enter("ann", "s1", 1.0)
    assert taken(leases, 1.0).people == [Attention(user="ann")]
    leases.attend(ann, "", visible=True)
    assert taken(leases, 1.3).people == [Attention(user="ann", devices=[seen()])]
    assert leases.take(1.0 + SETTLE, AT) is None


def test_one_that_says_nothing_is_not_visible() -> None:
    leases = started()
    leases.enter("ann", "s1", 1.0)
    assert leases.take(1.9, AT) is None
    assert leases.due() == 1.0 + SETTLE
    assert taken(leases, 1.0 + SETTLE).people == [Attention(user="ann", devices=[seen(visible=False)])]


def test_who_may_have_missed_it_is_told_everything() -> None:
    leases = started()
    leases.attend(leases.enter("ann", "s1", 1.0), "", visible=True)
    taken(leases, 1.0)
    leases.renew()
    lease = taken(leases, 1.0 + GAP)
    assert lease.whole
    assert [one.user for one in lease.people] == ["ann"]


def test_goodbye_names_nobody() -> None:
    leases = started()
    leases.enter("ann", "s1", 1.0)
    assert leases.goodbye(AT) == Lease(front="front.1:abc", number=2, at=AT, whole=True)


class Sending(RuleBasedStateMachine):
    """Whoever hears all leases knows all settled sockets, GAP later at the latest."""

    def __init__(self) -> None:
        super().__init__()
        self.leases = Leases("front.1:abc")
        self.now = 0.0
        self.open: list[Seat] = []
        self.heard: dict[str, list[Device]] = {}
        self.number = 0
        self.sent_at: list[float] = []

    @rule(user=st.sampled_from("abc"), session=st.sampled_from("xyz"))
    def opens(self, user: str, session: str) -> None:
        self.open.append(self.leases.enter(user, session, self.now))

    @precondition(lambda self: bool(self.open))
    @rule(data=st.data(), visible=st.booleans(), viewing=st.sampled_from(["", "k"]))
    def attends(self, data: st.DataObject, viewing: str, *, visible: bool) -> None:
        self.leases.attend(data.draw(st.sampled_from(self.open)), viewing, visible=visible)

    @precondition(lambda self: bool(self.open))
    @rule(data=st.data())
    def closes(self, data: st.DataObject) -> None:
        seat = data.draw(st.sampled_from(self.open))
        self.open.remove(seat)
        self.leases.leave(seat)

    @rule()
    def misses(self) -> None:
        self.leases.renew()

    @rule(seconds=st.floats(0.01, 7.0))
    def waits(self, seconds: float) -> None:
        end = self.now + seconds
        while self.leases.due() <= end:
            self.now = max(self.now, self.leases.due())
            lease = self.leases.take(self.now, AT)
            if lease is not None:
                self.hear(lease)
        self.now = end

    def hear(self, lease: Lease) -> None:
        self.number += 1
        assert lease.number == self.number
        self.sent_at.append(self.now)
        if lease.whole:
            self.heard.clear()
        for one in lease.people:
            self.heard[one.user] = one.devices

    @rule(seconds=st.floats(GAP, 2 * GAP))
    def all_is_known_in_time(self, seconds: float) -> None:
        self.waits(seconds)
        known = {(user, one.session, one.visible, one.viewing) for user, all_ in self.heard.items() for one in all_}
        assert self.settled(self.now - GAP) <= known <= self.settled(self.now)

    def settled(self, by: float) -> set[tuple[str, str, bool, str]]:
        return {
            (seat.user, seat.session, bool(seat.visible), seat.viewing)
            for seat in self.open
            if seat.visible is not None or seat.ready <= by
        }

    @invariant()
    def never_more_often_than_allowed(self) -> None:
        assert all(
            later - earlier >= GAP - 1e-9 for earlier, later in zip(self.sent_at, self.sent_at[1:], strict=False)
        )


TestSending = Sending.TestCase
