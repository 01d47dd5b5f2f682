"""A Prometheus that knows the story; and a table of what the dashboards' queries returned, at the end of the run."""

import contextlib
import json
from collections.abc import Callable, Iterator

import pytest
from tests.dashboards import asking, pictures

from streamgauge.slo.rehearsal import Rehearsal


@pytest.fixture(scope="session")
def prometheus(tmp_path_factory) -> Iterator[Callable[[int], Rehearsal]]:
    """A server of each major that knows the story; told once, and only when somebody asks."""
    running: dict[int, Rehearsal] = {}
    with contextlib.ExitStack() as stack:

        def ask(major: int) -> Rehearsal:
            if major not in running:
                running[major] = stack.enter_context(pictures.served(major, tmp_path_factory.mktemp("story")))
            return running[major]

        yield ask


def pytest_terminal_summary(terminalreporter) -> None:
    found = {
        name.removeprefix("rows-"): {tuple(row[:3]): str(row[3]) for row in json.loads(value)}
        for report in terminalreporter.getreports("passed") + terminalreporter.getreports("failed")
        for name, value in getattr(report, "user_properties", [])
        if name.startswith("rows-prometheus-") and report.when == "call"
    }
    if found:
        places = list(dict.fromkeys(place for rows in found.values() for place in rows))
        rows = [(*place, *(rows.get(place, "-") for rows in found.values())) for place in places]
        terminalreporter.section("dashboards: rows that each query returned, on both majors of Prometheus")
        terminalreporter.write_line(asking.table(rows, ("dashboard", "panel", "query", *found)))
