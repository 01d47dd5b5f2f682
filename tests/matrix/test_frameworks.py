"""Frameworks and tool runners on top of the SDKs: the same output as without us, one span per request."""

from collections.abc import Callable
from typing import Any

import pytest
from tests.matrix.conftest import Job
from tests.matrix.environments import FRAMEWORKS, OLDER_FRAMEWORKS

NEWEST: Job = (FRAMEWORKS, "frameworks_chain.py", ())
OLDER: Job = (OLDER_FRAMEWORKS, "frameworks_older.py", ())
SPANS = {
    NEWEST: {
        "langchain_openai": 1,
        "langchain_openai_responses": 1,
        "langchain_openai_async": 1,
        "langchain_anthropic": 1,
        "langchain_anthropic_async": 1,
        "agents_chat": 1,
        "agents_responses": 1,
        "pydantic_chat": 1,
        "pydantic_responses": 1,
        "pydantic_anthropic": 1,
        "anthropic_tool_runner": 2,
        "openai_tool_runner": 2,
    },
    OLDER: {
        "litellm_openai": 1,
        "litellm_openai_async": 1,
        "litellm_anthropic": 0,  # its own HTTP client: nothing of the SDK is there to be observed
        "litellm_anthropic_watched": 1,
        "litellm_responses": 0,
        "litellm_responses_watched": 1,
        "instructor_partial": 1,
        "instructor_partial_async": 1,
    },
}
"""Requests that each way makes through an SDK, or under watch()."""


@pytest.mark.parametrize("job", SPANS, ids=("newest", "older"))
def test_framework_hands_over_what_it_does_without_us(told_by: Callable[[Job], dict[str, Any]], job: Job) -> None:
    told = told_by(job)
    ways = told["ways"]
    assert {name: way["seen"] for name, way in ways.items()} == {name: way["bare"] for name, way in ways.items()}
    assert all(len(way["seen"]) > 5 for way in ways.values())
    assert (told["own_errors"], told["complaints"], told["open"]) == ({}, [], 0)


@pytest.mark.parametrize("job", SPANS, ids=("newest", "older"))
def test_every_request_has_one_span(told_by: Callable[[Job], dict[str, Any]], job: Job) -> None:
    ways = told_by(job)["ways"]
    assert {name: len(way["spans"]) for name, way in ways.items()} == SPANS[job]
    assert {outcome for way in ways.values() for outcome in way["outcomes"]} == {"completed"}
    assert {name: way["others"] for name, way in ways.items() if way["others"]} == {}
