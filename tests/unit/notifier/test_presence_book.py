"""Who is where, by leases and a clock of the test."""

from dataclasses import dataclass, field

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from actors.notifier.presence_book import DEAF, FRESH, GRACE, HIDE, LASTS, Book
from protocols.notifier import Attention, Device, Lease

WALL = 1_700_000_000_000

SEEN = Device(session="s1", visible=True, viewing="k")
HIDDEN = Device(session="s2", visible=False)


@dataclass
class Fronts:
    """Two fronts that send to a book; `now` is seconds since the start of the test."""

    book: Book = field(default_factory=Book)
    now: float = 100.0
    numbers: dict[str, int] = field(default_factory=dict)

    @property
    def wall(self) -> int:
        return WALL + int(self.now * 1000)

    def lease(self, front: str, whole: bool = True, at: int | None = None, /, **people: list[Device]) -> Lease:
        number = self.numbers[front] = self.numbers.get(front, 0) + 1
        named = [Attention(user=user, devices=devices) for user, devices in people.items()]
        return Lease(front=front, number=number, at=self.wall if at is None else at, people=named, whole=whole)

    def say(self, front: str, whole: bool = True, /, **people: list[Device]) -> None:
        self.hear(self.lease(front, whole, **people))

    def hear(self, lease: Lease) -> None:
        self.book.hear(lease, self.now, self.wall)

    def wait(self, seconds: float, front: str = "", **people: list[Device]) -> None:
        """Look every second; meanwhile `front` says these people each second."""
        for _ in range(int(seconds)):
            self.now += 1.0
            if front:
                self.say(front, **people)
            self.book.look(self.now)
        self.now += seconds % 1
        self.book.look(self.now)


def test_a_visible_device_is_online_and_a_hidden_one_is_away() -> None:
    fronts = Fronts()
    fronts.say("front.1:a", ann=[SEEN, HIDDEN], bob=[HIDDEN])
    fronts.say("front.2:b", cat=[SEEN])
    assert [fronts.book.state(who) for who in ("ann", "bob", "cat", "dan")] == ["online", "away", "online", "offline"]
    assert fronts.book.touched == {"ann", "bob", "cat"}
    assert list(fronts.book.devices("ann", fronts.now)) == [SEEN, HIDDEN]


def test_who_left_everywhere_is_offline_after_the_grace() -> None:
    fronts = Fronts()
    fronts.say("front.1:a", ann=[SEEN])
    left = fronts.wall
    fronts.say("front.1:a", False, ann=[])
    assert not fronts.book.there("ann")
    fronts.wait(GRACE - 0.5, "front.2:b")
    assert fronts.book.state("ann") == "online"
    fronts.book.touched.clear()
    fronts.wait(1, "front.2:b")
    assert fronts.book.state("ann") == "offline"
    assert fronts.book.touched == {"ann"}
    assert fronts.book.seen("ann") == left
    fronts.book.settled("ann")
    assert fronts.book.seen("ann") is None


def test_a_reload_is_not_seen_and_neither_is_a_move() -> None:
    fronts = Fronts()
    fronts.say("front.1:a", ann=[SEEN, HIDDEN])
    # The visible one goes over to the other front, while the hidden one stays.
    fronts.say("front.1:a", ann=[HIDDEN])
    assert fronts.book.state("ann") == "online"
    fronts.wait(3, "front.1:a", ann=[HIDDEN])
    fronts.say("front.2:b", ann=[SEEN])
    fronts.wait(GRACE, "front.2:b", ann=[SEEN])
    assert fronts.book.state("ann") == "online"


def test_hiding_the_page_is_away_a_little_later() -> None:
    fronts = Fronts()
    fronts.say("front.1:a", ann=[SEEN])
    hidden = fronts.wall
    fronts.say("front.1:a", ann=[HIDDEN])
    fronts.wait(HIDE - 1, "front.1:a", ann=[HIDDEN])
    assert fronts.book.state("ann") == "online"
    fronts.wait(1, "front.1:a", ann=[HIDDEN])
    assert fronts.book.state("ann") == "away"
    assert fronts.book.seen("ann") == hidden


