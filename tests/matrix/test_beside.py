"""Other instrumentations in the same process, switched on before or after us: streams behave as with them alone, and
we tell the truth."""

from collections.abc import Callable
from typing import Any

import pytest
from tests.matrix.conftest import Job
from tests.matrix.environments import BESIDE
from tests.matrix.test_versions import ALL, ERRORS, EXPECTED

OTHERS = ("anthropic", "genai", "openinference", "openllmetry")
ORDERS = ("first", "last")
CASES = len(ALL) * (7 * 2 + 1)
WHOLE_TOKENS = {"input_tokens": 1375, "output_tokens": 192}
"""What was reported in all cases: 16 whole answers of 12 tokens; a cut one of Anthropic's has only its input."""


def _job(other: str, order: str) -> Job:
    return (BESIDE, "beside.py", (other, order))


JOBS = [_job(other, order) for other in OTHERS for order in ("alone", *ORDERS)]
PAIRS = [(_job(other, order), _job(other, "alone")) for other in OTHERS for order in ORDERS]
IDS = [" ".join(job[2]) for job, _alone in PAIRS]


@pytest.mark.parametrize(("job", "alone"), PAIRS, ids=IDS)
def test_streams_behave_as_with_the_other_one_alone(
    told_by: Callable[[Job], dict[str, Any]], job: Job, alone: Job
) -> None:
    ours, theirs = told_by(job), told_by(alone)
    seen = {name: case["seen"] for name, case in ours["cases"].items()}
    assert seen == {name: case["seen"] for name, case in theirs["cases"].items()}
    assert len(seen) == CASES
    assert all(seen.values())
    assert ours["loop_complaints"] == theirs["loop_complaints"]
    assert (ours["complaints"], ours["own_errors"], ours["open"]) == ([], {}, 0)


@pytest.mark.parametrize(("job", "alone"), PAIRS, ids=IDS)
def test_outcome_and_metrics_are_right_and_tokens_are_counted_once(
    told_by: Callable[[Job], dict[str, Any]], job: Job, alone: Job
) -> None:
    told = told_by(job)
    wrong = {name: case for name, case in told["cases"].items() if not _right(name.split(" / ")[1], case)}
    assert wrong == {}
    assert told["totals"] == {"streams": CASES, "durations": CASES, **WHOLE_TOKENS}


def _right(way: str, case: dict[str, Any]) -> bool:
    told = case["outcomes"] == case["spans"] == [EXPECTED[way]]
    return told and case["errors"][0] in ERRORS.get(way, {None})


@pytest.mark.parametrize("job", [_job("anthropic", order) for order in ORDERS], ids=ORDERS)
def test_sdk_makes_no_span_of_its_own_for_a_stream_that_we_observe(
    told_by: Callable[[Job], dict[str, Any]], job: Job
) -> None:
    assert {name: case["others"] for name, case in told_by(job)["cases"].items() if case["others"]} == {}
