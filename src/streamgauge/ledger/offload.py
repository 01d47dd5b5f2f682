"""Durable writes from async code: off the event loop where possible, and never lost to a cancel.

A task that is cancelled while it waits here waits on, synchronously, for the write that is under way (milliseconds),
and is cancelled afterwards: an `await` in a `finally` would be cancelled again under anyio and the write lost. Outside
asyncio (trio) the write happens in place.
"""

import asyncio
import os
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import lru_cache
from typing import TypeVar

T = TypeVar("T")

_WRITERS, _TELLERS = 32, 8


@lru_cache(maxsize=2)
def _executor(_pid: int) -> ThreadPoolExecutor:
    """One pool per process: threads do not survive a fork."""
    return ThreadPoolExecutor(_WRITERS, thread_name_prefix="streamgauge-ledger")


@lru_cache(maxsize=2)
def _tellers(_pid: int) -> ThreadPoolExecutor:
    """A pool of its own for what writers may wait for: it must never stand behind them in a queue."""
    return ThreadPoolExecutor(_TELLERS, thread_name_prefix="streamgauge-ledger-ends")


def in_asyncio() -> bool:
    """Whether this is the thread of a running event loop."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


def later(work: Callable[[], T]) -> Future[T]:
    """`work`, done soon in a thread of its own; the end of the interpreter waits for it."""
    return _tellers(os.getpid()).submit(work)


async def offload(work: Callable[[], T]) -> T:
    """The result of `work`; when this ends, however it ends, `work` has been done."""
    if not in_asyncio():
        return work()
    future = _executor(os.getpid()).submit(work)
    try:
        return await asyncio.shield(asyncio.wrap_future(future))
    finally:
        if not future.done():
            future.exception()
