"""What one answer says and how fast: the script of a stream, as data, and the steps that play it.

In: numbers and texts, from code, a request header, a path or a query. Out: `Block`s of content, cut into pieces, which
the wire dialects turn into `Frame`s. Deterministic for a seed; knows no protocol and tells no time.
"""

import json
import random
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, fields, replace
from itertools import chain, cycle, islice
from typing import Any, Literal

from streamgauge.errors import ConfigError

Kind = Literal["reasoning", "text", "tool", "refusal"]
Role = Literal["open", "content", "block", "usage", "finish", "end", "ping", "other"]

_VOCABULARY = """
a about above across after again along amber among and answer any arrives as at autumn bell below beside between
bread bridge bright brings by café calls carries chunk city clear cloud coast cold counts crosses dawn drift dry
early east echo ends evening every façade falls far field first fog for forest from gauge gives glass grain
green harbour has hears high hill holds if in ink into its keeps lamp late leaves light line listens long loud
low map measures mile mirror month morning moves naïve near never new night north of often old on one open or
orange over paper past path patient piece plain quiet rain reads rest rises river road room rope says sea second
señor short signal silver sings slow small snow some song south stone stops stream street summer sun tells than
that the there tide time to token town track tree turns under until up valley voice waits walks water waves west
when where which wind window winter with wood word yellow year 東京 λόγος
"""
_WORDS = tuple(_VOCABULARY.split())
_LOOPED = "Let me check the river gauge once more before I answer the question. "
REFUSAL = "I'm sorry, but I can't help with that request."


@dataclass(frozen=True, slots=True)
class ToolCall:
    """One tool call as the model writes it: `arguments` is the text on the wire, JSON or not."""

    name: str
    arguments: str


WEATHER = ToolCall("get_weather", '{"city": "Zürich", "days": 3, "units": "metric"}')
BOOKING = ToolCall("book_train", '{"from": "Zürich", "to": "Chur", "seats": 2, "class": "first"}')
BROKEN = ToolCall("get_weather", '{"city": "Zürich", "days": three, units: metric')


@dataclass(frozen=True, slots=True)
class Block:
    """A stretch of one kind of content, cut into the pieces that arrive one by one."""

    kind: Kind
    pieces: tuple[str, ...]
    tool: ToolCall | None = None

    @property
    def text(self) -> str:
        """The whole content of the block."""
        return "".join(self.pieces)


@dataclass(frozen=True, slots=True)
class Script:
    """One answer: how many pieces of what, when, and how it finishes. Times are milliseconds.

    `finish` is one of stop, length, content_filter, tools, auto (tools if there are any, else stop) or empty (no reason
    given); `usage` one of asked (when the request wants it), always, never; `at` is the number of content pieces that
    go out before the fault strikes (-1: half of them); `retry_ms` is the server's advice after an HTTP error.
    """

    pieces: int = 12
    reasoning: int = 0
    tools: tuple[ToolCall, ...] = ()
    tool_pieces: int = 5
    refusal: str = ""
    text: str = ""
    loop: bool = False
    choices: int = 1
    finish: str = "auto"
    usage: str = "asked"
    input_tokens: int = 25
    first_ms: float = 3.0
    gap_ms: float = 1.0
    stall_ms: float = 300.0
    retry_ms: float = 20.0
    at: int = -1
    seed: int = 0

    def changed(self, overrides: Mapping[str, object], where: str = "") -> "Script":
        """A copy with the given fields; values may be text, as they come from a path or a query.

        Raises:
            ConfigError: an unknown field, or a value that its field cannot take.
        """
        given: dict[str, Any] = {name: _cast(name, value, where) for name, value in overrides.items()}
        return replace(self, **given)

    def blocks(self) -> tuple[Block, ...]:
        """The content in the order in which it streams: reasoning, refusal, text, tool calls."""
        thought = Block("reasoning", tuple(_prose(self.seed + 1, self.reasoning)))
        refusal = Block("refusal", tuple(_cut(self.refusal, 4)))
        text = Block("text", tuple(self._text()))
        calls = (Block("tool", tuple(_cut(tool.arguments, self.tool_pieces)), tool) for tool in self.tools)
        return tuple(block for block in (thought, refusal, text, *calls) if block.pieces)

    def _text(self) -> Iterator[str]:
        if self.loop:
            return islice(cycle(_spaced(_LOOPED)), self.pieces)
        return _cut(self.text, self.pieces) if self.text else _prose(self.seed, self.pieces)

    @property
    def reason(self) -> str:
        """Why the answer finishes: stop, length, content_filter, tools or empty."""
        if self.finish != "auto":
            return self.finish
        return "tools" if self.tools else "stop"


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame of the wire before it is bytes: a JSON object, the text of a data line, or bytes as they are.

    `kind` and `characters` are set for content; `event` is the SSE event name of dialects that have one.
    """

    payload: dict[str, Any] | str | bytes
    role: Role
    event: str = ""
    kind: Kind | None = None
    characters: int = 0


@dataclass(frozen=True, slots=True)
class Wait:
    """Nothing for so many milliseconds."""

    ms: float


@dataclass(frozen=True, slots=True)
class Hang:
    """Nothing until the client gives up."""


@dataclass(frozen=True, slots=True)
class Break:
    """The connection ends here without the end of the body: a TCP reset, or a plain close."""

    reset: bool


Step = Frame | Wait | Hang | Break


def paced(frames: Iterator[Frame], script: Script) -> Iterator[Step]:
    """The frames with the script's pauses: one before the first piece of content, one before each further one."""
    waits = chain((script.first_ms,), cycle((script.gap_ms,)))
    for frame in frames:
        if frame.role == "content":
            yield Wait(next(waits))
        yield frame


