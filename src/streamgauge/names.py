"""Every name of the outside world: attributes, metrics, events, label values, units and buckets.

Generated from `streamgauge/schema/registry` by `streamgauge schema generate`: change a name there, not here.
Room: vocabulary. Nothing comes in; every other room reads it; it imports nothing of this package and does nothing.
"""

# ruff: noqa: S105 - a key that begins with TOKEN_ is a name, not a secret

from dataclasses import dataclass
from enum import StrEnum

SCHEMA_VERSION = "0.1.2"
SCHEMA_URL = "https://streamgauge.dev/schemas/0.1.2"
SCOPE = "streamgauge"


class Outcome(StrEnum):
    """How a stream ended. A closed set."""

    COMPLETED = "completed"
    LENGTH_LIMITED = "length_limited"
    CONTENT_FILTERED = "content_filtered"
    TRUNCATED = "truncated"
    FAILED = "failed"
    TIMED_OUT = "timed_out"
    CANCELLED = "cancelled"
    ABANDONED = "abandoned"
    DETACHED = "detached"
    CRASHED = "crashed"


class FailureMode(StrEnum):
    """What kind of failure a failed, timed out or truncated stream met."""

    NETWORK_PRE_STREAM = "network_pre_stream"
    NETWORK_MID_STREAM = "network_mid_stream"
    RATE_LIMITED = "rate_limited"
    PROVIDER_ERROR = "provider_error"
    STREAM_ERROR_EVENT = "stream_error_event"
    MALFORMED_STREAM = "malformed_stream"
    TOOL_ERROR = "tool_error"
    CLIENT_ERROR = "client_error"


class Fault(StrEnum):
    """Who is at fault."""

    PROVIDER = "provider"
    NETWORK = "network"
    CALLER = "caller"
    TOOL = "tool"
    US = "us"


class State(StrEnum):
    """Where a stream is in its life."""

    IDLE = "idle"
    VALIDATING = "validating"
    SENDING = "sending"
    STREAMING = "streaming"
    COMPLETE = "complete"
    INTERRUPTED = "interrupted"
    FAILED = "failed"
    RETRIED = "retried"
    RECOVERED = "recovered"


class Phase(StrEnum):
    """What a stream is doing while it is open."""

    WAITING = "waiting"
    PLANNING = "planning"
    ACTING = "acting"
    RESPONDING = "responding"


class Finding(StrEnum):
    """Something wrong inside a stream, independent of its outcome."""

    STALLED = "stalled"
    LOOPED = "looped"
    MALFORMED_TOOL_CALL = "malformed_tool_call"
    EMPTY = "empty"
    MISSING_FINISH_REASON = "missing_finish_reason"
    DUPLICATE_CHUNK = "duplicate_chunk"
    UNRECOGNISED_CHUNK = "unrecognised_chunk"


class Initiator(StrEnum):
    """Who asked for the end of a stream. Given by the application or the relay, never guessed."""

    USER_STOP = "user_stop"
    CLIENT_DISCONNECT = "client_disconnect"
    DEADLINE = "deadline"
    BUDGET = "budget"
    GUARDRAIL = "guardrail"
    SHUTDOWN = "shutdown"
    RACE_LOST = "race_lost"
    UNKNOWN = "unknown"


class FollowUp(StrEnum):
    """What became of a stopped answer. Told by the application, never guessed."""

    REPROMPTED = "reprompted"
    PARTIAL_KEPT = "partial_kept"
    DISCARDED = "discarded"


class Provenance(StrEnum):
    """Where token usage comes from."""

    REPORTED = "reported"
    PARTIAL = "partial"
    UNKNOWN = "unknown"


class StatusClass(StrEnum):
    """Class of the HTTP status that the call was answered with."""

    OK = "2xx"
    REDIRECT = "3xx"
    CLIENT_ERROR = "4xx"
    SERVER_ERROR = "5xx"
    NONE = "none"


