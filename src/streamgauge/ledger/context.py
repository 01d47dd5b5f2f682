"""How an effect learns where it came from: injection points for whoever captures streams, and a context for whoever
runs tools.

The ledger knows streams by string reference only. The capture sets the look-ups below once; without them everything
works by explicit references.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import replace

from streamgauge.ledger.errors import EffectInputError
from streamgauge.ledger.identity import Origin, describe_tool_call, parse_reference

_origin: ContextVar[Origin | None] = ContextVar("streamgauge_effect_origin", default=None)


def _unknown(_: object) -> str | None:
    return None


def _elsewhere(_: str) -> bool:
    return False


def _unseen(_: str) -> int | None:
    return None


def _unheard(_: object) -> None:
    return None


def _silent() -> None:
    return None


class Lookups:
    """What the capture tells the ledger; every member may be replaced.

    `current_stream(tool)` -> reference of the stream in whose context an effect of `tool` runs, or None: a stream that
    is still open, or one that has ended and had called this tool.
    `lives_here(stream_ref)` -> whether this process reads the stream; asked before its first effect is written, so
    that an end that nobody needed so far can be told first.
    `tool_call(obj_or_id)` -> reference of a tool call seen in a stream of this process, or None.
    `response_id(stream_ref)` -> the provider's name for the answer that a stream of this process carries, or None.
    `shown_chars(stream_ref)` -> characters of text shown so far by a live stream of this process, or None.
    `told()` returns when everything that the capture has to tell is on disk: the ends of streams that were read in an
    event loop are written beside it.
    `opened(ledger)` is called with a ledger that comes into use, before its first effect.
    """

    def __init__(self) -> None:
        self.current_stream: Callable[[str], str | None] = _unknown
        self.lives_here: Callable[[str], bool] = _elsewhere
        self.tool_call: Callable[[object], str | None] = _unknown
        self.response_id: Callable[[str], str | None] = _unknown
        self.shown_chars: Callable[[str], int | None] = _unseen
        self.told: Callable[[], None] = _silent
        self.opened: Callable[[object], None] = _unheard


lookups = Lookups()


@contextmanager
def came_from(reference: object = None, *, stream: str | None = None) -> Iterator[Origin]:
    """Let every effect in the block come from this tool call (object, id or reference) or from this stream."""
    origin = resolve(reference, stream)
    token = _origin.set(origin)
    try:
        yield origin
    finally:
        _origin.reset(token)


def reference(tool_call: object) -> str | None:
    """A tool call (object or id of an SDK) as a string that survives queues and processes, for `tool_call=` or
    `came_from` wherever its tool runs; None if no stream of this process had it.
    """
    origin = resolve(tool_call)
    return origin.reference if origin.stream_ref is not None else None


def resolve(tool_call: object = None, stream: str | None = None, tool: str = "") -> Origin:
    """The origin of an effect, of `tool` if it is known.

    What was handed over first, then the surrounding block, then the capture's current stream.
    """
    origin = _resolve(tool_call, stream, tool)
    if origin.stream_ref is None or origin.response_id is not None:
        return origin
    return replace(origin, response_id=lookups.response_id(origin.stream_ref))


def _resolve(tool_call: object, stream: str | None, tool: str) -> Origin:
    if tool_call is None:
        return _without_call(tool, stream)
    if isinstance(tool_call, Origin):
        return tool_call
    if isinstance(tool_call, str):
        return _by_text(tool, tool_call, stream)
    described = describe_tool_call(tool_call)
    found = lookups.tool_call(tool_call) or (
        lookups.tool_call(described.tool_call_id) if described.tool_call_id else None
    )
    stream_ref = stream or (parse_reference(found).stream_ref if found else _surrounding_stream(tool))
    return Origin(stream_ref, described.tool_call_id, described.tool, described.args)


def _by_text(tool: str, text: str, stream: str | None) -> Origin:
    if "#" in text:
        origin = parse_reference(text)
        if stream is not None and stream != origin.stream_ref:
            raise EffectInputError("stream", stream, f"the stream of the reference, {origin.stream_ref!r}")
        return origin
    found = lookups.tool_call(text)
    if found is not None and stream is None:
        return parse_reference(found)
    return Origin(stream or _surrounding_stream(tool), text)


def _without_call(tool: str, stream: str | None) -> Origin:
    if stream is not None:
        return parse_reference(stream)
    return _origin.get() or Origin(lookups.current_stream(tool))


def _surrounding_stream(tool: str) -> str | None:
    around = _origin.get()
    return around.stream_ref if around is not None else lookups.current_stream(tool)
