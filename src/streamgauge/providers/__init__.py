"""Room 1, providers: one file per SDK, saying where its streams are tapped and translating its chunks into events.

In: chunks, request options and exceptions of a foreign SDK, read by attribute only. Out: calls of a `Sink`, a
`Request` and an `End`. Pure translation: no SDK is imported, nothing is recorded, no time is told, nothing that the
application passes is consumed or changed. A provider is found by its module name, which is the root module of the SDK
it speaks for; one more provider is one more file that defines `PROVIDER`."""

import importlib
import pkgutil
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from streamgauge.events import Sink

Reader = Callable[[Any, Sink], str | None]
"""Reads one chunk into a sink; made anew for each stream, so it may remember what it needs.

Visible text that is all that a chunk carries is given back instead of told to the sink: nearly every chunk is of this
kind, and the hot path is spared a call."""


@dataclass(frozen=True, slots=True)
class Api:
    """One streaming API: its path in a request, the convention's operation name and the maker of its readers."""

    name: str
    path: re.Pattern[str]
    operation: str
    reader: Callable[[], Reader]
    finish_ends: bool = False
    """Whether a finish reason for every choice is an end marker by itself."""
    ends_by_itself: bool = False
    """Whether exhaustion is the only end marker that there is."""
    last_frame: Callable[[Any, Sink], None] | None = None
    """Reads the last frame on the wire, where the SDK keeps to itself what it says."""
    frame_name: str = "sse"
    """The variable of the stream's own generator that holds the latest frame."""


@dataclass(frozen=True, slots=True)
class Request:
    """What a request says of itself, before it is sent."""

    api: Api
    provider: str
    model: str | None = None
    server_address: str | None = None
    server_port: int | None = None
    parameters: dict[str, int | float | str] = field(default_factory=dict)
    stream_cursor: str | None = None
    resume_of_response: str | None = None
    background: bool = False


@dataclass(frozen=True, slots=True)
class Failure:
    """What can be told of an exception without its message."""

    error_type: str
    status: int | None = None
    timeout: bool = False
    network: bool = False
    malformed: bool = False
    provider: bool = False


@dataclass(frozen=True, slots=True)
class Provider:
    """Everything that the wiring must know of an SDK.

    Class paths are `module:Class`. `request` is the method through which every call goes, once per call: its second
    argument is what `read_request` reads, its keyword `stream` says whether a stream is asked for; `attempt`
    the one that it calls once per request sent; `stream` the method that makes a stream's own iterator. `own_span`
    names the attribute that holds the SDK's own tracer, if it has one."""

    name: str
    distribution: str
    versions: str
    clients: tuple[str, ...]
    streams: tuple[str, ...]
    read_request: Callable[[Any, Any], Request | None]
    request: str = "request"
    attempt: str = "_build_request"
    stream: str = "__stream__"
    own_span: str | None = None


@cache
def provider_named(name: str) -> Provider | None:
    """The provider whose file is called `name`, or None."""
    if name not in {module.name for module in pkgutil.iter_modules(__path__)}:
        return None
    provider = getattr(importlib.import_module(f"{__name__}.{name}"), "PROVIDER", None)
    return provider if isinstance(provider, Provider) else None


def providers() -> Iterator[Provider]:
    """All providers that have an SDK, in the order of their names."""
    for module in sorted(pkgutil.iter_modules(__path__), key=lambda found: found.name):
        provider = provider_named(module.name)
        if provider is not None:
            yield provider


# what every SDK's exceptions have in common

_KINDS: Mapping[str, dict[str, Any]] = {
    "APITimeoutError": {"error_type": "timeout", "timeout": True},
    "TimeoutException": {"error_type": "timeout", "timeout": True},
    "TimeoutError": {"error_type": "timeout", "timeout": True},
    "APIConnectionError": {"error_type": "connection_error", "network": True},
    "TransportError": {"error_type": "connection_error", "network": True},
    "ConnectionError": {"error_type": "connection_error", "network": True},
    "JSONDecodeError": {"error_type": "malformed_stream", "malformed": True},
    "UnicodeDecodeError": {"error_type": "malformed_stream", "malformed": True},
    "APIResponseValidationError": {"error_type": "malformed_stream", "malformed": True},
}
_CODE = re.compile(r"[A-Za-z0-9_.:/-]{1,64}")


def describe(error: BaseException) -> Failure:
    """What an exception of any SDK says: the provider's own code where there is one, never a message or a wrapper's
    name.
    """
    for ancestor in type(error).__mro__:
        if ancestor.__name__ in _KINDS:
            return Failure(**_KINDS[ancestor.__name__])
    status = getattr(error, "status_code", None)
    status = status if isinstance(status, int) and status >= 400 else None
    code = _code(error)
    if code or status or hasattr(error, "body"):
        return Failure(code or (str(status) if status else "provider_error"), status=status, provider=True)
    return Failure(type(error).__name__)


def _code(error: BaseException) -> str | None:
    body = getattr(error, "body", None)
    inner = body.get("error") if isinstance(body, Mapping) else None
    sources: tuple[Any, ...] = (
        getattr(error, "code", None),
        getattr(error, "type", None),
        inner.get("code") if isinstance(inner, Mapping) else None,
        inner.get("type") if isinstance(inner, Mapping) else None,
    )
    return next((code for source in sources if (code := clean_code(source))), None)


def clean_code(value: object) -> str | None:
    """`value` if it looks like a code and cannot be a sentence; numbers become text."""
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return value if isinstance(value, str) and _CODE.fullmatch(value) else None


class View:
    """Attribute reads on a dict or a foreign object that never fail: what is missing or null is None."""

    __slots__ = ("_is_dict", "_of")

    def __init__(self, of: Any) -> None:
        self._of = of
        self._is_dict = isinstance(of, Mapping)

    def __getattr__(self, name: str) -> Any:
        of = self._of
        if name == "__pydantic_extra__":
            return of if self._is_dict else getattr(of, name, None)  # a dict has no fields: all is extra
        return viewed(of.get(name) if self._is_dict else getattr(of, name, None))


def viewed(value: Any) -> Any:
    """`value` itself if it is plain, a view on it otherwise; lists become lists of views."""
    if value is None or isinstance(value, (str, int, float, bool)):
        return value
    if isinstance(value, (list, tuple)):
        return [viewed(item) for item in value]
    return View(value)
