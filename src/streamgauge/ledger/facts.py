"""What the ledger tells its listeners: plain facts, after they are on disk.

Listeners turn them into metrics, logs and spans.
"""

from dataclasses import dataclass

from streamgauge.ledger.entry import Entry, Reconciliation
from streamgauge.ledger.states import EffectState, Step


@dataclass(frozen=True, slots=True)
class EffectMoved:
    """An effect went from `previous` (None: it is new) to `entry.state`."""

    entry: Entry
    step: Step | None
    previous: EffectState | None
    at_ns: int

    @property
    def approval_ns(self) -> int | None:
        """How long somebody took to decide; None if this is no decision."""
        decided = self.step in (Step.APPROVE, Step.DENY) and self.entry.asked_ns is not None
        return self.at_ns - self.entry.asked_ns if decided and self.entry.asked_ns is not None else None


@dataclass(frozen=True, slots=True)
class Refused:
    """An effect was not started; `because` is a short word from a closed set (`EffectRefused.because`)."""

    tool: str
    kind: str
    because: str
    entry: Entry | None
    at_ns: int


@dataclass(frozen=True, slots=True)
class Late:
    """An effect started although its stream had been stopped (fence set to "warn" or "off")."""

    entry: Entry
    stopped_ns: int


@dataclass(frozen=True, slots=True)
class Reconciled:
    """A reconciliation record was written."""

    record: Reconciliation


@dataclass(frozen=True, slots=True)
class StoreTrouble:
    """The store could not keep something; `entry` is held in memory until it can."""

    reason: str
    entry: Entry | None


Fact = EffectMoved | Refused | Late | Reconciled | StoreTrouble
