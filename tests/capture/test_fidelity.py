"""What an application can see of an SDK with us and without us: a portrait each, and no difference between the two."""

import asyncio
import collections.abc
import copy
import gc
import inspect
import pickle
import weakref
from collections.abc import Callable, Iterator
from typing import Any
from unittest import mock

import anthropic
import anthropic._base_client
import anthropic._streaming
import openai
import openai._base_client
import openai._streaming
import pytest
from tests.capture.surfaces import SURFACES, Surface, shown
from tests.capture.trial import Trial
from tests.capture.watching import Watch, watching

from streamgauge.names import Outcome

ABSTRACT = ("Iterator", "Iterable", "Generator", "AsyncIterator", "AsyncIterable", "AsyncGenerator", "Awaitable")
HOOKED = {
    f"{module.__name__}.{name}.{method}": (module, name, method)
    for module, names, methods in (
        (openai._base_client, ("SyncAPIClient", "AsyncAPIClient"), ("request", "_build_request")),
        (openai._streaming, ("Stream", "AsyncStream"), ("__stream__", "_iter_events", "__init__", "__iter__")),
        (anthropic._base_client, ("SyncAPIClient", "AsyncAPIClient"), ("request", "_build_request")),
        (anthropic._streaming, ("Stream", "AsyncStream"), ("__stream__", "_iter_events", "__init__")),
    )
    for name in names
    for method in methods
    if hasattr(getattr(module, name), method)
}


_COPIED = "__slotnames__"  # what `copy.copy` leaves behind on a class, the first time


def attempt(action: Callable[[], object]) -> str:
    """What comes of an action: its value or its exception, in words."""
    try:
        return shown(action())
    except BaseException as error:
        return chain(error)


def chain(error: BaseException | None) -> str:
    """An exception with everything that it carries."""
    if error is None:
        return "-"
    said = f"{type(error).__module__}.{type(error).__qualname__}{shown(error.args)} {getattr(error, '__notes__', '')}"
    return f"{said} <- {chain(error.__cause__)} <- {chain(error.__context__)} {error.__suppress_context__}"


def outside(stream: Any) -> dict[str, object]:
    """Everything that can be asked of a stream without reading it."""
    response = stream.response if hasattr(stream, "response") else stream._response
    body = response.stream
    inner = getattr(stream, "_raw_stream", stream)
    return {
        "type": type(stream),
        "isinstance": [isinstance(stream, getattr(collections.abc, name)) for name in ABSTRACT],
        "sdk": [isinstance(stream, cls) for cls in (openai.Stream, openai.AsyncStream, anthropic.Stream)],
        "dir": [name for name in dir(stream) if name != _COPIED],
        "vars": sorted(vars(stream)),
        "types of vars": {name: type(value).__name__ for name, value in sorted(vars(stream).items())},
        "type attributes": sorted({*vars(type(stream))} - {_COPIED}),
        "iterator": (type(inner._iterator), inner._iterator.__name__, inner._iterator.__qualname__),
        "repr": shown(repr(stream)).partition(" at ")[0],
        "truth": bool(stream),
        "equal": (stream == stream, stream != object()),
        "hash": hash(stream) == hash(stream),
        "weak": weakref.ref(stream)() is stream,
        "copied": (type(copy.copy(stream)), sorted(vars(copy.copy(stream)))),
        "response": type(response),
        "response vars": sorted(vars(response)),
        "response repr": repr(response),
        "body": (type(body).__name__, type(body).__module__, type(body).__qualname__),
        "body repr": repr(body).partition(" at ")[0],
        "body abstract": [isinstance(body, getattr(collections.abc, name)) for name in ABSTRACT],
        "pickled": attempt(lambda: pickle.dumps(stream)).partition("'")[0],
        "length": attempt(lambda: len(stream)).partition("(")[0],
        "headers": sorted(response.headers),
        "extensions": sorted(response.extensions),
    }


def progress(stream: Any) -> tuple[object, ...]:
    response = stream.response if hasattr(stream, "response") else stream._response
    return response.is_closed, response.is_stream_consumed, response.num_bytes_downloaded > 0


