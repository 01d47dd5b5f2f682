"""Room 8, the gauge: the one place that wires the rooms together, and what users call.

`instrument()` observes every client of every installed SDK, `watch()` one client or any iterator; `of()`
and `current()` give the handle of a stream, `cancel()` ends one and says who asked, `followed_up()` what became of it.
Calling any of them twice is harmless."""

import logging
import weakref
from collections.abc import Awaitable, Iterable
from importlib.util import find_spec
from typing import Any, TypeVar

import wrapt

from streamgauge.errors import ConfigError
from streamgauge.gauge.bothways import BothWays
from streamgauge.gauge.observation import Observation
from streamgauge.gauge.patching import (
    Patches,
    find_by_id,
    find_by_iterator,
    find_by_response,
    find_gauge,
    register,
    response_of,
    supported,
    unregister,
)
from streamgauge.gauge.wiring import Gauge, OnFinding, current_observation
from streamgauge.names import FollowUp, Initiator
from streamgauge.providers import Provider, generic, providers
from streamgauge.settings import Settings
from streamgauge.signals import Sink

__all__ = [
    "Gauge",
    "Observation",
    "cancel",
    "current",
    "default_gauge",
    "flush",
    "followed_up",
    "instrument",
    "of",
    "uninstrument",
    "unwatch",
    "watch",
]

T = TypeVar("T")
log = logging.getLogger("streamgauge")


class _Wiring:
    """What is switched on: the gauge of all clients, the clients that are watched one by one, and the patched SDKs."""

    def __init__(self) -> None:
        self.everything: Gauge | None = None
        self.single: Gauge | None = None
        self.pools: weakref.WeakKeyDictionary[Any, Gauge | None] = weakref.WeakKeyDictionary()
        self.patched: dict[str, Patches] = {}
        self.hooked: set[str] = set()

    def choose(self, client: Any) -> Gauge | None:
        """The gauge that observes `client`: its own, that of everything, or, if it is watched without either, the
        default one.
        """
        pool = getattr(client, "_client", None) if self.pools else None
        own = self.pools.get(pool) if pool is not None else None
        if own is None and self.everything is None and pool is not None and pool in self.pools:
            return default_gauge()
        return own if own is not None else self.everything

    def patch(self, provider: Provider) -> None:
        """Hook an SDK that is imported now or later."""
        if provider.name in self.hooked:
            self._install(provider)
            return
        self.hooked.add(provider.name)
        wrapt.register_post_import_hook(lambda _module: self._install(provider), provider.name)

    def _install(self, provider: Provider) -> None:
        import sys

        if provider.name in self.patched or provider.name not in sys.modules:
            return
        if (self.everything is not None or self.pools) and supported(provider):
            patches = Patches(provider, self.choose)
            patches.install()
            self.patched[provider.name] = patches

    def unpatch(self) -> None:
        """Leave every SDK as it was."""
        for patches in self.patched.values():
            patches.remove()
        self.patched.clear()


_wiring = _Wiring()


def instrument(
    *,
    tracer_provider: Any = None,
    meter_provider: Any = None,
    logger_provider: Any = None,
    settings: Settings | None = None,
    sinks: Iterable[Sink] = (),
    on_finding: OnFinding | None = None,
) -> Gauge:
    """Observe the streams of every client of every installed SDK, from now on.

    Without providers the global ones are used. `sinks` get every `StreamReport`; `on_finding(stream, finding)` is
    called while a stream is open. Called again without `uninstrument()`, it changes nothing and gives the gauge that
    is there."""
    if _wiring.everything is not None:
        return _wiring.everything
    gauge = Gauge(
        settings,
        tracer_provider=tracer_provider,
        meter_provider=meter_provider,
        logger_provider=logger_provider,
        sinks=sinks,
        on_finding=on_finding,
    )
    _wiring.everything = gauge
    gauge.speak_for_effects()
    register(gauge)
    if gauge.settings.enabled:
        for provider in providers():
            if find_spec(provider.name) is not None:
                _wiring.patch(provider)
    return gauge


def uninstrument() -> None:
    """Leave every SDK as it was; streams that are open are still observed to their end."""
    gauge, _wiring.everything = _wiring.everything, None
    if gauge is not None:
        _retire(gauge)
    if not _wiring.pools:
        _wiring.unpatch()


def default_gauge() -> Gauge:
    """The gauge of `instrument()`, or else the one that `watch()` uses alone."""
    if _wiring.everything is not None:
        return _wiring.everything
    if _wiring.single is None:
        _wiring.single = Gauge()
        register(_wiring.single)
    return _wiring.single


