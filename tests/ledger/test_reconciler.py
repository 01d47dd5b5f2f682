import asyncio
import json
import os
import subprocess
import sys
import threading
from typing import Any

import pytest

from streamgauge.ledger import EffectInputError, NoEffect, Reconciled, UnknownTool
from streamgauge.ledger.ledger import Ledger
from streamgauge.ledger.owner import alive, owner


def note(into: list[str], key: str, answer: bool) -> bool:
    into.append(key)
    return answer


DEAD = "elsewhere;1;1"


def lose(ledger: Any, key: Any = "k", tool: Any = "send", stream: Any = None, **declared: Any) -> Any:
    with pytest.raises(ConnectionError), ledger.effect(tool, key=key, stream=stream, **declared):
        raise ConnectionError


def start_and_die(url: Any, *, ref: Any = "", announce: Any = False) -> Any:
    """A process that starts an effect and is gone."""
    script = """
import sys, os, streamgauge.ledger as l
url, ref, announce = sys.argv[1:]
ledger = l.open_ledger(url, lease=60)
if ref: ledger.begin_stream(ref)
execution = ledger.effect("send", key="k", stream=ref or None).execution()
execution.announce() if announce else execution.begin()
os._exit(9)
"""
    subprocess.run([sys.executable, "-c", script, url, ref, "1" if announce else ""], check=False)


def states(ledger: Any) -> Any:
    return {entry.key: str(entry.state) for entry in ledger.entries()}


@pytest.mark.parametrize(
    ("answer", "state", "verdict"),
    [(True, "reconciled_committed", "partial_commit"), (False, "reconciled_absent", "clean")],
)
def test_a_probe_resolves_unknown_and_the_record_is_written_again(ledger, answer, state, verdict):
    asked: list[str] = []
    lose(ledger, stream="resp_1")
    ledger.end_stream("resp_1", "cancelled", "user_stop")
    ledger.probe("send", lambda entry: note(asked, entry.key, answer))
    report = ledger.reconcile()
    assert (report.probed, report.resolved, report.records, report.unresolved) == (1, 1, 0, 0)
    assert (asked, states(ledger)) == (["k"], {"k": state})
    assert [record["verdict"] for record in ledger.reconciliations()] == [verdict]


async def _async_probe(entry: Any) -> Any:
    await asyncio.sleep(0)
    return entry.key == "k"


def test_probes_may_be_async_and_stand_for_every_tool(ledger):
    lose(ledger)
    ledger.probe("*", _async_probe)
    assert ledger.reconcile().resolved == 1
    assert states(ledger) == {"k": "reconciled_committed"}


def test_without_a_probe_unknown_stays_and_is_counted(ledger):
    lose(ledger)
    report = ledger.reconcile()
    assert (report.probed, report.unresolved) == (0, 1)
    assert ledger.statistics().unreconciled == 1


def raising(_: Any) -> Any:
    raise OSError("secret host name")


def hanging(_: Any) -> Any:
    threading.Event().wait(2)


@pytest.mark.parametrize(
    ("probe", "noted"),
    [
        (raising, "OSError"),
        (hanging, "TimeoutError"),
        (lambda _: None, "not known yet"),
        (lambda _: "yes", "the probe did not answer True, False or None: KeyError"),
    ],
)
def test_a_probe_that_cannot_tell_leaves_unknown_notes_it_and_backs_off(url, clock, probe, noted):
    patience = 0.05 if probe is hanging else 20
    with Ledger(url, clock=clock, probe_timeout=patience, probe_backoff=10, probe_backoff_limit=25) as ledger:
        lose(ledger)
        ledger.probe("send", probe)
        waits = []
        for _ in range(4):
            assert ledger.reconcile().probed == 1
            assert ledger.reconcile().probed == 0
            entry = ledger.entries()[0]
            waits.append(round((entry.next_probe_ns - clock.wall) / 1e9))
            clock.turn(waits[-1] + 1)
        lines = [line["detail"] for line in ledger.history() if line["what"] == "probed"]
    assert waits == [10, 20, 25, 25]
    assert lines == [noted] * 4
    assert (entry.state, entry.probes) == ("unknown", 4)


