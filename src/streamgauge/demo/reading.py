"""Callers of the real SDKs: each acts out one story on one stream, as applications do.

In: a `Job` (story, API, surface) and a client. Out: the job's handle, by which the stream is matched to its report, and
what the application saw raised. Nothing here looks at what streamgauge records.
"""

import asyncio
import contextlib
import threading
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import streamgauge
from streamgauge.demo.plan import Job
from streamgauge.names import Initiator

PROMPT: list[Any] = [{"role": "user", "content": "What does the gauge at the old bridge say?"}]
MODELS = {"chat": "demo-gpt", "responses": "demo-gpt", "messages": "demo-claude"}
_SEAL_WITHIN = 10.0


# the calls

_CALLS: Mapping[tuple[str, bool], Callable[..., Any]] = {
    ("chat", False): lambda client, **more: client.chat.completions.create(
        messages=PROMPT, stream=True, stream_options={"include_usage": True}, **more
    ),
    ("chat", True): lambda client, **more: client.chat.completions.stream(
        messages=PROMPT, stream_options={"include_usage": True}, **more
    ),
    ("responses", False): lambda client, **more: client.responses.create(input=PROMPT, stream=True, **more),
    ("responses", True): lambda client, **more: client.responses.stream(input=PROMPT, **more),
    ("messages", False): lambda client, **more: client.messages.create(
        messages=PROMPT, max_tokens=1024, stream=True, **more
    ),
    ("messages", True): lambda client, **more: client.messages.stream(messages=PROMPT, max_tokens=1024, **more),
}


def call(api: str, client: Any, *, helper: bool = False, **more: Any) -> Any:
    """A stream, an awaitable of one, or a helper's manager."""
    return _CALLS[api, helper](client, model=MODELS[api], **more)


def _call(job: Job, client: Any) -> Any:
    ready = client.with_options(max_retries=job.story.retries, timeout=job.story.timeout)
    return call(job.api, ready, helper=job.surface.helper, extra_headers=dict(job.headers), **job.story.request)


# tool calls


def _in_chat(chunk: Any) -> str | None:
    calls = chunk.choices[0].delta.tool_calls if chunk.choices else None
    return calls[0].id if calls else None


def _in_responses(event: Any) -> str | None:
    begins = event.type == "response.output_item.added" and event.item.type == "function_call"
    return event.item.call_id if begins else None


def _in_messages(event: Any) -> str | None:
    begins = event.type == "content_block_start" and event.content_block.type == "tool_use"
    return event.content_block.id if begins else None


_BEGUN: Mapping[str, Callable[[Any], str | None]] = {
    "chat": _in_chat,
    "responses": _in_responses,
    "messages": _in_messages,
}


def tool_call_begun(api: str, chunk: Any) -> str | None:
    """Id of the tool call that begins in this chunk, if one does."""
    return _BEGUN[api](chunk)


# sync

Leave = Callable[[Any, Job], bool]
"""Acts on a stream that is being read; True leaves the loop."""


def read(job: Job, client: Any) -> None:
    """Act out the job's story in this thread."""
    job.begun = True
    try:
        with contextlib.ExitStack() as stack:
            stream = _call(job, client)
            if job.surface.helper or job.story.managed:
                stream = stack.enter_context(stream)
            job.handle = streamgauge.of(stream)
            with _patience(job):
                _consume(stream, job)
    except Exception as error:
        job.raised = type(error).__name__
    finally:
        job.handle = job.handle or streamgauge.current()


def _consume(stream: Any, job: Job) -> None:
    leave = LEAVES[job.story.leaves]
    for job.chunks, _chunk in enumerate(stream, 1):
        if job.chunks == job.story.after and leave(stream, job):
            return
    if job.story.leaves == "close_at_end":
        stream.close()


