"""Plays one case with a real SDK: calls, reads and leaves as the case says, and swallows what the SDK raises.
SDK raises.

Comes in: a case, an API (chat, responses or messages), a base URL. Goes out: nothing; what was seen is the
observer's matter.
"""

import asyncio
import contextlib
import gc
import importlib
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

from streamgauge.errors import ConfigError
from streamgauge.testing.cases import Case, Table, table

PROMPT: list[dict[str, str]] = [{"role": "user", "content": "Which way does the river run?"}]

_CALLS: dict[str, tuple[str, str, dict[str, Any]]] = {
    "chat": ("openai", "chat.completions", {"messages": PROMPT, "stream_options": {"include_usage": True}}),
    "responses": ("openai", "responses", {"input": PROMPT}),
    "messages": ("anthropic", "messages", {"messages": PROMPT, "max_tokens": 1024}),
}
"""API -> SDK, resource, arguments."""


BaseUrl = Callable[..., str]
"""`base_url(fault, api, **script)`: where the calls of an SDK (api: openai or anthropic) meet a fault.

`Provider.base_url` of the fault-injecting provider is one.
"""


class Interruption(Exception):  # noqa: N818 - it is no error of anybody
    """What a reader raises in the middle of a stream."""


def play(case: Case, api: str, base_url: BaseUrl, conditions: Table | None = None) -> None:
    """One stream of `case`, from the call to the moment when nobody holds it any more."""
    conditions = conditions or table()
    sdk, resource, arguments = _CALLS[api]
    url = base_url(case.fault, sdk, **conditions.script) if case.fault else _nobody()
    arguments = {**arguments, "model": "gauge-1", "stream": True}
    options = {
        "base_url": url,
        "api_key": "any",
        "max_retries": int(case.fault == "rate_limited_then_ok"),
        "timeout": conditions.read_timeout_s,
    }
    with contextlib.suppress(Exception):
        if case.exit in ASYNC_EXITS:
            limit = conditions.read_timeout_s
            asyncio.run(
                _play_async(sdk, resource, {**options, "timeout": 60.0}, arguments, ASYNC_EXITS[case.exit], limit)
            )
        else:
            _play_sync(sdk, resource, options, arguments, EXITS[case.exit])


def _play_sync(
    sdk: str, resource: str, options: dict[str, Any], arguments: dict[str, Any], leave: Callable[[Any], None]
) -> None:
    with _client(sdk, "", options) as client:
        with contextlib.suppress(Exception):
            leave(_resource(client, resource).create(**arguments))
        gc.collect()  # a stream that was dropped may stand in a cycle


async def _play_async(
    sdk: str, resource: str, options: dict[str, Any], arguments: dict[str, Any], leave: Any, limit: float
) -> None:
    async with _client(sdk, "Async", options) as client:
        stream = await _resource(client, resource).create(**arguments)
        await asyncio.gather(leave(stream, limit), return_exceptions=True)
        del stream
        gc.collect()


def _client(sdk: str, prefix: str, options: dict[str, Any]) -> Any:
    try:
        module = importlib.import_module(sdk)
    except ImportError:
        raise ConfigError("sdk", sdk, f"an installed SDK: pip install 'streamgauge[{sdk}]'") from None
    kind = {"openai": "OpenAI", "anthropic": "Anthropic"}[sdk]
    return getattr(module, prefix + kind)(**options)


def _resource(client: Any, path: str) -> Any:
    for name in path.split("."):
        client = getattr(client, name)
    return client


def _nobody() -> str:
    """A URL that nobody listens on."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
    return f"http://127.0.0.1:{port}"


def exhaust(stream: Iterator[Any]) -> None:
    """Read to the end."""
    for _ in stream:
        pass


def break_and_drop(stream: Iterator[Any]) -> None:
    """Read one chunk and forget the stream."""
    for _ in stream:
        break


def leave_with(stream: Any) -> None:
    """Leave a `with` block after one chunk."""
    with stream:
        next(iter(stream))


def close(stream: Any) -> None:
    """Read one chunk and close."""
    next(iter(stream))
    stream.close()


def close_after_end(stream: Any) -> None:
    """Read to the end and close."""
    exhaust(stream)
    stream.close()


def exception_in_body(stream: Iterator[Any]) -> None:
    """Raise between two chunks."""
    for _ in stream:
        raise Interruption


def exception_in_with(stream: Any) -> None:
    """Raise inside a `with` block."""
    with stream:
        exception_in_body(stream)


def never_iterated(stream: Any) -> None:
    """Take the stream and do nothing with it."""
    del stream


async def time_limit(stream: AsyncIterator[Any], seconds: float) -> None:
    """Read under a time limit."""
    async with asyncio.timeout(seconds):
        async for _ in stream:
            pass


async def task_cancel(stream: AsyncIterator[Any], _seconds: float) -> None:
    """Be cancelled while reading."""
    async for _ in stream:
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - this is a task
        task.cancel()


EXITS: dict[str, Callable[[Any], None]] = {
    leave.__name__: leave
    for leave in (
        exhaust,
        break_and_drop,
        leave_with,
        close,
        close_after_end,
        exception_in_body,
        exception_in_with,
        never_iterated,
    )
}
ASYNC_EXITS: dict[str, Any] = {leave.__name__: leave for leave in (time_limit, task_cancel)}
