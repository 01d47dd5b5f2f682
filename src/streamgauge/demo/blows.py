"""The blows: each puts other steps in the place of one frame, in words that every wire dialect understands.

In: the frame that was about to go out, and the `Stage` with the call and its dialect. Out: the steps that go out
instead. A blow does not know where in the stream it lands nor whether the rest follows: the table of faults says so.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace

from streamgauge.demo.script import Break, Frame, Hang, Script, Step, Wait
from streamgauge.demo.wire.dialect import Call, Dialect, Problem, text_of

_ERROR = Problem(
    "The server had an error while processing your request.", "server_error", "server_error", "overloaded_error"
)
_OVERLOADED = Problem(
    "The engine is currently overloaded.",
    "server_error",
    "overloaded",
    "overloaded_error",
    "serviceUnavailableException",
)
PROBLEMS: Mapping[int, Problem] = {
    200: _ERROR,
    400: Problem(
        "Invalid value for 'messages'.",
        "invalid_request_error",
        "invalid_value",
        "invalid_request_error",
        "validationException",
    ),
    401: Problem(
        "Incorrect API key provided.",
        "invalid_request_error",
        "invalid_api_key",
        "authentication_error",
        "accessDeniedException",
    ),
    429: Problem("Rate limit reached.", "requests", "rate_limit_exceeded", "rate_limit_error", "throttlingException"),
    500: Problem("The server had an error.", "server_error", None, "api_error"),
    503: _OVERLOADED,
    529: _OVERLOADED,
}
"""What providers say in an error, by HTTP status; 200 is the error inside a stream."""


@dataclass(frozen=True, slots=True)
class Stage:
    """What a blow has at hand: the call, and the dialect that it is spoken in."""

    call: Call
    dialect: Dialect

    @property
    def script(self) -> Script:
        """The script being played."""
        return self.call.script


Blow = Callable[[Frame, Stage], Iterable[Step]]


def pause(frame: Frame, stage: Stage) -> Iterable[Step]:
    """The frame, late."""
    return Wait(stage.script.stall_ms), frame


def pings(frame: Frame, stage: Stage) -> Iterable[Step]:
    """The frame, late, with signs of life all through the wait."""
    for _ in range(10):
        yield stage.dialect.ping()
        yield Wait(stage.script.stall_ms / 10)
    yield frame


def silence(_frame: Frame, _stage: Stage) -> Iterable[Step]:
    """Nothing until the client gives up."""
    return (Hang(),)


def nothing(_frame: Frame, _stage: Stage) -> Iterable[Step]:
    """The frame left out."""
    return ()


def reset(_frame: Frame, _stage: Stage) -> Iterable[Step]:
    """A TCP reset."""
    # The pause lets the client read what was sent: a reset may throw away what is still on its way.
    return Wait(5), Break(reset=True)


def cut(_frame: Frame, _stage: Stage) -> Iterable[Step]:
    """The connection closed without the end of the body."""
    return (Break(reset=False),)


def half(frame: Frame, stage: Stage) -> Iterable[Step]:
    """The first half of the frame's bytes."""
    whole = stage.dialect.encode(frame)
    return (Frame(whole[: len(whole) // 2], "other"),)


def error(frame: Frame, stage: Stage) -> Iterable[Step]:
    """The dialect's error frame."""
    return stage.dialect.error(stage.call, _ERROR, frame)


def failed(frame: Frame, stage: Stage) -> Iterable[Step]:
    """The whole answer declared failed."""
    return stage.dialect.failed(stage.call, _ERROR, frame)


def twice(frame: Frame, _stage: Stage) -> Iterable[Step]:
    """The frame and, if it carries content, its copy."""
    return (frame, frame) if frame.role == "content" else (frame,)


def broken(frame: Frame, _stage: Stage) -> Iterable[Step]:
    """The frame with half of its JSON."""
    text = "{" if isinstance(frame.payload, bytes) else text_of(frame.payload)
    return (replace(frame, payload=text[: len(text) // 2], role="other", characters=0),)


def unknown(frame: Frame, stage: Stage) -> Iterable[Step]:
    """The frame with what no client knows yet."""
    return stage.dialect.unknown(stage.call, frame)


def nulls(frame: Frame, stage: Stage) -> Iterable[Step]:
    """The frame with nulls in it."""
    return stage.dialect.nulls(frame)


def gateway(frame: Frame, stage: Stage) -> Iterable[Step]:
    """The frame as a careless gateway passes it on."""
    return stage.dialect.gateway(frame)


def bytewise(frame: Frame, stage: Stage) -> Iterable[Step]:
    """The frame's bytes one by one, with room for other work in between."""
    whole = stage.dialect.encode(frame)
    yield replace(frame, payload=whole[:1])
    for place in range(1, len(whole)):
        if place % 16 == 0:  # at every few bytes a frame would take as long as a stall does, on a slow machine
            yield Wait(0)
        yield Frame(whole[place : place + 1], "other")
