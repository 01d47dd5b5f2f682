"""Every query of every dashboard on the real Prometheus of both majors: none empty, none NaN, all bounded.

The story has four days of verdicts and seven hours of everything else; each dashboard is asked over its own time
range. What came back is printed as a table at the end of the run.
"""

import json
import math
from collections.abc import Iterator
from functools import partial

import pytest
from tests.dashboards import asking, reading, story
from tests.dashboards.asking import Answer, Span

from streamgauge.slo.rehearsal import Rehearsal

BOARDS = reading.load()
CHOSEN = {"slo": "stream-availability"}
MOST_SERIES, MOST_SAMPLES = 50, 1_000_000
"""A panel of more lines is unreadable, a query that reads more samples is slow; Prometheus allows 50 millions."""


@pytest.fixture(params=(2, 3), ids=lambda major: f"prometheus-{major}")
def server(request, prometheus) -> tuple[int, Rehearsal]:
    return request.param, prometheus(request.param)


def span_of(name: str) -> Span:
    return asking.span_of(BOARDS[name], story.MONTH.end)


@pytest.mark.timeout(300)
def test_every_query_answers(server, record_property):
    major, running = server
    answers = [
        (target, asking.ask(running.url, target, span_of(target.board), CHOSEN)) for target in reading.targets(BOARDS)
    ]
    rows = [(target.board, target.panel["title"], target.target["refId"], answer.series) for target, answer in answers]
    record_property(f"rows-prometheus-{major}", json.dumps(rows))
    assert [complaint for _, answer in answers for complaint in complaints(answer)] == []


def complaints(answer: Answer) -> Iterator[str]:
    """What is wrong with an answer."""
    if not answer.series:
        yield f"{answer.place}: empty: {answer.expr}"
    if not all(map(math.isfinite, answer.values)):
        yield f"{answer.place}: NaN or infinite: {answer.expr}"
    if answer.series > MOST_SERIES or answer.looked_at > MOST_SAMPLES:
        yield f"{answer.place}: {answer.series} series out of {answer.looked_at} samples"
    if answer.warnings:
        yield f"{answer.place}: {answer.warnings}"


@pytest.mark.timeout(300)
def test_a_time_without_telemetry_is_empty_and_never_nan(server):
    _, running = server
    before = story.MONTH.start + story.BORN * 60 - 3_600
    for target in reading.targets({name: BOARDS[name] for name in ("streams", "effects", "compare")}):
        answer = asking.ask(running.url, target, Span(before - 21_600, before), CHOSEN)
        assert all(map(math.isfinite, answer.values)), answer.place


@pytest.mark.timeout(300)
def test_annotations_and_variables_offer_something(server):
    _, running = server
    for name, board in BOARDS.items():
        offered = {
            variable["name"]: asking.values_of(running.url, variable, span_of(name), CHOSEN)
            for variable in board["templating"]["list"]
            if variable["type"] == "query"
        }
        assert (offered["service"], offered["provider"]) == (["chat"], ["anthropic", "openai"])
        assert offered["model"] == sorted(story.MODELS)
        assert "slo" not in offered or "stream-availability" in offered["slo"]
        for annotation in board["annotations"]["list"]:
            expr = reading.filled(annotation["target"]["expr"], {**reading.FILLED, **CHOSEN})
            assert asking.query(running.url, name, expr, span_of(name), instant=False).series


def test_http_says_all_is_well_while_users_got_less(server):
    _, running = server
    target = next(each for each in reading.targets(BOARDS) if each.place == "streams / HTTP says / users got / A")
    beside = reading.Target("streams", target.panel, target.panel["targets"][1])
    ask = partial(asking.ask, running.url, span=span_of("streams"))
    says, got = (ask(each, chosen={}).values[-1] for each in (target, beside))
    assert says > 0.995 and got < 0.87
    healthy = ask(beside, chosen={"model": "gpt-large"}).values[-1]
    sick = ask(beside, chosen={"model": story.SICK}).values[-1]
    assert healthy > 0.98 and sick < 0.6


def test_the_overview_has_a_line_per_objective_and_the_page_that_fires(server):
    _, running = server
    by_ref = {}
    for target in reading.targets({"slo-overview": BOARDS["slo-overview"]}):
        if target.panel["title"] == "Objectives":
            result = asking.ask(running.url, target, span_of("slo-overview"), CHOSEN).result
            by_ref[target.target["refId"]] = {row["metric"]["slo"]: float(row["value"][1]) for row in result}
    assert len({frozenset(rows) for rows in by_ref.values()}) == 1, "columns have different objectives"
    assert len(by_ref["A"]) == 10
    assert by_ref["H"]["stream-availability"] == 1
    assert by_ref["H"]["http-status"] == 0
