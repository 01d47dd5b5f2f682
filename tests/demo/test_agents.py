"""The agents of `demo --serve`: their tools leave every kind of trace in the ledger, and nothing behind."""

import time
from collections.abc import Callable
from typing import Any

import pytest
from tests.capture.watching import watching

from streamgauge.demo import Provider, agents
from streamgauge.demo.agents import TURNS, Agents
from streamgauge.ledger import current_ledger
from streamgauge.names import FOLLOW_UP, FOLLOW_UPS, FollowUp

WANTED = {"consistent", "clean", "partial_commit", "compensated", "effect_failed"}


def until(found: Callable[[], Any], seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while not found():
        assert time.monotonic() < deadline, "not in time"
        time.sleep(0.05)


def test_a_round_of_turns_leaves_every_verdict_and_is_over_when_it_is_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(agents, "_PAUSE", 0.01)
    monkeypatch.delenv(agents.LEDGER_URL, raising=False)
    with Provider(defaults={"gap_ms": 0, "first_ms": 0}) as provider, watching() as watch:
        with Agents(provider, seed=1):
            ledger = current_ledger(open_default=False)
            assert ledger is not None
            until(lambda: {record["verdict"] for record in ledger.reconciliations()} >= WANTED)
            until(ledger.undeclared)
            counted = {point.attributes[FOLLOW_UP]: point.value for point in watch.points()[FOLLOW_UPS.name]}
            assert counted.keys() == set(FollowUp)
            states = {entry.state.value for entry in ledger.entries()}
        assert current_ledger(open_default=False) is None
    assert {"never_started", "committed", "failed_no_effect", "compensated"} <= states


def test_every_press_of_stop_says_what_became_of_the_answer() -> None:
    assert [turn.then for turn in TURNS if bool(turn.stop) != (turn.then is not None)] == []
    assert {turn.then for turn in TURNS} - {None} == set(FollowUp)
