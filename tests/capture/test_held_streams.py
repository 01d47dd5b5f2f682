"""Streams that are kept: given up and continued, left while others run, still open when the process ends."""

import gc
import json
import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
from tests.capture.surfaces import PLAIN, PROMPT, SURFACES, Surface
from tests.capture.trial import Trial, exhaust, run
from tests.capture.watching import TickingClock, Watch, assert_samples, watching

import streamgauge
from streamgauge import names
from streamgauge.demo import Provider
from streamgauge.names import Outcome
from streamgauge.recording import EndCause

APP = Path(__file__).parent / "apps"


@pytest.mark.parametrize("surface", SURFACES, ids=str)
def test_stream_left_unread_is_abandoned_after_the_idle_limit_and_continued_as_a_linked_one(
    clients: dict[str, Any], surface: Surface
) -> None:
    client, clock = clients[surface.sdk], TickingClock()
    whole = run(exhaust, Trial(surface, client)).seen
    with watching(client=client.with_options(), clock=clock) as watch:
        trial = Trial(surface, client)
        stream = trial.open()
        trial.read(stream, 4)
        clock.turn(299)
        watch.gauge.look_around()
        assert not watch.reports
        clock.turn(2)
        watch.gauge.look_around()
        first = watch.one(Outcome.ABANDONED)
        trial.read(stream)
        assert trial.seen == whole
        assert [report.outcome for report in watch.reports] == [Outcome.ABANDONED, Outcome.COMPLETED]
        second = watch.reports[1]
        assert second.resume_of == first.stream_id
        assert (second.http_status, second.response_id) == (first.http_status, first.response_id)
        assert min(second.wait_s, second.consumer_s, *second.state_times_s.values()) >= 0
        assert second.characters.text > 0
        assert (second.ttft_s, second.ttft_any_s, second.ttft_attempt_s) == (None, None, None)
        assert second.usage.output_tokens is not None
        assert first.usage.output_tokens is None
        one, two = watch.stream_spans
        assert [link.context.span_id for link in two.links] == [one.context.span_id]
        assert two.attributes[names.RESUME_OF] == first.stream_id
        assert_samples(watch.points(), watch.reports)


@pytest.mark.parametrize("surface", PLAIN, ids=str)
def test_stream_that_was_given_up_is_let_go_of_when_it_is_cancelled_after_all(
    clients: dict[str, Any], surface: Surface
) -> None:
    client, clock = clients[surface.sdk], TickingClock()
    with watching(client=client.with_options(), clock=clock) as watch:
        trial = Trial(surface, client)
        stream = trial.open()
        trial.read(stream, 4)
        clock.turn(301)
        watch.gauge.look_around()
        watch.one(Outcome.ABANDONED)
        assert not stream.response.is_closed
        streamgauge.cancel(stream)
        assert stream.response.is_closed
        watch.one(Outcome.ABANDONED)


@pytest.mark.parametrize("fault", ["healthy", "missing_finish_reason"])
def test_end_marker_of_a_stream_that_is_read_on_reaches_the_half_that_goes_on(
    clients: dict[str, Any], fault: str
) -> None:
    client, clock = clients["openai"], TickingClock()
    with watching(client=client, clock=clock) as watch:
        trial = Trial(SURFACES[0], client, fault)
        stream = trial.open()
        for _ in range(2):
            trial.read(stream, 2)
            clock.turn(301)
            watch.gauge.look_around()
        trial.read(stream)
        told = [(report.outcome, report.terminal_marker) for report in watch.reports]
        assert told == [(Outcome.ABANDONED, None), (Outcome.ABANDONED, None), (Outcome.COMPLETED, "[DONE]")]


async def test_end_marker_of_an_async_stream_that_is_read_on_reaches_the_half_that_goes_on(
    async_clients: dict[str, Any],
) -> None:
    client, clock = async_clients["openai"], TickingClock()
    with watching(client=client, clock=clock) as watch:
        trial = Trial(SURFACES[0], client, "missing_finish_reason")
        stream = await trial.aopen()
        await trial.aread(stream, 2)
        clock.turn(301)
        watch.gauge.look_around()
        await trial.aread(stream)
        told = [(report.outcome, report.terminal_marker) for report in watch.reports]
        assert told == [(Outcome.ABANDONED, None), (Outcome.COMPLETED, "[DONE]")]


