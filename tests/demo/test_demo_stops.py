"""What the stop button did not stop: the demo's second table, acted out for real, and that it does not lie for us."""

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import openai
import pytest
from click.testing import CliRunner

from streamgauge.cli import main
from streamgauge.demo import Provider, overhead, stops
from streamgauge.demo.stops import PRESSES, Facts, Inbox, Stopped
from streamgauge.ledger import current_ledger, use_ledger
from streamgauge.schema.check import Checker

QUICK = ["demo", "--faults", "healthy", "--streams", "3"]


@pytest.fixture(autouse=True)
def no_overhead(monkeypatch: pytest.MonkeyPatch) -> None:
    """What observing costs is another test's matter."""
    monkeypatch.setattr(overhead, "measure", lambda _provider: ())


@pytest.fixture(scope="module")
def pressed() -> Iterator[dict[str, Stopped]]:
    """One real run of every press of Stop."""
    untouched = vars(openai.Stream)["__stream__"]
    with Provider() as provider:
        yield {stopped.press.name: stopped for stopped in stops.measure(provider)}
    assert vars(openai.Stream)["__stream__"] is untouched
    assert current_ledger(open_default=False) is None


def test_every_press_is_recorded_as_it_was(pressed: dict[str, Stopped]) -> None:
    assert list(pressed) == [press.name for press in PRESSES]
    assert [stopped.problems for stopped in pressed.values()] == [()] * len(PRESSES)
    positions = {stopped.recorded.position for stopped in pressed.values() if stopped.recorded}
    assert positions == {"before_dispatch", "in_flight", "after_commit"}


def test_before_during_and_after_are_three_verdicts_until_the_mail_server_was_asked(
    pressed: dict[str, Stopped],
) -> None:
    told = {name: (stopped.at_stop, stopped.recorded.verdict) for name, stopped in pressed.items() if stopped.recorded}
    assert told == {
        "before": ("clean", "clean"),
        "during": ("partial_commit", "partial_commit"),
        "during_lost": ("unknown", "partial_commit"),
        "after": ("partial_commit", "partial_commit"),
    }


def test_the_difference_has_the_sign_of_the_moment(pressed: dict[str, Stopped]) -> None:
    before, during, lost, after = pressed.values()
    assert (before.stop_after_start_ms, before.stop_after_commit_ms) == (None, None)
    assert during.stop_after_start_ms is not None and during.stop_after_start_ms > 0
    assert during.stop_after_commit_ms is not None and during.stop_after_commit_ms < 0
    assert lost.stop_after_start_ms is not None and lost.stop_after_start_ms > 0
    assert lost.stop_after_commit_ms is None, "a commit that only a probe found has no time"
    assert after.stop_after_commit_ms is not None and after.stop_after_commit_ms > 0


def test_the_table_stands_after_the_others_and_all_presses_agree() -> None:
    said = CliRunner().invoke(main, QUICK)
    assert said.exit_code == 0, said.output
    table = said.stdout.partition("What the stop button did not stop")[2].splitlines()
    for press in PRESSES:
        (line,) = [line for line in table if line.startswith(f"{press.name} ")]
        assert line.endswith("  yes")
        expected = press.expected
        words = (f"{expected.outcome} by user_stop", expected.effect_state, expected.position, expected.verdict)
        for word in (*words, press.at_stop):
            assert f"  {word}  " in line
    assert f"All {len(PRESSES)} presses of Stop agree" in said.stdout


def test_json_has_the_presses_and_keeps_its_schema() -> None:
    said = CliRunner().invoke(main, [*QUICK, "--json"])
    assert said.exit_code == 0, said.output
    summary = json.loads(said.stdout)
    assert summary["agree"] is True
    assert [stop["name"] for stop in summary["stops"]] == [press.name for press in PRESSES]
    assert all(stop["recorded"] == stop["expected"] for stop in summary["stops"])
    assert [stop["recorded"]["verdict_at_stop"] for stop in summary["stops"]] == [press.at_stop for press in PRESSES]
    assert summary["streams"] == 3, "streams that were stopped around a tool are not among the others"
    assert Checker().line(json.dumps(summary).encode()) == []
    summary["stops"][0]["expected"]["verdict"] = "fine"
    del summary["stops"][1]["recorded"]["messages"]
    summary["stops"][2]["recorded"]["verdict_at_stop"] = "fine"
    assert len(Checker().line(json.dumps(summary).encode())) >= 3


def test_mail_that_the_ledger_does_not_know_of_fails_the_run_and_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    send = Inbox.send

    def twice(self: Inbox, key: str, text: str) -> None:
        send(self, key, text)
        if not self.hold:
            send(self, key, text)

    monkeypatch.setattr(Inbox, "send", twice)
    said = CliRunner().invoke(main, QUICK)
    assert said.exit_code == 1
    assert "All 3 rows (story x API) agree." in said.stdout
    assert f"1 of {len(PRESSES)} presses of Stop do not agree:" in said.stdout
    assert "  after, messages, messages 2, expected 1" in said.stdout
    assert re.search(r"^after .* 2, expected 1  NO$", said.stdout, re.MULTILINE)


def test_a_fence_that_is_down_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    def without_fence(url: str, **choices: Any) -> Any:
        return use_ledger(url, fence="off", **choices)

    monkeypatch.setattr(stops, "use_ledger", without_fence)
    said = CliRunner().invoke(main, [*QUICK, "--json"])
    assert said.exit_code == 1
    summary = json.loads(said.stdout)
    assert summary["agree"] is False
    assert [stop["name"] for stop in summary["stops"] if not stop["agree"]] == ["before"]
    assert "messages 1, expected 0" in summary["stops"][0]["problems"]


def test_a_press_without_a_record_does_not_agree() -> None:
    missing = Stopped(PRESSES[0], None)
    assert missing.problems == ("no reconciliation record with one effect",)
    assert missing.to_dict()["recorded"] is None
    other = Stopped(PRESSES[0], replace(PRESSES[0].expected, initiator="deadline"), "clean")
    assert other.problems == ("initiator deadline, expected user_stop",)
    assert Facts("cancelled", "user_stop", "never_started", "before_dispatch", "clean", 0) == PRESSES[0].expected