def _prose(seed: int, pieces: int) -> Iterator[str]:
    chance = random.Random(seed)  # noqa: S311 - prose, not secrets
    for number in range(pieces):
        word = chance.choice(_WORDS)
        end = "." if number % 11 == 10 else ""
        yield (word if number == 0 else f" {word}") + end


def _cut(text: str, pieces: int) -> Iterator[str]:
    size = max(1, -(-len(text) // max(1, pieces)))
    return (text[start : start + size] for start in range(0, len(text), size))


def _spaced(text: str) -> list[str]:
    return [f"{word} " for word in text.split()]


def _count(value: object) -> int:
    number = int(str(value))
    if number < 0:
        raise ValueError(value)
    return number


def _milliseconds(value: object) -> float:
    number = float(str(value))
    if not 0 <= number < 86_400_000:
        raise ValueError(value)
    return number


def _tools(value: Any) -> tuple[ToolCall, ...]:
    calls = json.loads(value) if isinstance(value, str) else value
    return tuple(call if isinstance(call, ToolCall) else ToolCall(call["name"], _arguments(call)) for call in calls)


def _arguments(call: Mapping[str, Any]) -> str:
    given = call.get("arguments", {})
    return given if isinstance(given, str) else json.dumps(given, ensure_ascii=False)


def _one_of(*words: str) -> Callable[[object], str]:
    def check(value: object) -> str:
        if value not in words:
            raise ValueError(value)
        return str(value)

    return check


_CASTS: Mapping[str, tuple[Callable[[object], object], str]] = {
    "tools": (_tools, 'a list of {"name": ..., "arguments": ...}'),
    "refusal": (str, "text"),
    "text": (str, "text"),
    "loop": (lambda value: str(value).lower() in ("1", "true"), "true or false"),
    "finish": (
        _one_of("auto", "stop", "length", "content_filter", "tools", ""),
        "auto, stop, length, content_filter, tools or empty",
    ),
    "usage": (_one_of("asked", "always", "never"), "asked, always or never"),
}
_WHOLE = (_count, "a whole number, 0 or more")
_TIME = (_milliseconds, "milliseconds, 0 or more")
FIELDS = tuple(field.name for field in fields(Script))


def _cast(name: str, value: object, where: str) -> object:
    if name not in FIELDS:
        raise ConfigError("script", name, f"one of {', '.join(FIELDS)}", where)
    cast, allowed = _CASTS.get(name) or (_TIME if name.endswith("_ms") else _WHOLE)
    try:
        return cast(value)
    except (ValueError, TypeError, KeyError):
        raise ConfigError(name, value, allowed, where) from None
