"""Everything that the ledger may say no with; each error carries the entry that stands in its way, if there is one.

LedgerError
├── EffectRefused              the effect was not started; nothing was dispatched
│   ├── DuplicateEffect        the key is pending or settled already
│   ├── ArgumentConflict       the key was used with other arguments or by another tool
│   ├── ApprovalRequired       somebody has to approve it first; call again once that happened
│   ├── ApprovalViolation      other arguments than the approved ones
│   ├── ApprovalExpired        nobody decided in time
│   ├── EffectDenied           a person or a policy said no
│   └── StreamStopped          the stream was cancelled or failed before the effect started (the fence)
├── EffectInputError           a tool name, key, reference or argument that the ledger cannot take
├── UnknownTool                no such tool, probe or compensation is registered
├── UnknownEntry               no such key or stream is in the ledger
├── IllegalTransition          the state table has no such step
├── StoreUnavailable           the database cannot keep the promise (full, locked, read-only, corrupt, away)
└── NewerSchema                the database was written by a newer streamgauge

NoEffect                       raised by a tool to say: nothing happened, and I can prove it
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from streamgauge.errors import ConfigError, LedgerError

if TYPE_CHECKING:
    from streamgauge.ledger.entry import Entry


class EffectRefused(LedgerError):  # noqa: N818 - a word of the ledger
    """The effect was not started: `entry` stands in its way."""

    because = "refused"

    def __init__(self, entry: "Entry | None", message: str) -> None:
        self.entry = entry
        super().__init__(message)


class DuplicateEffect(EffectRefused):
    """The idempotency key is pending or settled already.

    `entry.result` holds the recorded result, if it was asked for.
    """

    because = "duplicate"


class ArgumentConflict(EffectRefused):
    """The idempotency key belongs to other arguments or to another tool."""

    because = "conflict"


class ApprovalRequired(EffectRefused):
    """The effect waits for `Ledger.approve`; call it again with the same key and arguments afterwards."""

    because = "approval_required"


class ApprovalViolation(EffectRefused):
    """The arguments are not those that were put up for approval."""

    because = "approval_violation"


class ApprovalExpired(EffectRefused):
    """Nobody decided before the approval expired."""

    because = "expired"


class EffectDenied(EffectRefused):
    """A person or a policy said no."""

    because = "denied"


class StreamStopped(EffectRefused):
    """The stream was cancelled or failed before the effect started."""

    because = "fenced"


class EffectInputError(LedgerError, ConfigError):
    """A tool name, key, reference or argument that the ledger cannot take; raised before anything is dispatched."""


class UnknownTool(LedgerError, LookupError):  # noqa: N818 - a word of the ledger
    """`tool` is not registered; `known` lists what is."""

    def __init__(self, tool: str, what: str, known: Sequence[str]) -> None:
        self.tool, self.what, self.known = tool, what, tuple(known)
        super().__init__(f"no {what} is registered for tool {tool!r}; known: {', '.join(known) or 'none'}")


class UnknownEntry(LedgerError, LookupError):  # noqa: N818 - a word of the ledger
    """The ledger holds nothing under this key or stream reference."""

    def __init__(self, reference: str, what: str = "effect") -> None:
        self.reference = reference
        super().__init__(f"the ledger holds no {what} {reference!r}")


class IllegalTransition(LedgerError):  # noqa: N818 - a word of the ledger
    """The state table has no such step; `allowed` lists the steps that it has."""

    def __init__(self, state: str, step: str, allowed: Sequence[str], entry: "Entry | None" = None) -> None:
        self.state, self.step, self.allowed, self.entry = state, step, tuple(allowed), entry
        super().__init__(f"an effect that is {state} cannot {step}; allowed: {', '.join(allowed) or 'nothing'}")


class StoreUnavailable(LedgerError):  # noqa: N818 - a word of the ledger
    """The database at `url` could not do it; nothing was dispatched on the strength of it."""

    def __init__(self, url: str, reason: str, entry: "Entry | None" = None) -> None:
        self.url, self.reason, self.entry = url, reason, entry
        super().__init__(f"the ledger at {url} is not available: {reason}")


class NewerSchema(LedgerError):  # noqa: N818 - a word of the ledger
    """The database has schema version `found`; this streamgauge knows up to `known`."""

    def __init__(self, url: str, found: str, known: str) -> None:
        self.url, self.found, self.known = url, found, known
        super().__init__(
            f"the ledger at {url} has schema version {found}, newer than {known}: "
            "it was opened by a newer streamgauge; upgrade this one"
        )


class Mistaken(LedgerError):  # noqa: N818 - never leaves the ledger
    """An entry is not what a transaction took it for without looking: roll back, and look first the next time."""


class NoEffect(Exception):  # noqa: N818 - a statement of the tool, not an error of the ledger
    """Raise it, or a subclass, from a tool: the call failed and nothing happened outside."""