def inside(surface: Surface, client: Any, silence: int) -> dict[str, object]:
    """What is seen while a stream is read, left and closed."""
    told: dict[str, object] = {}
    stream = Trial(surface, client).open()
    told["fresh"] = progress(stream)
    told["type"] = type(stream)
    told["iter is itself"] = iter(stream) is stream
    told["type of iter"] = type(iter(stream))
    told["enter is itself"] = stream.__enter__() is stream
    told["first"] = shown(next(stream))
    told["by for"] = shown(next(iter(stream)))
    told["after two"] = progress(stream)
    told["rest"] = [shown(chunk) for chunk in stream]
    told["consumed"] = progress(stream)
    told["again"] = attempt(lambda: list(stream))
    told["next after the end"] = attempt(lambda: next(stream))
    told["close after the end"] = attempt(stream.close)

    closed = Trial(surface, client, "stall_forever").open()
    for _ in range(silence):  # what is still in a buffer would differ from run to run
        next(closed)
    told["close gives"] = attempt(closed.close)
    told["closed"] = progress(closed)
    told["next after close"] = attempt(lambda: next(closed))
    told["list after close"] = attempt(lambda: list(closed))

    failed = Trial(surface, client, "reset").open()
    told["reset"] = attempt(lambda: list(failed))
    told["next after reset"] = attempt(lambda: next(failed))
    told["after reset"] = progress(failed)
    told["exit gives"] = attempt(lambda: failed.__exit__(None, None, None))

    dropped = Trial(surface, client).open()
    next(dropped)
    watcher = weakref.ref(dropped)
    body = weakref.ref(dropped.response if hasattr(dropped, "response") else dropped._response)
    gc.disable()
    del dropped
    told["freed at once"] = (watcher() is None, body() is None)
    gc.enable()
    gc.collect()
    told["freed"] = (watcher() is None, body() is None)
    return told


async def inside_async(surface: Surface, client: Any, silence: int) -> dict[str, object]:
    """As `inside`, for async streams."""
    told: dict[str, object] = {}
    stream = await Trial(surface, client).aopen()
    told["outside"] = outside(stream)
    told["fresh"] = progress(stream)
    told["type of aiter"] = type(aiter(stream))
    told["aenter is itself"] = await stream.__aenter__() is stream
    told["first"] = shown(await anext(stream))
    told["rest"] = [shown(chunk) async for chunk in stream]
    told["consumed"] = progress(stream)
    told["again"] = [shown(chunk) async for chunk in stream]
    told["next after the end"] = await aattempt(anext(stream))
    told["close after the end"] = await aattempt(stream.close())

    closed = await Trial(surface, client, "stall_forever").aopen()
    for _ in range(silence):
        await anext(closed)
    told["close is"] = inspect.iscoroutinefunction(closed.close)
    told["close gives"] = await aattempt(closed.close())
    told["closed"] = progress(closed)
    told["next after close"] = await aattempt(anext(closed))

    failed = await Trial(surface, client, "reset").aopen()
    told["reset"] = await aattempt(collect(failed))
    told["next after reset"] = await aattempt(anext(failed))
    told["two readers"] = await two_readers(surface, client, silence)
    return told


async def two_readers(surface: Surface, client: Any, silence: int) -> str:
    """Two tasks in one stream: the second is told off in the words of the language."""
    trial = Trial(surface, client, "stall_forever", until_silence=silence)
    stream = await trial.aopen()
    task = asyncio.create_task(trial.aread(stream))
    await trial.blocked()
    await asyncio.sleep(0.001)
    said = await aattempt(anext(stream))
    task.cancel()
    await asyncio.wait([task])
    return said


async def collect(stream: Any) -> list[str]:
    return [shown(chunk) async for chunk in stream]


async def aattempt(action: Any) -> str:
    try:
        return shown(await action)
    except BaseException as error:
        return chain(error)


def differences(bare: dict[str, Any], ours: dict[str, Any]) -> dict[str, object]:
    """The one list: what was seen without us beside what was seen with us, where the two differ."""
    return {
        key: differences(bare[key], ours[key]) if isinstance(bare[key], dict) else (bare[key], ours[key])
        for key in bare
        if bare[key] != ours[key]
    }


@pytest.mark.parametrize("surface", SURFACES, ids=str)
def test_sync_stream_has_the_same_outside(clients: dict[str, Any], surface: Surface) -> None:
    def portrait() -> dict[str, object]:
        with Trial(surface, clients[surface.sdk]).managed() as stream:
            return outside(stream)

    bare = portrait()
    with watching() as watch:
        ours = portrait()
        watch.one(Outcome.CANCELLED)
    assert differences(bare, ours) == {}


@pytest.mark.parametrize("surface", SURFACES, ids=str)
def test_sync_stream_behaves_the_same(clients: dict[str, Any], silences: dict[str, int], surface: Surface) -> None:
    bare = inside(surface, clients[surface.sdk], silences[surface.name])
    with watching() as watch:
        ours = inside(surface, clients[surface.sdk], silences[surface.name])
        watch.settle()
        told = [Outcome.COMPLETED, Outcome.CANCELLED, Outcome.FAILED, Outcome.ABANDONED]
        assert [report.outcome for report in watch.reports] == told
    assert differences(bare, ours) == {}


