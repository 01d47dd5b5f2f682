import itertools
import random
from typing import Any

import pytest

from streamgauge.ledger import EffectState, StreamStopped
from streamgauge.ledger.entry import Entry, StreamRow, ToolCall
from streamgauge.ledger.ledger import OUTCOMES, Ledger
from streamgauge.ledger.verdict import fingerprint, position, reconcile, verdict_of

MS = 1_000_000


def entry(state: Any = "committed", key: Any = "k", attempt: Any = 1, **values: Any) -> Any:
    times = {"started_ns": 100 * MS, "committed_ns": 200 * MS, "settled_ns": 200 * MS} if state == "committed" else {}
    base: dict[str, Any] = {
        "tool": "t",
        "kind": "x",
        "args_hash": "h",
        "token": "t",
        "intended_ns": 50 * MS,
        "changed_ns": 200 * MS,
    }
    return Entry(key=key, attempt=attempt, state=EffectState(state), **base | times | values)


def stream(outcome: Any = "completed", **values: Any) -> Any:
    return StreamRow("resp_1", 0, outcome=outcome, ended_ns=300 * MS, **values)


@pytest.mark.parametrize(
    ("outcome", "states", "verdict"),
    [
        ("completed", ["committed"], "consistent"),
        ("completed", ["reconciled_committed", "denied"], "consistent"),
        ("length_limited", ["committed"], "consistent"),
        ("completed", [], "clean"),
        ("completed", ["denied"], "clean"),
        ("completed", ["committed", "failed_no_effect"], "effect_failed"),
        ("completed", ["reconciled_absent"], "effect_failed"),
        ("completed", ["never_started"], "effect_failed"),
        ("completed", ["expired"], "effect_failed"),
        ("completed", ["committed", "compensated"], "compensated"),
        ("completed", ["unknown", "committed"], "unknown"),
        ("completed", ["abandoned"], "unknown"),
        ("completed", ["started"], "unknown"),
        ("cancelled", ["committed"], "partial_commit"),
        ("cancelled", ["compensation_failed"], "partial_commit"),
        ("cancelled", ["compensation_requested"], "partial_commit"),
        ("cancelled", ["compensated", "committed"], "partial_commit"),
        ("cancelled", ["compensated"], "compensated"),
        ("cancelled", ["never_started", "failed_no_effect"], "clean"),
        ("cancelled", [], "clean"),
        ("cancelled", ["unknown", "committed"], "unknown"),
        ("failed", ["reconciled_committed"], "partial_commit"),
        ("truncated", ["committed"], "partial_commit"),
        ("timed_out", ["committed"], "partial_commit"),
        ("content_filtered", ["committed"], "partial_commit"),
        ("abandoned", ["committed"], "partial_commit"),
        ("crashed", ["committed"], "partial_commit"),
        ("detached", ["committed"], "unknown"),
        (None, ["committed"], "unknown"),
    ],
)
def test_the_verdict_table(outcome, states, verdict):
    entries = [entry(state, key=f"k{n}") for n, state in enumerate(states)]
    for order in itertools.permutations(entries):
        assert verdict_of(stream(outcome), order) == verdict


def test_every_outcome_and_state_has_a_verdict():
    for outcome, state in itertools.product((*OUTCOMES, None), EffectState):
        assert reconcile(stream(outcome), [entry(state)], [], at_ns=1).verdict


def test_only_the_last_attempt_at_a_key_counts():
    attempts = [entry("failed_no_effect", attempt=1), entry("committed", attempt=2)]
    assert verdict_of(stream(), attempts) == verdict_of(stream(), attempts[::-1]) == "consistent"


def test_a_stop_after_the_answer_was_complete_makes_a_standing_effect_a_partial_commit():
    assert verdict_of(stream("completed", stopped_ns=400 * MS), [entry()]) == "partial_commit"


