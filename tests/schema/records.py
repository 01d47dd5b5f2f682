"""Reconciliation records made by the ledger's own code."""

from dataclasses import replace

from streamgauge.ledger.entry import EffectView, Reconciliation, ToolCall, Verdict

EFFECT = EffectView(
    key="resp_1:call_1",
    attempt=1,
    tool="send_invoice_email",
    kind="external_message",
    state="committed",
    tool_call_id="call_1",
    reversible=False,
    args_hash="9f86d081",
    args=None,
    reason=None,
    intended_ns=1,
    decided_ns=None,
    decided_by=None,
    started_ns=2,
    committed_ns=3,
    settled_ns=3,
    compensated_ns=None,
    position="after_commit",
    stop_after_start_ms=200.0,
    stop_after_commit_ms=12.5,
    shown_in_flight=4,
)

RECORD = Reconciliation(
    stream="5f0c8e9b6b0f4a0f9d1c2b3a4d5e6f70",
    revision=1,
    at_ns=5,
    settled=True,
    verdict=Verdict.PARTIAL_COMMIT,
    outcome="cancelled",
    initiator="user_stop",
    phase="responding",
    failure_mode=None,
    begun_ns=0,
    ended_ns=4,
    stopped_ns=4,
    shown_chars=120,
    shown_in_flight_chars=4,
    shown_before_failure_chars=None,
    usage={"provenance": "unknown"},
    trace=None,
    effects=(EFFECT,),
    undeclared=(ToolCall("5f0c", "call_2", "search", None, True, 4),),
    states={"committed": 1, "undeclared": 1},
)

CLEAN = replace(RECORD, verdict=Verdict.CLEAN, effects=(), undeclared=(), states={})
