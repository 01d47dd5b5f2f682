"""The life of an effect, as one table: state x step -> state. A missing key is an illegal transition.

Rules that the table keeps:

1. Nothing is dispatched before `started`; what never started is known to have had no effect.
2. After dispatch only the tool, or a probe, may say what happened. Time-outs, exceptions, cancels and crashes say
`unknown`. 3. `unknown` is left by evidence (a probe, or the late word of the process that ran the tool), or given up as
`abandoned`. 4. Evidence beats a guess: a commit that its own process reports late also corrects `reconciled_absent` and
`abandoned`.

Comes in: nothing. Goes out: `advance`, `mermaid` and the meaning of every state. May not do I/O.
"""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType

from streamgauge.ledger.errors import IllegalTransition


class EffectState(StrEnum):
    """Where an effect is in its life."""

    INTENDED = "intended"
    AWAITING_APPROVAL = "awaiting_approval"
    APPROVED = "approved"
    DENIED = "denied"
    EXPIRED = "expired"
    NEVER_STARTED = "never_started"
    STARTED = "started"
    COMMITTED = "committed"
    FAILED_NO_EFFECT = "failed_no_effect"
    UNKNOWN = "unknown"
    RECONCILED_COMMITTED = "reconciled_committed"
    RECONCILED_ABSENT = "reconciled_absent"
    ABANDONED = "abandoned"
    COMPENSATION_REQUESTED = "compensation_requested"
    COMPENSATED = "compensated"
    COMPENSATION_FAILED = "compensation_failed"


class Step(StrEnum):
    """What moves an effect from one state to the next."""

    ASK = "ask"
    APPROVE = "approve"
    DENY = "deny"
    EXPIRE = "expire"
    SKIP = "skip"
    START = "start"
    COMMIT = "commit"
    FAIL = "fail"
    LOSE = "lose"
    FIND = "find"
    MISS = "miss"
    GIVE_UP = "give_up"
    UNDO = "undo"
    COMPENSATE = "compensate"
    FAIL_COMPENSATION = "fail_compensation"


class Meaning(StrEnum):
    """What a state says about the world outside."""

    PENDING = "pending"
    """Not decided yet."""
    STANDS = "stands"
    """The effect happened and was not undone."""
    ABSENT = "absent"
    """The effect is known not to have happened."""
    UNKNOWN = "unknown"
    """Nobody knows whether it happened."""
    UNDONE = "undone"
    """The effect happened and was compensated."""


_S, _T = EffectState, Step

TRANSITIONS: Mapping[tuple[EffectState, Step], EffectState] = MappingProxyType(
    {
        (_S.INTENDED, _T.ASK): _S.AWAITING_APPROVAL,
        (_S.INTENDED, _T.DENY): _S.DENIED,
        (_S.INTENDED, _T.SKIP): _S.NEVER_STARTED,
        (_S.INTENDED, _T.START): _S.STARTED,
        (_S.AWAITING_APPROVAL, _T.APPROVE): _S.APPROVED,
        (_S.AWAITING_APPROVAL, _T.DENY): _S.DENIED,
        (_S.AWAITING_APPROVAL, _T.EXPIRE): _S.EXPIRED,
        (_S.AWAITING_APPROVAL, _T.SKIP): _S.NEVER_STARTED,
        (_S.APPROVED, _T.START): _S.STARTED,
        (_S.APPROVED, _T.EXPIRE): _S.EXPIRED,
        (_S.APPROVED, _T.SKIP): _S.NEVER_STARTED,
        (_S.STARTED, _T.COMMIT): _S.COMMITTED,
        (_S.STARTED, _T.FAIL): _S.FAILED_NO_EFFECT,
        (_S.STARTED, _T.LOSE): _S.UNKNOWN,
        (_S.UNKNOWN, _T.FIND): _S.RECONCILED_COMMITTED,
        (_S.UNKNOWN, _T.MISS): _S.RECONCILED_ABSENT,
        (_S.UNKNOWN, _T.GIVE_UP): _S.ABANDONED,
        (_S.UNKNOWN, _T.COMMIT): _S.RECONCILED_COMMITTED,
        (_S.UNKNOWN, _T.FAIL): _S.RECONCILED_ABSENT,
        (_S.RECONCILED_ABSENT, _T.COMMIT): _S.RECONCILED_COMMITTED,
        (_S.ABANDONED, _T.COMMIT): _S.RECONCILED_COMMITTED,
        (_S.COMMITTED, _T.UNDO): _S.COMPENSATION_REQUESTED,
        (_S.RECONCILED_COMMITTED, _T.UNDO): _S.COMPENSATION_REQUESTED,
        (_S.COMPENSATION_REQUESTED, _T.COMPENSATE): _S.COMPENSATED,
        (_S.COMPENSATION_REQUESTED, _T.FAIL_COMPENSATION): _S.COMPENSATION_FAILED,
    }
)

MEANING: Mapping[EffectState, Meaning] = MappingProxyType(
    {
        _S.INTENDED: Meaning.PENDING,
        _S.AWAITING_APPROVAL: Meaning.PENDING,
        _S.APPROVED: Meaning.PENDING,
        _S.STARTED: Meaning.PENDING,
        _S.DENIED: Meaning.ABSENT,
        _S.EXPIRED: Meaning.ABSENT,
        _S.NEVER_STARTED: Meaning.ABSENT,
        _S.FAILED_NO_EFFECT: Meaning.ABSENT,
        _S.RECONCILED_ABSENT: Meaning.ABSENT,
        _S.COMMITTED: Meaning.STANDS,
        _S.RECONCILED_COMMITTED: Meaning.STANDS,
        _S.COMPENSATION_REQUESTED: Meaning.STANDS,
        _S.COMPENSATION_FAILED: Meaning.STANDS,
        _S.UNKNOWN: Meaning.UNKNOWN,
        _S.ABANDONED: Meaning.UNKNOWN,
        _S.COMPENSATED: Meaning.UNDONE,
    }
)

NOT_DISPATCHED = (_S.INTENDED, _S.AWAITING_APPROVAL, _S.APPROVED)
"""States in which the fence still holds the effect back."""

UNSETTLED = (*NOT_DISPATCHED, _S.STARTED, _S.UNKNOWN, _S.COMPENSATION_REQUESTED)
"""States that somebody still has to resolve."""

RETRYABLE = (_S.FAILED_NO_EFFECT, _S.RECONCILED_ABSENT, _S.NEVER_STARTED)
"""States that prove that nothing happened: the same key may be used again, as a new attempt."""


def advance(state: EffectState, step: Step) -> EffectState:
    """The state after `step`; raises `IllegalTransition` where the table has no entry."""
    try:
        return TRANSITIONS[state, step]
    except KeyError:
        raise IllegalTransition(state, step, sorted(s for of, s in TRANSITIONS if of is state)) from None


def mermaid() -> str:
    """The table as a Mermaid state diagram, for the documentation."""
    left = {source for source, _ in TRANSITIONS}
    lines = ["stateDiagram-v2", "    [*] --> intended"]
    lines += [f"    {source} --> {target}: {step}" for (source, step), target in TRANSITIONS.items()]
    lines += [f"    {state} --> [*]" for state in EffectState if state not in left]
    return "\n".join(lines) + "\n"
