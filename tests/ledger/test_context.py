"""Which stream an effect is put down to when nobody says: that of its context, and for how long.

Real SDKs and streams; the thread of a pool, as web servers use them again and again, keeps its context.
"""

import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from tests.capture.watching import Watch

import streamgauge
from streamgauge.demo.reading import call
from streamgauge.gauge import Observation
from streamgauge.ledger import Ledger, StreamStopped, close_ledger, use_ledger

TOOLS = {
    "x-streamgauge-fault": "tools",
    "x-streamgauge-script": json.dumps({"tools": [{"name": "send_mail", "arguments": {"n": 7}}, {"name": "look_up"}]}),
}


@pytest.fixture
def ledger(gauge: Watch, url: str) -> Iterator[Ledger]:
    yield use_ledger(url)
    close_ledger()


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    """One thread, which is used again."""
    with ThreadPoolExecutor(1) as workers:
        yield workers


@streamgauge.effect
def send_mail(n: int) -> None: ...


@streamgauge.effect
def clean_up(n: int) -> None: ...


def handle() -> Observation:
    found = streamgauge.current()
    assert found is not None
    return found


def stopped(client: Any, extra_headers: dict[str, str] | None = None) -> str:
    """Read until the second tool call begins, or a few chunks, and stop; the stream's id."""
    stream = call("chat", client, extra_headers=extra_headers)
    begun = 0
    for number, chunk in enumerate(stream):
        begun += any(choice.delta.tool_calls and choice.delta.tool_calls[0].id for choice in chunk.choices)
        if begun == 2 or (extra_headers is None and number == 3):
            break
    streamgauge.cancel(stream)
    return handle().id


def completed(client: Any, extra_headers: dict[str, str] | None = None) -> str:
    for _ in call("chat", client, extra_headers=extra_headers):
        pass
    return handle().id


def origin(ledger: Ledger, tool: str = "send_mail") -> str | None:
    (entry,) = ledger.entries(tool=tool)
    return entry.stream_ref


@pytest.mark.parametrize("read", [stopped, completed])
def test_an_effect_that_has_nothing_to_do_with_the_last_stream_of_its_thread_has_no_stream(
    clients: dict[str, Any], ledger: Ledger, pool: ThreadPoolExecutor, read: Callable[..., str]
) -> None:
    ref = pool.submit(read, clients["openai"], TOOLS).result()
    pool.submit(clean_up, 1).result()
    assert origin(ledger, "clean_up") is None
    assert ledger.entries(stream=ref) == []


def test_the_late_tool_of_a_cancelled_stream_is_refused(
    clients: dict[str, Any], ledger: Ledger, pool: ThreadPoolExecutor
) -> None:
    ref = pool.submit(stopped, clients["openai"], TOOLS).result()
    with pytest.raises(StreamStopped):
        pool.submit(send_mail, 7).result()
    assert [(entry.stream_ref, entry.state) for entry in ledger.entries()] == [(ref, "never_started")]


def test_the_tool_of_a_completed_stream_is_put_down_to_it(
    clients: dict[str, Any], ledger: Ledger, pool: ThreadPoolExecutor
) -> None:
    ref = pool.submit(completed, clients["openai"], TOOLS).result()
    pool.submit(send_mail, 7).result()
    assert origin(ledger) == ref
    assert [stream.outcome for stream in ledger.streams(ref=ref)] == ["completed"]
    assert [dark.tool for dark in ledger.undeclared(stream=ref)] == ["look_up"]


def test_a_tool_is_put_down_to_the_last_stream_of_its_thread_only(
    clients: dict[str, Any], ledger: Ledger, pool: ThreadPoolExecutor
) -> None:
    pool.submit(stopped, clients["openai"], TOOLS).result()
    pool.submit(completed, clients["openai"]).result()
    pool.submit(send_mail, 7).result()
    assert origin(ledger) is None


def test_whatever_runs_while_a_stream_is_open_is_put_down_to_it(clients: dict[str, Any], ledger: Ledger) -> None:
    stream = call("chat", clients["openai"])
    next(stream)
    clean_up(1)
    list(stream)
    assert origin(ledger, "clean_up") == handle().id
    (record,) = ledger.reconciliations()
    assert (record["outcome"], record["verdict"]) == ("completed", "consistent")


def test_a_stream_that_called_no_tool_is_still_told_how_it_ended_when_an_effect_names_it_later(
    clients: dict[str, Any], ledger: Ledger
) -> None:
    ref = completed(clients["openai"])
    assert ledger.streams() == []
    with streamgauge.effect("clean_up", stream=ref):
        pass
    (record,) = ledger.reconciliations(stream=ref)
    assert (record["outcome"], record["verdict"]) == ("completed", "consistent")


def test_the_handle_of_a_stream_that_has_ended_still_gives_its_report(clients: dict[str, Any], ledger: Ledger) -> None:
    ref = stopped(clients["openai"])
    report = handle().report
    assert report is not None
    assert (report.stream_id, report.outcome) == (ref, "cancelled")
