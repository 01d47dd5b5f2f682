"""What is written without looking is written only where it is true, on both databases."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from tests.ledger.test_store import at_once

from streamgauge.ledger import EffectState
from streamgauge.ledger.entry import Entry
from streamgauge.ledger.errors import Mistaken
from streamgauge.ledger.ledger import Ledger
from streamgauge.ledger.writing import Changes, joined

STARTED = Entry("k", 1, "send", "external_message", EffectState.STARTED, "hash", "mine", 1, 2)
NOTE = {"at_ns": 1, "what": "x", "key": "k", "attempt": 1, "stream_ref": None, "actor": None, "detail": None}


def note(entry: Entry) -> dict[str, Any]:
    return NOTE | {"key": entry.key, "attempt": entry.attempt}


@pytest.fixture
def opened(any_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Ledger]:
    """A ledger that holds one started effect and lets everybody in by one door."""
    with Ledger(any_url) as ledger:
        monkeypatch.setattr(ledger._database, "_doors", ledger._database._doors[:1])
        ledger._database.post(Changes(added=[STARTED]))
        yield ledger


def committed(known: Entry, **values: Any) -> Changes:
    return Changes(moved=[(known, known.evolve(state=EffectState.COMMITTED, **values))], noted=[note(known)])


def inside(ledger: Ledger, changes: Changes) -> None:
    """As a transaction that also looks does it."""

    def work(journal: Any) -> None:
        journal._changed = {(known.key, known.attempt): (known, entry) for known, entry in changes.moved}
        journal._new = {(entry.key, entry.attempt): entry for entry in changes.added}
        journal._notes = changes.noted

    ledger._store.write(work)


def outside(ledger: Ledger, changes: Changes) -> None:
    ledger._database.post(changes)


WRONG = {
    "is not there": committed(STARTED.evolve(key="other")),
    "is another attempt": committed(STARTED.evolve(attempt=2)),
    "is in another state": committed(STARTED.evolve(state=EffectState.UNKNOWN)),
    "is somebody else's": committed(STARTED.evolve(token="theirs")),
    "is there already": Changes(added=[STARTED.evolve(token="theirs")], noted=[NOTE]),
}


@pytest.mark.parametrize("write", [inside, outside])
@pytest.mark.parametrize("changes", WRONG.values(), ids=WRONG.keys())
def test_nothing_is_written_of_an_entry_that_is_not_what_it_was_taken_for(
    opened: Ledger, changes: Changes, write: Callable[[Ledger, Changes], None]
) -> None:
    with pytest.raises(Mistaken):
        write(opened, changes)
    assert opened.entries() == [STARTED]
    assert opened.history() == []


@pytest.mark.parametrize("write", [inside, outside])
def test_only_what_changes_is_written(opened: Ledger, write: Callable[[Ledger, Changes], None]) -> None:
    opened._database.write(
        lambda connection: connection.exec_driver_sql("UPDATE streamgauge_effect SET lease_ns = 9") and None
    )
    write(opened, committed(STARTED, committed_ns=3, result={"a": [1, None]}, reason="r"))
    assert opened.entries() == [
        STARTED.evolve(state=EffectState.COMMITTED, committed_ns=3, result={"a": [1, None]}, reason="r", lease_ns=9)
    ]
    assert [line["what"] for line in opened.history()] == ["x"]


@pytest.mark.parametrize("changes", WRONG.values(), ids=WRONG.keys())
def test_nothing_is_written_of_several_of_which_one_is_not_what_it_was_taken_for(
    opened: Ledger, changes: Changes
) -> None:
    fresh = [STARTED.evolve(key=f"n{n}") for n in range(3)]
    with pytest.raises(Mistaken):
        inside(opened, joined([Changes(added=fresh, noted=[note(entry) for entry in fresh]), changes]))
    assert opened.entries() == [STARTED]
    assert opened.history() == []


def test_several_that_move_differently_and_lines_about_none_are_written_in_one_transaction(opened: Ledger) -> None:
    fresh = [STARTED.evolve(key=f"n{n}") for n in range(3)]
    inside(opened, Changes(added=fresh, noted=[note(entry) for entry in fresh]))
    lost, other = fresh[0].evolve(state=EffectState.UNKNOWN, reason="lost"), STARTED.evolve(key="new")
    both = Changes(moved=[(fresh[0], lost), *committed(fresh[1], committed_ns=3).moved], added=[other], noted=[NOTE])
    inside(opened, both)
    inside(opened, Changes(noted=[NOTE | {"what": "y", "key": None, "attempt": None}]))
    expected = [STARTED, lost, fresh[1].evolve(state=EffectState.COMMITTED, committed_ns=3), fresh[2], other]
    assert sorted(opened.entries(), key=key_of) == sorted(expected, key=key_of)
    assert [line["what"] for line in opened.history()] == ["x"] * 4 + ["y"]


def key_of(entry: Entry) -> str:
    return entry.key


def test_whose_changes_are_wrong_is_told_so_and_those_who_shared_the_commit_are_not(opened: Ledger) -> None:
    errors: list[str] = []

    def write(key: str) -> None:
        try:
            opened._database.post(changes[key])
        except Mistaken:
            errors.append(key)

    fresh = [STARTED.evolve(key=f"n{n}", result=n) for n in range(40)]
    others = {entry.key: Changes(added=[entry], noted=[note(entry)]) for entry in fresh}
    lost = Changes(moved=[(STARTED, STARTED.evolve(state=EffectState.UNKNOWN, reason="lost"))], noted=[NOTE])
    changes = others | WRONG | {"good": lost}
    at_once(opened._database._doors[0], write, list(changes))
    assert sorted(errors) == sorted(WRONG)
    assert {entry.key: entry.result for entry in opened.entries()} == {f"n{n}": n for n in range(40)} | {"k": None}
    assert next(entry for entry in opened.entries(key="k")).state is EffectState.UNKNOWN
    assert len(opened.history()) == 41
