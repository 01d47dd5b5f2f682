"""Every way out of a stream, on every surface, sync and async: one span, one report, one sample of each metric, the
right outcome; and the caller sees what it sees without us, chunk for chunk and exception for exception."""

import asyncio
import gc
import threading
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import anyio
import pytest
from opentelemetry import trace
from tests.capture.surfaces import SURFACES, Surface
from tests.capture.trial import Trial, aexhaust, arun, exhaust, run
from tests.capture.watching import Watch, watching
from tests.conftest import async_clients_of

from streamgauge.demo import FAULTS, Provider
from streamgauge.demo.provider import closed_port
from streamgauge.names import Initiator, Outcome

READ = 3


class OwnError(Exception):
    """What the application raises."""


# the ways out: sync


def exhaust_by_next(trial: Trial) -> None:
    stream = trial.open()
    while (chunk := next(stream, None)) is not None:
        trial.see(chunk)


def with_to_the_end(trial: Trial) -> None:
    with trial.managed() as stream:
        trial.read(stream)


def break_and_drop(trial: Trial) -> None:
    trial.read(trial.open(), READ)


def break_and_keep(trial: Trial) -> None:
    trial.kept.append(trial.open())
    trial.read(trial.kept[0], READ)


def break_then_read_on(trial: Trial) -> None:
    stream = trial.open()
    trial.read(stream, READ)
    trial.read(stream)


def break_in_with(trial: Trial) -> None:
    with trial.managed() as stream:
        trial.read(stream, READ)


def close(trial: Trial) -> None:
    stream = trial.open()
    trial.read(stream, READ)
    stream.close()


def close_twice(trial: Trial) -> None:
    stream = trial.open()
    trial.read(stream, READ)
    stream.close()
    stream.close()


def close_unread(trial: Trial) -> None:
    trial.open().close()


def close_after_the_end(trial: Trial) -> None:
    stream = trial.open()
    trial.read(stream)
    stream.close()


def close_of_the_response(trial: Trial) -> None:
    stream = trial.open()
    trial.read(stream, READ)
    (stream.response if hasattr(stream, "response") else stream._response).close()


def exception_in_the_body(trial: Trial) -> None:
    for chunk in trial.open():
        trial.see(chunk)
        if len(trial.seen) == READ:
            raise OwnError


def exception_in_with(trial: Trial) -> None:
    with trial.managed() as stream:
        for chunk in stream:
            trial.see(chunk)
            raise OwnError


def interrupt_in_the_body(trial: Trial) -> None:
    with trial.managed() as stream:
        for chunk in stream:
            trial.see(chunk)
            raise KeyboardInterrupt


def garbage_in_a_cycle(trial: Trial) -> None:
    holder: dict[str, Any] = {"stream": trial.open()}
    holder["self"] = holder
    trial.read(holder["stream"], READ)


def never_iterated(trial: Trial) -> None:
    trial.open()


def handed_to_another_thread(trial: Trial) -> None:
    stream = trial.open()
    trial.read(stream, READ)
    with ThreadPoolExecutor(1) as pool:
        pool.submit(trial.read, stream).result()


def dropped_in_another_thread(trial: Trial) -> None:
    box = [trial.open()]

    def work() -> None:
        trial.read(box[0], READ)
        box.clear()

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()


# the ways out: async


async def aexhaust_by_next(trial: Trial) -> None:
    stream = await trial.aopen()
    while (chunk := await anext(stream, None)) is not None:
        trial.see(chunk)


async def awith_to_the_end(trial: Trial) -> None:
    async with trial.amanaged() as stream:
        await trial.aread(stream)


async def abreak_and_drop(trial: Trial) -> None:
    await trial.aread(await trial.aopen(), READ)


async def abreak_and_keep(trial: Trial) -> None:
    trial.kept.append(await trial.aopen())
    await trial.aread(trial.kept[0], READ)


async def abreak_then_read_on(trial: Trial) -> None:
    stream = await trial.aopen()
    await trial.aread(stream, READ)
    await trial.aread(stream)


async def abreak_in_with(trial: Trial) -> None:
    async with trial.amanaged() as stream:
        await trial.aread(stream, READ)


async def aclose(trial: Trial) -> None:
    stream = await trial.aopen()
    await trial.aread(stream, READ)
    await stream.close()


async def aclose_twice(trial: Trial) -> None:
    stream = await trial.aopen()
    await trial.aread(stream, READ)
    await stream.close()
    await stream.close()


async def aclose_unread(trial: Trial) -> None:
    await (await trial.aopen()).close()


async def aclose_after_the_end(trial: Trial) -> None:
    stream = await trial.aopen()
    await trial.aread(stream)
    await stream.close()


