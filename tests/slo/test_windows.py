"""Burn-rate windows: computed from period and budget, never copied."""

from decimal import Decimal

import pytest

from streamgauge.slo import promql
from streamgauge.slo.windows import DAY, HOUR, MINUTE, clauses, unreachable


def burning(period_days: int, budget: str) -> list[tuple[str, str, str]]:
    return [
        (each.severity, str(each.factor), str(each.threshold)) for each in clauses(period_days * DAY, Decimal(budget))
    ]


def test_thirty_days_give_the_factors_of_the_workbook():
    assert burning(30, "0.01") == [("page", "14.4", "0.144"), ("page", "6", "0.06"), ("ticket", "1", "0.01")]


def test_twenty_eight_days_give_their_own_factors():
    assert [promql.number(round(each.factor, 3)) for each in clauses(28 * DAY, Decimal("0.001"))] == [
        "13.44",
        "5.6",
        "0.933",
    ]


def test_thresholds_are_exact_decimals():
    assert promql.number(clauses(30 * DAY, Decimal("0.001"))[0].threshold) == "0.0144"


def test_a_week_keeps_the_factors_by_shrinking_the_windows():
    made = clauses(7 * DAY, Decimal("0.01"))
    assert [(each.long // MINUTE, each.short // MINUTE) for each in made] == [(14, 5), (84, 7), (1008, 84)]
    assert [promql.number(each.factor) for each in made] == ["14.4", "6", "1"]


def test_a_loose_objective_gets_an_outage_clause_for_the_page_that_it_cannot_reach():
    made = clauses(30 * DAY, Decimal("0.1"))
    assert made[0].outage and made[0].threshold == Decimal("0.55")
    assert [clause.long for clause in unreachable(30 * DAY, Decimal("0.1"))] == [HOUR]
    assert all(clause.threshold < 1 for clause in made)


def test_a_strict_objective_needs_none():
    assert not any(clause.outage for clause in clauses(30 * DAY, Decimal("0.01")))


@pytest.mark.parametrize("budget", ["0.0001", "0.01", "0.05", "0.1", "0.5", "0.9"])
@pytest.mark.parametrize("period", [1, 7, 28, 30, 90, 365])
def test_a_total_outage_always_pages(period, budget):
    times = [
        each.seconds_to_fire(Decimal(1)) for each in clauses(period * DAY, Decimal(budget)) if each.severity == "page"
    ]
    assert min(time for time in times if time is not None) <= HOUR


@pytest.mark.parametrize(
    ("text", "seconds"), [("500ms", "0.5"), ("2s", "2"), ("1h30m", "5400"), ("2.5s", "2.5"), ("30d", "2592000")]
)
def test_durations_are_read_and_written(text, seconds):
    assert promql.parse_duration(text) == Decimal(seconds)
    assert promql.parse_duration(promql.duration(Decimal(seconds))) == Decimal(seconds)


@pytest.mark.parametrize("text", ["", "2", "s", "2 s", "1x", "-1s"])
def test_what_is_no_duration_is_refused(text):
    with pytest.raises(ValueError, match="^" + text.replace("+", r"\+") + "$"):
        promql.parse_duration(text)


def test_a_scale_divides_every_duration():
    assert [promql.duration(seconds, 60) for seconds in (30 * DAY, HOUR, 5 * MINUTE, MINUTE, 30)] == [
        "12h",
        "1m",
        "5s",
        "1s",
        "500ms",
    ]


def test_numbers_and_bounds_read_as_a_person_would_write_them():
    assert [promql.number(value) for value in (Decimal("1E+2"), Decimal("0.0010"), 0.00001, 3)] == [
        "100",
        "0.001",
        "0.00001",
        "3",
    ]
    assert promql.bound(Decimal(2)) == 'le=~"2(\\\\.0)?"'
    assert promql.bound(Decimal("2.5")) == 'le="2.5"'
    assert promql.matcher("model", ("gpt-*",)) == 'model=~"gpt-.*"'
