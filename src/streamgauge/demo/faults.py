"""The table of faults: what each does to a stream, and what an honest observer must say about it afterwards.

In: the steps of a healthy stream. Out: the same steps with the fault in them. A fault is a row of `FAULTS`; `struck` is the only
code that applies one, whatever the wire dialect. Expectations are words of `streamgauge.names`; findings that hang on a threshold
(stalled) assume a stall above it.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from streamgauge.demo.script import BOOKING, BROKEN, REFUSAL, WEATHER, Break, Frame, Hang, Script, Step, Wait
from streamgauge.demo.wire.dialect import Call, Dialect, Problem, text_of
from streamgauge.errors import ConfigError
from streamgauge.names import FailureMode, Finding, Outcome

PROBLEMS: Mapping[int, Problem] = {
    200: Problem(
        "The server had an error while processing your request.", "server_error", "server_error", "overloaded_error"
    ),
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
    500: Problem("The server had an error.", "server_error", None, "api_error", "internalServerException"),
    503: Problem(
        "The engine is currently overloaded.",
        "server_error",
        "overloaded",
        "overloaded_error",
        "serviceUnavailableException",
    ),
    529: Problem("Overloaded", "server_error", "overloaded", "overloaded_error", "serviceUnavailableException"),
}
"""What providers say in an error, by HTTP status; 200 is the error inside a stream."""


@dataclass(frozen=True, slots=True)
class Expected:
    """What an observer of one stream should report."""

    outcome: Outcome
    failure_mode: FailureMode | None = None
    findings: tuple[Finding, ...] = ()
    http_status: int | None = 200
    error_type: str = ""


@dataclass(frozen=True, slots=True)
class Stage:
    """What a blow has at hand: the call and the dialect that it is spoken in."""

    call: Call
    dialect: Dialect

    @property
    def script(self) -> Script:
        """The script being played."""
        return self.call.script


Blow = Callable[[Frame, Stage], Iterable[Step]]


@dataclass(frozen=True, slots=True)
class Fault:
    """One way in which a stream goes wrong (or does not).

    `changes` alters the script before it is played. `blow` puts other steps in the place of one frame: the first of kind `where`
    after the script's `at` pieces (`middle`), the first at all (`first`, `tool`), whatever follows the opening (`opened`), the usage
    (`late`) or the last marker (`end`); `goes_on` says whether the rest follows. `every` rewrites each frame. `refuses` is how many attempts are answered with `status` instead of a stream (-1:
    all). `by_api` overrides expectations where an API's own rules say otherwise.
    """

    name: str
    description: str
    outcome: Outcome = Outcome.COMPLETED
    failure_mode: FailureMode | None = None
    findings: tuple[Finding, ...] = ()
    status: int = 200
    changes: Mapping[str, object] = field(default_factory=dict)
    where: str = "middle"
    blow: Blow | None = None
    goes_on: bool = True
    every: Blow | None = None
    refuses: int = 0
    silent: bool = False
    statuses: Mapping[str, int] = field(default_factory=dict)
    by_api: Mapping[str, Mapping[str, object]] = field(default_factory=dict)

    def http_status(self, api: str) -> int:
        """The HTTP status that the request ends with."""
        return self.statuses.get(api, self.status)

    def expected(self, api: str) -> Expected:
        """What an observer should report of a stream of this API: chat, completions, responses or messages."""
        status = None if self.silent else 200 if self.refuses > 0 else self.http_status(api)
        said = PROBLEMS[self.http_status(api)] if self.refuses < 0 or self.blow in (_error, _failed) else None
        general = Expected(self.outcome, self.failure_mode, self.findings, status, _error_type(said, api))
        return replace(general, **self.by_api.get(api, {}))  # type: ignore[arg-type]


def struck(steps: Iterable[Step], fault: Fault, stage: Stage) -> Iterator[Step]:
    """The steps with the fault in them."""
    sent, landed = 0, fault.blow is None
    for step in steps:
        if landed or not isinstance(step, Frame) or not _hits(fault, step, sent, stage.script):
            yield from _rewritten(step, fault, stage)
        else:
            landed = True
            assert fault.blow is not None  # noqa: S101 - not landed yet, so there is one
            yield from fault.blow(step, stage)
            if not fault.goes_on:
                return
        sent += isinstance(step, Frame) and step.role == "content"


def fault_named(name: str, where: str = "") -> Fault:
    """The fault of that name; dashes count as underscores.

    Raises:
        ConfigError: there is none.
    """
    found = FAULTS.get(name.replace("-", "_"))
    if found is None:
        raise ConfigError("fault", name, f"one of {', '.join(FAULTS)}", where)
    return found


def _hits(fault: Fault, frame: Frame, sent: int, script: Script) -> bool:
    content, end = frame.role == "content", frame.role in ("finish", "usage", "end")
    return {
        "first": content or end,
        "opened": frame.role not in ("open", "other", "ping"),
        "late": frame.role == "usage"
        or (frame.role == "finish" and isinstance(frame.payload, dict) and "response" in frame.payload),
        "tool": content
        and frame.kind == "tool"
        and (sent >= script.at if script.at >= 0 else not _opens(frame, sent, script)),
        "end": frame.role == "end",
    }.get(fault.where, (content or end) and sent >= script.strike_at)


def _opens(frame: Frame, sent: int, script: Script) -> bool:
    """Whether no piece of the first tool call's arguments is out yet."""
    before = sum(len(block.pieces) for block in script.blocks() if block.kind != "tool")
    return sent < (before + 2) * script.choices


