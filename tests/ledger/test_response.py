"""One wish, one key: made from the provider's response id and the tool call, whichever stream carries the answer."""

import contextlib
import json
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from tests.capture.watching import Watch
from tests.ledger.conftest import HandClock, Postgres

import streamgauge
from streamgauge.ledger import (
    DuplicateEffect,
    EffectInputError,
    Ledger,
    NoEffect,
    StoreUnavailable,
    close_ledger,
    reference,
    use_ledger,
)
from streamgauge.ledger.journal import Journal

TOOLS = {
    "x-streamgauge-fault": "tools",
    "x-streamgauge-script": json.dumps({"tools": [{"name": "send", "arguments": {"n": 7}}, {"name": "look_up"}]}),
}


def keys(ledger: Ledger) -> list[str]:
    return [entry.key for entry in ledger.entries()]


def send(ledger: Ledger, reference: str) -> str:
    with ledger.effect("send", tool_call=reference) as effect:
        return effect.idempotency_key


def away(_: object) -> None:
    raise StoreUnavailable("the store", "away")


def test_the_key_is_made_from_the_response_wherever_it_is_known(ledger: Ledger) -> None:
    ledger.begin_stream("s1", response_id="resp_1")
    assert send(ledger, "s1#c1") == "resp_1#c1:send"
    assert send(ledger, "s1#c2") == "resp_1#c2:send"
    assert send(ledger, "unknown#c1") == "unknown#c1:send"
    assert [(stream.ref, stream.response_id) for stream in ledger.streams()] == [("s1", "resp_1"), ("unknown", None)]


def test_a_resumed_answer_does_not_do_it_again(ledger: Ledger) -> None:
    for ref in ("s1", "s2"):
        ledger.begin_stream(ref, response_id="resp_1")
    send(ledger, "s1#c1")
    with pytest.raises(DuplicateEffect) as duplicate:
        send(ledger, "s2#c1")
    assert duplicate.value.entry is not None
    assert duplicate.value.entry.stream_ref == "s1"


def test_an_answer_whose_name_is_learned_late_keeps_the_key_that_came_first(ledger: Ledger) -> None:
    assert send(ledger, "s1#c1") == "s1#c1:send"
    ledger.end_stream("s1", "truncated", response_id="resp_1")
    ledger.begin_stream("s2", response_id="resp_1")
    for again in ("s1#c1", "s1#resp_1#c1", "s2#c1", "s3#resp_1#c1"):
        with pytest.raises(DuplicateEffect):
            send(ledger, again)
    assert keys(ledger) == ["s1#c1:send"]


def test_what_is_proven_absent_is_tried_again_under_the_same_key_by_the_stream_that_resumes(ledger: Ledger) -> None:
    with pytest.raises(NoEffect), ledger.effect("send", tool_call="s1#resp_1#c1"):
        raise NoEffect
    send(ledger, "s2#resp_1#c1")
    assert [(entry.key, entry.attempt) for entry in ledger.entries()] == [("resp_1#c1:send", 1), ("resp_1#c1:send", 2)]


@pytest.mark.parametrize("declared", ["s1", "s2"])
@pytest.mark.parametrize("late", [False, True])
def test_an_effect_of_one_stream_answers_for_the_call_in_every_stream_of_the_answer(
    any_url: str, declared: str, late: bool
) -> None:
    """Also when the effect comes after both streams have ended, as long as nobody gave the call up."""
    with Ledger(any_url) as ledger:
        if not late:
            ledger.begin_stream(declared, response_id="resp_1")
            send(ledger, f"{declared}#c1")
        for ref in ("s1", "s2"):
            ledger.begin_stream(ref, response_id="resp_1")
            for call in ("c1", "c2"):
                ledger.observe_tool_call(ref, call, "send")
            ledger.end_stream(ref, "completed")
        if late:
            send(ledger, f"{declared}#c1")
        dark = [(call.stream_ref, call.tool_call_id) for call in ledger.undeclared()]
        assert sorted(dark) == [("s1", "c2"), ("s2", "c2")]
        assert ledger.statistics().undeclared == 2
        send(ledger, f"{declared}#c2")
        assert ledger.undeclared() == []
        ledger.reconcile()
        records = {record["stream"]: record for record in ledger.reconciliations()}
        assert all(not record["undeclared"] for record in records.values())
        assert [effect["tool_call_id"] for effect in records[declared]["effects"]] == ["c1", "c2"]