class Mark(StrEnum):
    """Why a chunk or a moment keeps a timeline event of its own."""

    FIRST_EVENT = "first_event"
    FIRST_REASONING = "first_reasoning"
    FIRST_TEXT = "first_text"
    FIRST_TOOL_CALL = "first_tool_call"
    PHASE = "phase"
    TOOL_CALL_START = "tool_call_start"
    TOOL_CALL_END = "tool_call_end"
    STALL = "stall"
    TERMINAL = "terminal"


class Kind(StrEnum):
    """What a chunk carried; also the kinds of first times."""

    ANY = "any"
    REASONING = "reasoning"
    TEXT = "text"
    TOOL_CALL = "tool_call"


class Verdict(StrEnum):
    """What a stream counts as, for one objective."""

    GOOD = "good"
    BAD = "bad"
    EXCLUDED = "excluded"


# Attributes of the OpenTelemetry conventions.
OPERATION_NAME = "gen_ai.operation.name"
PROVIDER_NAME = "gen_ai.provider.name"
REQUEST_MODEL = "gen_ai.request.model"
REQUEST_STREAM = "gen_ai.request.stream"
REQUEST_STREAM_CURSOR = "gen_ai.request.stream_cursor"
REQUEST_MAX_TOKENS = "gen_ai.request.max_tokens"
REQUEST_TEMPERATURE = "gen_ai.request.temperature"
REQUEST_TOP_P = "gen_ai.request.top_p"
REQUEST_CHOICE_COUNT = "gen_ai.request.choice.count"
RESPONSE_ID = "gen_ai.response.id"
RESPONSE_MODEL = "gen_ai.response.model"
RESPONSE_FINISH_REASONS = "gen_ai.response.finish_reasons"
RESPONSE_TIME_TO_FIRST_CHUNK = "gen_ai.response.time_to_first_chunk"
USAGE_INPUT_TOKENS = "gen_ai.usage.input_tokens"
USAGE_OUTPUT_TOKENS = "gen_ai.usage.output_tokens"
USAGE_CACHE_READ_INPUT_TOKENS = "gen_ai.usage.cache_read.input_tokens"
USAGE_CACHE_WRITE_INPUT_TOKENS = "gen_ai.usage.cache_write.input_tokens"
USAGE_CACHE_CREATION_INPUT_TOKENS = "gen_ai.usage.cache_creation.input_tokens"
USAGE_REASONING_OUTPUT_TOKENS = "gen_ai.usage.reasoning.output_tokens"
TOKEN_TYPE = "gen_ai.token.type"
TOKEN_MODALITY = "gen_ai.token.modality"
TOOL_NAME = "gen_ai.tool.name"
TOOL_CALL_ID = "gen_ai.tool.call.id"
OPENAI_API_TYPE = "openai.api.type"
OPENAI_SERVICE_TIER = "openai.response.service_tier"
ERROR_TYPE = "error.type"
SERVER_ADDRESS = "server.address"
SERVER_PORT = "server.port"
HTTP_STATUS_CODE = "http.response.status_code"