def test_what_nobody_can_explain_is_given_up_in_the_end(url, clock):
    with Ledger(url, clock=clock, abandon_after=100) as ledger:
        lose(ledger, stream="resp_1")
        ledger.end_stream("resp_1", "completed")
        clock.turn(101)
        assert ledger.reconcile().abandoned == 1
        assert states(ledger) == {"k": "abandoned"}
        assert [record["verdict"] for record in ledger.reconciliations()] == ["unknown"]


@pytest.mark.parametrize(("announce", "state"), [(True, "never_started"), (False, "unknown")])
def test_entries_of_a_dead_process_are_found_after_their_lease_and_not_before(url, clock, announce, state):
    start_and_die(url, announce=announce)
    with Ledger(url, lease=60) as ledger:
        ledger.reconcile()
        before = states(ledger)
    clock.wall = 2_000_000_000 * 10**9
    with Ledger(url, clock=clock) as ledger:
        report = ledger.reconcile()
        assert before == {"k": "intended" if announce else "started"}
        assert states(ledger) == {"k": state}
        assert (report.never_started, report.lost) == ((1, 0) if announce else (0, 1))


def test_a_stream_whose_process_died_is_crashed_and_what_it_did_is_asked_for(url, clock):
    start_and_die(url, ref="resp_1")
    clock.wall = 2_000_000_000 * 10**9
    with Ledger(url, clock=clock) as ledger:
        ledger.probe("send", lambda _: True)
        report = ledger.reconcile()
        (record,) = ledger.reconciliations()
    assert (report.crashed, report.lost, report.resolved, report.unresolved) == (1, 1, 1, 0)
    assert (record["outcome"], record["verdict"]) == ("crashed", "partial_commit")


def test_the_living_are_not_taken_for_dead_however_old_their_lease(ledger, clock):
    ledger.begin_stream("resp_1")
    with ledger.effect("send", key="k"):
        clock.turn(10_000)
        report = ledger.reconcile()
        assert (report.lost, report.crashed) == (0, 0)
    assert states(ledger) == {"k": "committed"}


def test_an_owner_is_known_by_machine_number_and_start():
    assert alive(owner()) is True
    host, pid, started = owner().split(";")
    assert alive(f"{host};{pid};{int(started or 0) + 1}") is False
    assert alive(DEAD) is None
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    assert alive(f"{host};{child.pid};{started}") is False


def test_the_late_word_of_the_process_that_ran_it_beats_the_guess(url, clock):
    """A probe said "absent" of a request that was still on its way; then its process reports the commit."""
    with Ledger(url, clock=clock) as ledger:
        execution = ledger.effect("send", key="k", stream="resp_1").execution()
        execution.begin()
        ledger.end_stream("resp_1", "completed")
        ledger._in_flight.discard(execution.entry.token)
        clock.turn(121)
        ledger.probe("send", lambda _: False)
        ledger.reconcile()
        guessed = states(ledger)
        execution.committed()
        assert (guessed, states(ledger)) == ({"k": "reconciled_absent"}, {"k": "reconciled_committed"})
        assert [r["verdict"] for r in ledger.reconciliations(history=True)] == ["effect_failed", "consistent"]


def test_a_word_that_agrees_or_comes_too_late_changes_nothing_but_is_noted(url, clock):
    with Ledger(url, clock=clock) as ledger:
        execution = ledger.effect("send", key="k").execution()
        execution.begin()
        ledger._in_flight.discard(execution.entry.token)
        clock.turn(121)
        ledger.probe("send", lambda _: True)
        ledger.reconcile()
        execution.failed_no_effect()
        assert states(ledger) == {"k": "reconciled_committed"}
        assert ledger.history()[-1]["detail"] == "fail while reconciled_committed"


