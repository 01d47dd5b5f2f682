"""The life of a stream as a table; everything that affects transitions stands here.

1. A stream is in exactly one state. A step leads to the next state if the table has the pair, and nowhere otherwise.
2. A missing pair is the illegal transition: it is counted, never raised, and leaves the state as it is.
3. A terminal state is left only by `resume`: the same answer is being read again.
4. Phases (what an open stream is doing) are not states: they follow from the last content that arrived.
"""

from enum import StrEnum

from streamgauge.names import State


class Step(StrEnum):
    """What can happen to a stream."""

    VALIDATE = "validate"
    SEND = "send"
    RETRY = "retry"
    CHUNK = "chunk"
    RESUME = "resume"
    COMPLETE = "complete"
    INTERRUPT = "interrupt"
    FAIL = "fail"


TRANSITIONS: dict[tuple[State, Step], State] = {
    (State.IDLE, Step.VALIDATE): State.VALIDATING,
    (State.IDLE, Step.SEND): State.SENDING,
    (State.VALIDATING, Step.SEND): State.SENDING,
    (State.VALIDATING, Step.FAIL): State.FAILED,
    (State.VALIDATING, Step.INTERRUPT): State.INTERRUPTED,
    (State.SENDING, Step.RETRY): State.RETRIED,
    (State.SENDING, Step.RESUME): State.RECOVERED,
    (State.SENDING, Step.CHUNK): State.STREAMING,
    (State.SENDING, Step.COMPLETE): State.COMPLETE,
    (State.SENDING, Step.INTERRUPT): State.INTERRUPTED,
    (State.SENDING, Step.FAIL): State.FAILED,
    (State.RETRIED, Step.SEND): State.SENDING,
    (State.RETRIED, Step.INTERRUPT): State.INTERRUPTED,
    (State.RETRIED, Step.FAIL): State.FAILED,
    (State.RECOVERED, Step.CHUNK): State.STREAMING,
    (State.RECOVERED, Step.COMPLETE): State.COMPLETE,
    (State.RECOVERED, Step.INTERRUPT): State.INTERRUPTED,
    (State.RECOVERED, Step.FAIL): State.FAILED,
    (State.STREAMING, Step.COMPLETE): State.COMPLETE,
    (State.STREAMING, Step.INTERRUPT): State.INTERRUPTED,
    (State.STREAMING, Step.FAIL): State.FAILED,
    (State.INTERRUPTED, Step.RESUME): State.RECOVERED,
    (State.FAILED, Step.RESUME): State.RECOVERED,
}

TERMINAL = frozenset({State.COMPLETE, State.INTERRUPTED, State.FAILED})


def advance(state: State, step: Step) -> State | None:
    """The state after `step`, or None when the step is illegal in `state`."""
    return TRANSITIONS.get((state, step))
