"""The ledger's plain records: one effect, one stream, one tool call, and the reconciliation of a stream with its
effects.

Times are nanoseconds since the Unix epoch in ledger time: per process they never go backwards
(`streamgauge.ledger.stamps`). Frozen; no I/O, no behaviour but reading oneself.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any, ClassVar

from streamgauge.ledger.states import MEANING, RETRYABLE, UNSETTLED, EffectState, Meaning


class Verdict(StrEnum):
    """How a stream and its effects fit together."""

    CLEAN = "clean"
    """Nothing that the stream started stands in the world, and nothing was told that is not there."""
    CONSISTENT = "consistent"
    """The stream completed and what it told of is there."""
    PARTIAL_COMMIT = "partial_commit"
    """The stream did not complete, yet an effect stands."""
    EFFECT_FAILED = "effect_failed"
    """The stream completed and told of an effect that is not there."""
    COMPENSATED = "compensated"
    """Effects happened and were undone; none stands in the way."""
    UNKNOWN = "unknown"
    """Nobody knows yet (or any more)."""


class Position(StrEnum):
    """Where the stop found an effect."""

    BEFORE_DISPATCH = "before_dispatch"
    IN_FLIGHT = "in_flight"
    AFTER_COMMIT = "after_commit"


@dataclass(frozen=True)
class Entry:
    """One attempt at one effect.

    `key` is the idempotency key; attempts of a key follow only a proof that nothing happened. Without slots: every
    effect is copied a few times, and a dict is copied at a tenth of the price of three dozen slots.
    """

    key: str
    attempt: int
    tool: str
    kind: str
    state: EffectState
    args_hash: str
    token: str
    """Names the execution that holds the entry, so that a write repeated after a lost connection is known as its
    own."""
    intended_ns: int
    changed_ns: int
    stream_ref: str | None = None
    tool_call_id: str | None = None
    reversible: bool = False
    idempotent: bool = False
    args_view: Mapping[str, Any] | None = None
    result: Any = None
    reason: str | None = None
    """Why it is where it is; never an exception's message."""
    policy: str = "silent"
    confidence: float | None = None
    compensates: str | None = None
    owner: str | None = None
    lease_ns: int | None = None
    """Until when the owner is believed without looking."""
    asked_ns: int | None = None
    expires_ns: int | None = None
    decided_ns: int | None = None
    decided_by: str | None = None
    started_ns: int | None = None
    committed_ns: int | None = None
    """When the process that ran the tool said so; None for a commit that only a probe found."""
    settled_ns: int | None = None
    """When the outcome became known or was given as unknown, by the process that ran the tool or by the reconciler."""
    compensated_ns: int | None = None
    shown_at_start: int | None = None
    shown_at_settle: int | None = None
    probes: int = 0
    next_probe_ns: int = 0
    claim_ns: int = 0

    @property
    def idempotency_key(self) -> str:
        """The key, under the name that the other side knows it by."""
        return self.key

    @property
    def meaning(self) -> Meaning:
        """What the state says about the world outside."""
        return MEANING[self.state]

    @property
    def settled(self) -> bool:
        """Whether nobody has to do anything about it any more."""
        return self.state not in UNSETTLED

    @property
    def retryable(self) -> bool:
        """Whether it is proven that nothing happened."""
        return self.state in RETRYABLE

    def evolve(self, **changes: Any) -> "Entry":
        """A copy with some values changed; `dataclasses.replace` for those who do it for every effect."""
        copy = object.__new__(Entry)
        vars(copy).update(vars(self), **changes)
        return copy

    def to_dict(self) -> dict[str, Any]:
        """Plain values under stable names."""
        return asdict(self) | {"state": str(self.state)}


@dataclass(frozen=True, slots=True)
class StreamRow:
    """What the ledger knows of one stream."""

    ref: str
    begun_ns: int
    owner: str | None = None
    lease_ns: int | None = None
    outcome: str | None = None
    initiator: str | None = None
    phase: str | None = None
    failure_mode: str | None = None
    ended_ns: int | None = None
    stopped_ns: int | None = None
    """When it was cancelled or failed: from then on the fence is up."""
    shown_chars: int | None = None
    usage: Mapping[str, Any] | None = None
    trace: Mapping[str, Any] | None = None
    open: bool = True
    """Whether something happened that no reconciliation record tells yet."""
    revision: int = 0
    verdict: str | None = None
    changed_ns: int = 0
    response_id: str | None = None
    """The provider's name for the answer; streams that carry the same one are attempts at the same answer."""