@contextlib.contextmanager
def _patience(job: Job) -> Iterator[None]:
    """Somebody else in the application ends the stream when nothing came for a while."""
    if job.story.patience is None:
        yield
        return
    done = threading.Event()
    watching = threading.Thread(target=_watch, args=(job, job.story.patience, done))
    watching.start()
    try:
        yield
    finally:
        done.set()
        watching.join()


def _watch(job: Job, patience: float, done: threading.Event) -> None:
    seen = -1
    while not done.wait(patience):
        if job.chunks == seen:
            streamgauge.cancel(job.handle, Initiator.DEADLINE)
            return
        seen = job.chunks


def _stop(_stream: Any, job: Job) -> bool:
    streamgauge.cancel(job.handle, job.story.initiator or Initiator.USER_STOP)
    return False


def _close(stream: Any, _job: Job) -> bool:
    stream.close()
    return True


def _keep(stream: Any, job: Job) -> bool:
    if job.handle is not None:
        job.handle.sealed.wait(_SEAL_WITHIN)
    stream.close()
    return True


LEAVES: Mapping[str, Leave] = {
    "": lambda _stream, _job: False,
    "close_at_end": lambda _stream, _job: False,
    "break": lambda _stream, _job: True,
    "stop": _stop,
    "close": _close,
    "keep": _keep,
}
"""Ways in which a caller leaves."""


# async: the same callers in a task

AsyncLeave = Callable[[Any, Job], Any]


async def read_async(job: Job, client: Any) -> None:
    """Act out the job's story in this task."""
    job.begun = True
    try:
        async with contextlib.AsyncExitStack() as stack:
            stream = _call(job, client)
            if not job.surface.helper:
                stream = await stream
            if job.surface.helper or job.story.managed:
                stream = await stack.enter_async_context(stream)
            job.handle = streamgauge.of(stream)
            with _patience_async(job):
                await _consume_async(stream, job)
    except Exception as error:
        job.raised = type(error).__name__
    finally:
        job.handle = job.handle or streamgauge.current()


async def _consume_async(stream: Any, job: Job) -> None:
    leave = ASYNC_LEAVES[job.story.leaves]
    async for _chunk in stream:
        job.chunks += 1
        if job.chunks == job.story.after and await leave(stream, job):
            return
    if job.story.leaves == "close_at_end":
        await stream.close()


@contextlib.contextmanager
def _patience_async(job: Job) -> Iterator[None]:
    if job.story.patience is None:
        yield
        return
    watching = asyncio.create_task(_watch_async(job, job.story.patience))
    try:
        yield
    finally:
        if not job.gave_up:
            watching.cancel()


async def _watch_async(job: Job, patience: float) -> None:
    seen = -1
    while job.chunks != seen:
        seen = job.chunks
        await asyncio.sleep(patience)
    job.gave_up = True
    closing = streamgauge.cancel(job.handle, Initiator.DEADLINE)
    if closing is not None:
        await closing


async def _go_on(_stream: Any, _job: Job) -> bool:
    return False


async def _break(_stream: Any, _job: Job) -> bool:
    return True


async def _stop_async(_stream: Any, job: Job) -> bool:
    closing = streamgauge.cancel(job.handle, job.story.initiator or Initiator.USER_STOP)
    if closing is not None:
        await closing
    return False


async def _close_async(stream: Any, _job: Job) -> bool:
    await stream.close()
    return True


async def _keep_async(stream: Any, job: Job) -> bool:
    if job.handle is not None:
        await asyncio.to_thread(job.handle.sealed.wait, _SEAL_WITHIN)
    await stream.close()
    return True


async def _cancel_task(_stream: Any, _job: Job) -> bool:
    task = asyncio.current_task()
    assert task is not None  # noqa: S101 - a coroutine that runs is in a task
    task.cancel()
    return False


ASYNC_LEAVES: Mapping[str, AsyncLeave] = {
    "": _go_on,
    "close_at_end": _go_on,
    "break": _break,
    "stop": _stop_async,
    "close": _close_async,
    "keep": _keep_async,
    "cancel_task": _cancel_task,
}
"""Ways in which a caller in a task leaves."""
