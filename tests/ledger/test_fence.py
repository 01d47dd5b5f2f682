import subprocess
import sys
import threading
from typing import Any

import pytest

from streamgauge.ledger import EffectInputError, Late, StreamStopped
from streamgauge.ledger.ledger import Ledger
from streamgauge.ledger.verdict import FENCING


def start(ledger: Any, n: Any = 0, stream: Any = "resp_1") -> Any:
    with ledger.effect("send", key=f"{stream}-{n}", stream=stream):
        pass


def test_after_a_cancel_nothing_of_the_stream_starts(ledger):
    start(ledger, 1)
    ledger.cancel("resp_1", "user_stop")
    with pytest.raises(StreamStopped) as refused:
        start(ledger, 2)
    assert refused.value.entry is not None
    assert refused.value.entry.state == "never_started"
    start(ledger, 3, "resp_2")


def test_a_cancel_of_a_stream_that_nobody_began_counts(ledger):
    ledger.cancel("resp_1")
    with pytest.raises(StreamStopped):
        start(ledger)


@pytest.mark.parametrize("outcome", sorted(FENCING))
def test_every_outcome_that_is_a_failure_puts_the_fence_up(ledger, outcome):
    ledger.end_stream("resp_1", outcome)
    with pytest.raises(StreamStopped, match=outcome):
        start(ledger)


@pytest.mark.parametrize("outcome", ["completed", "length_limited", "content_filtered", "abandoned", "detached"])
def test_other_outcomes_leave_it_down(ledger, outcome):
    ledger.end_stream("resp_1", outcome)
    start(ledger)
    assert ledger.entries()[0].state == "committed"


def test_a_stop_after_a_complete_answer_still_keeps_back_what_has_not_started(ledger):
    ledger.end_stream("resp_1", "completed")
    ledger.cancel("resp_1", "user_stop")
    with pytest.raises(StreamStopped):
        start(ledger)


def test_trying_again_behind_the_fence_writes_no_further_attempts(ledger):
    ledger.cancel("resp_1")
    for _ in range(3):
        with pytest.raises(StreamStopped):
            start(ledger)
    assert [(e.attempt, e.state) for e in ledger.entries()] == [(1, "never_started")]


@pytest.mark.parametrize("mode", ["warn", "off"])
def test_a_fence_that_only_warns_lets_it_start_and_says_so(url, mode):
    heard: list[Any] = []
    with Ledger(url, fence=mode) as ledger:
        ledger.on_change(heard.append)
        ledger.cancel("resp_1", "user_stop")
        start(ledger)
        ledger.end_stream("resp_1", "cancelled")
        (record,) = ledger.reconciliations()
    assert [fact.entry.tool for fact in heard if isinstance(fact, Late)] == ["send"]
    (effect,) = record["effects"]
    assert (record["verdict"], effect["position"]) == ("partial_commit", "before_dispatch")
    assert effect["stop_after_start_ms"] < 0


def test_an_announced_effect_is_settled_by_the_cancel_itself(ledger):
    execution = ledger.effect("send", key="k", stream="resp_1").execution()
    assert execution.announce().state == "intended"
    ledger.cancel("resp_1")
    assert ledger.entries()[0].state == "never_started"
    with pytest.raises(StreamStopped):
        execution.begin()


def test_a_cancel_from_another_process_counts(url):
    with Ledger(url) as ledger:
        start(ledger, 1)
        script = "import sys, streamgauge.ledger as l; l.open_ledger(sys.argv[1]).cancel('resp_1', 'user_stop')"
        subprocess.run([sys.executable, "-c", script, url], check=True)
        with pytest.raises(StreamStopped):
            start(ledger, 2)


@pytest.mark.timeout(60)
def test_in_a_race_every_effect_either_started_before_the_cancel_or_not_at_all(any_url):
    with Ledger(any_url) as ledger, Ledger(any_url) as stopper:
        ran = []

        def run(round_, n):
            try:
                start(ledger, n, f"resp_{round_}")
                ran.append((round_, n))
            except StreamStopped:
                pass

        for round_ in range(20):
            threads = [threading.Thread(target=run, args=(round_, n)) for n in range(6)]
            threads.insert(3, threading.Thread(target=stopper.cancel, args=(f"resp_{round_}",)))
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        stops = {stream.ref: stream.stopped_ns or 0 for stream in ledger.streams()}
        entries = ledger.entries()
    assert len(entries) == 120
    started = [entry for entry in entries if entry.started_ns is not None]
    assert len(started) == len(ran)
    assert all((entry.started_ns or 0) < stops[entry.stream_ref or ""] for entry in started)
    assert {entry.state for entry in entries} <= {"committed", "never_started"}


@pytest.mark.parametrize(
    ("call", "names"),
    [
        (lambda x: x.cancel(""), "reference"),
        (lambda x: x.cancel("a#b"), "stream reference"),
        (lambda x: x.end_stream("a", "stopped"), "outcome"),
    ],
)
def test_wrong_words_about_streams_are_named(ledger, call, names):
    with pytest.raises(EffectInputError, match=names):
        call(ledger)
    assert ledger.streams() == []