def watch(
    target: T,
    *,
    provider: str | None = None,
    model: str | None = None,
    operation: str = "chat",
    gauge: Gauge | None = None,
) -> T:
    """Observe one client, or any sync or async iterator of chunks, dicts or strings.

    A client is given back as it is; copies made by its `with_options()` share its connection pool and are observed,
    too. An iterator comes back as a generator of the same chunks. `provider` and `model` name an iterator's source.
    Without a `gauge` of its own, it is that of `instrument()`, whichever is called first.
    """
    observer = gauge or default_gauge()
    register(observer)
    if _is_client(target):
        return _watch_client(target, gauge)
    if hasattr(target, "__anext__") or hasattr(target, "__aiter__") or hasattr(target, "__iter__"):
        wrapping: T = _watch_iterator(target, observer, provider, model, operation)
        return wrapping
    raise ConfigError(
        "target", type(target).__name__, "a client of a known SDK, or a sync or async iterator", "watch()"
    )


def unwatch(client: Any) -> None:
    """Take a `watch()` of a client back, and of its copies; one that is not watched is left as it is.

    Streams that are open are still observed to their end. With `instrument()` on, the client is observed as every
    other one is."""
    pool = getattr(client, "_client", None)
    if pool is None or pool not in _wiring.pools:
        return
    gauge = _wiring.pools.pop(pool)
    if gauge is not None and gauge not in (_wiring.everything, _wiring.single, *_wiring.pools.values()):
        _retire(gauge)
    if _wiring.everything is None and not _wiring.pools:
        _wiring.unpatch()


def _retire(gauge: Gauge) -> None:
    gauge.retire()
    gauge.flush()
    if not gauge.open_count:
        unregister(gauge)


def _is_client(target: Any) -> bool:
    roots = {cls.__module__.partition(".")[0] for cls in type(target).__mro__}
    return hasattr(target, "_client") and any(provider.name in roots for provider in providers())


def _watch_client(client: T, gauge: Gauge | None) -> T:
    _wiring.pools[client._client] = gauge  # type: ignore[attr-defined]
    roots = {cls.__module__.partition(".")[0] for cls in type(client).__mro__}
    for provider in providers():
        if provider.name in roots:
            _wiring.patch(provider)
    return client


def _watch_iterator(target: Any, gauge: Gauge, provider: str | None, model: str | None, operation: str) -> Any:
    known = of(target)
    if known is not None:
        return target
    observation = gauge.begin(generic.request(provider or "unknown", model, operation))
    if observation is None:
        return target
    observation.attempt()
    wrapping = _wrapping(target, observation)
    observation.follow(wrapping)
    return wrapping


def _wrapping(target: Any, observation: Observation) -> Any:
    if not hasattr(target, "__aiter__"):
        return observation.wrap(iter(target))
    if not hasattr(target, "__iter__"):
        return observation.wrap(target.__aiter__())
    return BothWays(target, observation.wrap)


def of(stream: Any) -> Observation | None:
    """The handle of a stream: an SDK stream or helper, a raw response, a watched iterator, a handle, or a stream id."""
    if isinstance(stream, Observation):
        return stream.latest
    if isinstance(stream, str):
        return find_by_id(stream)
    found = find_by_response(response_of(stream)) or find_by_iterator(stream)
    return None if found is None else found.latest


def current() -> Observation | None:
    """The handle of the stream that was begun last in this thread or task, open or sealed."""
    found = current_observation.get()
    return None if found is None else found.latest


def cancel(stream: Any, initiator: str | Initiator = Initiator.USER_STOP) -> Awaitable[None] | None:
    """End a stream, say who asked, and close the connection to the provider.

    `stream` is whatever `of()` takes. For an async stream the result is to be awaited; for a sync one the connection
    is closed on return, and a thread that is reading it comes to the end of its iteration.

    A stream is ended by the process that began it. In a process that was forked off while it was open nothing is ended
    and nothing told, as the parent goes on reading from the same connection: a warning is logged, and the id of such a
    stream is unknown there."""
    try:
        who = Initiator(initiator)
    except ValueError:
        raise ConfigError("initiator", str(initiator), "one of " + ", ".join(Initiator), "cancel()") from None
    observation = of(stream)
    if observation is None:
        raise ConfigError("stream", type(stream).__name__, "an observed stream, its handle or its id", "cancel()")
    return observation.cancel(who)


def followed_up(stream: Any, what: str | FollowUp) -> None:
    """Say what became of a stopped answer: `reprompted`, `partial_kept` or `discarded`.

    `stream` is whatever `of()` takes, also after its end, or the id of a stream or response, also of another process.
    Counted once per stream and word; never raises: another word or an unknown object is logged, and nothing counted.
    """
    handle = of(stream)
    name = handle.id if handle is not None else stream
    if what not in list(FollowUp) or not isinstance(name, str):
        log.warning("followed_up(%s, %r): expected a stream and one of %s", type(stream).__name__, what, [*FollowUp])
        return
    gauge = find_gauge(name) or _wiring.everything or _wiring.single
    if gauge is not None:
        gauge.followed_up(name, FollowUp(what))


def flush(timeout: float = 5.0) -> None:
    """Seal what was dropped so far, in every gauge."""
    for gauge in (_wiring.everything, _wiring.single, *_wiring.pools.values()):
        if gauge is not None:
            gauge.flush(timeout)