def test_the_people_of_a_crashed_front_are_offline_when_the_lease_ends_and_not_before() -> None:
    fronts = Fronts()
    fronts.say("front.1:a", ann=[SEEN])
    last = fronts.wall
    fronts.wait(LASTS - 0.5, "front.2:b")
    assert fronts.book.state("ann") == "online"
    fronts.wait(0.5, "front.2:b")
    assert fronts.book.state("ann") == "offline"
    assert fronts.book.seen("ann") == last
    assert not fronts.book.there("ann")


def test_the_successor_of_a_crashed_front_shortens_that_to_the_grace() -> None:
    fronts = Fronts()
    fronts.say("front.1:a", ann=[SEEN], bob=[SEEN])
    fronts.wait(2, "front.2:b")
    fronts.say("front.1:z", bob=[SEEN])
    fronts.wait(GRACE, "front.1:z", bob=[SEEN])
    assert (fronts.book.state("ann"), fronts.book.state("bob")) == ("offline", "online")
    # What the old run had sent comes late.
    fronts.hear(fronts.lease("front.1:a", ann=[SEEN]))
    assert fronts.book.state("ann") == "offline"


def test_late_mail_of_the_run_before_does_not_replace_its_successor() -> None:
    fronts = Fronts()
    old = fronts.lease("front.1:a", ann=[SEEN])
    fronts.wait(1)
    fronts.say("front.1:z", bob=[SEEN])
    fronts.hear(old)
    assert (fronts.book.state("ann"), fronts.book.state("bob")) == ("offline", "online")


def test_numbers_that_were_overtaken_say_nothing() -> None:
    fronts = Fronts()
    first = fronts.lease("front.1:a", ann=[SEEN])
    fronts.say("front.1:a", False, ann=[HIDDEN])
    fronts.hear(first)
    assert fronts.book.state("ann") == "away"


def test_old_mail_counts_by_the_time_it_was_sent() -> None:
    fronts = Fronts()
    waited = fronts.lease("front.1:a", True, fronts.wall - 20_000, ann=[SEEN])
    gone = fronts.lease("front.3:c", True, fronts.wall - 30_000, bob=[SEEN])
    fronts.hear(waited)
    fronts.hear(gone)
    assert (fronts.book.state("ann"), fronts.book.state("bob")) == ("online", "offline")
    assert list(fronts.book.devices("ann", fronts.now)) == []
    fronts.wait(LASTS - 20, "front.2:b")
    assert fronts.book.state("ann") == "offline"


def test_a_front_whose_clock_is_ahead_is_not_there_for_longer() -> None:
    fronts = Fronts()
    fronts.hear(fronts.lease("front.1:a", True, fronts.wall + 3_600_000, ann=[SEEN]))
    fronts.wait(LASTS, "front.2:b")
    assert fronts.book.state("ann") == "offline"
    fronts.say("front.1:z", ann=[SEEN])
    assert fronts.book.state("ann") == "online"


def test_nobody_is_taken_to_look_at_what_they_looked_at_a_while_ago() -> None:
    fronts = Fronts()
    fronts.say("front.1:a", ann=[SEEN])
    fronts.wait(FRESH, "front.2:b")
    assert list(fronts.book.devices("ann", fronts.now)) == [SEEN]
    fronts.wait(1, "front.2:b")
    assert list(fronts.book.devices("ann", fronts.now)) == []
    assert fronts.book.state("ann") == "online"


