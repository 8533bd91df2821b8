"""Consent is what contacts' and auth's databases say now, read again only when one of them has changed."""

from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from protocols.errors import Refusal
from storage import Database, consent
from storage.auth import AUTH
from storage.consent import Consent
from tests.support.chat import BLOCKED, CONTACT, relate
from tests.support.people import ANN, BOB, CAT, make_people


@pytest.fixture
async def told(tmp_path: Path) -> AsyncIterator[Consent]:
    await make_people(tmp_path, ANN, BOB, CAT)
    await relate(tmp_path, [(ANN, BOB)])
    told = Consent(tmp_path)
    yield told
    told.close()


def asked(told: Consent, one: str = ANN, other: str = BOB) -> bool:
    told.check()
    return told.between(one, other)


def reads(told: Consent, monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """Grows by one with each read of contacts' database."""
    found: list[object] = []
    read = told._contacts.read

    def counting(work: Callable[..., object]) -> object:
        found.append(work)
        return read(work)

    monkeypatch.setattr(told._contacts, "read", counting)
    return found


async def test_it_follows_both_databases(told: Consent, tmp_path: Path) -> None:
    assert asked(told)
    assert asked(told, BOB, ANN)
    assert not asked(told, ANN, CAT)
    await relate(tmp_path, [(ANN, BOB)], BLOCKED)
    assert not asked(told)
    await relate(tmp_path, [(ANN, BOB)], CONTACT)
    assert asked(told)
    auth = await Database.open(AUTH, tmp_path)
    await auth.run(lambda tx: tx.accounts.set_disabled(ANN, disabled=True))
    assert not asked(told)
    await auth.run(lambda tx: tx.accounts.set_disabled(ANN, disabled=False))
    assert asked(told)
    await auth.close()


async def test_a_contact_without_an_account_gets_nothing(told: Consent, tmp_path: Path) -> None:
    await relate(tmp_path, [(ANN, "ghost")])
    assert not asked(told, ANN, "ghost")


async def test_what_has_not_changed_is_not_read_again(
    told: Consent, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = reads(told, monkeypatch)
    assert all([asked(told), asked(told), asked(told)])
    assert len(found) == 1
    await relate(tmp_path, [(BOB, CAT)])
    assert asked(told)
    assert len(found) == 2


async def test_what_it_keeps_is_bounded(told: Consent, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(consent, "PAIRS", 3)
    for number in range(10):
        told.check()
        assert not told.between(ANN, f"nobody-{number}")
        assert len(told._known) <= 3
    assert asked(told)


async def test_a_missing_database_is_no_answer(told: Consent, tmp_path: Path) -> None:
    assert asked(told)
    file = tmp_path / "contacts.db"
    file.rename(tmp_path / "away")
    with pytest.raises(Refusal) as refused:
        told.check()
    assert refused.value.code == "unavailable"
    (tmp_path / "away").rename(file)
    assert asked(told)
