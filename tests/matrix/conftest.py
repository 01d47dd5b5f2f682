"""How the matrix runs: each job is a script in an environment of its own, two at a time, against one demo provider.

Not part of a plain `pytest`: run it with `pytest -m matrix tests/matrix`, or with
STREAMGAUGE_REQUIRE_ALL=1, as CI does.
"""

import json
import os
import subprocess
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from tests.matrix.environments import Environment, make

from streamgauge.demo import Provider

HERE = Path(__file__).parent
TIMES = {"gap_ms": 0, "first_ms": 0, "stall_ms": 60, "retry_ms": 2}
Job = tuple[Environment, str, tuple[str, ...]]
"""Where, which script, and its arguments after the provider's address."""


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "matrix: in environments of other versions and other software; takes minutes")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    here = [item for item in items if HERE in item.path.parents]
    for item in here:
        item.add_marker(pytest.mark.matrix)
        item.add_marker(pytest.mark.timeout(600))
    if "matrix" in (config.option.markexpr or "") or os.environ.get("STREAMGAUGE_REQUIRE_ALL") == "1":
        return
    items[:] = [item for item in items if item not in here]
    config.hook.pytest_deselected(items=here)


def play(url: str, job: Job) -> dict[str, Any]:
    """What the script printed."""
    environment, script, arguments = job
    command = [str(make(environment)), "-W", "error::ResourceWarning", str(HERE / script), url, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=500, env=_environ())
    assert done.returncode == 0, done.stderr[-4000:]
    told: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return {**told, "stderr": done.stderr}


def _environ() -> dict[str, str]:
    dropped = ("OTEL_", "STREAMGAUGE_", "PYTHON")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(dropped)}
    return {**kept, "OPENAI_AGENTS_DISABLE_TRACING": "1", "DO_NOT_TRACK": "1", "TRACELOOP_TELEMETRY": "false"}


@pytest.fixture(scope="session")
def told_by(request: pytest.FixtureRequest) -> Iterator[Callable[[Job], dict[str, Any]]]:
    """What a job told; all jobs of the tests to come were started with the first, two at a time."""
    jobs = [job for item in request.session.items for name, job in _params(item).items() if name in ("job", "alone")]
    with Provider(defaults=TIMES) as provider, ThreadPoolExecutor(2) as pool:
        started: dict[Job, Future[dict[str, Any]]] = {}
        for job in jobs:
            if job not in started:
                started[job] = pool.submit(play, provider.url, job)
        yield lambda job: started[job].result()


def _params(item: pytest.Item) -> dict[str, Any]:
    return getattr(getattr(item, "callspec", None), "params", {})
