"""Layer B: a month replayed on the real Prometheus of both majors; each objective of the file is one accident.

The windows are the real ones, thirty days included. Times to page are those that `explain` prints. At the end a table
says which case was seen to hold.
"""

import math
from collections.abc import Iterable
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import pytest

from streamgauge import names, slo
from streamgauge.names import Finding, Outcome, Verdict
from streamgauge.slo import alerts, replay, rules
from streamgauge.slo.explain import seconds_until
from streamgauge.slo.rehearsal import Firing, Rehearsal
from streamgauge.slo.replay import MINUTES_A_DAY, Fault, Month, Scenario, daily, steady
from streamgauge.slo.rules import Alert

pytestmark = pytest.mark.timeout(900)  # a month takes about a minute to replay, on a machine of its own
MONTH = Month(start=1_700_006_400, days=32)
DAY, HOUR = MINUTES_A_DAY, 60
FAULT = 12 * DAY + 10 * HOUR
ENDINGS: tuple[tuple[str, str, tuple[str, ...], bool], ...] = (
    *(
        (outcome, outcome, (), False)
        for outcome in (Outcome.TRUNCATED, Outcome.FAILED, Outcome.TIMED_OUT, Outcome.CRASHED)
    ),
    ("filtered-after-text", Outcome.CONTENT_FILTERED, (), True),
    *(
        (finding, Outcome.COMPLETED, (finding,), True)
        for finding in (Finding.STALLED, Finding.LOOPED, Finding.MALFORMED_TOOL_CALL, Finding.EMPTY)
    ),
)


def slug(word: str) -> str:
    return str(word).replace("_", "-")


OUTAGES = {"outage-90": "90", "outage-95": "95", "outage-99": "99", "outage-999": "99.9", "outage-28d": "99"}
BURNED = Fault(FAULT, 75, 1.0)
SCENARIOS: tuple[Scenario, ...] = (
    Scenario("healthy", daily(60, 6), background=0.001),
    *(Scenario(slo_name, daily(60, 20), faults=(BURNED,)) for slo_name in OUTAGES),
    *(Scenario(f"only-{slug(name)}", daily(60, 20), faults=(Fault(FAULT, 60, 0.5),)) for name, *_ in ENDINGS),
    Scenario("slow-burn", steady(60), faults=(Fault(FAULT, 3 * DAY, 0.02),)),
    Scenario("spike", steady(60), faults=(Fault(FAULT, 4, 1.0),)),
    Scenario("zero-traffic", lambda minute: 0 if 14 * DAY <= minute < 16 * DAY else 30, background=0.005),
    Scenario("all-idle", steady(0), excluded=steady(0)),
    Scenario("night-single", daily(60, 0.05), faults=(Fault(13 * DAY + 60, 40, 0.5),)),
    Scenario("uneven", daily(100, 1), faults=(Fault(13 * DAY + 23 * HOUR, 8 * HOUR, 0.5),)),
    Scenario("counter-reset", steady(30), background=0.005, resets=(9 * DAY + 17, 20 * DAY + 3)),
    Scenario("newcomer", steady(30), background=0.005, newcomer=15 * DAY + 7),
    Scenario("bad-born-late", steady(30), faults=(Fault(FAULT, 60, 0.5),), bad_born=FAULT - 1),
    Scenario("first-failure", steady(1 / 120), faults=(Fault(20 * DAY, 119, 1.0),)),
    Scenario("few-failures", steady(1 / 120), faults=(Fault(20 * DAY, 4 * 120, 1.0),)),
    Scenario("vanished", steady(30), gone=25 * DAY),
    Scenario("users-leave", steady(30), excluded=lambda minute: 120 if FAULT <= minute < FAULT + 2 * HOUR else 1),
    Scenario("http", daily(60, 20)),
)
KINDS = {"http": "http_status"}
PERIODS = {"outage-28d": "28d"}


def slo_text() -> str:
    rows = [
        f"  - {{name: {each.slo}, kind: {KINDS.get(each.slo, 'availability')}, target: {OUTAGES.get(each.slo, '99')}, "
        f"period: {PERIODS.get(each.slo, '30d')}, alerts: {{page: true, ticket: true}}}}"
        for each in SCENARIOS
    ]
    return "service: replay\nowner: tests\nobjectives:\n" + "\n".join(rows) + "\n"


OBJECTIVES = slo.loads(slo_text())
BY_NAME = {objective.name: objective for objective in OBJECTIVES}
COVERED: dict[str, list[str]] = {}