def given_up(ledger: Ledger, clock: HandClock) -> None:
    """Two streams of an answer whose tool calls nobody declared in time: both records say so."""
    for ref in ("s1", "s2"):
        ledger.begin_stream(ref, response_id="resp_1")
        for call in ("c1", "c2"):
            ledger.observe_tool_call(ref, call, "send")
        ledger.end_stream(ref, "completed")
    clock.turn(3600)
    ledger.reconcile()
    assert in_the_dark(ledger) == {"s1": ["c1", "c2"], "s2": ["c1", "c2"]}


def in_the_dark(ledger: Ledger) -> dict[str, list[str]]:
    """Which tool calls the newest record of each stream lists as undeclared."""
    return {
        record["stream"]: [call["tool_call_id"] for call in record["undeclared"]] for record in ledger.reconciliations()
    }


@pytest.mark.parametrize("declared", ["s1", "s2"])
def test_an_effect_after_the_call_was_given_up_is_told_by_the_record_of_every_stream_of_the_answer(
    any_url: str, clock: HandClock, declared: str
) -> None:
    with Ledger(any_url, clock=clock) as ledger:
        given_up(ledger, clock)
        send(ledger, f"{declared}#c1")
        ledger.reconcile()
        clock.turn(3600)
        ledger.reconcile()
        assert in_the_dark(ledger) == {"s1": ["c2"], "s2": ["c2"]}
        send(ledger, f"{declared}#c2")
        assert in_the_dark(ledger) == {"s1": [], "s2": []}


