"""The provider's side of the story: one `RequestLog` per request, to compare what was sent with what was seen."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field

from streamgauge.demo.faults import FAULTS, Expected
from streamgauge.demo.script import Frame


@dataclass(slots=True)
class RequestLog:
    """What the provider did for one request. Times are nanoseconds of the monotonic clock.

    `ended` is empty while the request is open, then completed, faulted, client_closed or provider_closed; `terminal`
    says whether the API's terminal marker went out. `first_byte_ns` is the answer's head, `first_piece_ns` its first
    piece of content. `client_closed_ns` is when a client left that had not got everything.
    """

    id: int
    method: str
    path: str
    headers: Mapping[str, str]
    started_ns: int = field(default_factory=time.monotonic_ns)
    api: str = ""
    platform: str = ""
    model: str = ""
    fault: str = ""
    retry_count: int = 0
    streamed: bool = False
    status: int | None = None
    response_id: str = ""
    first_byte_ns: int | None = None
    first_piece_ns: int | None = None
    last_piece_ns: int | None = None
    ended_ns: int | None = None
    client_closed_ns: int | None = None
    pieces_sent: int = 0
    characters_sent: int = 0
    terminal: bool = False
    ended: str = ""

    def __post_init__(self) -> None:
        given = self.headers.get("x-stainless-retry-count", "")
        self.retry_count = int(given) if given.isdigit() else 0

    @property
    def expected(self) -> Expected:
        """What an observer of this request's stream should report."""
        return FAULTS[self.fault or "healthy"].expected("bedrock" if self.platform == "bedrock" else self.api or "chat")

    def began(self, status: int) -> None:
        """The head of the answer has gone out."""
        self.status, self.first_byte_ns = status, time.monotonic_ns()

    def sent(self, frame: Frame) -> None:
        """A frame has gone out."""
        self.terminal = self.terminal or frame.role in ("finish", "end")
        if frame.role == "content":
            self.last_piece_ns = time.monotonic_ns()
            self.first_piece_ns = self.first_piece_ns or self.last_piece_ns
            self.pieces_sent += 1
            self.characters_sent += frame.characters

    def over(self, how: str) -> None:
        """The answer has ended; only the first end counts."""
        if not self.ended:
            self.ended, self.ended_ns = how, time.monotonic_ns()