class Replayed:
    """What the tests ask about one month on one server."""

    def __init__(self, server: Rehearsal, major: int) -> None:
        self.server, self.major = server, major
        self.alerts = [
            rule for group in alerts.alert_groups(OBJECTIVES) for rule in group.rules if isinstance(rule, Alert)
        ]

    def firings(self, name: str, alertname: str = alerts.BURN, severity: str = "page") -> list[Firing]:
        """When an alert of an objective fired."""
        chosen = [
            rule for rule in self.rules_of(name) if (rule.alert, rule.labels["severity"]) == (alertname, severity)
        ]
        assert len(chosen) == 1, (name, alertname, severity)
        return self.server.firings(chosen[0], MONTH.start, MONTH.end)

    def fired(self, name: str) -> set[tuple[str, str]]:
        """Every alert of an objective that fired in the month, but for the budget's: its sums are too coarse here."""
        kinds = {
            (rule.alert, rule.labels["severity"]) for rule in self.rules_of(name) if rule.alert != alerts.EXHAUSTED
        }
        return {kind for kind in kinds if self.firings(name, *kind)}

    def rules_of(self, name: str) -> list[Alert]:
        return [rule for rule in self.alerts if rule.labels.get("slo") == name]

    def left(self, name: str, day: float) -> float:
        """Budget left at a moment."""
        return self.server.value(f'last_over_time({rules.BUDGET_REMAINING}{{slo="{name}"}}[31m])', MONTH.at(day))

    def covers(self, case: str) -> None:
        COVERED.setdefault(case, []).append(f"{self.major}.x")


@pytest.fixture(scope="module")
def month(tools, tmp_path_factory) -> Iterable[Replayed]:
    directory = tmp_path_factory.mktemp(f"month-{tools.major}")
    spelling = replay.EXPORTER if tools.major == 2 else replay.COLLECTOR
    series = [line for scenario in SCENARIOS for line in scenario.series(spelling)]
    replay.write(series, MONTH, directory / "month.om")
    server = Rehearsal(tools.prometheus, tools.promtool, directory)
    server.load(directory / "month.om")
    (directory / "month.om").unlink()
    coarse = {"objectives": 240, "burn": 240, "6h": 120, "3d": 240, "30d": 1800, "28d": 1800, "budget": 1800}
    server.backfill(rules.recording_groups(OBJECTIVES), MONTH.start, MONTH.end, coarse)
    with server:
        yield Replayed(server, tools.major)


def ended(outcome: str, findings: tuple[str, ...], shown: bool) -> Any:
    """A report of a stream that ended so, answered with 200."""
    return SimpleNamespace(
        provider="openai", model="model-a", operation="chat", outcome=outcome, findings=findings, content_shown=shown,
        http_status=200, usage=SimpleNamespace(input_tokens=None),
    )  # fmt: skip


@pytest.mark.parametrize("name", OUTAGES)
def test_a_total_outage_pages_in_the_time_that_explain_prints_and_resets(month, name):
    objective = BY_NAME[name]
    page = month.firings(name)[0]
    promised = seconds_until("page", Decimal(1), objective, OBJECTIVES)
    began = MONTH.start + FAULT * 60
    assert promised is not None
    assert promised - 480 <= page.start - began <= promised
    assert page.end - (began + 75 * 60) <= 35 * 60
    month.covers(f"total outage pages in time and resets: {name}")


@pytest.mark.parametrize(("name", "outcome", "findings", "shown"), ENDINGS)
def test_each_bad_ending_alone_pages_while_http_says_all_is_well(month, name, outcome, findings, shown):
    objective, report = BY_NAME[f"only-{slug(name)}"], ended(outcome, findings, shown)
    assert OBJECTIVES.verdicts(report)[objective.name] is Verdict.BAD
    assert OBJECTIVES.verdicts(report)["http"] is Verdict.GOOD
    promised = seconds_until("page", Decimal("0.5"), objective, OBJECTIVES)
    page = month.firings(objective.name)[0]
    assert promised is not None and page.start - (MONTH.start + FAULT * 60) <= promised
    month.covers(f"this ending alone pages: {name}")


def test_the_http_objective_stays_at_one_hundred_percent(month):
    ratio = f'max_over_time({rules.BURN_RATE}{{slo="http",window="1h"}}[30d])'
    assert month.server.value(ratio, MONTH.end) == 0
    assert month.left("http", 31) == 1
    month.covers("HTTP SLI stays at 100 %")


@pytest.mark.parametrize(
    "name", ["healthy", "spike", "night-single", "counter-reset", "newcomer", "users-leave", "all-idle"]
)
def test_nothing_fires_when_nothing_is_wrong_enough(month, name):
    assert month.fired(name) == set()
    month.covers(f"silent: {name}")


