"""Every name of the outside world: attributes, metrics, events, label values, units and buckets.

Room: vocabulary. Nothing comes in; every other room reads it; it imports nothing of this package and does nothing.
"""

from dataclasses import dataclass
from enum import StrEnum

SCHEMA_VERSION = "0.1.0"
SCHEMA_URL = "https://streamgauge.dev/schemas/0.1.0"
SCOPE = "streamgauge"


class Outcome(StrEnum):
    """How a stream ended: a closed set."""

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


class Initiator(StrEnum):
    """Who asked for the end of a stream; given by the application or the relay, never guessed."""

    USER_STOP = "user_stop"
    CLIENT_DISCONNECT = "client_disconnect"
    DEADLINE = "deadline"
    BUDGET = "budget"
    GUARDRAIL = "guardrail"
    SHUTDOWN = "shutdown"
    RACE_LOST = "race_lost"
    UNKNOWN = "unknown"


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
    """Something wrong inside a stream; independent of its outcome."""

    STALLED = "stalled"
    LOOPED = "looped"
    MALFORMED_TOOL_CALL = "malformed_tool_call"
    EMPTY = "empty"
    MISSING_FINISH_REASON = "missing_finish_reason"
    DUPLICATE_CHUNK = "duplicate_chunk"
    UNRECOGNISED_CHUNK = "unrecognised_chunk"


class Kind(StrEnum):
    """What a chunk carried; also the kinds of first times."""

    ANY = "any"
    REASONING = "reasoning"
    TEXT = "text"
    TOOL_CALL = "tool_call"


class Provenance(StrEnum):
    """Where token usage comes from."""

    REPORTED = "reported"
    PARTIAL = "partial"
    UNKNOWN = "unknown"


class StatusClass(StrEnum):
    """Class of the HTTP status that the stream's call was answered with."""

    OK = "2xx"
    REDIRECT = "3xx"
    CLIENT_ERROR = "4xx"
    SERVER_ERROR = "5xx"
    NONE = "none"


class Verdict(StrEnum):
    """What a stream counts as, for one objective."""

    GOOD = "good"
    BAD = "bad"
    EXCLUDED = "excluded"


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


# --- attributes of the standard vocabulary (OpenTelemetry semantic conventions)
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

# --- our attributes: on the span and on the end-of-stream log event
STREAM_ID = "streamgauge.stream.id"
OUTCOME = "streamgauge.outcome"
FAILURE_MODE = "streamgauge.failure.mode"
FAULT = "streamgauge.fault"
INITIATOR = "streamgauge.cancel.initiator"
CANCEL_PHASE = "streamgauge.cancel.phase"
STATE = "streamgauge.state"
PHASE = "streamgauge.phase"
FINDINGS = "streamgauge.findings"
FINDING = "streamgauge.finding"
TERMINAL_MARKER = "streamgauge.terminal_marker"
CHUNKS = "streamgauge.chunks"
CHOICES = "streamgauge.choices"
TEXT_CHARACTERS = "streamgauge.text.characters"
REASONING_CHARACTERS = "streamgauge.reasoning.characters"
TOOL_CALL_CHARACTERS = "streamgauge.tool_call.characters"
TOOL_CALLS = "streamgauge.tool_calls"
TTFT = "streamgauge.ttft"
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
USAGE_PROVENANCE = "streamgauge.usage.provenance"
STATUS_CLASS = "streamgauge.http.status_class"
UPSTREAM_CLOSE_TIME = "streamgauge.cancel.upstream_close_time"
CANCEL_CHUNKS = "streamgauge.cancel.chunks"
CANCEL_CHARACTERS = "streamgauge.cancel.characters"
ILLEGAL_TRANSITIONS = "streamgauge.illegal_transitions"
TIMELINE_STRIDE = "streamgauge.timeline.stride"
TIMELINE_MODE = "streamgauge.timeline.mode"
SPAN_OWNER = "streamgauge.span_owner"

