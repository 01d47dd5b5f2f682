"""What the demo makes: its stories, and how jobs are laid out over them."""

from collections import Counter
from itertools import islice

import pytest

from streamgauge.demo import FAULTS, plan
from streamgauge.demo.reading import ASYNC_LEAVES, LEAVES
from streamgauge.demo.report import percentile
from streamgauge.demo.story import (
    APIS,
    IDLE_LIMIT,
    PATIENCE,
    SLOW_FIRST,
    STALL,
    STALL_LIMIT,
    STORIES,
    TIMEOUT,
    chosen,
)
from streamgauge.errors import ConfigError
from streamgauge.names import Initiator


def test_every_fault_is_a_story() -> None:
    assert list(FAULTS) == [story.name for story in STORIES.values() if story.name == story.fault]


def test_every_story_says_what_must_be_recorded_and_how_its_caller_leaves() -> None:
    for story in STORIES.values():
        for surface in story.surfaces:
            assert story.leaves in (ASYNC_LEAVES if surface.asynchronous else LEAVES), story.name
        assert all(story.expected(api).outcome for api in story.apis)


def test_what_counts_lies_between_what_is_normal_and_what_is_injected() -> None:
    assert STALL_LIMIT < PATIENCE < STALL < TIMEOUT
    assert STALL_LIMIT < IDLE_LIMIT
    assert SLOW_FIRST < TIMEOUT


def test_names_are_taken_with_dashes_too_and_none_is_all() -> None:
    assert [story.name for story in chosen(["user-stop", " stall "])] == ["user_stop", "stall"]
    assert chosen([]) == tuple(STORIES.values())


def test_a_wrong_name_is_told_with_what_exists() -> None:
    with pytest.raises(ConfigError, match=r"healthy.*user_stop") as told:
        chosen(["stall", "nope"])
    assert told.value.value == "nope"


def test_each_row_has_a_stream_and_what_is_left_over_is_healthy() -> None:
    stories = chosen(["healthy", "reset", "task_cancel"])
    jobs = plan.listed(stories, 100, seed=1)
    made = Counter((job.story.name, job.api) for job in jobs)
    assert set(made) == {(story.name, api) for story, api in plan.rows(stories)}
    assert made["reset", "chat"] == len(STORIES["reset"].surfaces)
    assert made["task_cancel", "chat"] == len(STORIES["task_cancel"].surfaces)
    assert sum(made["healthy", api] for api in APIS) == 100 - 3 * 4 - 3 * 2


def test_each_row_is_read_through_each_of_its_surfaces() -> None:
    stories = chosen(["healthy", "reset"])
    doors = {(job.story.name, job.api, job.surface) for job in plan.listed(stories, 24, seed=0)}
    assert doors == {(story.name, api, door) for story, api in plan.rows(stories) for door in story.surfaces}


@pytest.mark.parametrize("total", [1, 7, 154, 420])
def test_there_are_as_many_streams_as_asked_for(total: int) -> None:
    assert len(plan.listed(chosen([]), total, seed=0)) == total


def test_a_seed_repeats_itself_and_another_does_not() -> None:
    def order(seed: int) -> list[object]:
        jobs = plan.listed(chosen([]), 50, seed)
        return [(job.story.name, job.api, job.surface, dict(job.headers)) for job in jobs]

    assert order(3) == order(3)
    assert order(3) != order(4)


def test_endless_traffic_is_healthy_but_for_the_share_that_was_asked_for() -> None:
    jobs = list(islice(plan.endless(chosen(["reset", "task_cancel"]), 0.25, 0, asynchronous=False), 800))
    bad = [job for job in jobs if job.story.name == "reset"]
    assert {job.surface.asynchronous for job in jobs} == {False}
    assert 0.15 < len(bad) / len(jobs) < 0.35
    assert not any(job.story.name == "task_cancel" for job in jobs), "a sync caller has no task"
    others = {job.story.fault for job in jobs if job not in bad}
    assert others <= {"healthy", "reasoning", "tools", "reasoning_and_tools"}


def test_only_stops_by_the_application_have_a_named_initiator() -> None:
    named = {story.name for story in STORIES.values() if story.initiator not in (None, Initiator.UNKNOWN)}
    assert named == {"user_stop", "stop_reasoning", "stall_forever"}


def test_percentiles_are_values_that_were_measured() -> None:
    values = [float(number) for number in range(1, 21)]
    assert percentile(values, 0.5) == 10.0
    assert percentile(values, 0.95) == 19.0
    assert percentile([2.0], 0.95) == 2.0
    assert percentile([], 0.5) is None
