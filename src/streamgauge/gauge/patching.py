"""Puts the gauge into an SDK's way, at the few points that its provider file names, and takes it out again.

Three kinds of hook per SDK: the client's request method (begin, attempts, refusal), the stream's own iterator (the
tap), and the SDK's own span, which is left out for the calls that are observed here. Everything passes through
untouched when nothing is to be observed."""

import importlib
import logging
import sys
from collections.abc import Callable
from contextvars import ContextVar, Token
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Protocol

import wrapt
from packaging.specifiers import SpecifierSet

from streamgauge.gauge.observation import Observation
from streamgauge.gauge.wiring import Gauge
from streamgauge.providers import Provider

log = logging.getLogger("streamgauge")

_calling: ContextVar[Observation | None] = ContextVar("streamgauge_calling", default=None)


class Choice(Protocol):
    """Which gauge observes a client, if any."""

    def __call__(self, client: Any) -> Gauge | None:
        """The gauge that observes `client`, or None."""
        ...


def supported(provider: Provider) -> bool:
    """Whether the installed version of the SDK is one that we know; another one is left alone, and said so once."""
    try:
        installed = version(provider.distribution)
    except PackageNotFoundError:
        return provider.distribution in sys.modules
    if SpecifierSet(provider.versions).contains(installed, prereleases=True):
        return True
    if provider.name not in _left_alone:
        _left_alone.add(provider.name)
        log.warning(
            "streamgauge leaves %s %s alone: it knows the versions %s",
            provider.distribution,
            installed,
            provider.versions,
        )
    return False


_left_alone: set[str] = set()


