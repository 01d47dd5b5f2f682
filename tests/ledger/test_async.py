import asyncio
import threading
from typing import Any

import anyio
import pytest
import trio

from streamgauge.ledger import NoEffect
from streamgauge.ledger.ledger import Ledger


def entries(ledger: Any) -> Any:
    return [(str(entry.state), entry.reason) for entry in ledger.entries()]


async def test_a_task_cancelled_in_flight_leaves_unknown_on_disk(ledger):
    running = asyncio.Event()

    @ledger.effect
    async def send():
        running.set()
        await asyncio.sleep(60)

    task = asyncio.create_task(send())
    await running.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert entries(ledger) == [("unknown", "cancelled in flight: CancelledError")]


async def test_cancelled_again_and_again_while_it_settles_it_loses_nothing(ledger, monkeypatch):
    running, settling = asyncio.Event(), threading.Event()
    write = ledger._store.settle

    def slow(*args, **values):
        settling.set()
        threading.Event().wait(0.05)
        return write(*args, **values)

    monkeypatch.setattr(ledger._store, "settle", slow)

    @ledger.effect
    async def send():
        running.set()
        await asyncio.sleep(60)

    task = asyncio.create_task(send())
    await running.wait()
    task.cancel()
    while not settling.is_set():
        await asyncio.sleep(0)
    task.cancel()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert entries(ledger) == [("unknown", "cancelled in flight: CancelledError")]


async def test_cancelled_before_dispatch_it_is_known_that_nothing_happened(ledger, monkeypatch):
    began, ran = threading.Event(), []
    admit = ledger._store.admit

    def slow(*args, **values):
        began.set()
        threading.Event().wait(0.05)
        return admit(*args, **values)

    monkeypatch.setattr(ledger._store, "admit", slow)

    @ledger.effect
    async def send():
        ran.append(1)

    task = asyncio.create_task(send())
    while not began.is_set():
        await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert ran == []
    assert entries(ledger) == [("failed_no_effect", "cancelled before dispatch")]


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_under_a_cancelled_anyio_scope_every_await_is_cancelled_again_and_the_write_is_not_lost(url, backend):
    awaited_again = []

    async def main():
        with Ledger(url) as ledger:

            async def send(scope: anyio.CancelScope) -> None:
                async with ledger.effect("send"):
                    scope.cancel()
                    try:
                        await anyio.sleep_forever()
                    finally:
                        try:
                            await anyio.sleep(0)
                        except BaseException:
                            awaited_again.append("cancelled again")
                            raise

            with anyio.CancelScope() as scope:
                await send(scope)
            return entries(ledger)

    found = anyio.run(main, backend=backend)
    assert awaited_again == ["cancelled again"]
    assert [state for state, _ in found] == ["unknown"]
    assert found[0][1].startswith("cancelled in flight")


def test_trio_without_asyncio_writes_in_place(url):
    async def main():
        with Ledger(url) as ledger:
            async with ledger.effect("send") as effect:
                await trio.sleep(0)
                effect.committed()
            return entries(ledger)

    assert trio.run(main) == [("committed", None)]


async def test_a_timeout_around_the_tool_is_unknown(ledger):
    @ledger.effect
    async def send():
        async with asyncio.timeout(0.01):
            await asyncio.sleep(60)

    with pytest.raises(TimeoutError):
        await send()
    assert entries(ledger) == [("unknown", "timed out in flight: TimeoutError")]


async def test_an_async_tool_may_prove_that_nothing_happened(ledger):
    with pytest.raises(NoEffect):
        async with ledger.effect("send"):
            raise NoEffect
    assert [state for state, _ in entries(ledger)] == ["failed_no_effect"]


async def test_many_tasks_share_commits_and_none_is_lost(ledger):
    @ledger.effect
    async def send(n):
        return n

    assert await asyncio.gather(*(send(n) for n in range(100))) == list(range(100))
    assert [state for state, _ in entries(ledger)] == ["committed"] * 100


async def test_a_block_may_say_that_it_committed_off_the_event_loop(ledger):
    async with ledger.effect("send", record_result=True) as effect:
        assert await effect.acommitted(7) == 7
    assert ledger.entries()[0].result == 7