# Attributes and labels of our own.
STREAM_ID = "streamgauge.stream.id"
OUTCOME = "streamgauge.outcome"
FAILURE_MODE = "streamgauge.failure.mode"
FAULT = "streamgauge.fault"
STATE = "streamgauge.state"
PHASE = "streamgauge.phase"
FINDING = "streamgauge.finding"
FINDINGS = "streamgauge.findings"
TERMINAL_MARKER = "streamgauge.terminal_marker"
INITIATOR = "streamgauge.cancel.initiator"
CANCEL_PHASE = "streamgauge.cancel.phase"
UPSTREAM_CLOSE_TIME = "streamgauge.cancel.upstream_close_time"
CANCEL_CHUNKS = "streamgauge.cancel.chunks"
CANCEL_CHARACTERS = "streamgauge.cancel.characters"
FOLLOW_UP = "streamgauge.follow_up"
CHUNKS = "streamgauge.chunks"
CHOICES = "streamgauge.choices"
TEXT_CHARACTERS = "streamgauge.text.characters"
REASONING_CHARACTERS = "streamgauge.reasoning.characters"
TOOL_CALL_CHARACTERS = "streamgauge.tool_call.characters"
TOOL_CALLS = "streamgauge.tool_calls"
USAGE_PROVENANCE = "streamgauge.usage.provenance"
TTFT = "streamgauge.ttft.text"
TTFT_ANY = "streamgauge.ttft.any"
TTFT_REASONING = "streamgauge.ttft.reasoning"
TTFT_TOOL_CALL = "streamgauge.ttft.tool_call"
TTFT_ATTEMPT = "streamgauge.ttft.attempt"
TTLT = "streamgauge.ttlt"
GAP_MAX = "streamgauge.gap.max"
STALLS = "streamgauge.stalls"
WAIT_TIME = "streamgauge.wait_time"
CONSUMER_TIME = "streamgauge.consumer_time"
PHASE_TIME_WAITING = "streamgauge.phase_time.waiting"
PHASE_TIME_PLANNING = "streamgauge.phase_time.planning"
PHASE_TIME_ACTING = "streamgauge.phase_time.acting"
PHASE_TIME_RESPONDING = "streamgauge.phase_time.responding"
ATTEMPTS = "streamgauge.attempts"
RESUME_OF = "streamgauge.resume_of"
STATUS_CLASS = "streamgauge.http.status_class"
ILLEGAL_TRANSITIONS = "streamgauge.illegal_transitions"
TIMELINE_STRIDE = "streamgauge.timeline.stride"
TIMELINE_MODE = "streamgauge.timeline.mode"
CHUNK_INDEX = "streamgauge.chunk.index"
CHUNK_COUNT = "streamgauge.chunk.count"
CHUNK_CHARACTERS = "streamgauge.chunk.characters"
CHUNK_FIRST_OFFSET = "streamgauge.chunk.first_offset"
CHUNK_LAST_OFFSET = "streamgauge.chunk.last_offset"
CHUNK_GAP_MAX = "streamgauge.chunk.gap.max"
CHUNK_MARK = "streamgauge.chunk.mark"
STALL_DURATION = "streamgauge.stall.duration"
KIND = "streamgauge.kind"
HOOK = "streamgauge.hook"
DROP_REASON = "streamgauge.drop_reason"
EFFECT_KEY = "streamgauge.effect.key"
EFFECT_ATTEMPT = "streamgauge.effect.attempt"
EFFECT_CLASS = "streamgauge.effect.class"
EFFECT_REVERSIBLE = "streamgauge.effect.reversible"
EFFECT_STATE = "streamgauge.effect.state"
EFFECT_POSITION = "streamgauge.effect.position"
EFFECT_STOP_AFTER_START = "streamgauge.effect.stop_after_start"
EFFECT_STOP_AFTER_COMMIT = "streamgauge.effect.stop_after_commit"
RECONCILIATION_VERDICT = "streamgauge.reconciliation.verdict"
RECONCILIATION_REVISION = "streamgauge.reconciliation.revision"
RECONCILIATION_EFFECTS = "streamgauge.reconciliation.effects"
SLO = "streamgauge.slo"
VERDICT = "streamgauge.verdict"

# Events: span events and log events share their names.
EVENT_CHUNK = "streamgauge.chunk"
EVENT_STALL = "streamgauge.stall"
EVENT_CANCEL = "streamgauge.cancel"
EVENT_FOLLOW_UP = "streamgauge.follow_up"
EVENT_BEGIN = "streamgauge.stream.begin"
EVENT_END = "streamgauge.stream.end"
EVENT_EFFECT = "streamgauge.effect"
EVENT_RECONCILIATION = "streamgauge.reconciliation"

