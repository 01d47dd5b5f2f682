"""Which streams are made: a list of jobs that gives every row its streams, or an endless, mostly healthy supply.

In: stories, a total and a seed. Out: jobs. The same seed gives the same jobs in the same order.
"""

import json
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from streamgauge.demo.faults import FAULTS
from streamgauge.demo.story import STALL, STORIES, Story, Surface
from streamgauge.gauge import Observation


@dataclass(slots=True, eq=False)
class Job:
    """One stream to be made, and afterwards the handle of the one that was made.

    `number` is told to the provider; `chunks` is what the application got, `raised` the class of what it saw raised.
    """

    story: Story
    api: str
    surface: Surface
    number: int
    headers: Mapping[str, str]
    begun: bool = False
    handle: Observation | None = None
    raised: str = ""
    chunks: int = 0
    gave_up: bool = False


NUMBER = "x-demo-stream"
"""Header that carries a job's number, by which the provider's side of its stream is found again."""

Row = tuple[Story, str]


def rows(stories: Sequence[Story]) -> list[Row]:
    """A row per story and API."""
    return [(story, api) for story in stories for api in story.apis]


def listed(stories: Sequence[Story], total: int, seed: int) -> list[Job]:
    """`total` jobs: each row once on each of its surfaces, as far as they last; what is left over is healthy."""
    chance = random.Random(seed)  # noqa: S311 - traffic, not secrets
    chosen = _rounds(stories, total, chance)
    jobs = [_job(story, api, surface, chance, number) for number, (story, api, surface) in enumerate(chosen)]
    chance.shuffle(jobs)
    return sorted(jobs, key=lambda job: not _slow(job.story))


_WAITING = ("read_timeout", "header_timeout", "stall", "pings_only", "late_usage", "slow_first_token")


def _rounds(stories: Sequence[Story], total: int, chance: random.Random) -> list[tuple[Story, str, Surface]]:
    order = rows(stories)
    if total < len(order):
        order = chance.sample(order, total)
    healthy = [row for row in order if row[0].name == "healthy"] or order
    chosen: list[tuple[Story, str, Surface]] = []
    for turn in range(total):
        open_rows = [row for row in order if turn < len(row[0].surfaces)] or healthy
        chosen += [
            (story, api, story.surfaces[(turn + number) % len(story.surfaces)])
            for number, (story, api) in enumerate(open_rows)
        ]
        if len(chosen) >= total:
            break
    return chosen[:total]


def _slow(story: Story) -> bool:
    """Whether it waits on purpose: such streams go first, so that the end is not spent waiting for them."""
    return bool(story.patience) or story.leaves == "keep" or story.fault in _WAITING


def endless(stories: Sequence[Story], bad_share: float, seed: int, asynchronous: bool) -> Iterator[Job]:
    """Jobs without end: healthy ones, and `bad_share` of them drawn from the other stories."""
    chance = random.Random(seed * 2 + asynchronous)  # noqa: S311 - traffic, not secrets
    able = [story for story in stories if _surfaces(story, asynchronous) and story.name != "healthy"]
    while True:
        story = chance.choice(able) if able and chance.random() < bad_share else _good(chance)
        yield _job(story, chance.choice(story.apis), chance.choice(_surfaces(story, asynchronous)), chance)


_GOOD = {"healthy": 6, "reasoning": 2, "tools": 1, "reasoning_and_tools": 1}


def _good(chance: random.Random) -> Story:
    return STORIES[chance.choices(list(_GOOD), list(_GOOD.values()))[0]]


def _surfaces(story: Story, asynchronous: bool) -> list[Surface]:
    return [surface for surface in story.surfaces if surface.asynchronous is asynchronous]


def _job(story: Story, api: str, surface: Surface, chance: random.Random, number: int = 0) -> Job:
    fixed = FAULTS[story.fault].changes
    script = {name: value for name, value in _script(chance).items() if name not in fixed} | dict(story.script)
    headers = {
        "x-streamgauge-fault": story.fault,
        "x-streamgauge-script": json.dumps(script),
        NUMBER: str(number),
    }
    return Job(story, api, surface, number, headers)


def _script(chance: random.Random) -> dict[str, object]:
    """An answer like many: a sentence or some, after a wait with a long tail."""
    return {
        "pieces": chance.randint(20, 48),
        "first_ms": round(min(chance.lognormvariate(5.2, 0.5), 900.0)),
        "gap_ms": chance.randint(8, 20),
        "stall_ms": STALL * 1e3,
        "seed": chance.randrange(1 << 30),
    }