def test_nobody_goes_while_no_front_is_heard_and_each_has_time_afterwards() -> None:
    fronts = Fronts()
    fronts.say("front.1:a", ann=[SEEN])
    fronts.say("front.2:b", bob=[SEEN], cat=[SEEN])
    fronts.say("front.2:b", bob=[SEEN])
    fronts.wait(100)
    assert not fronts.book.sure(fronts.now)
    assert [fronts.book.state(who) for who in ("ann", "bob", "cat")] == ["online"] * 3
    fronts.say("front.1:a", ann=[SEEN])
    fronts.wait(DEAF - 1, "front.1:a", ann=[SEEN])
    assert not fronts.book.sure(fronts.now)
    assert [fronts.book.state(who) for who in ("ann", "bob", "cat")] == ["online"] * 3
    fronts.wait(1, "front.1:a", ann=[SEEN])
    assert fronts.book.sure(fronts.now)
    assert [fronts.book.state(who) for who in ("ann", "bob", "cat")] == ["online", "offline", "offline"]


def test_after_a_start_those_who_were_there_have_a_round_to_be_heard() -> None:
    fronts = Fronts()
    fronts.book.restore([("ann", "online"), ("bob", "away"), ("cat", "online")])
    fronts.wait(20)
    assert [fronts.book.state(who) for who in ("ann", "bob", "cat")] == ["online", "away", "online"]
    fronts.say("front.1:a", ann=[SEEN])
    fronts.wait(DEAF, "front.1:a", ann=[SEEN])
    assert [fronts.book.state(who) for who in ("ann", "bob", "cat")] == ["online", "offline", "offline"]
    assert {"bob", "cat"} <= fronts.book.touched


def test_fronts_that_are_a_little_late_each_time_keep_nobody_for_ever() -> None:
    fronts = Fronts()
    fronts.say("front.1:a", ann=[SEEN])
    fronts.say("front.1:a")
    for _ in range(3):
        fronts.wait(DEAF + 0.5)
        fronts.say("front.1:a")
    assert fronts.book.state("ann") == "offline"


