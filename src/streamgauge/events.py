"""Room 2, the vocabulary between providers and recorder: what a chunk can carry, in our words.

A provider's reader says what it found by calling a `Sink`, one method per word; the recorder is such a sink, so that
no object is built per chunk on the hot path; visible text that is all that a chunk carries, it gives back without a
call. Where events are wanted as data (goldens, tests, tools), `EventLog` is a sink that writes each call down as an
immutable `Event`. This module knows no provider, no time and no state."""

from dataclasses import dataclass, field
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Usage:
    """Token counts as the provider gave them; None is unknown, never 0.

    `final` is False for counts sent before the end.
    """

    input_tokens: int | None = None
    output_tokens: int | None = None
    cache_read_tokens: int | None = None
    cache_write_tokens: int | None = None
    reasoning_tokens: int | None = None
    final: bool = True


class Sink(Protocol):
    """Whoever wants to know what a chunk carried. A reader calls nothing else."""

    def text(self, piece: str) -> None:
        """Visible text of the answer."""
        ...

    def reasoning(self, piece: str) -> None:
        """Reasoning, or a summary of it."""
        ...

    def refusal(self, piece: str) -> None:
        """Visible text with which the model declines."""
        ...

    def tool_call(self, key: object, call_id: str | None, name: str | None, free_form: bool = False) -> None:
        """A tool call begins; `key` is what the provider calls it by; `free_form` arguments are no JSON."""
        ...

    def tool_arguments(self, key: object, piece: str) -> None:
        """A piece of the arguments of the tool call `key`."""
        ...

    def tool_call_end(self, key: object) -> None:
        """The arguments of the tool call `key` are complete."""
        ...

    def choice(self, index: int) -> None:
        """An alternative answer beyond the first one was seen."""
        ...

    def finish(self, index: int, reason: str) -> None:
        """Choice `index` ended for `reason`, in the provider's word."""
        ...

    def terminal(self, marker: str) -> None:
        """The API's own end marker went by."""
        ...

    def usage(self, usage: Usage) -> None:
        """Token counts arrived; the latest value of each count is the right one."""
        ...

    def response(self, response_id: str | None, model: str | None, service_tier: str | None) -> None:
        """The answer says who it is."""
        ...

    def error(self, code: str | None, status: str | None) -> None:
        """An error frame inside the stream; `status` tells `failed` and `cancelled` apart. Never the message."""
        ...

    def duplicate(self) -> None:
        """The provider's own numbers say that this chunk was here before."""
        ...

    def ping(self) -> None:
        """A sign of life without content."""
        ...

    def expects_marker(self) -> None:
        """The stream turns out to have end markers of its own: exhaustion alone is no end."""
        ...

    def unrecognised(self) -> None:
        """A chunk, or a part of one, that this version knows nothing of."""
        ...


@dataclass(frozen=True, slots=True)
class Event:
    """One call of a sink, as data: the method's name and its arguments."""

    name: str
    arguments: tuple[object, ...] = ()


@dataclass(slots=True)
class EventLog:
    """A sink that keeps every event; for goldens, tests and tools, never for the hot path."""

    events: list[Event] = field(default_factory=list)

    def __getattr__(self, name: str) -> object:
        if name not in WORDS:
            raise AttributeError(name)
        return lambda *arguments: self.events.append(Event(name, arguments))


WORDS = frozenset(name for name in vars(Sink) if not name.startswith("_"))