async def aclose_of_the_response(trial: Trial) -> None:
    stream = await trial.aopen()
    await trial.aread(stream, READ)
    await (stream.response if hasattr(stream, "response") else stream._response).aclose()


async def aexception_in_the_body(trial: Trial) -> None:
    async for chunk in await trial.aopen():
        trial.see(chunk)
        if len(trial.seen) == READ:
            raise OwnError


async def aexception_in_with(trial: Trial) -> None:
    async with trial.amanaged() as stream:
        async for chunk in stream:
            trial.see(chunk)
            raise OwnError


async def agarbage_in_a_cycle(trial: Trial) -> None:
    holder: dict[str, Any] = {"stream": await trial.aopen()}
    holder["self"] = holder
    await trial.aread(holder["stream"], READ)


async def anever_iterated(trial: Trial) -> None:
    await trial.aopen()


async def ahanded_to_another_task(trial: Trial) -> None:
    stream = await trial.aopen()
    await trial.aread(stream, READ)
    async with anyio.create_task_group() as group:
        group.start_soon(trial.aread, stream)


async def scope_cancel(trial: Trial) -> None:
    """Cancelled by an anyio scope while the read is blocked; the provider has fallen silent."""

    async def read() -> None:
        await trial.aread(await trial.aopen())

    async with anyio.create_task_group() as group:
        group.start_soon(read)
        await trial.blocked()
        group.cancel_scope.cancel()


async def task_cancel(trial: Trial) -> None:
    async def read() -> None:
        await trial.aread(await trial.aopen())

    task = asyncio.create_task(read())
    await trial.blocked()
    task.cancel()
    await task


async def task_cancel_in_with(trial: Trial) -> None:
    async def read() -> None:
        async with trial.amanaged() as stream:
            await trial.aread(stream)

    task = asyncio.create_task(read())
    await trial.blocked()
    task.cancel()
    await task


@dataclass(frozen=True)
class Exit:
    """A row of the table: how it is done sync and async, and what is to be reported."""

    outcome: Outcome
    sync: Callable[[Trial], None] | None
    asynchronous: Callable[[Trial], Awaitable[None]] | None
    fault: str = "healthy"
    trio: bool = False


DONE, LEFT, GONE = Outcome.COMPLETED, Outcome.CANCELLED, Outcome.ABANDONED
EXITS = {
    "exhaust": Exit(DONE, exhaust, aexhaust, trio=True),
    "exhaust by next": Exit(DONE, exhaust_by_next, aexhaust_by_next),
    "with, to the end": Exit(DONE, with_to_the_end, awith_to_the_end),
    "break and drop": Exit(GONE, break_and_drop, abreak_and_drop, trio=True),
    "break and keep": Exit(GONE, break_and_keep, abreak_and_keep),
    "break then read on": Exit(DONE, break_then_read_on, abreak_then_read_on, trio=True),
    "break in with": Exit(LEFT, break_in_with, abreak_in_with, trio=True),
    "close": Exit(LEFT, close, aclose, trio=True),
    "close twice": Exit(LEFT, close_twice, aclose_twice),
    "close unread": Exit(LEFT, close_unread, aclose_unread),
    "close after the end": Exit(DONE, close_after_the_end, aclose_after_the_end),
    "close of the response": Exit(LEFT, close_of_the_response, aclose_of_the_response),
    "exception in the body": Exit(GONE, exception_in_the_body, aexception_in_the_body),
    "exception in with": Exit(LEFT, exception_in_with, aexception_in_with, trio=True),
    "interrupt in with": Exit(LEFT, interrupt_in_the_body, None),
    "task cancel": Exit(LEFT, None, task_cancel, "stall_forever"),
    "task cancel in with": Exit(LEFT, None, task_cancel_in_with, "stall_forever"),
    "scope cancel": Exit(LEFT, None, scope_cancel, "stall_forever", trio=True),
    "garbage in a cycle": Exit(GONE, garbage_in_a_cycle, agarbage_in_a_cycle),
    "never iterated": Exit(GONE, never_iterated, anever_iterated),
    "handed over": Exit(DONE, handed_to_another_thread, ahanded_to_another_task, trio=True),
    "dropped in another thread": Exit(GONE, dropped_in_another_thread, None),
    **{
        fault: Exit(FAULTS[fault].outcome, exhaust, aexhaust, fault)
        for fault in (
            "reset",
            "cut_chunked",
            "error_event",
            "response_failed",
            "truncated",
            "truncated_frame",
            "garbage",
            "rate_limited",
            "server_error",
            "bad_request",
            "read_timeout",
            "header_timeout",
            "incomplete",
            "content_filter_mid",
        )
    },
    "refused": Exit(Outcome.FAILED, exhaust, aexhaust, "refused"),
}
UNSIGNED = {name for name, exit_ in EXITS.items() if exit_.outcome is LEFT}


