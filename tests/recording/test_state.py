"""The state table, every pair of it, and what holds on any walk through it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.recording.recorders import recorder

from streamgauge.names import State
from streamgauge.recording import TRANSITIONS, Step, advance
from streamgauge.recording.state import TERMINAL

ALLOWED = {
    "idle": "validate>validating send>sending",
    "validating": "send>sending fail>failed interrupt>interrupted",
    "sending": "retry>retried resume>recovered chunk>streaming complete>complete interrupt>interrupted fail>failed",
    "retried": "send>sending interrupt>interrupted fail>failed",
    "recovered": "chunk>streaming complete>complete interrupt>interrupted fail>failed",
    "streaming": "complete>complete interrupt>interrupted fail>failed",
    "interrupted": "resume>recovered",
    "failed": "resume>recovered",
    "complete": "",
}
"""The life of a stream as the design tells it, written down a second time."""


@pytest.mark.parametrize("state", State)
@pytest.mark.parametrize("step", Step)
def test_every_pair_leads_where_the_design_says_or_nowhere(state: State, step: Step) -> None:
    told = dict(pair.split(">") for pair in ALLOWED[state].split())
    assert advance(state, step) == told.get(step)


def test_terminal_states_are_left_by_resume_alone() -> None:
    assert {step for state, step in TRANSITIONS if state in TERMINAL} == {Step.RESUME}


@given(st.lists(st.tuples(st.sampled_from(Step), st.integers(0, 10**9)), max_size=30))
def test_any_walk_counts_its_illegal_steps_and_its_times_add_up(walk: list[tuple[Step, int]]) -> None:
    made, now, illegal, state = recorder(), 1000, 0, State.IDLE
    for step, later in walk:
        now += later
        made.step(step, now)
        illegal += advance(state, step) is None
        state = advance(state, step) or state
    assert (made.state, made.illegal) == (state, illegal)
    assert sum(made._state_times.values()) + now - made._state_since == now - 1000