@pytest.mark.parametrize("surface", PLAIN, ids=str)
def test_stream_whose_reader_waits_is_never_given_up_before_or_after_it_was_continued(
    clients: dict[str, Any], silences: dict[str, int], surface: Surface
) -> None:
    client, clock = clients[surface.sdk], TickingClock()
    with watching(client=client.with_options(), clock=clock) as watch:
        trial = Trial(surface, client, "stall_forever", until_silence=silences[surface.name])
        stream = trial.open()
        trial.read(stream, 4)
        clock.turn(301)
        watch.gauge.look_around()
        assert watch.one(Outcome.ABANDONED).resume_of is None
        reader = threading.Thread(target=run, args=(lambda trial: trial.read(stream), trial))
        reader.start()
        while len(trial.seen) < trial.until_silence:
            pass
        handle = streamgauge.of(stream)
        assert handle is not None
        tapped = handle._tap.recorder
        while tapped.asked < tapped.now:  # on its way into the read
            pass
        for _ in range(3):
            clock.turn(301)
            watch.gauge.look_around()
            assert len(watch.reports) == 1
        streamgauge.cancel(stream)
        reader.join(20)
        assert [report.outcome for report in watch.reports] == [Outcome.ABANDONED, Outcome.CANCELLED]
        assert watch.reports[1].wait_s > 900
        (stall,) = watch.reports[1].stalls
        assert stall.duration_s > 900


def test_body_that_is_read_by_hand_is_dropped_and_not_abandoned_after_the_idle_limit(clients: dict[str, Any]) -> None:
    client, clock = clients["openai"], TickingClock()
    with watching(client=client, clock=clock) as watch:
        with client.chat.completions.with_streaming_response.create(model="m", messages=PROMPT, stream=True) as raw:
            body = raw.iter_bytes(16)
            assert next(body)
            assert watch.gauge.open_count == 1
            clock.turn(301)
            watch.gauge.look_around()
        assert watch.reports == []
        dropped = {p.attributes[names.DROP_REASON]: p.value for p in watch.points()[names.INTERNAL_DROPS.name]}
        assert dropped["raw_body"] == 1


@pytest.mark.parametrize("surface", PLAIN, ids=str)
async def test_async_stream_left_unread_is_abandoned_and_closed_later_without_a_second_word(
    async_clients: dict[str, Any], surface: Surface
) -> None:
    client, clock = async_clients[surface.sdk], TickingClock()
    with watching(client=client, clock=clock) as watch:
        trial = Trial(surface, client)
        stream = await trial.aopen()
        await trial.aread(stream, 4)
        clock.turn(301)
        watch.gauge.look_around()
        watch.one(Outcome.ABANDONED)
        await stream.close()
        watch.one(Outcome.ABANDONED)


def test_stream_read_on_within_the_limit_stays_one(clients: dict[str, Any]) -> None:
    client, clock = clients["openai"], TickingClock()
    with watching(client=client, clock=clock) as watch:
        trial = Trial(SURFACES[0], client)
        stream = trial.open()
        for _ in range(3):
            trial.read(stream, 2)
            clock.turn(250)
            watch.gauge.look_around()
        trial.read(stream)
        report = watch.one(Outcome.COMPLETED)
        assert report.usage.output_tokens is not None
        assert report.consumer_s > 700
        assert report.stalls == ()


def test_stream_that_was_never_read_is_abandoned_after_the_idle_limit_and_no_stall(clients: dict[str, Any]) -> None:
    client, clock = clients["anthropic"], TickingClock()
    with watching(client=client, clock=clock) as watch:
        stream = Trial(SURFACES[4], client).open()
        clock.turn(301)
        watch.gauge.look_around()
        assert watch.one(Outcome.ABANDONED).findings == ()
        stream.close()


@pytest.mark.parametrize("surface", SURFACES, ids=str)
def test_second_call_while_a_left_stream_is_held_is_a_stream_of_its_own(
    clients: dict[str, Any], gauge: Watch, surface: Surface
) -> None:
    left = Trial(surface, clients[surface.sdk])
    held = left.open()
    left.read(held, 3)
    run(exhaust, Trial(surface, clients[surface.sdk]))
    gauge.one(Outcome.COMPLETED, still_open=1)
    assert streamgauge.of(held) is not None
    assert gauge.gauge.open_count == 1
    held.close()
    assert [report.outcome for report in gauge.reports] == [Outcome.COMPLETED, Outcome.CANCELLED]
    assert len({report.stream_id for report in gauge.reports}) == 2
    assert len({report.response_id for report in gauge.reports}) == 2


