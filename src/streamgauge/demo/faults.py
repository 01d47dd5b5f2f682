"""The table of faults: what each does to a stream, and what an honest observer must say about it afterwards.

In: the steps of a healthy stream. Out: the same steps with the fault in them. A fault is a row of `FAULTS`; `struck` is
the only code that applies one, whatever the wire dialect. Expectations are words of `streamgauge.names`; findings that
hang on a threshold (stalled) assume a stall above it.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from streamgauge.demo import blows
from streamgauge.demo.blows import PROBLEMS, Blow, Stage
from streamgauge.demo.script import BOOKING, BROKEN, REFUSAL, WEATHER, Frame, Step
from streamgauge.demo.wire import BY_API
from streamgauge.errors import ConfigError
from streamgauge.names import FailureMode, Finding, Outcome


@dataclass(frozen=True, slots=True)
class Expected:
    """What an observer of one stream should report."""

    outcome: Outcome
    failure_mode: FailureMode | None = None
    findings: tuple[Finding, ...] = ()
    http_status: int | None = 200
    error_type: str = ""


@dataclass(frozen=True, slots=True)
class Fault:
    """One way in which a stream goes wrong (or does not).

    `changes` alters the script before it is played. `blow` takes the place of one frame: `where` names it (see
    `_hits`), `goes_on` says whether the rest follows. `every` rewrites each frame. `refuses` is how many attempts are
    answered with `status` (or `statuses`, by API) instead of a stream, -1 for all; `silent` leaves the request
    unanswered. `by_api` overrides expectations where an API's own rules say otherwise.
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
        """What an observer should report of a stream of this API: chat, completions, responses, messages or bedrock."""
        rules = "messages" if api == "bedrock" else api
        status = self.http_status(rules)
        in_band, refused = self.blow in (blows.error, blows.failed), self.refuses < 0
        # Amazon names an HTTP error in a header only: what an observer makes of it is left open.
        worded = in_band or (refused and api != "bedrock")
        said = BY_API[api].error_type(PROBLEMS[200 if in_band else status]) if worded else ""
        seen = None if self.silent else 200 if self.refuses > 0 else status
        general = Expected(self.outcome, self.failure_mode, self.findings, seen, said)
        return replace(general, **self.by_api.get(rules, {}))  # type: ignore[arg-type]


def struck(steps: Iterable[Step], fault: Fault, stage: Stage) -> Iterator[Step]:
    """The steps with the fault in them."""
    blow, sent = fault.blow, 0
    at = _place(fault, stage)
    for step in steps:
        if not isinstance(step, Frame):
            yield step
            continue
        if blow is not None and _hits(fault.where, step, reached=sent >= at):
            yield from blow(step, stage)
            if not fault.goes_on:
                return
            blow = None
        else:
            yield from fault.every(step, stage) if fault.every else (step,)
        sent += step.role == "content"


def fault_named(name: str, where: str = "") -> Fault:
    """The fault of that name; dashes count as underscores.

    Raises:
        ConfigError: there is none.
    """
    found = FAULTS.get(name.replace("-", "_"))
    if found is None:
        raise ConfigError("fault", name, f"one of {', '.join(FAULTS)}", where)
    return found


def _place(fault: Fault, stage: Stage) -> int:
    """How many pieces of content go out before the blow may land."""
    call, asked = stage.call, stage.script.at
    if asked >= 0:
        return asked
    if fault.where != "tool":
        return call.total // 2
    return (sum(len(block.pieces) for block in call.blocks if block.kind != "tool") + 2) * call.script.choices


def _hits(where: str, frame: Frame, *, reached: bool) -> bool:
    """Whether the blow lands on this frame; `where` is a row of this table."""
    content, ending = frame.role == "content", frame.role in ("finish", "usage", "end")
    return {
        "middle": reached and (content or ending),
        "tool": reached and (frame.kind == "tool" or ending),
        "first": content or ending,
        "opened": frame.role not in ("open", "other", "ping"),
        "usage": frame.role == "usage" or (frame.role == "finish" and frame.event != ""),
        "end": frame.role == "end",
    }[where]


