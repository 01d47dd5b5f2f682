from typing import Any

import pytest

from streamgauge.ledger import (
    ApprovalExpired,
    ApprovalRequired,
    ApprovalViolation,
    EffectDenied,
    EffectInputError,
    EffectMoved,
    IllegalTransition,
    Policy,
    UnknownEntry,
)
from streamgauge.ledger.ledger import Ledger

CONFIRM = Policy("confirm", expires_after=60)


def ask(ledger: Any, args: Any = None, policy: Any = CONFIRM, **declared: Any) -> Any:
    with ledger.effect("charge", key="k", args=args, policy=policy, **declared) as effect:
        effect.committed()
    return effect.entry


def state(ledger: Any) -> Any:
    return ledger.entries(key="k")[-1].state


def test_an_effect_to_be_confirmed_waits_runs_once_approved_and_only_once(ledger, clock):
    decisions = []
    ledger.on_change(
        lambda fact: decisions.append(fact) if isinstance(fact, EffectMoved) and fact.approval_ns else None
    )
    with pytest.raises(ApprovalRequired) as waiting:
        ask(ledger)
    with pytest.raises(ApprovalRequired):
        ask(ledger)
    assert waiting.value.entry is not None
    assert (state(ledger), waiting.value.entry.key) == ("awaiting_approval", "k")
    clock.turn(12)
    approved = ledger.approve("k", "ann")
    assert (approved.state, approved.decided_by) == ("approved", "ann")
    assert ask(ledger).state == "committed"
    with pytest.raises(Exception, match="committed"):
        ask(ledger)
    assert [round((fact.approval_ns or 0) / 1e9) for fact in decisions] == [12]
    assert round(ledger.statistics().approval_seconds) == 12
    assert ledger.statistics().approvals == 1


def test_an_approval_is_bound_to_the_arguments_and_a_violation_is_recorded(ledger):
    with pytest.raises(ApprovalRequired):
        ask(ledger, {"amount": 1})
    ledger.approve("k", "ann", args={"amount": 1})
    with pytest.raises(ApprovalViolation) as violation:
        ask(ledger, {"amount": 1000})
    assert violation.value.entry is not None
    assert (state(ledger), violation.value.entry.state) == ("approved", "approved")
    assert [line["detail"] for line in ledger.history(key="k") if line["what"] == "refused"][-1] == "approval_violation"
    assert ask(ledger, {"amount": 1}).state == "committed"


def test_approving_other_arguments_than_those_that_wait_is_refused_and_recorded(ledger):
    with pytest.raises(ApprovalRequired):
        ask(ledger, {"amount": 1})
    with pytest.raises(ApprovalViolation, match="ann"):
        ledger.approve("k", "ann", args={"amount": 2})
    assert state(ledger) == "awaiting_approval"
    assert ledger.history(key="k")[-1]["detail"] == "approval_violation"


def test_denied_is_final(ledger):
    with pytest.raises(ApprovalRequired):
        ask(ledger)
    ledger.deny("k", "bob")
    with pytest.raises(EffectDenied, match="bob"):
        ask(ledger)
    with pytest.raises(IllegalTransition):
        ledger.approve("k", "ann")
    assert state(ledger) == "denied"


@pytest.mark.parametrize("approved", [False, True])
def test_what_expired_never_runs(ledger, clock, approved):
    with pytest.raises(ApprovalRequired):
        ask(ledger)
    if approved:
        ledger.approve("k", "ann")
    clock.turn(61)
    with pytest.raises(ApprovalExpired):
        ask(ledger)
    assert state(ledger) == "expired"


def test_the_reconciler_expires_the_queue_and_its_age_is_known(ledger, clock):
    with pytest.raises(ApprovalRequired):
        ask(ledger)
    clock.turn(20)
    assert ledger.statistics().awaiting_approval == 1
    assert round(ledger.statistics().awaiting_oldest_age) == 20
    clock.turn(41)
    assert ledger.reconcile().expired == 1
    with pytest.raises(IllegalTransition):
        ledger.approve("k", "ann")
    assert state(ledger) == "expired"


def test_an_approval_that_comes_too_late_is_refused(ledger, clock):
    with pytest.raises(ApprovalRequired):
        ask(ledger)
    clock.turn(61)
    with pytest.raises(ApprovalExpired):
        ledger.approve("k", "ann")


def test_the_same_decision_twice_is_one_decision(ledger):
    with pytest.raises(ApprovalRequired):
        ask(ledger)
    assert ledger.approve("k", "ann") == ledger.approve("k", "ann")


def test_a_policy_may_deny(ledger):
    with pytest.raises(EffectDenied, match="policy"):
        ask(ledger, policy=Policy("deny"))
    assert state(ledger) == "denied"


@pytest.mark.parametrize(
    ("answer", "error", "ends"),
    [(True, None, "committed"), (False, EffectDenied, "denied"), (None, ApprovalRequired, "awaiting_approval")],
)
def test_a_pager_is_called_once_with_the_waiting_entry(ledger, answer, error, ends):
    paged = []

    def pager(entry):
        paged.append(entry.state)
        return answer

    policy = Policy("page", pager=pager)
    for _ in range(2):
        try:
            ask(ledger, policy=policy)
        except Exception as raised:
            assert error is None or isinstance(raised, error)
    assert paged == ["awaiting_approval"]
    assert state(ledger) == ends


@pytest.mark.parametrize(("confidence", "runs"), [(0.79, False), (0.8, True), (None, True)])
def test_low_confidence_escalates(url, confidence, runs):
    with Ledger(url, policies={"charge": Policy(confidence_below=0.8)}) as ledger:
        if runs:
            assert ask(ledger, policy=None, confidence=confidence).state == "committed"
        else:
            with pytest.raises(ApprovalRequired):
                ask(ledger, policy=None, confidence=confidence)
            assert ledger.entries()[0].confidence == confidence


@pytest.mark.parametrize("nobody", ["", "  ", None])
def test_approval_by_nobody_is_refused(ledger, nobody):
    with pytest.raises(ApprovalRequired):
        ask(ledger)
    with pytest.raises(EffectInputError, match="by"):
        ledger.approve("k", nobody)
    assert state(ledger) == "awaiting_approval"


def test_approving_what_is_not_there_names_the_key(ledger):
    with pytest.raises(UnknownEntry, match="nope"):
        ledger.approve("nope", "ann")


@pytest.mark.parametrize(
    "bad",
    [
        {"mode": "maybe"},
        {"mode": "page"},
        {"escalate_to": "page"},
        {"expires_after": 0},
        {"confidence_below": float("nan")},
        {"confidence_below": 80},
    ],
)
def test_a_policy_that_cannot_work_is_refused_when_it_is_made(bad):
    with pytest.raises(EffectInputError, match="policy"):
        Policy(**bad)


def test_an_approval_that_waits_is_void_once_the_stream_is_stopped(ledger):
    with pytest.raises(ApprovalRequired):
        ask(ledger, stream="resp_1")
    ledger.approve("k", "ann")
    ledger.cancel("resp_1", "user_stop")
    assert state(ledger) == "never_started"