# --- our attributes: on a timeline event
CHUNK_INDEX = "streamgauge.chunk.index"
CHUNK_COUNT = "streamgauge.chunk.count"
CHUNK_CHARACTERS = "streamgauge.chunk.characters"
CHUNK_FIRST_OFFSET = "streamgauge.chunk.first_offset"
CHUNK_LAST_OFFSET = "streamgauge.chunk.last_offset"
CHUNK_GAP_MAX = "streamgauge.chunk.gap.max"
CHUNK_MARK = "streamgauge.chunk.mark"
STALL_DURATION = "streamgauge.stall.duration"

# --- our labels that appear on metrics only
KIND = "streamgauge.kind"
HOOK = "streamgauge.hook"
DROP_REASON = "streamgauge.drop_reason"
SLO = "streamgauge.slo"
VERDICT = "streamgauge.verdict"

# --- event names (span events and log events share them)
EVENT_CHUNK = "streamgauge.chunk"
EVENT_STALL = "streamgauge.stall"
EVENT_CANCEL = "streamgauge.cancel"
EVENT_BEGIN = "streamgauge.stream.begin"
EVENT_END = "streamgauge.stream.end"

TTFT_BUCKETS = (0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 5.0, 7.5, 10.0, 15.0, 20.0, 30.0, 60.0, 120.0, 300.0, 600.0)
GAP_BUCKETS = (0.005, 0.01, 0.02, 0.03, 0.04, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.5, 0.75, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 300.0, 600.0)
TOTAL_BUCKETS = (0.5, 1.0, 2.0, 5.0, 10.0, 15.0, 20.0, 30.0, 45.0, 60.0, 90.0, 120.0, 180.0, 300.0, 600.0, 1200.0, 3600.0)
CONVENTION_BUCKETS = (0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92)
TOKEN_BUCKETS = (1.0, 4.0, 16.0, 64.0, 256.0, 1024.0, 4096.0, 16384.0, 65536.0, 262144.0, 1048576.0, 4194304.0, 16777216.0, 67108864.0)


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
        """The family's name as the OpenTelemetry Prometheus exporters write it (counters with `_total`, seconds with `_seconds`)."""
        suffix = "_seconds" if self.unit == "s" else ""
        return self.name.replace(".", "_") + suffix + ("_total" if self.instrument == "counter" else "")


_STREAM_LABELS = (PROVIDER_NAME, REQUEST_MODEL, OPERATION_NAME)
_CONVENTION_LABELS = (OPERATION_NAME, PROVIDER_NAME, REQUEST_MODEL, RESPONSE_MODEL, SERVER_ADDRESS, SERVER_PORT)

