"""The recorder: one per stream, fed once per chunk, sealed once.

It is the sink that the provider's reader speaks to, and keeps running figures of fixed size; the hot path is in
`Intake`. Time comes in as an argument, in monotonic nanoseconds."""

from collections.abc import Callable

from streamgauge.events import Usage
from streamgauge.names import Initiator, Mark, Phase, State
from streamgauge.recording.intake import Intake, Reader
from streamgauge.recording.record import Call, Cancel, CharacterCounts, End, EndCause, Stall, StreamRecord
from streamgauge.recording.state import Step, advance
from streamgauge.recording.timeline import BIT, Timeline
from streamgauge.recording.tools import Judge, ToolCalls

_FOREVER = 2**62

KEPT_STALLS = 8
DUPLICATE_CHARACTERS = 16
"""Shortest piece whose repetition in the next chunk is a duplicate by itself; shorter ones (`very very`) repeat in
honest text, and are duplicates only when two different pieces come twice in a row."""

_FIRST_EVENT, _FIRST_REASONING = BIT[Mark.FIRST_EVENT], BIT[Mark.FIRST_REASONING]
_FIRST_TEXT, _FIRST_TOOL_CALL = BIT[Mark.FIRST_TEXT], BIT[Mark.FIRST_TOOL_CALL]
_PHASE, _STALL, _TERMINAL = BIT[Mark.PHASE], BIT[Mark.STALL], BIT[Mark.TERMINAL]
_TOOL_START, _TOOL_END = BIT[Mark.TOOL_CALL_START], BIT[Mark.TOOL_CALL_END]


