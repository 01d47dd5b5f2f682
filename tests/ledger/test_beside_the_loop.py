"""An event loop does not stand still for the ledger's disk, and the fence holds all the same."""

import asyncio
import json
import threading
from collections.abc import Callable, Iterator
from typing import Any

import openai
import pytest
from tests.capture.watching import Watch

import streamgauge
from streamgauge.demo.reading import call
from streamgauge.gauge import Observation
from streamgauge.ledger import Ledger, StreamStopped, close_ledger, use_ledger
from streamgauge.ledger.store import Store

CALLS = {
    "x-streamgauge-fault": "tools",
    "x-streamgauge-script": json.dumps({"tools": [{"name": "send", "arguments": {}}]}),
}


@pytest.fixture
def ledger(gauge: Watch, url: str) -> Iterator[Ledger]:
    yield use_ledger(url)
    close_ledger()


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """Ends of streams get to it when the event is set, and not before."""
    let, end = threading.Event(), Store.end_stream

    def slowly(self: Store, *told: Any, **how: Any) -> None:
        assert let.wait(20)
        end(self, *told, **how)

    monkeypatch.setattr(Store, "end_stream", slowly)
    yield let
    let.set()


async def read(client: Any, **more: Any) -> Observation:
    stream = await call("chat", client, **more)
    try:
        async for _ in stream:
            pass
    except openai.APIError:
        pass
    handle = streamgauge.of(stream)
    assert handle is not None
    return handle


async def test_the_loop_goes_on_while_the_end_of_a_stream_is_written(
    async_clients: dict[str, Any], ledger: Ledger, disk: threading.Event
) -> None:
    handle = await read(async_clients["openai"], extra_headers=CALLS)
    assert handle.report is not None
    assert handle.report.outcome == "completed"
    disk.set()
    assert [row.outcome for row in ledger.streams(ref=handle.id)] == ["completed"], "whoever asks waits for it"


@pytest.mark.parametrize("begin", ["async", "sync"])
async def test_the_fence_of_a_stream_that_failed_is_up_for_whatever_begins_after_it(
    async_clients: dict[str, Any], ledger: Ledger, disk: threading.Event, begin: str
) -> None:
    handle = await read(async_clients["openai"], extra_headers={"x-streamgauge-fault": "truncated"})
    assert handle.report is not None
    assert handle.report.outcome == "truncated"
    late: dict[str, Callable[[], Any]] = {"async": lambda: _late(handle.id), "sync": lambda: _in_thread(handle.id)}
    tool = asyncio.create_task(late[begin]())
    done, _ = await asyncio.wait([tool], timeout=0.05)
    assert not done, "it waits for what it depends on"
    disk.set()
    with pytest.raises(StreamStopped):
        await tool
    assert [entry.state for entry in ledger.entries()] == ["never_started"]


async def _late(stream: str) -> None:
    async with streamgauge.effect("send", stream=stream):
        pytest.fail("must not run")


async def _in_thread(stream: str) -> None:
    def run() -> None:
        with streamgauge.effect("send", stream=stream):
            pytest.fail("must not run")

    await asyncio.to_thread(run)


async def test_a_cancel_is_on_disk_when_it_returns(async_clients: dict[str, Any], ledger: Ledger, url: str) -> None:
    stream = await call("chat", async_clients["openai"], extra_headers=CALLS)
    async for _ in stream:
        break
    closing = streamgauge.cancel(stream)
    handle = streamgauge.of(stream)
    assert handle is not None
    with Ledger(url) as elsewhere, pytest.raises(StreamStopped), elsewhere.effect("send", stream=handle.id):
        pytest.fail("must not run")
    assert closing is not None
    await closing


async def test_a_defect_beside_the_loop_is_counted_and_reaches_nobody(
    async_clients: dict[str, Any], ledger: Ledger, gauge: Watch, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any, **__: Any) -> None:
        raise RuntimeError("a defect of ours")

    with monkeypatch.context() as patch:
        patch.setattr(Store, "end_stream", broken)
        await read(async_clients["openai"], extra_headers=CALLS)
        assert ledger.streams() == []
    gauge.expected_errors["ledger"], gauge.expected_complaints = 1, 1