STREAMS = Metric(
    "streamgauge.streams", "counter", "{stream}", "Streams that ended, by how they ended.",
    (*_STREAM_LABELS, OUTCOME, FAILURE_MODE, STATUS_CLASS),
)
TTFT_SECONDS = Metric("streamgauge.ttft", "histogram", "s", "Time from the call to the first chunk of a kind; kind text is TTFT.", (*_STREAM_LABELS, KIND), TTFT_BUCKETS)
TTLT_SECONDS = Metric("streamgauge.ttlt", "histogram", "s", "Time from the call to the last content chunk.", _STREAM_LABELS, TOTAL_BUCKETS)
GAP_MAX_SECONDS = Metric("streamgauge.gap.max", "histogram", "s", "Largest gap between two chunks of a stream.", _STREAM_LABELS, GAP_BUCKETS)
TIME_PER_CHUNK = Metric("streamgauge.time_per_chunk", "histogram", "s", "Mean time between content chunks of a stream.", _STREAM_LABELS, GAP_BUCKETS)
STALLS_TOTAL = Metric("streamgauge.stalls", "counter", "{stall}", "Gaps above the threshold of their phase, counted while the stream is open.", (*_STREAM_LABELS, PHASE))
FINDINGS_TOTAL = Metric("streamgauge.findings", "counter", "{finding}", "Streams with a finding, by finding.", (*_STREAM_LABELS, FINDING))
STREAMS_ACTIVE = Metric("streamgauge.streams.active", "gauge", "{stream}", "Streams open now, by phase.", (PHASE,))
OLDEST_AGE = Metric("streamgauge.streams.oldest.age", "gauge", "s", "Age of the oldest open stream; 0 when none is open.", ())
UPSTREAM_CLOSE = Metric("streamgauge.cancel.upstream_close", "histogram", "s", "Time from a cancel to the closed upstream connection.", (*_STREAM_LABELS, INITIATOR), GAP_BUCKETS)
CANCELS_UNVERIFIED = Metric("streamgauge.cancel.unverified", "counter", "{stream}", "Cancelled streams whose upstream was not seen closed.", (*_STREAM_LABELS, INITIATOR))
CANCEL_CHUNKS_TOTAL = Metric("streamgauge.cancel.chunks", "counter", "{chunk}", "Chunks received after a cancel.", _STREAM_LABELS)
CANCEL_CHARACTERS_TOTAL = Metric("streamgauge.cancel.characters", "counter", "{character}", "Characters received after a cancel.", _STREAM_LABELS)
CHUNKS_TOTAL = Metric("streamgauge.chunks", "counter", "{chunk}", "Chunks received.", _STREAM_LABELS)
CHARACTERS_TOTAL = Metric("streamgauge.characters", "counter", "{character}", "Characters of content received, by kind.", (*_STREAM_LABELS, KIND))
SLO_EVENTS = Metric("streamgauge.slo.events", "counter", "{stream}", "Verdicts, one per stream and objective.", (SLO, VERDICT))
INTERNAL_ERRORS = Metric("streamgauge.internal.errors", "counter", "{error}", "Errors inside streamgauge that were kept from the application.", (HOOK,))
INTERNAL_DROPS = Metric("streamgauge.internal.drops", "counter", "{item}", "What streamgauge had to drop, by reason.", (DROP_REASON,))

OPERATION_DURATION = Metric("gen_ai.client.operation.duration", "histogram", "s", "GenAI operation duration.", (*_CONVENTION_LABELS, ERROR_TYPE), CONVENTION_BUCKETS)
OPERATION_FIRST_CHUNK = Metric("gen_ai.client.operation.time_to_first_chunk", "histogram", "s", "Time to receive the first chunk.", _CONVENTION_LABELS, CONVENTION_BUCKETS)
OPERATION_PER_CHUNK = Metric("gen_ai.client.operation.time_per_output_chunk", "histogram", "s", "Time per output chunk.", _CONVENTION_LABELS, CONVENTION_BUCKETS)
TOKEN_USAGE = Metric("gen_ai.client.token.usage", "histogram", "{token}", "Number of input and output tokens used.", (*_CONVENTION_LABELS, TOKEN_TYPE), TOKEN_BUCKETS)
INFERENCE_DURATION = Metric("gen_ai.client.inference.duration", "histogram", "s", "GenAI inference duration.", (*_CONVENTION_LABELS, ERROR_TYPE), CONVENTION_BUCKETS)
INFERENCE_FIRST_CHUNK = Metric("gen_ai.client.inference.time_to_first_chunk", "histogram", "s", "Time to receive the first chunk.", _CONVENTION_LABELS, CONVENTION_BUCKETS)
INFERENCE_PER_CHUNK = Metric("gen_ai.client.inference.time_per_output_chunk", "histogram", "s", "Time per output chunk.", _CONVENTION_LABELS, CONVENTION_BUCKETS)
INFERENCE_INPUT_TOKENS = Metric("gen_ai.client.inference.usage.input_tokens", "counter", "{token}", "Input tokens used.", (*_CONVENTION_LABELS, TOKEN_MODALITY))
INFERENCE_OUTPUT_TOKENS = Metric("gen_ai.client.inference.usage.output_tokens", "counter", "{token}", "Output tokens used.", (*_CONVENTION_LABELS, TOKEN_MODALITY))
