from pathlib import Path

import pytest

from streamgauge.ledger.errors import IllegalTransition
from streamgauge.ledger.states import (
    MEANING,
    RETRYABLE,
    TRANSITIONS,
    UNSETTLED,
    EffectState,
    Meaning,
    Step,
    advance,
    mermaid,
)

DOCS = Path(__file__).parents[2] / "docs" / "ledger.md"


def test_every_state_is_reached_from_intended():
    reached, growing = {EffectState.INTENDED}, True
    while growing:
        more = {target for (source, _), target in TRANSITIONS.items() if source in reached} - reached
        reached, growing = reached | more, bool(more)
    assert reached == set(EffectState)


def test_every_state_means_something_and_every_unsettled_one_can_be_left():
    assert set(MEANING) == set(EffectState)
    assert all(any(source is state for source, _ in TRANSITIONS) for state in UNSETTLED)


def test_denied_expired_and_never_started_are_terminal():
    terminal = (EffectState.DENIED, EffectState.EXPIRED, EffectState.NEVER_STARTED)
    assert not [source for source, _ in TRANSITIONS if source in terminal]


def test_nothing_leaves_started_for_a_failure_without_a_word_about_the_effect():
    after = {target for (source, _), target in TRANSITIONS.items() if source is EffectState.STARTED}
    assert after == {EffectState.COMMITTED, EffectState.FAILED_NO_EFFECT, EffectState.UNKNOWN}


def test_only_states_that_prove_absence_allow_the_key_again():
    assert {MEANING[state] for state in RETRYABLE} == {Meaning.ABSENT}


@pytest.mark.parametrize("state", EffectState)
@pytest.mark.parametrize("step", Step)
def test_a_missing_key_is_an_error_that_names_state_step_and_what_is_allowed(state, step):
    if (state, step) in TRANSITIONS:
        assert advance(state, step) is TRANSITIONS[state, step]
        return
    with pytest.raises(IllegalTransition) as refused:
        advance(state, step)
    assert (refused.value.state, refused.value.step) == (state, step)
    assert set(refused.value.allowed) == {s for source, s in TRANSITIONS if source is state}


def test_the_diagram_in_the_documentation_is_the_table():
    assert f"```mermaid\n{mermaid()}```" in DOCS.read_text(encoding="utf-8")