@pytest.mark.parametrize("surface", SURFACES, ids=str)
async def test_async_stream_has_the_same_outside_and_behaves_the_same(
    async_clients: dict[str, Any], silences: dict[str, int], surface: Surface
) -> None:
    bare = await inside_async(surface, async_clients[surface.sdk], silences[surface.name])
    with watching() as watch:
        ours = await inside_async(surface, async_clients[surface.sdk], silences[surface.name])
        told = [Outcome.COMPLETED, Outcome.CANCELLED, Outcome.FAILED, Outcome.CANCELLED]
        assert [report.outcome for report in watch.reports] == told
    assert differences(bare, ours) == {}


def face(owner: Any, method: str) -> dict[str, object]:
    """Everything that can be asked of a method without calling it."""
    plain = getattr(owner, method)
    return {
        "signature": str(inspect.signature(plain)),
        "name": (plain.__name__, plain.__qualname__, plain.__module__),
        "doc": plain.__doc__,
        "kinds": [
            asked(plain)
            for asked in (
                inspect.isfunction,
                inspect.isroutine,
                inspect.iscoroutinefunction,
                asyncio.iscoroutinefunction,
                inspect.isgeneratorfunction,
                inspect.isasyncgenfunction,
            )
        ],
        "source": inspect.getsource(plain)[:200],
        "annotations": sorted(plain.__annotations__),
        "pickled": attempt(lambda: pickle.dumps(owner)),
        "autospec": attempt(lambda: str(inspect.signature(mock.create_autospec(plain)))),
    }


def faces() -> dict[str, Any]:
    return {key: face(getattr(module, name), method) for key, (module, name, method) in HOOKED.items()}


def test_hooked_methods_look_the_same_and_come_back_as_they_were(clients: dict[str, Any]) -> None:
    before = {key: vars(getattr(module, name)).get(method) for key, (module, name, method) in HOOKED.items()}
    bare = faces()
    with watching():
        changed = [
            key
            for key, (module, name, method) in HOOKED.items()
            if vars(getattr(module, name)).get(method) is not before[key]
        ]
        assert len(changed) == 8
        assert differences(bare, faces()) == {}
    after = {key: vars(getattr(module, name)).get(method) for key, (module, name, method) in HOOKED.items()}
    assert all(after[key] is before[key] for key in HOOKED)


def client_portrait(clients: dict[str, Any]) -> dict[str, Any]:
    told: dict[str, Any] = {}
    for sdk, client in clients.items():
        told[sdk] = {
            "dir": dir(client),
            "vars": sorted(vars(client)),
            "class pickled": attempt(lambda client=client: pickle.dumps(type(client))),  # type: ignore[misc]
            "pickled": attempt(lambda client=client: pickle.dumps(client)).partition("'")[0],  # type: ignore[misc]
            "copy": type(copy.copy(client)),
            "with_options": type(client.with_options(timeout=3)),
            "bound": inspect.ismethod(client.request),
            "self": client.request.__self__ is client,
        }
    return told


def test_clients_look_the_same(clients: dict[str, Any], async_clients: dict[str, Any]) -> None:
    for each in (clients, async_clients):
        client_portrait(each)  # the first copy of all leaves `__slotnames__` on a class, whoever makes it
    bare = [client_portrait(clients), client_portrait(async_clients)]
    with watching():
        ours = [client_portrait(clients), client_portrait(async_clients)]
    for one, two in zip(bare, ours, strict=True):
        assert differences(one, two) == {}


class Subclass(openai.OpenAI):
    """An application's own client that goes through the SDK's request."""

    calls = 0

    def request(self, *args: Any, **kwargs: Any) -> Any:
        type(self).calls += 1
        return super().request(*args, **kwargs)


def test_subclass_that_overrides_the_hooked_method_is_called_once_and_observed_once(
    clients: dict[str, Any], gauge: Watch
) -> None:
    with Subclass(base_url=clients["openai"].base_url, api_key="k") as client:
        assert len(list(SURFACES[0].call(client, "m"))) > 10
    assert Subclass.calls == 1
    gauge.one(Outcome.COMPLETED)


def test_calls_that_are_not_streamed_pass_through_untouched_and_uncounted(
    clients: dict[str, Any], gauge: Watch
) -> None:
    client, prompt = clients["openai"], SURFACES[0]
    answers: Iterator[Any] = iter(
        (
            client.chat.completions.create(model="m", messages=[{"role": "user", "content": prompt.name}]),
            client.responses.create(model="m", input="Which gauge?"),
            client.models.list(),
            clients["anthropic"].messages.create(
                model="m", max_tokens=9, messages=[{"role": "user", "content": prompt.name}]
            ),
        )
    )
    assert len(list(answers)) == 4
    with pytest.raises(openai.RateLimitError):
        client.responses.create(model="demo-rate_limited", input="Which gauge?")
    assert gauge.reports == []
    assert gauge.spans == ()
    assert sum(point.value for point in gauge.points()["streamgauge.internal.errors"]) == 0
