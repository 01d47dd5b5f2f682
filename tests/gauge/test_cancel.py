"""`cancel()`, `of()` and `current()`: who ended it is said, the connection is closed, from wherever it is asked."""

import asyncio
import threading
from typing import Any

import pytest
from tests.capture.surfaces import PLAIN, SURFACES, Surface
from tests.capture.trial import Trial, exhaust, run
from tests.capture.watching import Watch

import streamgauge
from streamgauge import ConfigError
from streamgauge.demo import Provider
from streamgauge.names import EVENT_CANCEL, INITIATOR, Initiator, Outcome, Phase, State

SLOW = {"extra_headers": {"x-streamgauge-script": '{"at": 3}'}}
KNOWN = [who for who in Initiator if who is not Initiator.UNKNOWN]


def hanging(surface: Surface, client: Any) -> Trial:
    return Trial(surface, client, "stall_forever", SLOW)


def upstream_closed(provider: Provider) -> bool:
    """Whether the provider saw the client of its last request leave."""
    last = provider.requests[-1].id
    return provider.wait_for(lambda log: log.id == last and bool(log.ended)).ended == "client_closed"


@pytest.mark.parametrize("initiator", KNOWN)
def test_initiator_is_what_the_application_says(clients: dict[str, Any], gauge: Watch, initiator: Initiator) -> None:
    trial = hanging(SURFACES[0], clients["openai"])
    stream = trial.open()
    trial.read(stream, 3)
    assert streamgauge.cancel(stream, initiator) is None
    report = gauge.one(Outcome.CANCELLED)
    assert report.cancel is not None
    assert (report.cancel.initiator, report.cancel.phase) == (initiator, Phase.RESPONDING)
    assert report.cancel.upstream_close_s is not None
    said = [log.log_record for log in gauge.logs if log.log_record.event_name == EVENT_CANCEL]
    assert [record.attributes[INITIATOR] for record in said] == [initiator]


@pytest.mark.parametrize("surface", SURFACES, ids=str)
def test_cancel_between_reads_closes_upstream_and_ends_the_iteration(
    provider: Provider, clients: dict[str, Any], gauge: Watch, surface: Surface
) -> None:
    trial = hanging(surface, clients[surface.sdk])
    stream = trial.open()
    trial.read(stream, 2)
    streamgauge.cancel(stream)
    assert upstream_closed(provider)
    trial.read(stream)
    report = gauge.one(Outcome.CANCELLED)
    assert report.cancel is not None
    assert report.cancel.initiator is Initiator.USER_STOP


@pytest.mark.parametrize("surface", SURFACES, ids=str)
def test_cancel_from_another_thread_ends_a_blocked_read_quietly(
    provider: Provider, clients: dict[str, Any], gauge: Watch, silences: dict[str, int], surface: Surface
) -> None:
    trial = Trial(surface, clients[surface.sdk], "stall_forever")
    stream = trial.open()
    blocked = threading.Event()
    enough = silences[surface.name]

    def read() -> None:
        for chunk in stream:
            trial.see(chunk)
            if len(trial.seen) == enough:
                blocked.set()

    thread = threading.Thread(target=read)
    thread.start()
    assert blocked.wait(20)
    handle = streamgauge.of(stream)
    assert handle is not None
    while not handle.recorder.waiting:
        pass
    streamgauge.cancel(handle.id, "guardrail")
    thread.join(20)
    assert not thread.is_alive()
    assert upstream_closed(provider)
    report = gauge.one(Outcome.CANCELLED)
    assert report.cancel is not None
    assert report.cancel.initiator is Initiator.GUARDRAIL


@pytest.mark.parametrize("surface", SURFACES, ids=str)
async def test_cancel_from_another_task_ends_a_blocked_read(
    provider: Provider, async_clients: dict[str, Any], gauge: Watch, silences: dict[str, int], surface: Surface
) -> None:
    trial = Trial(surface, async_clients[surface.sdk], "stall_forever", until_silence=silences[surface.name])
    stream = await trial.aopen()
    task = asyncio.create_task(trial.aread(stream))
    await trial.blocked()
    await asyncio.sleep(0)
    closing = streamgauge.cancel(stream, "budget")
    assert closing is not None
    await closing
    await asyncio.wait_for(asyncio.gather(task, return_exceptions=True), 20)
    assert await asyncio.to_thread(upstream_closed, provider)
    report = gauge.one(Outcome.CANCELLED)
    assert report.cancel is not None
    assert report.cancel.initiator is Initiator.BUDGET


