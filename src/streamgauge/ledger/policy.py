"""What is allowed to happen: per tool whether an effect runs, waits for somebody or is denied, and the ledger's own
settings.

Data and one pure function, `decide`. Seconds are seconds.
"""

import dataclasses
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from streamgauge.ledger.entry import Entry
from streamgauge.ledger.errors import EffectInputError

MODES = ("silent", "confirm", "deny", "page")
FENCES = ("refuse", "warn", "off")
STORE_FAILURES = ("refuse", "memory")
COMPENSATION = ("never", "on_partial_commit")

READ_ONLY = "read_only"
DESTRUCTIVE = "destructive"
"""The class of a tool that says nothing about itself, as in the Model Context Protocol."""


def _one_of(name: str, value: object, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        raise EffectInputError(name, value, "one of " + ", ".join(allowed))


def check_duration(name: str, value: object) -> None:
    """Refuse what is no time that may pass."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value < math.inf:
        raise EffectInputError(name, value, "a finite number of seconds above 0")


def check_confidence(name: str, value: object) -> None:
    """Refuse what is no confidence; one that is not given is fine."""
    if value is not None and (isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= 1):
        raise EffectInputError(name, value, "a number from 0 to 1")


@dataclass(frozen=True, slots=True)
class Policy:
    """Whether an effect of a tool may run.

    `mode`: run it `silent`ly, wait for somebody to `confirm`, `deny` it, or `page`: call `pager` with the waiting
    entry, which answers True (approved), False (denied) or None (somebody will say so later).
    `confidence_below`: an effect given with a lower confidence goes to `escalate_to` instead of `mode`.
    `expires_after`: how long an approval may wait, and how long a given one is good for.
    """

    mode: str = "silent"
    pager: Callable[[Entry], bool | None] | None = None
    confidence_below: float | None = None
    escalate_to: str = "confirm"
    expires_after: float = 3600.0

    def __post_init__(self) -> None:
        _one_of("policy mode", self.mode, MODES)
        _one_of("policy escalate_to", self.escalate_to, MODES)
        check_duration("policy expires_after", self.expires_after)
        check_confidence("policy confidence_below", self.confidence_below)
        if "page" in (self.mode, self.escalate_to) and not callable(self.pager):
            raise EffectInputError("policy pager", self.pager, "a callable, because the policy pages somebody")

    def decide(self, confidence: float | None) -> str:
        """The mode that holds for an effect of this confidence (0..1, or None for not given)."""
        below = self.confidence_below
        return self.escalate_to if below is not None and confidence is not None and confidence < below else self.mode


@dataclass(frozen=True, slots=True)
class LedgerSettings:
    """The ledger's choices; durations in seconds.

    `fence`: what happens to an effect whose stream was stopped before it started. `on_store_failure`: refuse the
    effect, or run it and keep the record in memory. `tools`: if given, the only tools that may be named. `lease`: how
    long a running effect or stream is believed to be alive without looking; must be longer than the tool's own
    time-out. `settle_deadline`: after this long a record is written although something is still open. `probe_backoff`,
    `probe_backoff_limit`: first and longest wait between probes of one entry. `abandon_after`: age at which an effect
    that nobody can explain is given up. `compensation`: when registered compensations run by themselves.
    `busy_timeout`: how long to wait for a locked database. `probe_timeout`: how long one probe or compensation may
    take.
    """

    fence: str = "refuse"
    on_store_failure: str = "refuse"
    policy: Policy = dataclasses.field(default_factory=Policy)
    policies: Mapping[str, Policy] = dataclasses.field(default_factory=dict)
    tools: tuple[str, ...] | None = None
    lease: float = 120.0
    settle_deadline: float = 30.0
    probe_timeout: float = 30.0
    probe_backoff: float = 5.0
    probe_backoff_limit: float = 3600.0
    abandon_after: float = 30 * 86400.0
    compensation: str = "never"
    busy_timeout: float = 10.0
    pool_size: int = 16

    def __post_init__(self) -> None:
        _one_of("fence", self.fence, FENCES)
        _one_of("on_store_failure", self.on_store_failure, STORE_FAILURES)
        _one_of("compensation", self.compensation, COMPENSATION)
        for name in _DURATIONS:
            check_duration(name, getattr(self, name))

    def policy_of(self, tool: str) -> Policy:
        """The policy that holds for `tool`."""
        return self.policies.get(tool, self.policy)


_DURATIONS = (
    "lease",
    "settle_deadline",
    "probe_timeout",
    "probe_backoff",
    "probe_backoff_limit",
    "abandon_after",
    "busy_timeout",
)


@dataclass(frozen=True, slots=True)
class ToolClass:
    """What a tool says about itself. Default: destructive, not reversible, not idempotent."""

    kind: str = DESTRUCTIVE
    reversible: bool = False
    idempotent: bool = False

    @property
    def read_only(self) -> bool:
        """Whether a failure of it may be taken for "nothing happened"."""
        return self.kind == READ_ONLY


def tool_class(
    kind: str | None, reversible: bool | None, idempotent: bool | None, hints: object = None, trust_hints: bool = False
) -> ToolClass:
    """Join what the programmer declared with the hints of an MCP tool.

    Hints that make a tool safer count only if trusted.
    """
    hinted = {name: _hint(hints, name) for name in ("readOnlyHint", "destructiveHint", "idempotentHint")}
    if kind is None:
        kind = READ_ONLY if trust_hints and hinted["readOnlyHint"] else DESTRUCTIVE
        kind = "additive" if trust_hints and kind == DESTRUCTIVE and hinted["destructiveHint"] is False else kind
    idempotent = idempotent if idempotent is not None else bool(trust_hints and hinted["idempotentHint"])
    if not isinstance(kind, str) or not kind.replace("_", "").isalnum() or len(kind) > 40:
        raise EffectInputError("kind", kind, "a short word such as 'external_message'")
    return ToolClass(kind, bool(reversible), idempotent)


def _hint(hints: object, name: str) -> Any:
    return hints.get(name) if isinstance(hints, Mapping) else getattr(hints, name, None)
