"""The HTTP response under a stream: told when it is closed, and cut while another thread reads it.

Duck-typed over httpx and httpx2. The response's byte stream gets a subclass of its own class that tells of the first
close; it stays an instance of what it was, reading it costs nothing, and no reference leads back from the hook to the
response."""

import socket
from collections.abc import Callable
from functools import cache
from typing import Any

_HOOK = "_streamgauge_close"


def when_closed(response: Any, before: Callable[[Any], object], after: Callable[[], object]) -> bool:
    """Call `before` with the body, and `after`, around the first close of the response's body; True if that close is
    asynchronous.
    """
    body = getattr(response, "stream", None)
    if body is None or hasattr(body, _HOOK):
        return False
    asynchronous = hasattr(type(body), "__aiter__") and not hasattr(type(body), "__iter__")
    setattr(body, _HOOK, (before, after))
    body.__class__ = _telling(type(body), asynchronous)  # type: ignore[arg-type] # types are hashable
    return asynchronous


@cache
def _telling(kind: Any, asynchronous: bool) -> type:
    face = {name: getattr(kind, name) for name in ("__module__", "__qualname__", "__doc__")}
    return type(kind.__name__, (kind,), {**face, **({"aclose": _aclose} if asynchronous else {"close": _close})})


def _close(self: Any) -> None:
    before, after = vars(self).pop(_HOOK, (_nothing, _nothing))
    before(self)
    try:
        super(type(self), self).close()
    finally:
        after()


async def _aclose(self: Any) -> None:
    before, after = vars(self).pop(_HOOK, (_nothing, _nothing))
    before(self)
    try:
        await super(type(self), self).aclose()
    finally:
        after()


def _nothing(_body: Any = None) -> None:
    """Nothing is left to be told."""


def shut_down(response: Any) -> bool:
    """Shut the socket down, so that a thread that is blocked in a read returns; False if there is no socket to be
    had.
    """
    stream = getattr(response, "extensions", {}).get("network_stream")
    found = stream.get_extra_info("socket") if stream is not None else None
    if not isinstance(found, socket.socket):
        return False
    try:
        found.shutdown(socket.SHUT_RDWR)
    except OSError:
        return False
    return True