def test_a_slow_burn_makes_a_ticket_and_no_page(month):
    ticket = month.firings("slow-burn", severity="ticket")[0]
    promised = seconds_until("ticket", Decimal("0.02"), BY_NAME["slow-burn"], OBJECTIVES)
    assert promised is not None and promised - 1800 <= ticket.start - (MONTH.start + FAULT * 60) <= promised
    assert month.firings("slow-burn") == []
    month.covers("slow burn tickets only, in time")


def test_without_traffic_there_is_no_nan_and_the_budget_stands_still(month):
    derived = (rules.BURN_RATE, rules.BUDGET_REMAINING, rules.EXHAUSTION)
    queries = [f'last_over_time({metric}{{slo=~"zero-traffic|all-idle"}}[31m])' for metric in derived]
    found = [series for query in queries for series in month.server.query_range(query, MONTH.at(1), MONTH.end, 1800)]
    assert len(found) == 2 * (6 + 2)
    assert all(math.isfinite(value) for _, samples in found for value in samples.values())
    before, after = (month.left("zero-traffic", day) for day in (14.25, 15.98))
    assert before == pytest.approx(after, abs=1e-6)
    assert month.fired("zero-traffic") == set()
    month.covers("zero traffic: no NaN, no alert, budget frozen")


def test_a_first_failure_is_silent_and_a_few_at_low_traffic_make_a_ticket(month):
    assert month.fired("first-failure") == set()
    assert month.fired("few-failures") == {(alerts.LOW_TRAFFIC, "ticket")}
    month.covers("first failure ever silent, a few ticketed")


def test_a_bad_counter_that_was_never_seen_before_still_pages_and_leaves_a_budget_from_the_start(month):
    assert month.firings("bad-born-late")
    assert month.left("bad-born-late", 5) == 1
    month.covers("bad child born late")


def test_vanished_series_of_one_objective_are_told_and_only_those(month):
    absent = month.firings("vanished", alerts.OBJECTIVE_ABSENT, "ticket")
    assert [firing.start - MONTH.at(25) <= 16 * 60 for firing in absent] == [True]
    assert month.firings("healthy", alerts.OBJECTIVE_ABSENT, "ticket") == []
    telemetry = [rule for rule in month.alerts if rule.alert == alerts.TELEMETRY_ABSENT]
    assert [month.server.firings(rule, MONTH.start, MONTH.end) for rule in telemetry] == [[]]
    month.covers("absent metric of one objective")


@pytest.mark.parametrize(
    "name", ["healthy", "uneven", "counter-reset", "newcomer", "slow-burn", "zero-traffic", "outage-28d"]
)
def test_the_budget_equals_the_exact_increase_of_the_period_within_one_percent(month, name):
    objective = BY_NAME[name]
    scenario = next(each for each in SCENARIOS if each.slo == name)
    at = MONTH.at(31)
    bad, good = exactly(scenario, objective.period, at)
    spent = bad / (bad + good) / float(objective.budget)
    assert 1 - month.left(name, 31) == pytest.approx(spent, rel=0.01)
    month.covers(f"budget exact within 1 %: {name}")


def exactly(scenario: Scenario, period: int, at: int) -> tuple[float, float]:
    """Bad and good streams of the period that ends `at`, added up minute by minute."""
    last = (at - MONTH.start) // 60
    first = last - period // 60
    bad = good = 0.0
    for minute in range(first + 1, last + 1):
        copies = 2 if scenario.newcomer is not None and minute > scenario.newcomer else 1
        bad += scenario.bad(minute) * copies
        good += scenario.good(minute) * copies
    return bad, good


def test_every_recorded_series_is_there_with_these_labels_and_no_others(month):
    for metric in rules.RECORDED:
        found = month.server.query(f"last_over_time({metric}[31m])", MONTH.at(31))
        allowed = {"slo", "service"}
        allowed |= {"window"} if metric in (rules.BAD, rules.TOTAL, rules.BURN_RATE) else set()
        allowed |= {"kind", "owner", "target", "period"} if metric == rules.INFO else set()
        allowed |= {"severity", "window", "short"} if metric == rules.THRESHOLD else set()
        assert {frozenset(series["metric"]) - {"__name__"} for series in found} == {frozenset(allowed)}, metric
        assert {series["metric"]["slo"] for series in found} >= set(BY_NAME) - {"vanished"}, metric
    assert names.SLO_EVENTS.prometheus == "streamgauge_slo_events_total"


def test_coverage(month, capsys):
    """Prints what was seen to hold; keep this test last."""
    assert COVERED
    with capsys.disabled():
        print(f"\n{'case':70} Prometheus")
        for case, majors in COVERED.items():
            print(f"{case:70} {', '.join(majors)}")