class Installation(RuleBasedStateMachine):
    """People with devices at two fronts that crash, move and restart, against what everybody knows of them.

    Leases get lost, come twice and come late. Within a grace and a round of anything, what the book says is true; who
    kept a visible device all along was never shown as anything but online.
    """

    @initialize()
    def begin(self) -> None:
        self.now = 0.0
        self.book = Book()
        self.runs = {"front.1": 1, "front.2": 1}
        self.numbers = {"front.1": 0, "front.2": 0}
        self.at: dict[tuple[str, str], dict[int, bool]] = {}
        self.sent: list[Lease] = []
        self.unheard: set[str] = set()
        self.device = 0
        self.tell_all()

    # What people do.

    def where(self, person: str) -> dict[int, bool]:
        return {key: seen for (_, who), devices in self.at.items() if who == person for key, seen in devices.items()}

    def truth(self, person: str) -> str:
        devices = self.where(person)
        return "online" if any(devices.values()) else "away" if devices else "offline"

    @rule(front=st.sampled_from(["front.1", "front.2"]), person=st.sampled_from("ab"), seen=st.booleans())
    def opens(self, front: str, person: str, *, seen: bool) -> None:
        self.device += 1
        self.at.setdefault((front, person), {})[self.device] = seen
        self.touched(front, person)

    @rule(front=st.sampled_from(["front.1", "front.2"]), person=st.sampled_from("ab"))
    def toggles(self, front: str, person: str) -> None:
        devices = self.at.get((front, person))
        if devices:
            key = min(devices)
            devices[key] = not devices[key]
            self.touched(front, person)

    @rule(front=st.sampled_from(["front.1", "front.2"]), person=st.sampled_from("ab"))
    def closes(self, front: str, person: str) -> None:
        devices = self.at.get((front, person))
        if devices:
            del devices[max(devices)]
            self.touched(front, person)

    def touched(self, front: str, person: str) -> None:
        self.tell(front, [person])

    # What fronts do.

    @rule(front=st.sampled_from(["front.1", "front.2"]))
    def crashes(self, front: str) -> None:
        """Everybody there comes to the other front, as they were, within three seconds."""
        self.runs[front] += 1
        self.numbers[front] = 0
        other = "front.2" if front == "front.1" else "front.1"
        self.moves(front, other)

    @rule(front=st.sampled_from(["front.1", "front.2"]))
    def drains(self, front: str) -> None:
        other = "front.2" if front == "front.1" else "front.1"
        people = [who for (name, who), devices in self.at.items() if name == front and devices]
        left = {key: devices for key, devices in self.at.items() if key[0] == front}
        for key in left:
            del self.at[key]
        self.tell(front, people)
        self.runs[front] += 1
        self.numbers[front] = 0
        self.at.update(left)
        self.moves(front, other)

    def moves(self, front: str, other: str) -> None:
        self.passes(3.0, silent=front)
        for (name, who), devices in list(self.at.items()):
            if name == front:
                self.at.setdefault((other, who), {}).update(devices)
                del self.at[name, who]
        self.tell_all()

    def lease(self, front: str, people: list[str], *, whole: bool) -> Lease:
        self.numbers[front] += 1
        named = [
            Attention(
                user=who,
                devices=[Device(session=str(key), visible=seen) for key, seen in self.at.get((front, who), {}).items()],
            )
            for who in people
        ]
        return Lease(
            front=f"{front}:{self.runs[front]}",
            number=self.numbers[front],
            at=WALL + int(self.now * 1000),
            people=[one for one in named if one.devices or not whole],
            whole=whole,
        )

    def tell(self, front: str, people: list[str]) -> None:
        lease = self.lease(front, people, whole=False)
        self.sent.append(lease)
        self.hear(lease)

    def tell_all(self, silent: str = "") -> None:
        for front in ("front.1", "front.2"):
            if front != silent:
                self.hear(self.lease(front, ["a", "b"], whole=True))
        if not silent:
            self.unheard.clear()

    def hear(self, lease: Lease) -> None:
        self.book.hear(lease, self.now, WALL + int(self.now * 1000))

    # What the line and the clock do.

    @rule(data=st.data())
    def old_mail_comes_again(self, data: st.DataObject) -> None:
        if self.sent:
            self.hear(data.draw(st.sampled_from(self.sent)))

    @rule(front=st.sampled_from(["front.1", "front.2"]), person=st.sampled_from("ab"))
    def a_lease_is_lost(self, front: str, person: str) -> None:
        devices = self.at.setdefault((front, person), {})
        self.device += 1
        devices[self.device] = False
        self.unheard.add(person)
        self.numbers[front] += 1

    @rule(seconds=st.floats(1.0, 12.0))
    def time_passes(self, seconds: float) -> None:
        self.passes(seconds)

    @rule(seconds=st.floats(1.0, 100.0))
    def the_line_is_down(self, seconds: float) -> None:
        self.now += seconds
        self.book.look(self.now)
        self.tell_all()

    @rule()
    def notifier_restarts(self) -> None:
        kept = [(who, self.book.state(who)) for who in "ab"]
        self.book = Book()
        self.book.restore((who, state) for who, state in kept if state != "offline")
        self.passes(2.0)

    def passes(self, seconds: float, silent: str = "") -> None:
        end = self.now + seconds
        while self.now < end:
            self.now = min(self.now + 1.0, end)
            self.book.look(self.now)
            self.tell_all(silent)
            self.never_less_than_true()

    @rule()
    def all_is_true_in_the_end(self) -> None:
        self.passes(GRACE + 2.0)
        assert {who: self.book.state(who) for who in "ab"} == {who: self.truth(who) for who in "ab"}

    @precondition(lambda self: hasattr(self, "book"))
    @invariant()
    def never_less_than_true(self) -> None:
        rank = ["offline", "away", "online"]
        for who in "ab":
            if who not in self.unheard:
                assert rank.index(self.book.state(who)) >= rank.index(self.truth(who)), who


TestInstallation = Installation.TestCase
