"""SLO overview: a row per objective, what fires, what is left; the first page to open."""

from typing import Any

from streamgauge import slo
from streamgauge.dashboards import links, look, uids
from streamgauge.dashboards.board import Board, Options, Row
from streamgauge.dashboards.look import NONE_IS_WELL, named
from streamgauge.dashboards.panels import About, ask, bar_gauge, now, stat, state_timeline, table, time_series
from streamgauge.dashboards.queries import firing, nearest, of_period, recorded, sli, window
from streamgauge.dashboards.variables import MEASURED_SERVICE, MODEL, PROVIDER
from streamgauge.slo import rules
from streamgauge.slo.windows import DAY, HOUR

_BY = "by (service, slo)"

_COLUMNS = {
    "service": "Service",
    "slo": "Objective",
    "kind": "Kind",
    "owner": "Owner",
    "Value #A": "SLI",
    "Value #B": "Target",
    "Value #C": "Budget left",
    "Value #D": "Burn 1h",
    "Value #E": "Burn 6h",
    "Value #F": "Exhausted in",
    "Value #G": "Events",
    "Value #H": "Alerts",
    "Value #I": "Of a page",
}


def build(options: Options) -> Board:
    """The page that answers: are we keeping what we promised?"""
    return Board(
        uid=uids.SLO_OVERVIEW,
        place=1,
        title="streamgauge / 1 SLO overview",
        about="Every objective of the service: what users got against what was promised, how long the budget lasts.",
        choices=(MEASURED_SERVICE, PROVIDER.carry(), MODEL.carry()),
        rows=(_now(options), _objectives(), _history()),
        since="now-24h",
    )


def _kind(kind: str) -> str:
    return f'kind="{kind}"'


def _seen_by(kind: str) -> str:
    facts = f"max {_BY} ({recorded(rules.INFO, _kind(kind))})"
    bad, total = (f"sum {_BY} ({recorded(name, window(6 * HOUR))})" for name in (rules.BAD, rules.TOTAL))
    return f"({sli(bad, total)}) * {facts}"


def _now(options: Options) -> Row:
    pages, tickets = (f"sum({firing(severity=each)})" for each in ("page", "ticket"))
    left = recorded(rules.BUDGET_REMAINING)
    return Row(
        "Right now",
        (
            stat(
                "HTTP says / users got, last 6 h",
                About(
                    "Two readings of the same streams: calls without a server error, and streams that ended "
                    "as they should (findings such as stalls and loops included). The distance is what status"
                    " codes hide.",
                    "when the second number is lower, open Streams: its first row tells which endings make "
                    "the distance.",
                ),
                [now(_seen_by("http_status"), "HTTP says"), now(_seen_by("availability"), "users got")],
                unit="percentunit",
                decimals=2,
                size=(8, 5),
                names_shown=True,
                overrides=[
                    named("HTTP says", {"color": look.fixed(look.GREY)}),
                    named("users got", {"color": look.fixed(look.BLUE)}),
                ],
                links=[links.dashboard("Streams", uids.STREAMS)],
            ),
            stat(
                "Pages firing",
                About(
                    "Alerts that call a person now.",
                    "open the objective's row below and follow its runbook.",
                ),
                [now(pages)],
                unit="short",
                steps=NONE_IS_WELL,
                size=(4, 5),
                links=[links.runbook("Runbook", options.runbooks, "StreamErrorBudgetBurn")],
            ),
            stat(
                "Tickets firing",
                About(
                    "Alerts that can wait for working hours.",
                    "plan the repair before the budget is gone.",
                ),
                [now(tickets)],
                unit="short",
                steps=((None, look.BLUE), (1, look.ORANGE)),
                size=(4, 5),
            ),
            stat(
                "Least budget left",
                About(
                    "The objective that is worst off: share of its error budget that is left in its period.",
                    "below a quarter, stop risky releases; below 0 the promise is broken for this period.",
                ),
                [now(f"min({left})")],
                unit="percentunit",
                steps=look.BUDGET,
                decimals=1,
                size=(4, 5),
            ),
            stat(
                "Soonest exhausted",
                About(
                    "Time until the first budget is gone at the burn rate of the last 6 hours; a year when "
                    "nothing burns.",
                    "shorter than your time to a fix means: act now.",
                ),
                [now(f"min({recorded(rules.EXHAUSTION)})")],
                unit="s",
                steps=((None, look.VERMILLION), (DAY, look.ORANGE), (7 * DAY, look.BLUE)),
                size=(4, 5),
            ),
        ),
    )


