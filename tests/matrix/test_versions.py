"""Every way out of a stream, on the oldest supported, the first and the newest version of each major of both SDKs."""

from collections.abc import Callable
from typing import Any

import pytest
from tests.matrix.conftest import Job
from tests.matrix.environments import BEYOND, OLDEST, SDKS

EXPECTED = {
    "exhaust": "completed",
    "drop": "abandoned",
    "with": "cancelled",
    "close": "cancelled",
    "read on": "completed",
    "exception": "abandoned",
    "task cancel": "cancelled",
    "reset": "failed",
    "error_event": "failed",
    "truncated": "truncated",
    "rate_limited_then_ok": "completed",
    "server_error": "failed",
    "refused": "failed",
    "read_timeout": "timed_out",
}
ERRORS = {
    "reset": {"connection_error"},
    "error_event": {"server_error", "overloaded_error"},
    "truncated": {"truncated"},
    "server_error": {"server_error", "api_error"},
    "refused": {"connection_error"},
    "read_timeout": {"timeout"},
}
WHOLE = {"exhaust", "read on", "rate_limited_then_ok"}
MESSAGES = ["messages", "messages raw", "messages helper"]
ALL = ["chat", "chat raw", "chat helper", "responses", "responses helper", *MESSAGES]
SURFACES = {OLDEST: ["chat", "chat raw", *MESSAGES]}
"""openai 1.26 has neither Responses nor a helper for chat."""

JOBS: list[Job] = [(environment, "exits.py", ()) for environment in SDKS]


def _wrong(told: dict[str, Any]) -> dict[str, Any]:
    """The cases that were told wrongly or seen differently, with what was told."""
    return {name: case for name, case in told["cases"].items() if not _right(name.split(" / ")[1], case)}


def _right(way: str, case: dict[str, Any]) -> bool:
    return (
        case["seen"] == case["bare"]
        and case.get("outcomes") == case.get("spans") == [EXPECTED[way]]
        and case["errors"][0] in ERRORS.get(way, {None})
        and case["attempts"] == [2 if way == "rate_limited_then_ok" else 1]
        and (way not in WHOLE or None not in case["tokens"][0])
    )


@pytest.mark.parametrize("job", JOBS, ids=[str(job[0]) for job in JOBS])
def test_every_way_out_is_told_truly_and_looks_as_without_us(
    told_by: Callable[[Job], dict[str, Any]], job: Job
) -> None:
    told = told_by(job)
    expected = SURFACES.get(job[0], ALL)
    assert told["surfaces"] == expected
    assert len(told["cases"]) == len(expected) * (len(EXPECTED) * 2 - 1)
    assert _wrong(told) == {}
    assert told["totals"]["streams"] == told["totals"]["durations"] == len(told["cases"])


@pytest.mark.parametrize("job", JOBS, ids=[str(job[0]) for job in JOBS])
def test_nothing_is_left_behind(told_by: Callable[[Job], dict[str, Any]], job: Job) -> None:
    told = told_by(job)
    assert told["hooked"] > 0
    assert told["restored"]
    assert told["no_span_left_current"]
    assert (told["open"], told["own_errors"], told["complaints"]) == (0, {}, [])
    assert told["loop_complaints"] == [0, 0]
    assert told["stderr"] == ""


BEYOND_JOB: Job = (BEYOND, "beyond.py", ())


@pytest.mark.parametrize("job", [BEYOND_JOB], ids=["beyond"])
def test_version_out_of_range_is_left_alone_and_that_is_said_once(
    told_by: Callable[[Job], dict[str, Any]], job: Job
) -> None:
    told = told_by(job)
    assert told["hooked"] == 0
    assert told["reports"] == 0
    assert told["read"] == {"openai": True, "anthropic": True}
    assert sorted(told["said"]) == [
        "streamgauge leaves anthropic 0.50.0 alone: it knows the versions >=0.51,<3",
        "streamgauge leaves openai 1.25.2 alone: it knows the versions >=1.26,<4",
    ]
