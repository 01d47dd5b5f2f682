"""Many streams at once, in threads, in one event loop and across a fork: each is told once and by its own figures."""

import asyncio
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx2
import openai
from tests.capture.surfaces import PLAIN, Surface
from tests.capture.test_held_streams import app, lines
from tests.capture.trial import Trial, aexhaust, arun, exhaust, run
from tests.capture.watching import Watch, assert_samples
from tests.conftest import TLS

from streamgauge import names
from streamgauge.demo import Provider
from streamgauge.names import Outcome

MANY = 200
FAULTS = {
    "healthy": Outcome.COMPLETED,
    "truncated": Outcome.TRUNCATED,
    "incomplete": Outcome.LENGTH_LIMITED,
    "error_event": Outcome.FAILED,
}


def planned() -> list[tuple[Surface, str, int]]:
    """Surface, fault and number of pieces of each stream; every number of pieces is another."""
    surfaces, faults = list(PLAIN), list(FAULTS)
    return [(surfaces[n % 3], faults[n % 4], 4 + n % 50) for n in range(MANY)]


def trial(clients: dict[str, Any], surface: Surface, fault: str, pieces: int) -> Trial:
    script = {"extra_headers": {"x-streamgauge-script": f'{{"pieces": {pieces}}}'}}
    return Trial(surface, clients[surface.sdk], fault, script)


def assert_each_is_told_by_its_own_figures(watch: Watch, trials: list[Trial]) -> None:
    told = Counter((report.api, report.model, report.outcome, report.chunks) for report in watch.reports)
    apis = {"chat": "chat_completions"}
    seen = Counter(
        (apis.get(t.surface.api, t.surface.api), f"demo-{t.fault}", FAULTS[t.fault], chunks_of(t)) for t in trials
    )
    assert told == seen
    assert len({report.stream_id for report in watch.reports}) == MANY
    assert len({report.trace_id for report in watch.reports}) == MANY
    assert_samples(watch.points(), watch.reports)


def chunks_of(made: Trial) -> int:
    raised = made.fault == "error_event" and made.surface.api != "responses"
    return len(made.seen) - (2 if raised else 0)


def test_200_streams_in_threads_are_not_mixed_up(clients: dict[str, Any], gauge: Watch) -> None:
    trials = [trial(clients, *plan) for plan in planned()]
    gate = threading.Barrier(20)

    def work(made: Trial) -> None:
        if made in trials[:20]:
            gate.wait(timeout=20)
        run(exhaust, made)

    with ThreadPoolExecutor(20) as pool:
        list(pool.map(work, trials))
    assert_each_is_told_by_its_own_figures(gauge, trials)


async def test_200_streams_in_one_event_loop_are_not_mixed_up(async_clients: dict[str, Any], gauge: Watch) -> None:
    trials = [trial(async_clients, *plan) for plan in planned()]
    opened = asyncio.Event()
    most = 0

    async def work(made: Trial) -> None:
        nonlocal most
        await arun(aexhaust, made)
        most = max(most, gauge.gauge.open_count)
        opened.set()

    await asyncio.gather(*(work(made) for made in trials))
    assert opened.is_set()
    assert most > 50
    assert_each_is_told_by_its_own_figures(gauge, trials)


async def test_task_that_was_born_inside_a_call_makes_calls_of_its_own(provider: Provider, gauge: Watch) -> None:
    """A hook of the HTTP client starts a task; the task inherits the context of the call and outlives it."""
    tasks: list[asyncio.Task[Trial]] = []
    answered = asyncio.Event()

    async def own_call() -> Trial:
        await answered.wait()
        return await arun(aexhaust, Trial(PLAIN[0], client, "rate_limited_then_ok"))

    async def on_request(_request: httpx2.Request) -> None:
        if not tasks:
            tasks.append(asyncio.create_task(own_call()))

    pool = httpx2.AsyncClient(verify=TLS, event_hooks={"request": [on_request]})
    async with openai.AsyncOpenAI(base_url=provider.base_url(), api_key="k", http_client=pool, max_retries=1) as client:
        await arun(aexhaust, Trial(PLAIN[0], client))
        answered.set()
        await tasks[0]
    told = [(report.model, report.outcome, report.attempts) for report in gauge.reports]
    assert told == [("demo-healthy", Outcome.COMPLETED, 1), ("demo-rate_limited_then_ok", Outcome.COMPLETED, 2)]


def test_gauge_set_up_before_a_fork_works_in_parent_and_child(provider: Provider) -> None:
    done = app("fork.py", provider.url)
    assert done.stderr == ""
    assert done.returncode == 0
    told = dict(line.split("=", 1) for line in done.stdout.split())
    assert told == {
        "child-open-at-start": "0",
        "child": "completed,abandoned",
        "child-metric": "2",
        "child-watchdog": "True",
        "parent": "completed,abandoned",
        "parent-of-before": "completed",
        "child-exit": "0",
    }


def test_stream_that_a_forked_child_reads_on_is_told_once_by_the_process_that_began_it(
    provider: Provider, tmp_path: Path
) -> None:
    told = tmp_path / "reports.jsonl"
    done = app("fork_reading.py", provider.url, STREAMGAUGE_JSONL=str(told))
    assert done.stderr == ""
    assert done.returncode == 0
    facts = dict(line.split("=", 1) for line in done.stdout.split())
    assert facts == {"child-read": "True", "child-told": "0", "child-exit": "0", "parent-told": "4"}
    reports = lines(told)
    assert len({report["stream_id"] for report in reports}) == len(reports) == 4
    assert sorted(report["outcome"] for report in reports) == ["abandoned", "cancelled", "cancelled", "cancelled"]


def test_forked_child_that_cancels_ends_nothing_and_says_whose_the_stream_is(provider: Provider) -> None:
    done = app("fork_cancelling.py", provider.url)
    assert done.returncode == 0, done.stderr
    facts = dict(line.split("=", 1) for line in done.stdout.split())
    streams, parent = facts.pop("streams").split(","), facts.pop("parent-id")
    assert facts == {
        "child-ended": "False",
        "child-by-id": "False",
        "child-told": "0",
        "child-exit": "0",
        "parent": "completed,completed",
    }
    warned = [f"cancel() in a forked process ends nothing: stream {each} is process {parent}'s" for each in streams]
    assert done.stderr.splitlines() == warned


def test_active_gauge_counts_open_streams_by_phase_and_returns_to_zero(clients: dict[str, Any], gauge: Watch) -> None:
    made = [Trial(PLAIN[0], clients["openai"]) for _ in range(5)]
    streams = [one.open() for one in made]
    for one, stream in zip(made[:3], streams[:3], strict=True):
        one.read(stream, 4)

    def active() -> dict[str, int]:
        points = gauge.points()[names.STREAMS_ACTIVE.name]
        return {point.attributes[names.PHASE]: point.value for point in points}

    assert active() == {"waiting": 2, "planning": 0, "acting": 0, "responding": 3}
    assert gauge.points()[names.OLDEST_AGE.name][0].value > 0
    for stream in streams:
        stream.close()
    assert sum(active().values()) == 0
    assert gauge.points()[names.OLDEST_AGE.name][0].value == 0