@dataclass(frozen=True, slots=True)
class Source:
    """What an effect knows of its stream beside the reference.

    `here`: this process reads it, so that its death is the stream's.
    """

    here: bool = False
    response_id: str | None = None


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A tool call that the model made in a stream, whether or not anybody declared an effect for it."""

    stream_ref: str
    tool_call_id: str
    tool: str
    args_hash: str | None
    complete: bool
    seen_ns: int


@dataclass(frozen=True, slots=True)
class EffectView:
    """One effect as the reconciliation record shows it."""

    key: str
    attempt: int
    tool: str
    kind: str
    state: str
    tool_call_id: str | None
    reversible: bool
    args_hash: str
    args: Mapping[str, Any] | None
    reason: str | None
    intended_ns: int
    decided_ns: int | None
    decided_by: str | None
    started_ns: int | None
    committed_ns: int | None
    settled_ns: int | None
    compensated_ns: int | None
    position: str | None
    stop_after_start_ms: float | None
    stop_after_commit_ms: float | None
    shown_in_flight: int | None


@dataclass(frozen=True, slots=True)
class Reconciliation:
    """A stream joined with its effects. Keys of `to_dict()`, all always present:

    `record` ("streamgauge.reconciliation/1"), `stream` (reference), `revision` (1, 2, ...: a newer one replaces the
    older), `at_ns`, `settled` (false: a deadline passed first), `verdict` (see `Verdict`), `outcome` (null: nobody told
    the end), `initiator`, `phase`, `failure_mode`, `begun_ns`, `ended_ns`, `stopped_ns` (cancel or failure; null if
    neither), `shown_chars` (text shown in all), `shown_in_flight_chars` (shown while effects ran),
    `shown_before_failure_chars` (shown before a tool failed), `usage` (token counts and their `provenance`), `trace`
    (`trace_id`, `span_id`), `effects` (list of: `key`, `attempt`, `tool`, `kind`, `state`, `tool_call_id`,
    `reversible`, `args_hash`, `args` (allow-listed view or null), `reason`, `intended_ns`, `decided_ns`, `decided_by`,
    `started_ns`, `committed_ns`, `settled_ns`, `compensated_ns`, `position` ("before_dispatch" | "in_flight" |
    "after_commit" | null when the stream was not stopped), `stop_after_start_ms` and `stop_after_commit_ms` (positive:
    the stop came later), `shown_in_flight`), `undeclared` (tool calls seen without an effect: `tool`, `tool_call_id`,
    `args_hash`, `complete`, `state` = "undeclared"), `states` (state -> number of effects, the undeclared among them).
    Unknown numbers are null, never 0.
    """

    stream: str
    revision: int
    at_ns: int
    settled: bool
    verdict: Verdict
    outcome: str | None
    initiator: str | None
    phase: str | None
    failure_mode: str | None
    begun_ns: int
    ended_ns: int | None
    stopped_ns: int | None
    shown_chars: int | None
    shown_in_flight_chars: int | None
    shown_before_failure_chars: int | None
    usage: Mapping[str, Any] | None
    trace: Mapping[str, Any] | None
    effects: tuple[EffectView, ...] = ()
    undeclared: tuple[ToolCall, ...] = ()
    states: Mapping[str, int] = field(default_factory=dict)

    RECORD: ClassVar[str] = "streamgauge.reconciliation/1"

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values under the keys listed above."""
        body = asdict(self) | {"verdict": str(self.verdict)}
        body["undeclared"] = [
            {
                "tool": call.tool,
                "tool_call_id": call.tool_call_id,
                "args_hash": call.args_hash,
                "complete": call.complete,
                "state": UNDECLARED,
            }
            for call in self.undeclared
        ]
        body["effects"] = list(body["effects"])
        return {"record": self.RECORD} | body


UNDECLARED = "undeclared"
"""The state shown for a tool call that no effect was declared for."""