class Recorder(Intake):
    """Running facts of one stream; see `StreamRecord` for what they mean."""

    __slots__ = (
        "_cancel",
        "_first_reasoning",
        "_first_text",
        "_first_tool",
        "_judge",
        "_last_piece",
        "_limits",
        "_marks",
        "_on_text",
        "_phase_since",
        "_phase_times",
        "_read_pieces",
        "_repeated_at",
        "_stall_limit",
        "_state_since",
        "_state_times",
        "_told",
        "_tools",
        "_waited_in",
        "attempt_ns",
        "attempts",
        "call",
        "choices",
        "duplicates",
        "error_code",
        "error_status",
        "finish_reasons",
        "first_any",
        "http_status",
        "illegal",
        "marked",
        "phase",
        "pings",
        "read_errors",
        "reasoning_characters",
        "record",
        "refused",
        "response_id",
        "response_model",
        "service_tier",
        "stall_count",
        "stalls",
        "state",
        "terminal_marker",
        "tool_characters",
        "unrecognised_chunks",
        "usage_counts",
    )  # fmt: skip

    def __init__(
        self,
        call: Call,
        look: Reader,
        *,
        timeline: Timeline,
        stall_limits: dict[Phase, int],
        judge: Judge,
        on_text: Callable[[str], None] | None = None,
    ) -> None:
        super().__init__(look, timeline, call.started_ns, stall_limits[Phase.WAITING])
        self.call = call
        self._limits = stall_limits
        self._stall_limit = stall_limits[Phase.WAITING]
        self._judge = judge
        self._on_text = on_text
        self.state = State.IDLE
        self._state_since = self._phase_since = self.attempt_ns = call.started_ns
        self._state_times: dict[State, int] = {}
        self._phase_times: dict[Phase, int] = {}
        self.phase = self._waited_in = Phase.WAITING
        self.attempts = 0
        self._marks = 0
        self.reasoning_characters = self.tool_characters = 0
        self._told = 0
        self.pings = self.unrecognised_chunks = self.duplicates = self.illegal = self.read_errors = self.stall_count = 0
        self.choices = 0
        self.stalls: list[Stall] = []
        self.finish_reasons: dict[int, str] = {}
        self.first_any: int | None = None
        self._first_reasoning: int | None = None
        self._first_text: int | None = None
        self._first_tool: int | None = None
        self._last_piece = ""
        self._repeated_at = -9
        self._read_pieces = 0
        self._tools: ToolCalls | None = None
        self.usage_counts: Usage | None = None
        self.response_id: str | None = None
        self.response_model: str | None = None
        self.service_tier: str | None = None
        self.terminal_marker: str | None = None
        self.error_code: str | None = None
        self.error_status: str | None = None
        self.http_status: int | None = None
        self.refused = self.marked = False
        self._cancel: Cancel | None = None
        self.record: StreamRecord | None = None

    # the life of the call

    def step(self, step: Step, now: int) -> None:
        """Take `step` in the state table; an illegal one is counted."""
        state = advance(self.state, step)
        if state is None:
            self.illegal += 1
            return
        self._state_times[self.state] = self._state_times.get(self.state, 0) + now - self._state_since
        self.state, self._state_since = state, now

    def attempt(self, now: int) -> None:
        """One more request goes out."""
        if self.attempts:
            self.step(Step.RETRY, now)
        self.step(Step.SEND, now)
        if not self.attempts and self.call.resumed:
            self.step(Step.RESUME, now)
        self.attempts += 1
        self.attempt_ns = self._asked = self._now = now

    def opened(self, http_status: int | None, now: int) -> None:
        """The provider answered; the body is there to be read."""
        self.http_status = http_status
        self.wait_ns += now - self._asked
        self._now = now

    def _tell(self, piece: str | None, gap: int, marks: int) -> None:
        if piece:
            self._say(piece)
        now, told, marks = self._now, self._told, self._marks | marks
        self._told = self._marks = 0
        if self.first_any is None:
            marks, gap = marks | self._first_chunk(now), 0
        self.gap_max = max(gap, self.gap_max)
        self._waited_in, self._allowed = self.phase, self._stall_limit
        self.plain = self.phase is Phase.RESPONDING and self._heir is None
        if marks:
            self.timeline.pin(now, told, gap, marks)
        else:
            self.timeline.add(1, told, now, now, gap)

    def _say(self, piece: object) -> None:
        if not isinstance(piece, str):
            self.unrecognised()  # gateways give lists and numbers, too
            return
        try:
            self.text(piece)
        except Exception:
            self.unreadable()

    def _first_chunk(self, now: int) -> int:
        self.first_any = now
        self.step(Step.CHUNK, now)
        return _FIRST_EVENT

    def unreadable(self) -> str | None:
        """The reader failed on the chunk at hand: nothing is known of it, which is counted."""
        self.read_errors += 1
        self.unrecognised_chunks += 1
        return None

    def _read_on(self, pieces: list[str], text: str) -> None:
        last, position = self._last_piece, self._read_pieces
        for piece in pieces:
            position += 1
            if piece == last:
                self._count_repetition(piece, position)
            last = piece
        self._last_piece, self._read_pieces = last, position
        if self._on_text is not None:
            try:
                self._on_text(text)
            except Exception:
                self.read_errors += 1

    def _count_repetition(self, piece: str, position: int) -> None:
        if self.choices > 1:
            return
        if len(piece) >= DUPLICATE_CHARACTERS or position - self._repeated_at == 2:
            self.duplicates += 1
        self._repeated_at = position

    def _stalled(self, gap: int, now: int) -> int:
        self._keep(Stall(self._waited_in, now - gap - self.call.started_ns, gap))
        return _STALL

    def _keep(self, stall: Stall) -> None:
        self.stall_count += 1
        if len(self.stalls) < KEPT_STALLS:
            self.stalls.append(stall)

    def _enter(self, phase: Phase) -> None:
        now = self.now
        self._phase_times[self.phase] = self._phase_times.get(self.phase, 0) + now - self._phase_since
        self._phase_since = now
        if self.phase is not Phase.WAITING:
            self._marks |= _PHASE
        self.phase = phase
        self._stall_limit = self._limits[phase]

    # the words of a reader (see `events.Sink`)

    def text(self, piece: str) -> None:
        """Visible text of the answer."""
        if self.phase is not Phase.RESPONDING:
            self._enter(Phase.RESPONDING)
            if self._first_text is None:
                self._first_text = self.now
                self._marks |= _FIRST_TEXT
        self._text += len(piece)
        self._content(len(piece))
        self._expect(1, len(piece))
        self._read_on([piece], piece)

    def _content(self, size: int) -> None:
        if self.pieces:
            self.settle()
        self._told += size
        self._content_chunks += 1
        self._last = self.now

    def reasoning(self, piece: str) -> None:
        """Reasoning, or a summary of it."""
        if self.phase is not Phase.PLANNING:
            self._enter(Phase.PLANNING)
            if self._first_reasoning is None:
                self._first_reasoning = self.now
                self._marks |= _FIRST_REASONING
        self.reasoning_characters += len(piece)
        self._content(len(piece))

    def refusal(self, piece: str) -> None:
        """Visible text with which the model declines."""
        self.refused = True
        self.text(piece)

    def tool_call(self, key: object, call_id: str | None, name: str | None, free_form: bool = False) -> None:
        """A tool call begins."""
        if self.phase is not Phase.ACTING:
            self._enter(Phase.ACTING)
        if self._first_tool is None:
            self._first_tool = self.now
            self._marks |= _FIRST_TOOL_CALL
        self._marks |= _TOOL_START
        if self._tools is None:
            self._tools = ToolCalls(self._judge)
        self._tools.begin(key, call_id, name, self.now, free_form)
        self._content(0)

    def tool_arguments(self, key: object, piece: str) -> None:
        """A piece of a tool call's arguments."""
        if self.phase is not Phase.ACTING:
            self._enter(Phase.ACTING)
        if self._tools is None or key not in self._tools.open:
            self.tool_call(key, None, None)
        self.tool_characters += len(piece)
        self._content(len(piece))
        assert self._tools is not None  # noqa: S101 - tool_call above made it
        self._tools.open[key].add(piece)

    def tool_call_end(self, key: object) -> None:
        """A tool call's arguments are complete."""
        if self._tools is not None and self._tools.end(key, self.now):
            self._marks |= _TOOL_END

    def choice(self, index: int) -> None:
        """Another answer of the same call was seen."""
        if index >= self.choices:
            self.choices = index + 1

    def finish(self, index: int, reason: str) -> None:
        """Choice `index` ended."""
        self.choice(index)
        self.finish_reasons[index] = reason
        self._marks |= _TERMINAL
        if self.call.finish_ends and len(self.finish_reasons) >= self.choices:
            self._stall_limit = _FOREVER  # all is said: waiting for a usage frame is no stall

    def terminal(self, marker: str) -> None:
        """The API's end marker."""
        self.terminal_marker = marker
        self._marks |= _TERMINAL

    def usage(self, usage: Usage) -> None:
        """Token counts; a later report replaces what it knows better."""
        known = self.usage_counts
        if known is None:
            self.usage_counts = usage
            return
        self.usage_counts = Usage(
            _newer(known.input_tokens, usage.input_tokens),
            _newer(known.output_tokens, usage.output_tokens),
            _newer(known.cache_read_tokens, usage.cache_read_tokens),
            _newer(known.cache_write_tokens, usage.cache_write_tokens),
            _newer(known.reasoning_tokens, usage.reasoning_tokens),
            known.final or usage.final,
        )

    def response(self, response_id: str | None, model: str | None, service_tier: str | None) -> None:
        """Who answers."""
        self.response_id = response_id or self.response_id
        self.response_model = model or self.response_model
        self.service_tier = service_tier or self.service_tier

    def error(self, code: str | None, status: str | None) -> None:
        """An error frame that the SDK hands over instead of raising."""
        self.error_code, self.error_status = code, status
        self._marks |= _TERMINAL

    def duplicate(self) -> None:
        """The provider's own numbers say that this chunk was here before."""
        self.duplicates += 1

    def ping(self) -> None:
        """A sign of life."""
        self.pings += 1

    def expects_marker(self) -> None:
        """Exhaustion alone is no end."""
        self.marked = True

    def unrecognised(self) -> None:
        """Something that this version does not know."""
        self.unrecognised_chunks += 1

    # running figures

    @property
    def chunks(self) -> int:
        """Chunks so far."""
        return self.timeline.chunks + len(self.held())

    def tool_call_ids(self) -> frozenset[str]:
        """Ids of the tool calls seen so far."""
        return frozenset() if self._tools is None else self._tools.ids()

    @property
    def text_characters(self) -> int:
        """Characters of visible text so far."""
        return self._text + sum(len(piece) for piece in self.held() if isinstance(piece, str))

    # the end

    @property
    def waiting(self) -> bool:
        """Whether the consumer is inside a read now."""
        return self.asked >= self.now and self.record is None

    def silence(self, now: int) -> int:
        """Nanoseconds of silence so far beyond what its phase allows, 0 if it is not yet a stall."""
        quiet = now - max(self.now, self.asked) if self.waiting else 0
        return quiet if quiet > self._stall_limit else 0

    def cancel(self, initiator: Initiator, now: int) -> None:
        """Somebody asked for the end; the first to ask is remembered."""
        if self._cancel is None:
            self._cancel = Cancel(initiator, self.phase, now, None, self.chunks, self._characters().total)

    @property
    def cancel_requested(self) -> bool:
        """Whether somebody asked for the end."""
        return self._cancel is not None

    def _characters(self) -> CharacterCounts:
        return CharacterCounts(self.text_characters, self.reasoning_characters, self.tool_characters)

    def _sealed_cancel(self, closed_ns: int | None) -> Cancel | None:
        cancel = self._cancel
        if cancel is None:
            return None
        chunks, characters = self.chunks - cancel.chunks_after, self._characters().total - cancel.characters_after
        return Cancel(cancel.initiator, cancel.phase, cancel.requested_ns, closed_ns, chunks, characters)

    def seal(
        self, end: End, now: int, *, closed_ns: int | None = None, event_budget: int | None = None
    ) -> StreamRecord:
        """Close the books at `now`; a second call gives the same record again. The last step is the judge's to take."""
        if self.record is not None:
            return self.record
        self.settle()
        if self.silence(now) and end.cause is not EndCause.EXHAUSTED:
            quiet = self.silence(now)
            self._keep(Stall(self.phase, now - quiet - self.call.started_ns, quiet, open=True))
        if self.waiting:
            self.wait_ns += now - self.asked
        self._state_times[self.state] = self._state_times.get(self.state, 0) + now - self._state_since
        self._state_since = now
        self._phase_times[self.phase] = self._phase_times.get(self.phase, 0) + now - self._phase_since
        self.timeline.close(None if event_budget is None else event_budget - len(self.stalls) - 2)
        self.record = self._sealed(end, now, closed_ns)
        return self.record

    def _sealed(self, end: End, now: int, closed_ns: int | None) -> StreamRecord:
        tools = self._tools.sealed() if self._tools is not None else ()
        return StreamRecord(
            call=self.call,
            end=end,
            ended_ns=now,
            state_times_ns=dict(self._state_times),
            phase_times_ns=dict(self._phase_times),
            phase=self.phase,
            chunks=self.chunks,
            content_chunks=self._content_chunks,
            characters=self._characters(),
            first_any_ns=self.first_any,
            first_reasoning_ns=self._first_reasoning,
            first_text_ns=self._first_text,
            first_tool_call_ns=self._first_tool,
            last_content_ns=self._last or None,
            attempts=max(self.attempts, 1),
            attempt_ns=self.attempt_ns,
            http_status=end.status or self.http_status,
            wait_ns=self.wait_ns,
            gap_max_ns=self.gap_max if self.chunks > 1 else None,
            stalls=tuple(self.stalls),
            stall_count=self.stall_count,
            tool_calls=tools,
            tool_call_count=self._tools.count if self._tools is not None else 0,
            choices=self.choices,
            finish_reasons=dict(self.finish_reasons),
            terminal_marker=self.terminal_marker,
            usage=self.usage_counts,
            response_id=self.response_id,
            response_model=self.response_model,
            service_tier=self.service_tier,
            refused=self.refused,
            marked=self.marked,
            error_code=self.error_code,
            error_status=self.error_status,
            pings=self.pings,
            unrecognised=self.unrecognised_chunks,
            duplicates=self.duplicates,
            illegal_transitions=self.illegal,
            cancel=self._sealed_cancel(closed_ns),
            timeline=tuple(self.timeline.slices()),
            timeline_stride=self.timeline.stride,
        )


def _newer(known: int | None, reported: int | None) -> int | None:
    return known if reported is None else reported