@pytest.mark.parametrize(
    ("stop_ms", "where", "after_start", "after_commit"),
    [
        (99, "before_dispatch", -1.0, -101.0),
        (100, "before_dispatch", 0.0, -100.0),
        (101, "in_flight", 1.0, -99.0),
        (199, "in_flight", 99.0, -1.0),
        (200, "in_flight", 100.0, 0.0),
        (201, "after_commit", 101.0, 1.0),
    ],
)
def test_the_position_against_the_stop_is_exact_to_the_millisecond(stop_ms, where, after_start, after_commit):
    record = reconcile(stream("cancelled", stopped_ns=stop_ms * MS), [entry()], [], at_ns=1)
    (effect,) = record.effects
    assert (effect.position, effect.stop_after_start_ms, effect.stop_after_commit_ms) == (
        where,
        after_start,
        after_commit,
    )


def test_without_a_stop_there_is_no_position():
    assert position(stream("completed"), entry()) is None
    assert position(stream("failed"), entry()) == "after_commit"
    failed = entry("failed_no_effect", started_ns=100 * MS, settled_ns=150 * MS)
    assert position(stream("cancelled", stopped_ns=200 * MS), failed) is None
    assert position(stream("cancelled", stopped_ns=120 * MS), failed) == "in_flight"


def test_text_shown_while_effects_ran_and_before_one_failed_is_counted():
    entries = [
        entry(key="a", shown_at_start=10, shown_at_settle=35),
        entry("failed_no_effect", key="b", shown_at_start=40, shown_at_settle=70),
        entry(key="c"),
    ]
    record = reconcile(stream(shown_chars=90), entries, [], at_ns=1)
    assert (record.shown_in_flight_chars, record.shown_before_failure_chars, record.shown_chars) == (55, 70, 90)
    assert reconcile(stream(), [entry()], [], at_ns=1).shown_in_flight_chars is None


def test_a_tool_call_without_an_effect_is_undeclared():
    calls = [ToolCall("resp_1", name, "t", None, True, 1) for name in ("seen", "declared")]
    record = reconcile(stream(), [entry(tool_call_id="declared")], calls, at_ns=1)
    assert [call["tool_call_id"] for call in record.to_dict()["undeclared"]] == ["seen"]
    assert record.states == {"committed": 1, "undeclared": 1}


def test_an_effect_that_knows_only_its_stream_was_declared_for_the_calls_of_its_tool():
    calls = [ToolCall("resp_1", f"c-{tool}", tool, None, True, 1) for tool in ("send", "dark")]
    found_by_context = entry(tool="send", tool_call_id=None)
    assert [call.tool for call in reconcile(stream(), [found_by_context], calls, at_ns=1).undeclared] == ["dark"]
    of_another_call = entry(tool="send", tool_call_id="c-other")
    assert len(reconcile(stream(), [of_another_call], calls, at_ns=1).undeclared) == 2


def test_the_record_says_everything_that_it_documents():
    body = reconcile(stream("cancelled"), [entry()], [], at_ns=1).to_dict()
    documented = type(reconcile(stream(), [], [], at_ns=1)).__doc__ or ""
    assert [key for key in [*body, *body["effects"][0]] if f"`{key}`" not in documented] == []


def facts_of_one_stream(ledger: Any) -> Any:
    """What four processes would tell, each with the time at which it happened; any of them may flush first."""
    begin = lambda: ledger.begin_stream("resp_1", at_ns=10 * MS)  # noqa: E731
    cancel = lambda: ledger.cancel("resp_1", "user_stop", at_ns=250 * MS)  # noqa: E731
    end = lambda: ledger.end_stream("resp_1", "cancelled", None, "text", at_ns=260 * MS, shown_chars=7)  # noqa: E731
    call = lambda: ledger.observe_tool_call("resp_1", "c9", "dark", at_ns=90 * MS)  # noqa: E731
    return [begin, cancel, end, call]