def test_a_crashed_stream_gives_way_to_the_word_of_whoever_saw_the_end(ledger, clock, url):
    with ledger.effect("send", key="k", stream="resp_1"):
        pass
    ledger.end_stream("resp_1", "crashed")
    ledger.end_stream("resp_1", "completed")
    ledger.end_stream("resp_1", "failed")
    assert [r["verdict"] for r in ledger.reconciliations(history=True)] == ["partial_commit", "consistent"]


def test_a_detached_stream_is_open_until_its_end_is_known(ledger):
    with ledger.effect("send", stream="resp_1"):
        pass
    ledger.end_stream("resp_1", "detached")
    assert ledger.reconciliations() == []
    ledger.end_stream("resp_1", "completed")
    assert [record["verdict"] for record in ledger.reconciliations()] == ["consistent"]


def test_what_stands_can_be_undone_on_request(ledger):
    undone = []
    with ledger.effect(
        "charge", key="k", stream="resp_1", reversible=True, compensate=lambda entry: undone.append(entry.key)
    ):
        pass
    ledger.end_stream("resp_1", "failed")
    assert ledger.request_compensation("k", "ann").state == "compensation_requested"
    assert ledger.reconcile().compensations == 1
    assert (undone, states(ledger)["k"]) == (["k"], "compensated")
    assert [r["verdict"] for r in ledger.reconciliations(history=True)][-1] == "compensated"
    assert ledger.reconcile().compensations == 0
    assert ledger.reconciliations()[0]["effects"][0]["compensated_ns"] is not None


@pytest.mark.parametrize(("error", "child"), [(OSError, "unknown"), (NoEffect, "failed_no_effect")])
def test_a_compensation_that_fails_leaves_the_effect_standing(ledger, error, child):
    def refund(entry):
        raise error

    with ledger.effect("charge", key="k", stream="resp_1", reversible=True, compensate=refund):
        pass
    ledger.end_stream("resp_1", "cancelled")
    ledger.request_compensation("k", "ann")
    ledger.reconcile()
    (entry,) = ledger.entries(key="k")
    assert (entry.state, entry.reason) == ("compensation_failed", f"the compensation raised {error.__name__}")
    assert [str(e.state) for e in ledger.entries(tool="charge.compensation")] == [child]
    assert ledger.reconciliations()[0]["verdict"] == "partial_commit"


def test_compensations_run_by_themselves_only_if_policy_says_so_and_only_for_reversible_effects(url):
    undone = []
    with Ledger(url, compensation="on_partial_commit") as ledger:
        ledger.compensate("charge", lambda entry: undone.append(entry.key))
        for stream, outcome, reversible in (("a", "cancelled", True), ("b", "completed", True), ("c", "failed", False)):
            with ledger.effect("charge", key=stream, stream=stream, reversible=reversible):
                pass
            ledger.end_stream(stream, outcome)
        ledger.reconcile()
        verdicts = {record["stream"]: record["verdict"] for record in ledger.reconciliations()}
    assert undone == ["a"]
    assert verdicts == {"a": "compensated", "b": "consistent", "c": "partial_commit"}


def _stop_in_the_middle(url: Any) -> Any:
    """A reconciler that dies inside the compensation."""
    script = """
import sys, os, streamgauge.ledger as l
ledger = l.open_ledger(sys.argv[1])
ledger.compensate("charge", lambda entry: os._exit(9))
ledger.reconcile()
"""
    subprocess.run([sys.executable, "-c", script, url], check=False)


@pytest.mark.parametrize(("probe", "state"), [(True, "compensated"), (None, "compensation_failed")])
def test_a_compensation_that_died_is_not_run_again(url, clock, probe, state):
    runs: list[Any] = []
    with Ledger(url) as ledger:
        with ledger.effect("charge", key="k", reversible=True, compensate=runs.append):
            pass
        ledger.request_compensation("k", "ann")
    _stop_in_the_middle(url)
    clock.wall = 2_000_000_000 * 10**9
    with Ledger(url, clock=clock) as ledger:
        ledger.compensate("charge", runs.append)
        if probe is not None:
            ledger.probe("charge.compensation", lambda _: probe)
        ledger.reconcile()
        assert (runs, states(ledger)["k"]) == ([], state)


