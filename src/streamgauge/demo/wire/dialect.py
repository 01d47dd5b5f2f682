"""What every wire dialect can do: turn a script into frames, frames into bytes, and say its own kind of error.

In: a `Call`, which is one request with its script. Out: `Frame`s, lazily, because a fault may step in between two of
them; JSON bodies for requests that do not stream. A dialect knows nothing of faults, sockets and clocks.
"""

import json
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from streamgauge.demo.script import Block, Frame, Script

JSON = dict[str, Any]
SSE = "text/event-stream; charset=utf-8"


@dataclass(frozen=True, slots=True)
class Problem:
    """One error as each family of providers words it; `code` falls back to `type` where a provider leaves it out."""

    message: str
    openai_type: str
    openai_code: str | None
    anthropic_type: str
    aws_type: str = "internalServerException"


@dataclass(slots=True)
class Call:
    """One request being answered; `output` and `sequence` grow with the stream and tell what came before an error."""

    script: Script
    number: int
    model: str
    created: int
    platform: str = ""
    body: Mapping[str, Any] = field(default_factory=dict)
    output: list[JSON] = field(default_factory=list)
    sequence: Iterator[int] = field(default_factory=count)
    blocks: tuple[Block, ...] = field(init=False)

    def __post_init__(self) -> None:
        self.blocks = self.script.blocks()

    def id(self, prefix: str, part: int = 0) -> str:
        """An identifier in the style of the providers, the same for the same call and part."""
        return f"{prefix}{self.number:08x}{part:04x}{self.number * 2654435761 % 2**48:012x}"

    @property
    def total(self) -> int:
        """Number of content pieces in the whole answer, over all choices."""
        return sum(len(block.pieces) for block in self.blocks) * self.script.choices

    @property
    def tokens(self) -> tuple[int, int, int]:
        """Tokens of input, output and, as part of the output, reasoning: one token for each piece."""
        thought = sum(len(block.pieces) for block in self.blocks if block.kind == "reasoning")
        return self.script.input_tokens, self.total, thought


class Dialect(ABC):
    """One wire protocol: subclasses say what their API says, this class what server-sent events have in common.

    `many` says whether one answer may hold several choices.
    """

    api = ""
    content_type = SSE
    many = False

    @abstractmethod
    def identify(self, call: Call) -> str:
        """The id that the client sees in the answer."""

    @abstractmethod
    def frames(self, call: Call) -> Iterator[Frame]:
        """The whole healthy stream, frame by frame."""

    @abstractmethod
    def whole(self, call: Call) -> JSON:
        """The answer to a request that does not stream."""

    def error_type(self, problem: Problem) -> str:
        """The word by which clients of this API know the error."""
        return problem.openai_code or problem.openai_type

    def problem(self, problem: Problem) -> JSON:
        """The body of an HTTP error."""
        error = {"message": problem.message, "type": problem.openai_type, "param": None, "code": problem.openai_code}
        return {"error": error}

    def headers(self, problem: Problem) -> Mapping[str, str]:  # noqa: ARG002 - for those who name errors in headers
        """Headers that an HTTP error adds."""
        return {}

    def error(self, call: Call, problem: Problem, instead: Frame) -> tuple[Frame, ...]:  # noqa: ARG002 - some number them
        """The error inside a stream that has already begun; it takes the place of a frame that does not go out."""
        return (Frame(self.problem(problem), "other"),)

    def failed(self, call: Call, problem: Problem, instead: Frame) -> tuple[Frame, ...]:
        """The whole answer declared failed; where an API has no such thing, its error."""
        return self.error(call, problem, instead)

    def ping(self) -> Frame:
        """A sign of life without content."""
        return Frame(b": keep-alive\n\n", "ping")

    def unknown(self, call: Call, frame: Frame) -> tuple[Frame, ...]:  # noqa: ARG002 - some number them
        """The frame as a newer version of the API might send it, with what no client knows yet around it."""
        return (frame,)

    def nulls(self, frame: Frame) -> tuple[Frame, ...]:
        """The frame with the nulls that gateways put where a client expects a value."""
        return (frame,)

    def gateway(self, frame: Frame) -> tuple[Frame, ...]:
        """The frame as a careless gateway passes it on: without ids, among comment lines."""
        return (Frame(b": STREAMGAUGE PROCESSING\n\n", "ping"), frame)

    def encode(self, frame: Frame) -> bytes:
        """The bytes of a frame."""
        if isinstance(frame.payload, bytes):
            return frame.payload
        event = f"event: {frame.event}\n" if frame.event else ""
        return f"{event}data: {text_of(frame.payload)}\n\n".encode()


def text_of(payload: JSON | str) -> str:
    """A payload as the compact JSON that providers send; characters beyond ASCII stay as they are."""
    return payload if isinstance(payload, str) else json.dumps(payload, ensure_ascii=False, separators=(",", ":"))