@pytest.mark.parametrize("surface", PLAIN, ids=str)
async def test_cancel_of_an_async_stream_between_reads(
    async_clients: dict[str, Any], gauge: Watch, surface: Surface
) -> None:
    trial = hanging(surface, async_clients[surface.sdk])
    stream = await trial.aopen()
    await trial.aread(stream, 2)
    closing = streamgauge.cancel(stream, "client_disconnect")
    assert closing is not None
    await closing
    assert gauge.one(Outcome.CANCELLED).cancel is not None


def test_cancel_after_the_end_changes_nothing(clients: dict[str, Any], gauge: Watch) -> None:
    trial = Trial(SURFACES[0], clients["openai"])
    stream = trial.open()
    trial.read(stream)
    assert streamgauge.cancel(stream) is None
    assert gauge.one(Outcome.COMPLETED).cancel is None


def test_cancel_after_the_terminal_marker_is_completed(clients: dict[str, Any], gauge: Watch) -> None:
    """The finish reason was read, `[DONE]` was not."""
    trial = Trial(SURFACES[0], clients["openai"], "healthy")
    stream = trial.open()
    for chunk in stream:
        if chunk.choices and chunk.choices[0].finish_reason:
            break
    streamgauge.cancel(stream)
    gauge.one(Outcome.COMPLETED)


def test_cancel_twice_remembers_the_first_to_ask(clients: dict[str, Any], gauge: Watch) -> None:
    trial = hanging(SURFACES[2], clients["openai"])
    stream = trial.open()
    trial.read(stream, 2)
    streamgauge.cancel(stream, "deadline")
    streamgauge.cancel(stream, "user_stop")
    report = gauge.one(Outcome.CANCELLED)
    assert report.cancel is not None
    assert report.cancel.initiator is Initiator.DEADLINE


def test_close_without_a_word_leaves_the_initiator_unknown(clients: dict[str, Any], gauge: Watch) -> None:
    trial = hanging(SURFACES[4], clients["anthropic"])
    with trial.managed() as stream:
        trial.read(stream, 3)
    report = gauge.one(Outcome.CANCELLED)
    assert report.cancel is not None
    assert report.cancel.initiator is Initiator.UNKNOWN


def test_wrong_initiator_and_wrong_stream_are_config_errors(clients: dict[str, Any], gauge: Watch) -> None:
    trial = hanging(SURFACES[0], clients["openai"])
    stream = trial.open()
    with pytest.raises(ConfigError, match=r"initiator='nobody'.*user_stop, client_disconnect"):
        streamgauge.cancel(stream, "nobody")
    strangers: list[Any] = [42, "no-such-id", iter([])]
    for wrong in strangers:
        with pytest.raises(ConfigError, match="an observed stream, its handle or its id"):
            streamgauge.cancel(wrong)
    stream.close()
    gauge.one(Outcome.CANCELLED)


@pytest.mark.parametrize("surface", SURFACES, ids=str)
def test_handle_of_a_stream_tells_its_life(clients: dict[str, Any], gauge: Watch, surface: Surface) -> None:
    trial = Trial(surface, clients[surface.sdk])
    stream = trial.open()
    handle = streamgauge.of(stream)
    assert handle is not None
    assert streamgauge.of(handle) is streamgauge.of(handle.id) is streamgauge.current() is handle
    assert handle.state in (State.SENDING, State.STREAMING)
    assert handle.report is None
    assert handle.elapsed > 0
    trial.read(stream, 6)
    assert handle.state is State.STREAMING
    assert handle.phase is Phase.RESPONDING
    assert handle.counts["chunks"] >= 2
    assert handle.counts["text"] > 0
    trial.read(stream)
    assert handle.state.value == "complete"
    assert handle.report is gauge.reports[0]
    assert handle.elapsed == pytest.approx(handle.report.duration_s)
    assert "completed" in repr(handle)


def test_what_is_no_stream_of_ours_has_no_handle(gauge: Watch) -> None:
    for other in (None, 42, "abc", iter([1]), object(), [1]):
        assert streamgauge.of(other) is None


async def test_current_is_the_stream_of_this_task(async_clients: dict[str, Any], gauge: Watch) -> None:
    async def one(surface: Surface) -> bool:
        trial = Trial(surface, async_clients[surface.sdk])
        stream = await trial.aopen()
        await trial.aread(stream, 2)
        mine = streamgauge.current() is streamgauge.of(stream)
        await trial.aread(stream)
        return mine

    assert await asyncio.gather(*(one(surface) for surface in SURFACES)) == [True] * len(SURFACES)


def test_current_in_a_fresh_thread_is_none(clients: dict[str, Any], gauge: Watch) -> None:
    run(exhaust, Trial(SURFACES[0], clients["openai"]))
    found: list[Any] = [0]
    thread = threading.Thread(target=lambda: found.append(streamgauge.current()))
    thread.start()
    thread.join()
    assert found == [0, None]