@pytest.mark.parametrize(
    ("call", "error", "names"),
    [
        (lambda x: x.probe("send", "function"), EffectInputError, "probe of send"),
        (lambda x: x.probe("a b", print), EffectInputError, "tool"),
        (lambda x: x.compensate("send", None), EffectInputError, "compensation of send"),
        (lambda x: x.request_compensation("k", "ann"), UnknownTool, "no compensation is registered for tool 'send'"),
        (lambda x: x.prune(-1), EffectInputError, "older_than"),
        (lambda x: x.entries(state="done"), EffectInputError, "state"),
        (lambda x: Ledger(x, lease=0), EffectInputError, "lease"),
        (lambda x: Ledger(x, fence="up"), EffectInputError, "fence"),
        (lambda x: Ledger(x, fences="off"), EffectInputError, "ledger setting"),
    ],
)
def test_wrong_input_is_named(ledger, url, call, error, names):
    with ledger.effect("send", key="k"):
        pass
    with pytest.raises(error, match=names):
        call(url if "Ledger" in call.__code__.co_names else ledger)


@pytest.mark.timeout(60)
def test_two_reconcilers_never_work_on_the_same_entry(any_url):
    asked: list[str] = []
    with Ledger(any_url) as one, Ledger(any_url) as two:
        for n in range(60):
            lose(one, key=f"k{n}")
        for ledger in (one, two):
            ledger.probe("send", lambda entry: note(asked, entry.key, True))
        threads = [threading.Thread(target=ledger.reconcile) for ledger in (one, two, one, two)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(asked) == sorted(f"k{n}" for n in range(60))
        assert one.statistics().unreconciled == 0


def test_a_claim_of_a_reconciler_that_died_runs_out(ledger, clock):
    lose(ledger)
    ledger.probe("send", lambda _: True)
    assert [entry.key for entry in ledger._reconciler._claim("unknown", {"send": None})] == ["k"]
    assert ledger.reconcile().probed == 0
    clock.turn(71)
    assert ledger.reconcile().resolved == 1


def test_the_background_reconciler_resolves_and_outlives_trouble(url):
    resolved = threading.Event()
    with Ledger(url, reconcile_every=0.01) as ledger:
        ledger.on_change(lambda fact: resolved.set() if isinstance(fact, Reconciled) else None)
        lose(ledger, stream="resp_1")
        ledger.end_stream("resp_1", "failed")
        ledger.probe("send", lambda _: True)
        assert resolved.wait(20)
        assert [record["verdict"] for record in ledger.reconciliations()] == ["partial_commit"]
    assert ledger._thread is not None
    assert not ledger._thread.is_alive()


def test_running_effects_renew_their_lease(ledger, clock):
    execution = ledger.effect("send", key="k").execution()
    execution.begin()
    ledger.begin_stream("resp_1")
    clock.turn(1000)
    ledger.reconcile()
    assert ledger.entries()[0].lease_ns > clock.wall
    assert ledger.streams()[0].lease_ns > clock.wall
    execution.committed()


def test_a_clock_that_goes_backwards_disturbs_neither_order_nor_durations(ledger, clock):
    ledger.begin_stream("resp_1")
    with ledger.effect("send", key="k", stream="resp_1"):
        clock.turn(-86400)
        clock.monotonic += 10**9
    ledger.cancel("resp_1", "user_stop")
    ledger.end_stream("resp_1", "cancelled")
    (record,) = ledger.reconciliations()
    (effect,) = record["effects"]
    assert (
        effect["intended_ns"]
        <= effect["started_ns"]
        < effect["committed_ns"]
        < record["stopped_ns"]
        < record["ended_ns"]
    )
    assert round((effect["committed_ns"] - effect["started_ns"]) / 1e9) == 1
    assert effect["position"] == "after_commit"
    assert ledger.reconcile().lost == 0


def test_records_go_to_a_file_of_json_lines_and_to_a_callable(url, tmp_path):
    bodies: list[Any] = []
    with Ledger(url, jsonl=tmp_path / "records.jsonl") as ledger, Ledger(url, jsonl=bodies.append) as other:
        for book, ref in ((ledger, "a"), (other, "b")):
            with book.effect("send", stream=ref):
                pass
            book.end_stream(ref, "completed")
        lines = [json.loads(line) for line in (tmp_path / "records.jsonl").read_text().splitlines()]
        assert lines == ledger.reconciliations(stream="a")
        assert bodies == ledger.reconciliations(stream="b")


def test_prune_forgets_what_is_settled_and_old_and_nothing_else(ledger, clock):
    for ref in ("old", "open", "unknown"):
        with ledger.effect("send", key=ref, stream=ref):
            pass
        ledger.observe_tool_call(ref, "c1", "x", complete=False)
    lose(ledger, key="lost", stream="unknown")
    lose(ledger, key="loose-unknown")
    with ledger.effect("send", key="loose-old"):
        pass
    for ref in ("old", "unknown"):
        ledger.end_stream(ref, "completed")
    clock.turn(1000)
    ledger.reconcile()
    with ledger.effect("send", key="young"):
        pass
    removed = ledger.prune(500)
    assert set(states(ledger)) == {"open", "unknown", "lost", "loose-unknown", "young"}
    assert [stream.ref for stream in ledger.streams()] == ["open", "unknown"]
    assert removed["streamgauge_effect"] == 2
    assert ledger.prune(500)["streamgauge_effect"] == 0


def test_statistics_count_by_class_and_state(ledger, clock):
    for n, kind in enumerate(("money", "money", "mail")):
        with ledger.effect("t", key=f"k{n}", kind=kind, stream="resp_1"):
            pass
    lose(ledger, "gone", kind="mail")
    ledger.observe_tool_call("resp_1", "dark", "other")
    clock.turn(60)
    numbers = ledger.statistics()
    assert numbers.effects == {("money", "committed"): 2, ("mail", "committed"): 1, ("mail", "unknown"): 1}
    assert (numbers.unreconciled, numbers.undeclared, numbers.open_streams) == (1, 1, 1)
    assert round(numbers.unreconciled_oldest_age) == 60
    assert json.dumps(numbers.to_dict())
    assert [call.tool_call_id for call in ledger.undeclared()] == ["dark"]


def test_a_tool_call_seen_before_its_effect_is_undeclared_only_until_then(ledger, clock):
    ledger.observe_tool_call("resp_1", "c1", "send")
    ledger.observe_tool_call("resp_1", "c1", "send")
    ledger.end_stream("resp_1", "completed")
    assert ledger.reconciliations() == []
    clock.turn(31)
    ledger.reconcile()
    (dark,) = ledger.reconciliations()
    with ledger.effect("send", tool_call="resp_1#c1"):
        pass
    (light,) = ledger.reconciliations()
    assert (dark["states"], dark["verdict"]) == ({"undeclared": 1}, "clean")
    assert (light["states"], light["verdict"], light["undeclared"]) == ({"committed": 1}, "consistent", [])


def test_forked_children_have_their_own_connections(ledger):
    with ledger.effect("send", key="parent"):
        pass
    pid = os.fork()
    if pid == 0:
        try:
            with ledger.effect("send", key="child"):
                pass
            os._exit(0)
        except BaseException:
            os._exit(1)
    _, status = os.waitpid(pid, 0)
    with ledger.effect("send", key="parent-again"):
        pass
    assert os.waitstatus_to_exitcode(status) == 0
    assert set(states(ledger)) == {"parent", "child", "parent-again"}
    owners = {entry.key: entry.owner for entry in ledger.entries()}
    assert owners["parent"] == owners["parent-again"] != owners["child"]