def _rewritten(step: Step, fault: Fault, stage: Stage) -> Iterable[Step]:
    return fault.every(step, stage) if fault.every and isinstance(step, Frame) else (step,)


def _error_type(problem: Problem | None, api: str) -> str:
    if problem is None:
        return ""
    return problem.anthropic_type if api == "messages" else problem.openai_code or problem.openai_type


def _pause(frame: Frame, stage: Stage) -> Iterable[Step]:
    return Wait(stage.script.stall_ms), frame


def _silence(frame: Frame, stage: Stage) -> Iterable[Step]:  # noqa: ARG001 - a blow's signature
    return (Hang(),)


def _nothing(frame: Frame, stage: Stage) -> Iterable[Step]:  # noqa: ARG001 - a blow's signature
    return ()


def _reset(frame: Frame, stage: Stage) -> Iterable[Step]:  # noqa: ARG001 - a blow's signature
    # The pause lets the client read what was sent: a reset may throw away what is still on its way.
    return Wait(5), Break(reset=True)


def _cut(frame: Frame, stage: Stage) -> Iterable[Step]:  # noqa: ARG001 - a blow's signature
    return (Break(reset=False),)


def _half(frame: Frame, stage: Stage) -> Iterable[Step]:
    whole = stage.dialect.encode(frame)
    return (Frame(whole[: len(whole) // 2], "other"),)


def _error(frame: Frame, stage: Stage) -> Iterable[Step]:  # noqa: ARG001 - a blow's signature
    return stage.dialect.error(stage.call, PROBLEMS[200])


def _failed(frame: Frame, stage: Stage) -> Iterable[Step]:  # noqa: ARG001 - a blow's signature
    return stage.dialect.failed(stage.call, PROBLEMS[200])


def _twice(frame: Frame, stage: Stage) -> Iterable[Step]:  # noqa: ARG001 - a blow's signature
    return frame, frame


def _broken(frame: Frame, stage: Stage) -> Iterable[Step]:  # noqa: ARG001 - a blow's signature
    text = text_of(frame.payload) if not isinstance(frame.payload, bytes) else ""
    return (replace(frame, payload=text[: len(text) // 2], role="other", characters=0),)


def _unknown(frame: Frame, stage: Stage) -> Iterable[Step]:
    return stage.dialect.unknown(stage.call, frame)


def _nulls(frame: Frame, stage: Stage) -> Iterable[Step]:
    return stage.dialect.nulls(frame)


def _gateway(frame: Frame, stage: Stage) -> Iterable[Step]:
    return stage.dialect.gateway(frame)


def _pings(frame: Frame, stage: Stage) -> Iterable[Step]:
    for _ in range(10):
        yield stage.dialect.ping()
        yield Wait(stage.script.stall_ms / 10)
    yield frame


def _bytewise(frame: Frame, stage: Stage) -> Iterable[Step]:
    whole = stage.dialect.encode(frame)
    for place in range(len(whole)):
        yield Frame(whole[place : place + 1], "other") if place else replace(frame, payload=whole[:1])


_TEXT_AND_TOOLS = {"pieces": 4, "tools": (WEATHER, BOOKING)}
_COMPLETES = {"outcome": Outcome.COMPLETED, "findings": ()}
_MID = FailureMode.NETWORK_MID_STREAM

_TABLE = (
    Fault("healthy", "text, then the proper end"),
    Fault("reasoning", "reasoning, then text, then the proper end", changes={"reasoning": 8}),
    Fault("tools", "a little text, then two tool calls with arguments in pieces", changes=_TEXT_AND_TOOLS),
    Fault(
        "reasoning_and_tools", "reasoning, a little text, two tool calls", changes={"reasoning": 8, **_TEXT_AND_TOOLS}
    ),
    Fault(
        "several_choices",
        "three choices side by side (chat and completions; elsewhere healthy)",
        changes={"choices": 3},
    ),
    Fault("slow_first_token", "opens at once, then a long wait before the first piece", where="first", blow=_pause),
    Fault(
        "slow_dribble",
        "the bytes of the stream one by one: frames and UTF-8 characters arrive in parts",
        every=_bytewise,
    ),
    Fault("stall", "a long gap in mid-stream, then goes on and completes", findings=(Finding.STALLED,), blow=_pause),
    Fault("pings_only", "as stall, with keep-alives all through the gap", findings=(Finding.STALLED,), blow=_pings),
    Fault(
        "late_usage",
        "a long wait between the last content and the usage",
        changes={"usage": "always"},
        where="late",
        blow=_pause,
    ),
    Fault("usage_missing", "completes without any token usage", changes={"usage": "never"}),
    Fault(
        "stall_forever",
        "silence in mid-stream until the client gives up by itself",
        Outcome.CANCELLED,
        blow=_silence,
        goes_on=False,
    ),
    Fault(
        "read_timeout",
        "silence in mid-stream until the client's read timeout",
        Outcome.TIMED_OUT,
        blow=_silence,
        goes_on=False,
    ),
    Fault("header_timeout", "takes the request and never answers", Outcome.TIMED_OUT, silent=True),
    Fault("reset", "the connection is reset (RST) in mid-stream", Outcome.FAILED, _MID, blow=_reset, goes_on=False),
    Fault(
        "cut_chunked",
        "the connection is closed in mid-stream without the end of the chunked body",
        Outcome.FAILED,
        _MID,
        blow=_cut,
        goes_on=False,
    ),
    Fault(
        "truncated",
        "ends politely in mid-stream: whole HTTP body, no terminal marker",
        Outcome.TRUNCATED,
        blow=_nothing,
        goes_on=False,
    ),
    Fault("truncated_frame", "ends politely in the middle of a frame", Outcome.TRUNCATED, blow=_half, goes_on=False),
    Fault(
        "cut_tool_args",
        "ends politely within the arguments of a tool call",
        Outcome.TRUNCATED,
        changes=_TEXT_AND_TOOLS,
        where="tool",
        blow=_nothing,
        goes_on=False,
    ),
    Fault(
        "no_content_no_end",
        "opens, says nothing and ends politely without a terminal marker",
        Outcome.TRUNCATED,
        where="opened",
        blow=_nothing,
        goes_on=False,
    ),
    Fault(
        "error_event",
        "an error frame in mid-stream",
        Outcome.FAILED,
        FailureMode.STREAM_ERROR_EVENT,
        blow=_error,
        goes_on=False,
    ),
    Fault(
        "response_failed",
        "the whole response declared failed (Responses; elsewhere error_event)",
        Outcome.FAILED,
        FailureMode.STREAM_ERROR_EVENT,
        blow=_failed,
        goes_on=False,
    ),
    Fault(
        "garbage",
        "a frame in mid-stream whose data is not JSON",
        Outcome.FAILED,
        FailureMode.MALFORMED_STREAM,
        blow=_broken,
    ),
    Fault(
        "duplicate_chunk",
        "one piece arrives twice, with the same number where there are numbers",
        findings=(Finding.DUPLICATE_CHUNK,),
        blow=_twice,
    ),
    Fault(
        "unknown_event",
        "an event and a field that no client knows yet",
        findings=(Finding.UNRECOGNISED_CHUNK,),
        blow=_unknown,
    ),
    Fault("null_fields", "null where gateways put it: deltas, usage, optional fields", every=_nulls),
    Fault("gateway", "a careless gateway: missing ids, comment lines, empty choices", every=_gateway),
    Fault("empty", "the proper end, and no content at all", findings=(Finding.EMPTY,), changes={"pieces": 0}),
    Fault("incomplete", "stops at the token limit and says so", Outcome.LENGTH_LIMITED, changes={"finish": "length"}),
    Fault(
        "loop",
        "the same sentence until the token limit",
        Outcome.LENGTH_LIMITED,
        findings=(Finding.LOOPED,),
        changes={"loop": True, "pieces": 240, "finish": "length"},
    ),
    Fault(
        "content_filter_mid",
        "the content filter stops the answer after text was shown",
        Outcome.CONTENT_FILTERED,
        changes={"pieces": 6, "finish": "content_filter"},
    ),
    Fault(
        "content_filter_start",
        "the content filter stops the answer before any text",
        Outcome.CONTENT_FILTERED,
        changes={"pieces": 0, "finish": "content_filter"},
    ),
    Fault("refusal", "the model refuses", Outcome.CONTENT_FILTERED, changes={"pieces": 0, "refusal": REFUSAL}),
    Fault(
        "malformed_tool",
        "completes, with tool arguments that are not JSON",
        findings=(Finding.MALFORMED_TOOL_CALL,),
        changes={"pieces": 4, "tools": (BROKEN,)},
    ),
    Fault(
        "missing_finish_reason",
        "`[DONE]` without a finish reason; `message_stop` without a stop reason; a completed response without status",
        findings=(Finding.MISSING_FINISH_REASON,),
        changes={"finish": ""},
        by_api={"responses": _COMPLETES},
    ),
    Fault(
        "missing_done",
        "a finish reason without `[DONE]`; a stop reason without `message_stop`; Responses has no marker but its last event: healthy",
        where="end",
        blow=_nothing,
        goes_on=False,
        by_api={"messages": {"outcome": Outcome.TRUNCATED}},
    ),
    Fault("rate_limited_then_ok", "429 with a short retry-after, then healthy on the retry", status=429, refuses=1),
    Fault("rate_limited", "429, always", Outcome.FAILED, FailureMode.RATE_LIMITED, status=429, refuses=-1),
    Fault(
        "overloaded",
        "503, always; 529 from Anthropic",
        Outcome.FAILED,
        FailureMode.PROVIDER_ERROR,
        status=503,
        refuses=-1,
        statuses={"messages": 529},
    ),
    Fault("server_error", "500, always", Outcome.FAILED, FailureMode.PROVIDER_ERROR, status=500, refuses=-1),
    Fault("bad_request", "400", Outcome.FAILED, FailureMode.CLIENT_ERROR, status=400, refuses=-1),
    Fault("unauthorized", "401", Outcome.FAILED, FailureMode.CLIENT_ERROR, status=401, refuses=-1),
)

FAULTS: Mapping[str, Fault] = {fault.name: fault for fault in _TABLE}
"""Every fault, by name."""