@pytest.mark.parametrize("order", range(24))
def test_any_order_of_flushing_gives_the_same_record(url, clock, order):
    with Ledger(url, clock=clock, fence="off", settle_deadline=1) as ledger:
        executions = [ledger.effect("t", key=f"k{n}", stream="resp_1").execution() for n in range(2)]
        told = list(list(itertools.permutations(facts_of_one_stream(ledger)))[order])
        rng = random.Random(order)
        steps = [executions[0].begin, executions[0].committed]
        places = sorted(rng.sample(range(len(told) + 2), 2))
        for place, step in zip(places, steps, strict=True):
            told.insert(place, step)
        for tell in told:
            tell()
        clock.turn(500)
        ledger.reconcile()
        (body,) = ledger.reconciliations()
    assert (body["verdict"], body["outcome"], body["initiator"], body["phase"]) == (
        "partial_commit",
        "cancelled",
        "user_stop",
        "text",
    )
    assert (body["begun_ns"], body["stopped_ns"], body["ended_ns"]) == (10 * MS, 250 * MS, 260 * MS)
    assert body["states"] == {"committed": 1, "undeclared": 1}
    assert body["shown_chars"] == 7


def test_the_record_is_written_when_all_is_settled_and_again_when_something_changes(ledger):
    ledger.begin_stream("resp_1")
    with ledger.effect("t", key="a", stream="resp_1"):
        assert ledger.reconciliations() == []
    ledger.end_stream("resp_1", "completed", usage={"output_tokens": 3, "provenance": "reported"})
    (first,) = ledger.reconciliations()
    assert (first["verdict"], first["revision"], first["usage"]["provenance"]) == ("consistent", 1, "reported")
    with ledger.effect("t", key="b", stream="resp_1"):
        pass
    (second,) = ledger.reconciliations()
    assert (second["revision"], len(second["effects"])) == (2, 2)
    assert [r["revision"] for r in ledger.reconciliations(history=True)] == [1, 2]
    ledger.reconcile()
    assert len(ledger.reconciliations(history=True)) == 2


def test_a_stream_that_touched_nothing_gets_no_record(ledger):
    ledger.begin_stream("resp_1")
    ledger.end_stream("resp_1", "completed")
    ledger.end_stream("resp_2", "completed", only_if_known=True)
    assert ledger.reconciliations() == []
    assert [row.ref for row in ledger.streams()] == ["resp_1"]


def test_when_the_deadline_passes_first_the_record_says_so_and_is_replaced_later(ledger, clock):
    execution = ledger.effect("t", key="a", stream="resp_1").execution()
    execution.begin()
    ledger.end_stream("resp_1", "completed")
    ledger.reconcile()
    assert ledger.reconciliations() == []
    clock.turn(31)
    ledger.reconcile()
    (early,) = ledger.reconciliations()
    assert (early["settled"], early["verdict"]) == (False, "unknown")
    execution.committed()
    (late,) = ledger.reconciliations()
    assert (late["settled"], late["verdict"], late["revision"]) == (True, "consistent", 2)


def test_the_three_stories_of_the_stop_button(url, clock):
    """The same tool, the same answer, the stop before, during and after: three records, three verdicts."""
    verdicts = {}
    with Ledger(url, clock=clock, probe_backoff=1) as ledger:
        for name in ("before", "during", "after"):
            ledger.begin_stream(name)
            execution = ledger.effect("send", stream=name, key=name).execution()
            if name == "before":
                ledger.cancel(name, "user_stop")
                with pytest.raises(StreamStopped):
                    execution.begin()
            else:
                execution.begin()
                clock.turn(0.2)
                ledger.cancel(name, "user_stop") if name == "during" else execution.committed()
                clock.turn(0.3)
                execution.unknown("cancelled in flight") if name == "during" else ledger.cancel(name, "user_stop")
            ledger.end_stream(name, "cancelled", "user_stop")
        clock.turn(60)
        ledger.reconcile()
        verdicts = {
            r["stream"]: (r["verdict"], [e["position"] for e in r["effects"]]) for r in ledger.reconciliations()
        }
    assert verdicts == {
        "before": ("clean", ["before_dispatch"]),
        "during": ("unknown", ["in_flight"]),
        "after": ("partial_commit", ["after_commit"]),
    }


def test_the_fingerprint_ignores_when_and_how_often():
    first = reconcile(stream(), [entry()], [], at_ns=1)
    second = reconcile(stream(revision=4), [entry()], [], at_ns=99)
    assert fingerprint(first) == fingerprint(second)
    assert fingerprint(first) != fingerprint(reconcile(stream("failed"), [entry()], [], at_ns=1))
