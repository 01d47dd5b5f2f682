"""What this package is to those who write `streamgauge.ledger`: a module that can be called.

At run time it is the module itself with another class. Type checkers do not follow that; for them `streamgauge.ledger`
is an instance of this class, which has every public name of the package.
"""

from types import ModuleType
from typing import TYPE_CHECKING, Any

from streamgauge.ledger.current import use_ledger

if TYPE_CHECKING:
    from streamgauge.ledger import context, current, entry, errors, execution, facts, ledger, policy, states


class Room(ModuleType):
    """`streamgauge.ledger("sqlite:///effects.db")` is `use_ledger`."""

    def __call__(self, url: str | None = None, **choices: Any) -> "ledger.Ledger":
        """Open a ledger and make it the one that `effect` uses."""
        return use_ledger(url, **choices)

    if TYPE_CHECKING:

        def __init__(self) -> None:
            self.effect = current.effect
            self.current_effect = execution.current_effect
            self.came_from = context.came_from
            self.reference = context.reference
            self.use_ledger = current.use_ledger
            self.open_ledger = current.open_ledger
            self.current_ledger = current.current_ledger
            self.close_ledger = current.close_ledger
            self.lookups = context.lookups

        Ledger = ledger.Ledger
        Entry = entry.Entry
        EffectState = states.EffectState
        Execution = execution.Execution
        LedgerSettings = policy.LedgerSettings
        Meaning = states.Meaning
        Policy = policy.Policy
        Position = entry.Position
        Reconciliation = entry.Reconciliation
        Step = states.Step
        StreamRow = entry.StreamRow
        ToolCall = entry.ToolCall
        Verdict = entry.Verdict
        EffectMoved = facts.EffectMoved
        Fact = facts.Fact
        Late = facts.Late
        Reconciled = facts.Reconciled
        Refused = facts.Refused
        StoreTrouble = facts.StoreTrouble
        ApprovalExpired = errors.ApprovalExpired
        ApprovalRequired = errors.ApprovalRequired
        ApprovalViolation = errors.ApprovalViolation
        ArgumentConflict = errors.ArgumentConflict
        DuplicateEffect = errors.DuplicateEffect
        EffectDenied = errors.EffectDenied
        EffectInputError = errors.EffectInputError
        EffectRefused = errors.EffectRefused
        IllegalTransition = errors.IllegalTransition
        NewerSchema = errors.NewerSchema
        NoEffect = errors.NoEffect
        StoreUnavailable = errors.StoreUnavailable
        StreamStopped = errors.StreamStopped
        UnknownEntry = errors.UnknownEntry
        UnknownTool = errors.UnknownTool

    else:

        def __getattr__(self, name: str) -> Any:
            """`Ledger`, imported only when asked for: it needs SQLAlchemy, declaring an effect does not."""
            if name != "Ledger":
                raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}")
            from streamgauge.ledger.ledger import Ledger

            return Ledger
