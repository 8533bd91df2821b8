"""Names and arguments: both ends derive the same ones, and what cannot be changed later is part of the name."""

from actors.runtime import topology
from settings.model import Broker


def test_what_cannot_be_changed_on_a_queue_is_part_of_its_name() -> None:
    plain = Broker()
    others = [Broker(mailbox_type="quorum"), Broker(mailbox_bound=5), Broker(namespace="other")]
    names = {topology.mailbox(one, "router") for one in (plain, *others)}
    assert len(names) == 4
    assert topology.mailbox(plain, "router") == "parley.router.classic.100000"


def test_every_name_starts_with_the_installations_own_word() -> None:
    broker = Broker(namespace="mine")
    names = [topology.mailbox(broker, "a"), topology.dead_letters(broker, "a"), topology.fronts(broker)]
    assert all(name.startswith("mine.") for name in names)
    assert len(set(names)) == 3


def test_a_full_mailbox_refuses_and_one_owner_at_a_time_reads_it() -> None:
    for kind in ("classic", "quorum"):
        arguments = topology.mailbox_arguments(Broker(mailbox_type=kind, mailbox_bound=7), "router")
        assert arguments["x-overflow"] == "reject-publish"
        assert arguments["x-max-length"] == 7
        assert arguments["x-single-active-consumer"] is True
        assert arguments["x-queue-type"] == kind


def test_the_broker_never_throws_away_what_was_redelivered_often() -> None:
    assert topology.mailbox_arguments(Broker(mailbox_type="quorum"), "router")["x-delivery-limit"] == -1
    # A classic queue has no such limit, and refuses to hear of one.
    assert "x-delivery-limit" not in topology.mailbox_arguments(Broker(), "router")


def test_pieces_of_files_go_through_a_classic_queue_in_any_case() -> None:
    quorum = Broker(mailbox_type="quorum")
    assert topology.mailbox(quorum, "file_chunker") == "parley.file_chunker.classic.100000"
    assert topology.mailbox_arguments(quorum, "file_chunker") == topology.mailbox_arguments(Broker(), "file_chunker")


def test_dead_letters_are_never_dropped_and_pushes_drop_the_oldest() -> None:
    assert topology.dead_letter_arguments()["x-overflow"] == "reject-publish"
    pushes = topology.push_arguments()
    assert pushes["x-overflow"] == "drop-head"
    assert pushes["x-max-length-bytes"] == topology.PUSH_BYTES