_TEXT_AND_TOOLS = {"pieces": 4, "tools": (WEATHER, BOOKING)}
_COMPLETES = {"outcome": Outcome.COMPLETED, "findings": ()}
# Legacy completions have no words for tools, refusals and unknown fields: to them these are plain text.
_PLAIN_COMPLETIONS = {"completions": _COMPLETES}
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
    Fault(
        "slow_first_token", "opens at once, then a long wait before the first piece", where="first", blow=blows.pause
    ),
    Fault(
        "slow_dribble",
        "the bytes of the stream one by one: frames and UTF-8 characters arrive in parts",
        every=blows.bytewise,
    ),
    Fault(
        "stall", "a long gap in mid-stream, then goes on and completes", findings=(Finding.STALLED,), blow=blows.pause
    ),
    Fault(
        "pings_only", "as stall, with keep-alives all through the gap", findings=(Finding.STALLED,), blow=blows.pings
    ),
    Fault(
        "late_usage",
        "a long wait between the last content and the usage (which Responses and Anthropic send with the end)",
        findings=(Finding.STALLED,),
        changes={"usage": "always"},
        where="usage",
        blow=blows.pause,
        by_api={"chat": _COMPLETES, "completions": _COMPLETES},
    ),
    Fault("usage_missing", "completes without any token usage", changes={"usage": "never"}),
    Fault(
        "stall_forever",
        "silence in mid-stream until the client gives up by itself",
        Outcome.CANCELLED,
        findings=(Finding.STALLED,),
        blow=blows.silence,
        goes_on=False,
    ),
    Fault(
        "read_timeout",
        "silence in mid-stream until the client's read timeout",
        Outcome.TIMED_OUT,
        findings=(Finding.STALLED,),
        blow=blows.silence,
        goes_on=False,
    ),
    Fault("header_timeout", "takes the request and never answers", Outcome.TIMED_OUT, silent=True),
    Fault(
        "reset", "the connection is reset (RST) in mid-stream", Outcome.FAILED, _MID, blow=blows.reset, goes_on=False
    ),
    Fault(
        "cut_chunked",
        "the connection is closed in mid-stream without the end of the chunked body",
        Outcome.FAILED,
        _MID,
        blow=blows.cut,
        goes_on=False,
    ),
    Fault(
        "truncated",
        "ends politely in mid-stream: whole HTTP body, no terminal marker",
        Outcome.TRUNCATED,
        blow=blows.nothing,
        goes_on=False,
    ),
    Fault(
        "truncated_frame", "ends politely in the middle of a frame", Outcome.TRUNCATED, blow=blows.half, goes_on=False
    ),
    Fault(
        "cut_tool_args",
        "ends politely within the arguments of a tool call",
        Outcome.TRUNCATED,
        changes=_TEXT_AND_TOOLS,
        where="tool",
        blow=blows.nothing,
        goes_on=False,
        by_api=_PLAIN_COMPLETIONS,
    ),
    Fault(
        "no_content_no_end",
        "opens, says nothing and ends politely without a terminal marker",
        Outcome.TRUNCATED,
        where="opened",
        blow=blows.nothing,
        goes_on=False,
    ),
    Fault(
        "error_event",
        "an error frame in mid-stream",
        Outcome.FAILED,
        FailureMode.STREAM_ERROR_EVENT,
        blow=blows.error,
        goes_on=False,
    ),
    Fault(
        "response_failed",
        "the whole response declared failed (Responses; elsewhere error_event)",
        Outcome.FAILED,
        FailureMode.STREAM_ERROR_EVENT,
        blow=blows.failed,
        goes_on=False,
    ),
    Fault(
        "garbage",
        "a frame in mid-stream whose data is not JSON, and nothing after it",
        Outcome.FAILED,
        FailureMode.MALFORMED_STREAM,
        blow=blows.broken,
        goes_on=False,
    ),
    Fault(
        "duplicate_chunk",
        "every piece arrives twice, with the same number where there are numbers",
        findings=(Finding.DUPLICATE_CHUNK,),
        every=blows.twice,
    ),
    Fault(
        "unknown_event",
        "an event and a field that no client knows yet",
        findings=(Finding.UNRECOGNISED_CHUNK,),
        blow=blows.unknown,
        by_api=_PLAIN_COMPLETIONS,
    ),
    Fault("null_fields", "null where gateways put it: deltas, usage, optional fields", every=blows.nulls),
    Fault("gateway", "a careless gateway: missing ids, comment lines, empty choices", every=blows.gateway),
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
    Fault(
        "refusal",
        "the model refuses",
        Outcome.CONTENT_FILTERED,
        changes={"pieces": 0, "refusal": REFUSAL},
        by_api=_PLAIN_COMPLETIONS,
    ),
    Fault(
        "malformed_tool",
        "completes, with tool arguments that are not JSON",
        findings=(Finding.MALFORMED_TOOL_CALL,),
        changes={"pieces": 4, "tools": (BROKEN,)},
        by_api=_PLAIN_COMPLETIONS,
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
        "a finish reason without `[DONE]`; a stop reason without `message_stop` (Responses has none: healthy)",
        where="end",
        blow=blows.nothing,
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