def prepared(trial: Trial, fault: str) -> Trial:
    trial.fault = fault
    if fault.endswith("_timeout"):
        trial.options["timeout"] = 0.5
    if fault == "refused":
        trial.client = trial.client.with_options(base_url=f"http://127.0.0.1:{closed_port()}/v1")
    return trial


async def let_go() -> None:
    """Let the loop finalise the generators that nobody reads any more."""
    gc.collect()
    for _ in range(5):
        await anyio.sleep(0)


@contextmanager
def in_a_span(watch: Watch) -> Any:
    """A span of the application's own around the call: it is the parent, and current before and after."""
    with watch.tracers.get_tracer("app").start_as_current_span("app") as outer:
        yield
        assert trace.get_current_span() is outer


def assert_told(watch: Watch, exit_: Exit, name: str, surface: Surface) -> None:
    if name == "break and keep":
        watch.gauge.close()
    elif exit_.outcome is GONE:
        watch.settle()
    report = watch.one(exit_.outcome)
    (outer,) = (span for span in watch.spans if span.name == "app")
    (span,) = watch.stream_spans
    assert span.parent.span_id == outer.context.span_id
    fault = FAULTS.get(exit_.fault)
    if fault is not None and exit_.fault != "stall_forever":
        expected = fault.expected(surface.api)
        assert (report.failure_mode, report.http_status) == (expected.failure_mode, expected.http_status)
        assert not expected.error_type or report.error_type == expected.error_type
    if name in UNSIGNED:
        assert report.cancel is not None
        assert report.cancel.initiator is Initiator.UNKNOWN


SYNC = [name for name, exit_ in EXITS.items() if exit_.sync is not None]
ASYNC = [name for name, exit_ in EXITS.items() if exit_.asynchronous is not None]


@pytest.mark.parametrize("surface", SURFACES, ids=str)
@pytest.mark.parametrize("name", SYNC)
def test_sync_stream_is_told_truly_and_looks_as_without_us(
    clients: dict[str, Any], surface: Surface, name: str
) -> None:
    exit_ = EXITS[name]
    assert exit_.sync is not None
    bare = run(exit_.sync, prepared(Trial(surface, clients[surface.sdk]), exit_.fault)).seen
    with watching() as watch:
        with in_a_span(watch):
            trial = run(exit_.sync, prepared(Trial(surface, clients[surface.sdk]), exit_.fault))
        assert_told(watch, exit_, name, surface)
    assert trial.seen == bare


@pytest.mark.parametrize("surface", SURFACES, ids=str)
@pytest.mark.parametrize("name", ASYNC)
async def test_async_stream_is_told_truly_and_looks_as_without_us(
    async_clients: dict[str, Any], silences: dict[str, int], surface: Surface, name: str
) -> None:
    exit_ = EXITS[name]
    way, client, silence = exit_.asynchronous, async_clients[surface.sdk], silences[surface.name]
    assert way is not None
    bare = (await arun(way, prepared(Trial(surface, client, until_silence=silence), exit_.fault))).seen
    with watching() as watch:
        with in_a_span(watch):
            trial = await arun(way, prepared(Trial(surface, client, until_silence=silence), exit_.fault))
        if exit_.outcome is GONE:
            await let_go()
        assert_told(watch, exit_, name, surface)
    assert trial.seen == bare


@pytest.mark.filterwarnings("ignore:Async generator:ResourceWarning")  # trio says so of the SDKs' own generators, too
@pytest.mark.parametrize("surface", SURFACES, ids=str)
@pytest.mark.parametrize("name", [name for name in ASYNC if EXITS[name].trio])
def test_stream_on_trio_is_told_truly_and_looks_as_without_us(
    provider: Provider, silences: dict[str, int], surface: Surface, name: str
) -> None:
    exit_ = EXITS[name]

    async def once() -> Trial:
        assert exit_.asynchronous is not None
        clients = async_clients_of(provider)
        started = Trial(surface, clients[surface.sdk], until_silence=silences[surface.name])
        trial = await arun(exit_.asynchronous, prepared(started, exit_.fault))
        if exit_.outcome is GONE:
            await let_go()
        for client in clients.values():
            await client.close()
        return trial

    bare = anyio.run(once, backend="trio").seen
    with watching() as watch:
        with in_a_span(watch):
            trial = anyio.run(once, backend="trio")
        assert_told(watch, exit_, name, surface)
    assert trial.seen == bare