# The words that an attribute of a closed set may have.
VALUES = {
    OUTCOME: (
        "completed",
        "length_limited",
        "content_filtered",
        "truncated",
        "failed",
        "timed_out",
        "cancelled",
        "abandoned",
        "detached",
        "crashed",
    ),
    FAILURE_MODE: (
        "network_pre_stream",
        "network_mid_stream",
        "rate_limited",
        "provider_error",
        "stream_error_event",
        "malformed_stream",
        "tool_error",
        "client_error",
    ),
    FAULT: ("provider", "network", "caller", "tool", "us"),
    STATE: ("idle", "validating", "sending", "streaming", "complete", "interrupted", "failed", "retried", "recovered"),
    PHASE: ("waiting", "planning", "acting", "responding"),
    FINDING: (
        "stalled",
        "looped",
        "malformed_tool_call",
        "empty",
        "missing_finish_reason",
        "duplicate_chunk",
        "unrecognised_chunk",
    ),
    FINDINGS: (
        "stalled",
        "looped",
        "malformed_tool_call",
        "empty",
        "missing_finish_reason",
        "duplicate_chunk",
        "unrecognised_chunk",
    ),
    INITIATOR: (
        "user_stop",
        "client_disconnect",
        "deadline",
        "budget",
        "guardrail",
        "shutdown",
        "race_lost",
        "unknown",
    ),
    CANCEL_PHASE: ("waiting", "planning", "acting", "responding"),
    FOLLOW_UP: ("reprompted", "partial_kept", "discarded"),
    USAGE_PROVENANCE: ("reported", "partial", "unknown"),
    STATUS_CLASS: ("2xx", "3xx", "4xx", "5xx", "none"),
    TIMELINE_MODE: ("adaptive", "every", "off"),
    CHUNK_MARK: (
        "first_event",
        "first_reasoning",
        "first_text",
        "first_tool_call",
        "phase",
        "tool_call_start",
        "tool_call_end",
        "stall",
        "terminal",
    ),
    KIND: ("any", "reasoning", "text", "tool_call"),
    EFFECT_STATE: (
        "intended",
        "awaiting_approval",
        "approved",
        "denied",
        "expired",
        "never_started",
        "started",
        "committed",
        "failed_no_effect",
        "unknown",
        "reconciled_committed",
        "reconciled_absent",
        "abandoned",
        "compensation_requested",
        "compensated",
        "compensation_failed",
        "undeclared",
    ),
    EFFECT_POSITION: ("before_dispatch", "in_flight", "after_commit"),
    RECONCILIATION_VERDICT: ("clean", "consistent", "partial_commit", "effect_failed", "compensated", "unknown"),
    VERDICT: ("good", "bad", "excluded"),
}

# Explicit bucket bounds, in the unit of their metrics.
CONVENTION_BUCKETS = (0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92)
TOKEN_BUCKETS = (
    1.0,
    4.0,
    16.0,
    64.0,
    256.0,
    1024.0,
    4096.0,
    16384.0,
    65536.0,
    262144.0,
    1048576.0,
    4194304.0,
    16777216.0,
    67108864.0,
)
APPROVAL_BUCKETS = (0.1, 0.5, 1.0, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0, 3600.0, 14400.0, 86400.0)
TTFT_BUCKETS = (
    0.05,
    0.1,
    0.2,
    0.3,
    0.5,
    0.75,
    1.0,
    1.5,
    2.0,
    3.0,
    5.0,
    7.5,
    10.0,
    15.0,
    20.0,
    30.0,
    60.0,
    120.0,
    300.0,
    600.0,
)
TOTAL_BUCKETS = (
    0.5,
    1.0,
    2.0,
    5.0,
    10.0,
    15.0,
    20.0,
    30.0,
    45.0,
    60.0,
    90.0,
    120.0,
    180.0,
    300.0,
    600.0,
    1200.0,
    3600.0,
)
GAP_BUCKETS = (
    0.005,
    0.01,
    0.02,
    0.03,
    0.04,
    0.05,
    0.075,
    0.1,
    0.15,
    0.2,
    0.3,
    0.5,
    0.75,
    1.0,
    2.0,
    5.0,
    10.0,
    30.0,
    60.0,
    300.0,
    600.0,
)


