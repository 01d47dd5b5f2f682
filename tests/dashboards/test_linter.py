"""The dashboard-linter's 17 checks find nothing but what is excluded with a reason; and each can find something."""

import copy
from collections.abc import Callable

import pytest
from tests.dashboards import linter, reading

BOARDS = reading.load()

EXCLUDED = {
    "template-job-rule": "the variable is called `service` on all pages, so that links between SLO pages (whose "
    "recorded series have no job) and stream pages carry the choice; it selects by job",
    "target-job-rule": 'the matcher is there, with that variable: job=~"$service" (see test_every_query_is_scoped)',
    "template-instance-rule": "streams are looked at by service, provider and model; instances come and go",
    "target-instance-rule": "as above",
}
"""Checks whose complaints are accepted, with the reason."""


def test_there_are_seventeen_checks():
    assert len(linter.CHECKS) == 17


@pytest.mark.parametrize("name", BOARDS)
def test_the_linter_has_no_complaint(name):
    complaints = [each for each in linter.lint(BOARDS[name]) if each.check not in EXCLUDED]
    assert complaints == []


@pytest.mark.parametrize("check", EXCLUDED)
def test_every_exclusion_is_still_needed(check):
    assert any(each.check == check for board in BOARDS.values() for each in linter.lint(board))


def first(board: reading.Json, kind: str) -> reading.Json:
    return next(panel for panel in board["panels"] if panel["type"] == kind)


def variable(board: reading.Json, name: str) -> reading.Json:
    return next(each for each in board["templating"]["list"] if each["name"] == name)


def expression(text: str) -> Callable[[reading.Json], None]:
    return lambda board: first(board, "timeseries")["targets"][0].update(expr=text)


BROKEN: dict[str, Callable[[reading.Json], object]] = {
    "template-datasource-rule": lambda board: variable(board, "prometheus_datasource").update(name="ds"),
    "template-job-rule": lambda _board: None,
    "template-instance-rule": lambda _board: None,
    "template-label-promql-rule": lambda board: variable(board, "service").update(query="label_values(a{, b)"),
    "template-on-time-change-reload-rule": lambda board: variable(board, "service").update(refresh=1),
    "panel-datasource-rule": lambda board: first(board, "timeseries").update(datasource={"uid": "prom"}),
    "panel-title-description-rule": lambda board: first(board, "stat").update(description=""),
    "panel-units-rule": lambda board: first(board, "stat")["fieldConfig"]["defaults"].update(unit="parsecs"),
    "panel-no-targets-rule": lambda board: first(board, "stat").update(targets=[]),
    "target-logql-rule": lambda board: first(board, "stat")["targets"][0].update(datasource={"type": "loki"}),
    "target-logql-auto-rule": lambda board: first(board, "stat")["targets"][0].update(datasource={"type": "loki"}),
    "target-promql-rule": expression("sum("),
    "target-rate-interval-rule": expression("sum(rate(a_total[5m]))"),
    "target-job-rule": expression("sum(a)"),
    "target-instance-rule": expression("sum(a)"),
    "target-counter-agg-rule": expression("sum(a_total)"),
    "uneditable-dashboard": lambda board: board.update(editable=True),
}


@pytest.mark.parametrize("check", linter.CHECKS)
def test_every_check_finds_what_it_is_for(check):
    board = copy.deepcopy(BOARDS["streams"])
    BROKEN[check](board)
    assert list(linter.CHECKS[check](board)) != []