@pytest.mark.parametrize("one", PLAIN, ids=str)
@pytest.mark.parametrize("two", PLAIN, ids=str)
def test_interleaved_streams_are_told_apart(clients: dict[str, Any], gauge: Watch, one: Surface, two: Surface) -> None:
    trials = [Trial(surface, clients[surface.sdk]) for surface in (one, two)]
    streams = [trial.open() for trial in trials]
    while any(streams):
        for place, trial in enumerate(trials):
            before = len(trial.seen)
            if streams[place] is not None:
                trial.read(streams[place], place + 1)
            streams[place] = streams[place] if len(trial.seen) > before else None
    assert [report.outcome for report in gauge.reports] == [Outcome.COMPLETED] * 2
    assert sorted(report.chunks for report in gauge.reports) == sorted(len(trial.seen) for trial in trials)
    assert_samples(gauge.points(), gauge.reports)


@pytest.mark.parametrize("surface", SURFACES, ids=str)
def test_stream_that_two_threads_end_at_once_is_told_once(
    clients: dict[str, Any], gauge: Watch, surface: Surface
) -> None:
    """The end of the interpreter, the idle limit or a drop may meet the caller's own close."""
    trial = Trial(surface, clients[surface.sdk])
    stream = trial.open()
    trial.read(stream, 3)
    handle = streamgauge.of(stream)
    assert handle is not None
    stream.close()
    for cause in (EndCause.EXIT, EndCause.IDLE, EndCause.DROPPED):
        handle.seal(cause)
    handle.discard("raw_body")
    gauge.one(Outcome.CANCELLED)
    assert sum(point.value for point in gauge.points()[names.INTERNAL_DROPS.name]) == 0


def test_dropped_stream_is_not_told_while_the_application_holds_the_sinks_own_lock(clients: dict[str, Any]) -> None:
    """Garbage is collected anywhere, within anybody's lock, too: a stream that dies there is sealed elsewhere."""
    lock, waited = threading.Lock(), []

    def sink(_report: object) -> None:
        waited.append(lock.acquire(timeout=20))
        lock.release()

    with watching(sinks=[sink]) as watch:
        for surface in SURFACES:
            trial = Trial(surface, clients[surface.sdk])
            holder: dict[str, Any] = {"stream": trial.open()}
            holder["self"] = holder
            trial.read(holder["stream"], 3)
            with lock:
                del holder
                gc.collect()
                assert watch.gauge.open_count == 1
            watch.settle()
        assert [report.outcome for report in watch.reports] == [Outcome.ABANDONED] * len(SURFACES)
    assert waited == [True] * len(SURFACES)


def test_retry_before_the_headers_is_one_stream_of_two_attempts(clients: dict[str, Any], gauge: Watch) -> None:
    for surface in PLAIN:
        client = clients[surface.sdk].with_options(max_retries=2)
        run(exhaust, Trial(surface, client, "rate_limited_then_ok"))
    assert [(report.outcome, report.attempts) for report in gauge.reports] == [(Outcome.COMPLETED, 2)] * 3
    for report in gauge.reports:
        assert report.ttft_s is not None
        assert report.ttft_attempt_s is not None
        assert report.ttft_attempt_s < report.ttft_s
        assert report.state_times_s[names.State.RETRIED] >= 0


def app(name: str, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-W", "error", str(APP / name), *arguments]
    return subprocess.run(
        command, env={**os.environ, **environment}, capture_output=True, text=True, timeout=60, check=False
    )


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


@pytest.mark.parametrize("way", ["end", "exit", "raise"])
def test_streams_open_when_the_interpreter_ends_are_told_once_each(
    provider: Provider, tmp_path: Path, way: str
) -> None:
    told, spans = tmp_path / "reports.jsonl", tmp_path / "spans.jsonl"
    done = app("left_open.py", provider.url, way, str(spans), STREAMGAUGE_JSONL=str(told))
    assert done.returncode == {"end": 0, "exit": 3, "raise": 1}[way], done.stderr
    assert ("OwnError" in done.stderr) == (way == "raise")
    assert way == "raise" or done.stderr == ""
    reports = lines(told)
    assert [report["outcome"] for report in reports] == ["abandoned"] * 6
    assert {span["attributes"][names.STREAM_ID] for span in lines(spans)} == {r["stream_id"] for r in reports}
    assert len(lines(spans)) == 6


def test_begin_event_is_out_before_a_process_that_dies(provider: Provider, tmp_path: Path) -> None:
    spans = tmp_path / "spans.jsonl"
    done = app("left_open.py", provider.url, "die", str(spans), STREAMGAUGE_LOG_EVENTS="begin,end")
    assert done.returncode == 9
    assert done.stdout.count(names.EVENT_BEGIN) == 6
    assert names.EVENT_END not in done.stdout