@dataclass(frozen=True, slots=True)
class Metric:
    """One instrument: its name, kind, unit, meaning, labels and bucket bounds (seconds or tokens)."""

    name: str
    instrument: str
    unit: str
    brief: str
    attributes: tuple[str, ...]
    buckets: tuple[float, ...] = ()

    @property
    def prometheus(self) -> str:
        """The family's name as the Prometheus exporters write it: counters end in `_total`, seconds in `_seconds`."""
        suffix = "_seconds" if self.unit == "s" else ""
        return self.name.replace(".", "_") + suffix + ("_total" if self.instrument == "counter" else "")


OPERATION_DURATION = Metric(
    name="gen_ai.client.operation.duration",
    instrument="histogram",
    unit="s",
    brief="GenAI operation duration.",
    attributes=(OPERATION_NAME, PROVIDER_NAME, REQUEST_MODEL, RESPONSE_MODEL, SERVER_ADDRESS, SERVER_PORT, ERROR_TYPE),
    buckets=CONVENTION_BUCKETS,
)
OPERATION_FIRST_CHUNK = Metric(
    name="gen_ai.client.operation.time_to_first_chunk",
    instrument="histogram",
    unit="s",
    brief="Time to receive the first chunk.",
    attributes=(OPERATION_NAME, PROVIDER_NAME, REQUEST_MODEL, RESPONSE_MODEL, SERVER_ADDRESS, SERVER_PORT),
    buckets=CONVENTION_BUCKETS,
)
OPERATION_PER_CHUNK = Metric(
    name="gen_ai.client.operation.time_per_output_chunk",
    instrument="histogram",
    unit="s",
    brief="Time per output chunk.",
    attributes=(OPERATION_NAME, PROVIDER_NAME, REQUEST_MODEL, RESPONSE_MODEL, SERVER_ADDRESS, SERVER_PORT),
    buckets=CONVENTION_BUCKETS,
)
TOKEN_USAGE = Metric(
    name="gen_ai.client.token.usage",
    instrument="histogram",
    unit="{token}",
    brief="Number of input and output tokens used.",
    attributes=(OPERATION_NAME, PROVIDER_NAME, REQUEST_MODEL, RESPONSE_MODEL, SERVER_ADDRESS, SERVER_PORT, TOKEN_TYPE),
    buckets=TOKEN_BUCKETS,
)
INFERENCE_DURATION = Metric(
    name="gen_ai.client.inference.duration",
    instrument="histogram",
    unit="s",
    brief="GenAI inference duration.",
    attributes=(OPERATION_NAME, PROVIDER_NAME, REQUEST_MODEL, RESPONSE_MODEL, SERVER_ADDRESS, SERVER_PORT, ERROR_TYPE),
    buckets=CONVENTION_BUCKETS,
)
INFERENCE_FIRST_CHUNK = Metric(
    name="gen_ai.client.inference.time_to_first_chunk",
    instrument="histogram",
    unit="s",
    brief="Time to receive the first chunk.",
    attributes=(OPERATION_NAME, PROVIDER_NAME, REQUEST_MODEL, RESPONSE_MODEL, SERVER_ADDRESS, SERVER_PORT),
    buckets=CONVENTION_BUCKETS,
)
INFERENCE_PER_CHUNK = Metric(
    name="gen_ai.client.inference.time_per_output_chunk",
    instrument="histogram",
    unit="s",
    brief="Time per output chunk.",
    attributes=(OPERATION_NAME, PROVIDER_NAME, REQUEST_MODEL, RESPONSE_MODEL, SERVER_ADDRESS, SERVER_PORT),
    buckets=CONVENTION_BUCKETS,
)
INFERENCE_INPUT_TOKENS = Metric(
    name="gen_ai.client.inference.usage.input_tokens",
    instrument="counter",
    unit="{token}",
    brief="Input tokens used.",
    attributes=(
        OPERATION_NAME,
        PROVIDER_NAME,
        REQUEST_MODEL,
        RESPONSE_MODEL,
        SERVER_ADDRESS,
        SERVER_PORT,
        TOKEN_MODALITY,
    ),
)
INFERENCE_OUTPUT_TOKENS = Metric(
    name="gen_ai.client.inference.usage.output_tokens",
    instrument="counter",
    unit="{token}",
    brief="Output tokens used.",
    attributes=(
        OPERATION_NAME,
        PROVIDER_NAME,
        REQUEST_MODEL,
        RESPONSE_MODEL,
        SERVER_ADDRESS,
        SERVER_PORT,
        TOKEN_MODALITY,
    ),
)
EFFECTS_TOTAL = Metric(
    name="streamgauge.effects",
    instrument="counter",
    unit="{effect}",
    brief="States that effects came to, by class and state.",
    attributes=(EFFECT_CLASS, EFFECT_STATE),
)
RECONCILIATIONS_TOTAL = Metric(
    name="streamgauge.reconciliations",
    instrument="counter",
    unit="{record}",
    brief="Reconciliation records, by verdict.",
    attributes=(RECONCILIATION_VERDICT,),
)
UNRECONCILED = Metric(
    name="streamgauge.effects.unreconciled",
    instrument="gauge",
    unit="{effect}",
    brief="Effects that somebody still has to resolve.",
    attributes=(),
)
UNRECONCILED_AGE = Metric(
    name="streamgauge.effects.unreconciled.age",
    instrument="gauge",
    unit="s",
    brief="Age of the oldest unreconciled effect; 0 when there is none.",
    attributes=(),
)
APPROVAL_LATENCY = Metric(
    name="streamgauge.effects.approval_latency",
    instrument="histogram",
    unit="s",
    brief="Time from asking for an approval to the answer or the expiry.",
    attributes=(EFFECT_CLASS,),
    buckets=APPROVAL_BUCKETS,
)
STREAMS = Metric(
    name="streamgauge.streams",
    instrument="counter",
    unit="{stream}",
    brief="Streams that ended, by how they ended.",
    attributes=(PROVIDER_NAME, REQUEST_MODEL, OPERATION_NAME, OUTCOME, FAILURE_MODE, STATUS_CLASS),
)
TTFT_SECONDS = Metric(
    name="streamgauge.ttft",
    instrument="histogram",
    unit="s",
    brief="Time from the call to the first chunk of a kind; kind text is TTFT.",
    attributes=(PROVIDER_NAME, REQUEST_MODEL, OPERATION_NAME, KIND),
    buckets=TTFT_BUCKETS,
)
TTLT_SECONDS = Metric(
    name="streamgauge.ttlt",
    instrument="histogram",
    unit="s",
    brief="Time from the call to the last content chunk.",
    attributes=(PROVIDER_NAME, REQUEST_MODEL, OPERATION_NAME),
    buckets=TOTAL_BUCKETS,
)
GAP_MAX_SECONDS = Metric(
    name="streamgauge.gap.max",
    instrument="histogram",
    unit="s",
    brief="Largest gap between two chunks of a stream.",
    attributes=(PROVIDER_NAME, REQUEST_MODEL, OPERATION_NAME),
    buckets=GAP_BUCKETS,
)
TIME_PER_CHUNK = Metric(
    name="streamgauge.time_per_chunk",
    instrument="histogram",
    unit="s",
    brief="Mean time between content chunks of a stream.",
    attributes=(PROVIDER_NAME, REQUEST_MODEL, OPERATION_NAME),
    buckets=GAP_BUCKETS,
)
STALLS_TOTAL = Metric(
    name="streamgauge.stalls",
    instrument="counter",
    unit="{stall}",
    brief="Gaps above the threshold of their phase, counted while the stream is open.",
    attributes=(PROVIDER_NAME, REQUEST_MODEL, OPERATION_NAME, PHASE),
)
FINDINGS_TOTAL = Metric(
    name="streamgauge.findings",
    instrument="counter",
    unit="{finding}",
    brief="Streams with a finding, by finding.",
    attributes=(PROVIDER_NAME, REQUEST_MODEL, OPERATION_NAME, FINDING),
)
STREAMS_ACTIVE = Metric(
    name="streamgauge.streams.active",
    instrument="gauge",
    unit="{stream}",
    brief="Streams open now, by phase.",
    attributes=(PHASE,),
)
OLDEST_AGE = Metric(
    name="streamgauge.streams.oldest.age",
    instrument="gauge",
    unit="s",
    brief="Age of the oldest open stream; 0 when none is open.",
    attributes=(),
)
CANCELS_TOTAL = Metric(
    name="streamgauge.cancels",
    instrument="counter",
    unit="{stream}",
    brief="Cancelled streams, by who asked for the end and in which phase.",
    attributes=(PROVIDER_NAME, REQUEST_MODEL, OPERATION_NAME, INITIATOR, CANCEL_PHASE),
)
UPSTREAM_CLOSE = Metric(
    name="streamgauge.cancel.upstream_close",
    instrument="histogram",
    unit="s",
    brief="Time from a cancel to the closed upstream connection.",
    attributes=(PROVIDER_NAME, REQUEST_MODEL, OPERATION_NAME, INITIATOR),
    buckets=GAP_BUCKETS,
)
CANCELS_UNVERIFIED = Metric(
    name="streamgauge.cancel.unverified",
    instrument="counter",
    unit="{stream}",
    brief="Cancelled streams whose upstream was not seen closed.",
    attributes=(PROVIDER_NAME, REQUEST_MODEL, OPERATION_NAME, INITIATOR),
)
CANCEL_CHUNKS_TOTAL = Metric(
    name="streamgauge.cancel.chunks",
    instrument="counter",
    unit="{chunk}",
    brief="Chunks received after a cancel.",
    attributes=(PROVIDER_NAME, REQUEST_MODEL, OPERATION_NAME),
)
CANCEL_CHARACTERS_TOTAL = Metric(
    name="streamgauge.cancel.characters",
    instrument="counter",
    unit="{character}",
    brief="Characters received after a cancel.",
    attributes=(PROVIDER_NAME, REQUEST_MODEL, OPERATION_NAME),
)
FOLLOW_UPS = Metric(
    name="streamgauge.follow_ups",
    instrument="counter",
    unit="{stream}",
    brief="Stopped answers, by what became of them; a stop rate means little without it.",
    attributes=(PROVIDER_NAME, REQUEST_MODEL, OPERATION_NAME, FOLLOW_UP),
)
CHUNKS_TOTAL = Metric(
    name="streamgauge.chunks",
    instrument="counter",
    unit="{chunk}",
    brief="Chunks received.",
    attributes=(PROVIDER_NAME, REQUEST_MODEL, OPERATION_NAME),
)
CHARACTERS_TOTAL = Metric(
    name="streamgauge.characters",
    instrument="counter",
    unit="{character}",
    brief="Characters of content received, by kind.",
    attributes=(PROVIDER_NAME, REQUEST_MODEL, OPERATION_NAME, KIND),
)
INTERNAL_ERRORS = Metric(
    name="streamgauge.internal.errors",
    instrument="counter",
    unit="{error}",
    brief="Errors inside streamgauge that were kept from the application.",
    attributes=(HOOK,),
)
INTERNAL_DROPS = Metric(
    name="streamgauge.internal.drops",
    instrument="counter",
    unit="{item}",
    brief="What streamgauge had to drop, by reason.",
    attributes=(DROP_REASON,),
)
SLO_EVENTS = Metric(
    name="streamgauge.slo.events",
    instrument="counter",
    unit="{stream}",
    brief="Verdicts, one per stream and objective.",
    attributes=(SLO, VERDICT),
)
METRICS = (
    OPERATION_DURATION,
    OPERATION_FIRST_CHUNK,
    OPERATION_PER_CHUNK,
    TOKEN_USAGE,
    INFERENCE_DURATION,
    INFERENCE_FIRST_CHUNK,
    INFERENCE_PER_CHUNK,
    INFERENCE_INPUT_TOKENS,
    INFERENCE_OUTPUT_TOKENS,
    EFFECTS_TOTAL,
    RECONCILIATIONS_TOTAL,
    UNRECONCILED,
    UNRECONCILED_AGE,
    APPROVAL_LATENCY,
    STREAMS,
    TTFT_SECONDS,
    TTLT_SECONDS,
    GAP_MAX_SECONDS,
    TIME_PER_CHUNK,
    STALLS_TOTAL,
    FINDINGS_TOTAL,
    STREAMS_ACTIVE,
    OLDEST_AGE,
    CANCELS_TOTAL,
    UPSTREAM_CLOSE,
    CANCELS_UNVERIFIED,
    CANCEL_CHUNKS_TOTAL,
    CANCEL_CHARACTERS_TOTAL,
    FOLLOW_UPS,
    CHUNKS_TOTAL,
    CHARACTERS_TOTAL,
    INTERNAL_ERRORS,
    INTERNAL_DROPS,
    SLO_EVENTS,
)


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """Which of the conventions' names go out under one setting; an empty tuple means that the setting has no such name.

    `token_usage` is a histogram labelled by TOKEN_TYPE; `input_tokens` and `output_tokens` are counters labelled by
    TOKEN_MODALITY; `cache_write` are the span attributes that carry the tokens written to the provider's cache.
    """

    duration: tuple[Metric, ...] = ()
    first_chunk: tuple[Metric, ...] = ()
    per_chunk: tuple[Metric, ...] = ()
    token_usage: tuple[Metric, ...] = ()
    input_tokens: tuple[Metric, ...] = ()
    output_tokens: tuple[Metric, ...] = ()
    cache_write: tuple[str, ...] = ()