def _objectives() -> Row:
    info = f"max by (service, slo, kind, owner) ({recorded(rules.INFO)})"
    values = [
        sli(of_period(rules.BAD), of_period(rules.TOTAL)),
        f"max {_BY} ({recorded(rules.OBJECTIVE)})",
        f"max {_BY} ({recorded(rules.BUDGET_REMAINING)})",
        f"max {_BY} ({recorded(rules.BURN_RATE, window(HOUR))})",
        f"max {_BY} ({recorded(rules.BURN_RATE, window(6 * HOUR))})",
        f"max {_BY} ({recorded(rules.EXHAUSTION)})",
        of_period(rules.TOTAL),
        firing(),
        nearest("page"),
        info,
    ]
    detail = links.dashboard("Detail", uids.SLO_DETAIL, service=links.of_row("Service"), slo=links.of_row("Objective"))
    return Row(
        "Objectives",
        (
            table(
                "Objectives",
                About(
                    "One line per objective over its own period: SLI and target, share of the budget left, "
                    "burn rate (1 spends the budget in exactly one period), time until it is gone, events "
                    "counted, alerts firing, and how much of the burn rate that its own page waits for is reached.",
                    "click an objective for its detail; start with the least budget left.",
                ),
                [now(expr) for expr in values],
                transformations=[
                    {"id": "merge", "options": {}},
                    look.renamed(_COLUMNS, _COLUMNS, hidden=("Value #J",)),
                ],
                size=(24, 12),
                sort=("Budget left", False),
                overrides=[*_columns(), named("Objective", {"links": [detail], "custom.width": 180})],
            ),
            bar_gauge(
                "Budget left",
                About(
                    "Share of each error budget that is left; the bar is empty when the budget is gone.",
                    "compare: one objective burning alone points at its measure, all together at the provider"
                    " or at us.",
                ),
                [now(recorded(rules.BUDGET_REMAINING), "{{slo}}")],
                unit="percentunit",
                steps=look.BUDGET,
                bounds=(0, 1),
                size=(8, 9),
            ),
            state_timeline(
                "Alerts by objective",
                About(
                    "When each objective had an alert firing.",
                    "read across: bands that begin together have one cause.",
                ),
                [ask(f"clamp_max({firing()}, 1)", "{{slo}}")],
                meanings={"0": ("quiet", look.SKY), "1": ("FIRING", look.VERMILLION)},
                size=(16, 9),
            ),
        ),
    )


def _columns() -> list[dict[str, Any]]:
    percent = {"unit": "percentunit", "decimals": 2}
    coloured = {"custom.cellOptions": {"type": "color-text"}}
    burn = {
        "unit": "short",
        "decimals": 2,
        **coloured,
        "thresholds": look.thresholds(((None, look.BLUE), (1, look.ORANGE))),
    }
    alerts = {"mappings": look.words({"0": ("quiet", look.BLUE)}), **coloured}
    gauge = {"custom.cellOptions": {"type": "gauge", "mode": "basic", "valueDisplayMode": "text"}, "min": 0, "max": 1}
    return [
        named("SLI", percent),
        named("Target", percent),
        named("Budget left", {**percent, "decimals": 1, **gauge, "thresholds": look.thresholds(look.BUDGET)}),
        named("Burn 1h", burn),
        named("Burn 6h", burn),
        named("Exhausted in", {"unit": "s"}),
        named("Events", {"unit": "short", "decimals": 0}),
        named("Of a page", {"unit": "percentunit", "decimals": 0, **coloured, "thresholds": look.thresholds(_DUE)}),
        named("Alerts", {**alerts, "thresholds": look.thresholds(NONE_IS_WELL)}),
    ]


def _lines() -> list[dict[str, Any]]:
    """The shipped objectives have more lines than the palette has colours: those beyond it are dashed."""
    return look.lines(objective.name for objective in slo.load())


_DUE: look.Steps = ((None, look.BLUE), (1, look.VERMILLION))


def _history() -> Row:
    return Row(
        "History",
        (
            time_series(
                "Budget left over time",
                About(
                    "Every budget as a line; it falls while events are bad and comes back as they leave the period.",
                    "find the step: the time of a fall is the time of the incident.",
                ),
                [ask(recorded(rules.BUDGET_REMAINING), "{{slo}}")],
                unit="percentunit",
                steps=((None, look.BLUE), (0, look.VERMILLION)),
                bounds=(None, 1),
                overrides=_lines(),
            ),
            time_series(
                "Towards a page",
                About(
                    "Burn rate of each objective over what its own page waits for, in the long window that is nearest "
                    "to it; at 100 % the page is due as soon as the short window agrees.",
                    "above the line a person is called; follow the objective's link.",
                ),
                [ask(nearest("page"), "{{slo}}")],
                unit="percentunit",
                steps=_DUE,
                overrides=_lines(),
            ),
            time_series(
                "Bad events in five minutes",
                About(
                    "Absolute counts behind the ratios: few events make wild ratios.",
                    "few bad events and a high burn rate mean low traffic, not an outage.",
                ),
                [ask(f"sum {_BY} ({recorded(rules.BAD_TILE)})", "{{slo}}")],
                unit="short",
                stack=True,
                overrides=_lines(),
            ),
            time_series(
                "Events counted in five minutes",
                About(
                    "All events each objective judged; seconds for the objective on reconciliation.",
                    "a line that ends is telemetry that ended: see the observer's health in Compare.",
                ),
                [ask(f"sum {_BY} ({recorded(rules.TOTAL_TILE)})", "{{slo}}")],
                unit="short",
                overrides=_lines(),
            ),
        ),
    )
