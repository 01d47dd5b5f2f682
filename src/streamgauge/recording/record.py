"""The sealed facts of one stream: the only thing that later rooms see of the recording.

Times are nanoseconds; offsets count from the start of the call. None is unknown or never happened; never 0.
"""

from dataclasses import dataclass, field
from enum import StrEnum

from streamgauge.events import Usage
from streamgauge.names import Initiator, Mark, Phase, State


class EndCause(StrEnum):
    """The ways in which a stream can be left, as the tap sees them."""

    EXHAUSTED = "exhausted"
    FAILED = "failed"
    INTERRUPTED = "interrupted"
    CLOSED = "closed"
    DROPPED = "dropped"
    IDLE = "idle"
    EXIT = "exit"


@dataclass(frozen=True, slots=True)
class End:
    """How a stream was left: the cause and, for a failure, what can be told of it without its message.

    `error_type` is the provider's own code where there is one; `status` the HTTP status of a refused call; `timeout`,
    `network`, `malformed` and `provider` say what kind of exception it was (see a provider's `describe`)."""

    cause: EndCause
    error_type: str | None = None
    status: int | None = None
    timeout: bool = False
    network: bool = False
    malformed: bool = False
    provider: bool = False


@dataclass(frozen=True, slots=True)
class Call:
    """What is known of a call when it is made."""

    stream_id: str
    provider: str
    operation: str
    model: str | None
    started_unix_ns: int
    started_ns: int
    api: str | None = None
    server_address: str | None = None
    server_port: int | None = None
    parameters: dict[str, int | float | str] = field(default_factory=dict)
    resume_of: str | None = None
    stream_cursor: str | None = None
    background: bool = False
    finish_ends: bool = False
    ends_by_itself: bool = False

    @property
    def resumed(self) -> bool:
        """Whether this call goes on with a stream that was read before."""
        return self.resume_of is not None or self.stream_cursor is not None


@dataclass(frozen=True, slots=True)
class Stall:
    """A silence longer than its phase allows: where it began and how long it was; `open` if no chunk ended it."""

    phase: Phase
    offset_ns: int
    duration_ns: int
    open: bool = False


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A tool call seen in the stream.

    `well_formed` is False as soon as its arguments cannot become JSON any more, and None where that cannot be told:
    free-form arguments, those that were cut before they went wrong, and those that are nested too deeply."""

    id: str | None
    name: str | None
    complete: bool
    well_formed: bool | None
    arguments_hash: str | None
    arguments_length: int
    started_ns: int
    ended_ns: int | None


@dataclass(frozen=True, slots=True)
class Cancel:
    """Who ended the stream and when; `upstream_closed_ns` is None while the connection was not seen closed."""

    initiator: Initiator
    phase: Phase
    requested_ns: int
    upstream_closed_ns: int | None
    chunks_after: int
    characters_after: int


@dataclass(slots=True)
class Slice:
    """One event of the timeline: `count` neighbouring chunks from `index` on, their characters, times and largest gap.

    Immutable by convention: up to a hundred are made per stream, and a frozen one costs three times as much.
    """

    index: int
    count: int
    characters: int
    first_ns: int
    last_ns: int
    gap_max_ns: int
    marks: tuple[Mark, ...] = ()


@dataclass(frozen=True, slots=True)
class CharacterCounts:
    """Characters of content, by kind."""

    text: int = 0
    reasoning: int = 0
    tool_call: int = 0

    @property
    def total(self) -> int:
        """Characters of all kinds."""
        return self.text + self.reasoning + self.tool_call


@dataclass(slots=True)
class StreamRecord:
    """Everything that was seen of one stream, sealed.

    Immutable by convention: of so many fields, those of a frozen one are a twentieth of what a stream costs.
    """

    call: Call
    end: End
    ended_ns: int
    state_times_ns: dict[State, int]
    phase_times_ns: dict[Phase, int]
    phase: Phase
    chunks: int
    content_chunks: int
    characters: CharacterCounts
    first_any_ns: int | None
    first_reasoning_ns: int | None
    first_text_ns: int | None
    first_tool_call_ns: int | None
    last_content_ns: int | None
    attempts: int
    attempt_ns: int
    http_status: int | None
    wait_ns: int
    gap_max_ns: int | None
    stalls: tuple[Stall, ...]
    stall_count: int
    tool_calls: tuple[ToolCall, ...]
    tool_call_count: int
    choices: int
    finish_reasons: dict[int, str]
    terminal_marker: str | None
    usage: Usage | None
    response_id: str | None
    response_model: str | None
    service_tier: str | None
    refused: bool
    marked: bool
    error_code: str | None
    error_status: str | None
    pings: int
    unrecognised: int
    duplicates: int
    illegal_transitions: int
    cancel: Cancel | None
    timeline: tuple[Slice, ...]
    timeline_stride: int