def test_an_effect_that_ran_while_the_store_was_away_is_told_by_the_record_of_the_other_stream(
    any_url: str, clock: HandClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Ledger(any_url, clock=clock, on_store_failure="memory") as ledger:
        given_up(ledger, clock)
        with monkeypatch.context() as patch:
            patch.setattr(ledger._database, "write", away)
            for call in ("c1", "c2"):
                send(ledger, f"s2#{call}")
        ledger.reconcile()
        assert in_the_dark(ledger) == {"s1": [], "s2": []}


@pytest.mark.parametrize("learn", ["begin", "end"])
def test_a_stream_whose_answer_is_learned_late_speaks_for_the_other_that_was_given_up(
    any_url: str, clock: HandClock, learn: str
) -> None:
    with Ledger(any_url, clock=clock) as ledger:
        given_up(ledger, clock)
        for call in ("c1", "c2"):
            send(ledger, f"s3#{call}")
        assert in_the_dark(ledger)["s1"] == ["c1", "c2"]
        if learn == "begin":
            ledger.begin_stream("s3", response_id="resp_1")
        else:
            ledger.end_stream("s3", "completed", response_id="resp_1")
        told = in_the_dark(ledger)
        assert (told["s1"], told["s2"]) == ([], [])


def test_effects_of_two_streams_of_one_answer_never_wait_for_each_other_in_a_circle(
    postgres: Postgres, postgres_url: str
) -> None:
    calls = [f"c{number}" for number in range(8)]
    done: list[str] = []

    def circles() -> int:
        return (postgres.directory / "log").read_text().count("deadlock detected")

    def work(ledger: Ledger, refs: tuple[str, str]) -> None:
        for call in calls:
            for ref in refs:
                with contextlib.suppress(DuplicateEffect):
                    done.append(send(ledger, f"{ref}#{call}"))

    before = circles()
    with Ledger(postgres_url) as ledger:
        for ref in ("s1", "s2"):
            ledger.begin_stream(ref, response_id="resp_1")
            for call in calls:
                ledger.observe_tool_call(ref, call, "send")
            ledger.end_stream(ref, "completed")
        threads = [
            threading.Thread(target=work, args=(ledger, refs))
            for refs in (("s1", "s2"), ("s2", "s1"))
            for _ in range(2)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(done) == sorted(f"resp_1#{call}:send" for call in calls)
        assert in_the_dark(ledger) == {"s1": [], "s2": []}
    assert circles() == before


def test_an_effect_of_an_answer_that_one_stream_carries_asks_nothing_about_others(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    monkeypatch.setattr(Journal, "touch_siblings", lambda _journal, ref, *_: asked.append(ref))
    ledger.begin_stream("s1", response_id="resp_1")
    send(ledger, "s1#c1")
    assert asked == []
    ledger.begin_stream("s2", response_id="resp_1")
    send(ledger, "s1#c2")
    assert asked == ["s1"]


def test_a_reference_carries_the_response_to_another_process(ledger: Ledger, url: str) -> None:
    with ledger.effect("send", tool_call="s1#resp_1#c1") as effect:
        assert effect.reference == "s1#resp_1#c1"
    with Ledger(url) as elsewhere, pytest.raises(DuplicateEffect):
        send(elsewhere, effect.reference)


def test_a_key_that_was_given_is_left_alone(ledger: Ledger) -> None:
    ledger.begin_stream("s1", response_id="resp_1")
    for key in ("mine", "mine too"):
        with ledger.effect("send", key=key, tool_call="s1#c1"):
            pass
    assert keys(ledger) == ["mine", "mine too"]


@pytest.mark.parametrize("bad", ["", "a#b"])
def test_a_response_id_that_would_not_fit_a_reference_is_refused(ledger: Ledger, bad: str) -> None:
    with pytest.raises(EffectInputError, match="response_id"):
        ledger.begin_stream("s1", response_id=bad)
    assert ledger.streams() == []


def test_a_store_that_is_away_does_not_keep_the_key_from_being_made(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with Ledger(url, on_store_failure="memory") as ledger:
        with monkeypatch.context() as patch:
            patch.setattr(ledger._database, "write", away)
            key = send(ledger, "s1#resp_1#c1")
        assert (key, keys(ledger)) == ("resp_1#c1:send", [])
        ledger.reconcile()
        assert keys(ledger) == ["resp_1#c1:send"]


# real streams


@pytest.fixture
def in_use(gauge: Watch, url: str) -> Iterator[Ledger]:
    yield use_ledger(url)
    close_ledger()


def test_a_background_response_that_is_resumed_in_another_stream_knows_its_tool_calls(
    clients: dict[str, Any], in_use: Ledger, gauge: Watch
) -> None:
    client = clients["openai"]
    first = client.responses.create(
        model="demo-background", input="hi", stream=True, background=True, store=True, extra_headers=TOOLS
    )
    call_id, last = "", 0
    for event in first:
        last = event.sequence_number
        if event.type == "response.output_item.done" and event.item.type == "function_call":
            call_id = event.item.call_id
            break
    with streamgauge.effect("send", tool_call=call_id) as effect:
        pass
    first.close()
    one = streamgauge.current()
    rest = list(client.responses.retrieve(_response(gauge), stream=True, starting_after=last))
    two = streamgauge.current()
    assert rest and one is not None and two is not None and one.id != two.id
    assert effect.idempotency_key == f"{_response(gauge)}#{call_id}:send"
    with pytest.raises(DuplicateEffect), streamgauge.effect("send", tool_call=call_id, stream=two.id):
        pytest.fail("it was done already")


def _response(gauge: Watch) -> str:
    found = gauge.reports[0].response_id
    assert found is not None
    return found


def test_a_reference_of_a_tool_call_names_stream_response_and_call(clients: dict[str, Any], in_use: Ledger) -> None:
    stream = clients["anthropic"].messages.create(
        model="demo", max_tokens=99, messages=[{"role": "user", "content": "hi"}], stream=True, extra_headers=TOOLS
    )
    made = [e.content_block for e in stream if e.type == "content_block_start" and e.content_block.type == "tool_use"]
    handle = streamgauge.current()
    assert handle is not None and handle.report is not None
    assert reference(made[0]) == f"{handle.id}#{handle.report.response_id}#{made[0].id}"
    assert reference("never seen") is None