VOCABULARIES = {
    "v1.41": Vocabulary(
        cache_write=(USAGE_CACHE_CREATION_INPUT_TOKENS,),
        duration=(OPERATION_DURATION,),
        first_chunk=(OPERATION_FIRST_CHUNK,),
        per_chunk=(OPERATION_PER_CHUNK,),
        token_usage=(TOKEN_USAGE,),
    ),
    "genai-main": Vocabulary(
        cache_write=(USAGE_CACHE_WRITE_INPUT_TOKENS,),
        duration=(INFERENCE_DURATION,),
        first_chunk=(INFERENCE_FIRST_CHUNK,),
        per_chunk=(INFERENCE_PER_CHUNK,),
        input_tokens=(INFERENCE_INPUT_TOKENS,),
        output_tokens=(INFERENCE_OUTPUT_TOKENS,),
    ),
    "both": Vocabulary(
        cache_write=(USAGE_CACHE_WRITE_INPUT_TOKENS, USAGE_CACHE_CREATION_INPUT_TOKENS),
        duration=(OPERATION_DURATION, INFERENCE_DURATION),
        first_chunk=(OPERATION_FIRST_CHUNK, INFERENCE_FIRST_CHUNK),
        per_chunk=(OPERATION_PER_CHUNK, INFERENCE_PER_CHUNK),
        token_usage=(TOKEN_USAGE,),
        input_tokens=(INFERENCE_INPUT_TOKENS,),
        output_tokens=(INFERENCE_OUTPUT_TOKENS,),
    ),
}