class Patches:
    """The hooks in one SDK."""

    def __init__(self, provider: Provider, choose: Choice) -> None:
        self._provider, self._choose = provider, choose
        self._undo: list[Callable[[], None]] = []

    def install(self) -> None:
        """Hook everything that the provider file names."""
        provider = self._provider
        for path in provider.clients:
            self._wrap(path, provider.request, self._request)
            self._wrap_shadows(_class(path), provider.request)
            self._wrap(path, provider.attempt, self._attempt)
            if provider.own_span is not None:
                self._hide_own_span(path, provider.own_span)
        for path in provider.streams:
            self._wrap(path, provider.stream, self._stream)

    def remove(self) -> None:
        """Leave the SDK as it was; streams that are open stay observed to their end."""
        while self._undo:
            self._undo.pop()()

    def _wrap(self, path: str, method: str, wrapper: Callable[..., Any]) -> None:
        owner = _class(path)
        for place in [cls for cls in owner.__mro__ if method in vars(cls)][:1]:
            original = vars(place)[method]
            if isinstance(original, wrapt.FunctionWrapper) and getattr(original, "_self_wrapper", None) == wrapper:
                continue
            setattr(place, method, wrapt.FunctionWrapper(original, wrapper))
            self._undo.append(lambda place=place, original=original: setattr(place, method, original))  # type: ignore[misc]

    def _wrap_shadows(self, owner: Any, method: str) -> None:
        # another instrumentation that came first may have put its wrapper of the method into a subclass (OpenInference
        # into `OpenAI.request`): what that calls was taken before our hook was there, so the wrapper itself is hooked
        for place in _subclasses(owner):
            shadow = vars(place).get(method)
            if hasattr(shadow, "__wrapped__"):
                hooked = wrapt.FunctionWrapper(shadow, self._request)
                setattr(place, method, hooked)
                self._undo.append(partial(_restore, place, method, hooked, shadow))

    def _hide_own_span(self, path: str, name: str) -> None:
        owner = _class(path)
        place = next((cls for cls in owner.__mro__ if isinstance(vars(cls).get(name), property)), None)
        original = vars(place)[name] if place is not None else None
        if place is None or original is None or isinstance(original, _HiddenWhileCalling):
            return
        setattr(place, name, _HiddenWhileCalling(original.fget))
        self._undo.append(lambda: setattr(place, name, original))

    # the hooks

    def _begin(self, client: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Observation | None:
        if not kwargs.get("stream") or _in_call() is not None:  # a call within our own call is the same call
            return None
        gauge = self._choose(client)
        return gauge.guard.call("request", self._begun, gauge, client, args, kwargs) if gauge is not None else None

    def _begun(self, gauge: Gauge, client: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Observation | None:
        request = self._provider.read_request(client, args[1] if len(args) > 1 else kwargs["options"])
        return None if request is None else gauge.begin(request)

    def _request(self, wrapped: Any, client: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        observation = self._begin(client, args, kwargs)
        if observation is None:
            return wrapped(*args, **kwargs)
        if _is_async(wrapped):
            return _call_async(observation, wrapped, args, kwargs)
        return _call(observation, wrapped, args, kwargs)

    def _attempt(self, wrapped: Any, _client: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        observation = _in_call()
        if observation is not None:
            observation.attempt()
        return wrapped(*args, **kwargs)

    def _stream(self, wrapped: Any, stream: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        source = wrapped(*args, **kwargs)
        observation = self._observed(stream)
        if observation is None:
            return source
        observation.bind(getattr(stream, "response", None))
        wrapping = observation.guard.call("tap", observation.wrap, source)
        if wrapping is None:
            observation.discard("internal_error")
            return source
        return wrapping

    def _observed(self, stream: Any) -> Observation | None:
        response = getattr(stream, "response", None)
        known = find_by_response(response)
        return known if known is not None else _in_call()


def _in_call() -> Observation | None:
    """The call of ours that is being made; a task that was born in one and lives on is in it no more."""
    observation = _calling.get()
    return None if observation is None or observation.answered else observation


class _HiddenWhileCalling(property):
    """A property that is None while a call of ours is made, and the SDK's own otherwise."""

    def __get__(self, instance: Any, owner: type | None = None, /) -> Any:
        if instance is not None and _in_call() is not None:
            return None
        return super().__get__(instance, owner)


_gauges: list[Gauge] = []


def register(gauge: Gauge) -> None:
    """Let streams of `gauge` be found by their response."""
    if gauge not in _gauges:
        _gauges.append(gauge)


def unregister(gauge: Gauge) -> None:
    """Forget `gauge`."""
    if gauge in _gauges:
        _gauges.remove(gauge)


def find_by_response(response: Any) -> Observation | None:
    """The observation of the stream that `response` carries, of whichever gauge."""
    if response is None:
        return None
    return next((found for gauge in _gauges if (found := gauge.by_response(response)) is not None), None)


def find_by_iterator(iterator: Any) -> Observation | None:
    """The observation of a watched iterator, of whichever gauge."""
    return next((found for gauge in _gauges if (found := gauge.by_iterator(iterator)) is not None), None)


def find_by_id(stream_id: str) -> Observation | None:
    """An open stream by its id, of whichever gauge."""
    return next((found for gauge in _gauges if (found := gauge.by_id(stream_id)) is not None), None)


def find_gauge(stream: str) -> Gauge | None:
    """The gauge that observed a stream, by its id or its response's, if that was not long ago."""
    return next((gauge for gauge in _gauges if gauge.remembers(stream)), None)


def _class(path: str) -> Any:
    module, _, name = path.partition(":")
    return getattr(importlib.import_module(module), name)


def _subclasses(owner: Any) -> list[Any]:
    return [each for child in owner.__subclasses__() for each in (child, *_subclasses(child))]


def _restore(place: Any, method: str, hooked: object, shadow: object) -> None:
    if vars(place).get(method) is hooked:  # unless its owner took it out meanwhile
        setattr(place, method, shadow)


def _is_async(method: Any) -> bool:
    flags: int = method.__code__.co_flags
    return bool(flags & 0x80)  # inspect.CO_COROUTINE


def _call(observation: Observation, wrapped: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    token = _calling.set(observation)
    try:
        with observation.during_request():
            result = wrapped(*args, **kwargs)
    except BaseException as error:
        observation.refused(error)
        raise
    finally:
        _reset(token)
    observation.bind(response_of(result))
    return result


async def _call_async(observation: Observation, wrapped: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    token = _calling.set(observation)
    try:
        with observation.during_request():
            result = await wrapped(*args, **kwargs)
    except BaseException as error:
        observation.refused(error)
        raise
    finally:
        _reset(token)
    observation.bind(response_of(result))
    return result


def _reset(token: Token[Observation | None]) -> None:
    try:
        _calling.reset(token)
    except ValueError:  # the coroutine is finalised in another context than it began in
        _calling.set(None)


def response_of(result: Any) -> Any:
    """The HTTP response behind what an SDK gives back: a stream, a helper around it, or a raw response."""
    for name in ("http_response", "response", "_response"):
        response = getattr(result, name, None)
        if response is not None:
            return response
    inner = getattr(result, "_raw_stream", None)
    return None if inner is None else response_of(inner)
