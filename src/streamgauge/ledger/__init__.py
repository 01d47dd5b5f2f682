"""Room 5: durable side effects, and the reconciliation of every stream with what it did to the world.

Comes in: effects as decorated functions or blocks; streams by string reference. Goes out: entries that were on disk
before anything was dispatched, reconciliation records, facts for listeners. Works without any stream, needs SQLAlchemy
and Alembic (`pip install 'streamgauge[ledger]'`), and never imports OpenTelemetry, an SDK, or the rooms that capture
streams.

    @effect(kind="external_message", reversible=False)
    def send_invoice_email(invoice_id): ...

    with effect("charge_card", tool_call=call, args=args, reversible=True, compensate=refund) as e:
        e.committed(stripe.charge(..., idempotency_key=e.idempotency_key))
"""

import sys
from typing import TYPE_CHECKING

from streamgauge.ledger.context import came_from, lookups, reference
from streamgauge.ledger.current import close_ledger, current_ledger, effect, open_ledger, use_ledger
from streamgauge.ledger.entry import Entry, Position, Reconciliation, StreamRow, ToolCall, Verdict
from streamgauge.ledger.errors import (
    ApprovalExpired,
    ApprovalRequired,
    ApprovalViolation,
    ArgumentConflict,
    DuplicateEffect,
    EffectDenied,
    EffectInputError,
    EffectRefused,
    IllegalTransition,
    NewerSchema,
    NoEffect,
    StoreUnavailable,
    StreamStopped,
    UnknownEntry,
    UnknownTool,
)
from streamgauge.ledger.execution import Execution, current_effect
from streamgauge.ledger.facts import EffectMoved, Fact, Late, Reconciled, Refused, StoreTrouble
from streamgauge.ledger.policy import LedgerSettings, Policy
from streamgauge.ledger.room import Room
from streamgauge.ledger.states import EffectState, Meaning, Step

if TYPE_CHECKING:
    from streamgauge.ledger.ledger import Ledger  # noqa: TC004 - at run time it comes when asked for

__all__ = [
    "Ledger",
    "effect",
    "current_effect",
    "came_from",
    "reference",
    "use_ledger",
    "open_ledger",
    "current_ledger",
    "close_ledger",
    "lookups",
    "Entry",
    "EffectState",
    "Execution",
    "LedgerSettings",
    "Meaning",
    "Policy",
    "Position",
    "Reconciliation",
    "Step",
    "StreamRow",
    "ToolCall",
    "Verdict",
    "EffectMoved",
    "Fact",
    "Late",
    "Reconciled",
    "Refused",
    "StoreTrouble",
    "ApprovalExpired",
    "ApprovalRequired",
    "ApprovalViolation",
    "ArgumentConflict",
    "DuplicateEffect",
    "EffectDenied",
    "EffectInputError",
    "EffectRefused",
    "IllegalTransition",
    "NewerSchema",
    "NoEffect",
    "StoreUnavailable",
    "StreamStopped",
    "UnknownEntry",
    "UnknownTool",
]


sys.modules[__name__].__class__ = Room
