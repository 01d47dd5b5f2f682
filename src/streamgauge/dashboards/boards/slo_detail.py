"""SLO detail: one objective - its budget with the alerts on it, burn against each alert's threshold, the causes."""

from streamgauge import names
from streamgauge.dashboards import links, look, uids
from streamgauge.dashboards.board import Board, Options, Row
from streamgauge.dashboards.look import NONE_IS_WELL, named
from streamgauge.dashboards.panels import PROMETHEUS, About, Query, ask, now, stat, table, time_series
from streamgauge.dashboards.queries import (
    BAD,
    BAD_FINDINGS,
    alerted,
    firing,
    http_says,
    increase,
    label,
    of_period,
    rate,
    recorded,
    sli,
    users_got,
    where,
    window,
)
from streamgauge.dashboards.shapes import truth_lines
from streamgauge.dashboards.variables import MEASURED_SERVICE, MODEL, OBJECTIVE, PROVIDER
from streamgauge.slo import rules
from streamgauge.slo.windows import DAY, HOUR

THIS = 'slo=~"$slo"'
_CAUSES = (names.PROVIDER_NAME, names.REQUEST_MODEL, names.OUTCOME, names.FAILURE_MODE, names.STATUS_CLASS)


def build(options: Options) -> Board:
    """The page that an alert's `dashboard_url` opens."""
    return Board(
        uid=uids.SLO_DETAIL,
        place=2,
        title="streamgauge / 2 SLO detail",
        about="One objective: how much budget is left, how fast it burns against each alert, and what burns it.",
        choices=(MEASURED_SERVICE, OBJECTIVE, PROVIDER, MODEL),
        rows=(_state(options), _budget(), _burn(), _causes(options)),
        annotations=(_alerts(),),
        since="now-7d",
    )


def _alerts() -> dict[str, object]:
    severity = f'ALERTS{{alertstate="firing",service=~"$service",{THIS}}}'
    return {
        "name": "Alerts",
        "datasource": PROMETHEUS,
        "enable": True,
        "hide": False,
        "iconColor": look.VERMILLION,
        "target": {"expr": f"max by (alertname, severity, slo) ({severity})", "refId": "Alerts", "range": True},
        "titleFormat": "{{alertname}}",
        "textFormat": "{{severity}} for {{slo}}",
        "useValueForTime": False,
        "step": "60s",
    }


def _state(options: Options) -> Row:
    def number(title: str, text: About, expr: str, unit: str, steps: look.Steps = look.PLAIN) -> object:
        return stat(title, text, [now(expr, "{{slo}}")], unit=unit, steps=steps, decimals=2)

    return Row(
        "The objective",
        (
            number(
                "SLI over its period",
                About(
                    "Share of events that were not bad.",
                    "compare with the target beside it.",
                ),
                sli(of_period(rules.BAD, THIS), of_period(rules.TOTAL, THIS)),
                "percentunit",
            ),
            number(
                "Target",
                About(
                    "What was promised.",
                    "change it in the SLO file, never here.",
                ),
                recorded(rules.OBJECTIVE, THIS),
                "percentunit",
            ),
            number(
                "Budget left",
                About(
                    "Share of the error budget that is left in the period.",
                    "below 0 the promise is broken.",
                ),
                recorded(rules.BUDGET_REMAINING, THIS),
                "percentunit",
                look.BUDGET,
            ),
            number(
                "Burn rate, 1 h",
                About(
                    "1 spends the budget in exactly one period.",
                    "see below how far the alerts of this objective are.",
                ),
                recorded(rules.BURN_RATE, THIS, window(HOUR)),
                "short",
                ((None, look.BLUE), (1, look.ORANGE)),
            ),
            number(
                "Exhausted in",
                About(
                    "At the burn rate of the last 6 hours; a year when nothing burns.",
                    "shorter than a fix takes: act.",
                ),
                recorded(rules.EXHAUSTION, THIS),
                "s",
                ((None, look.VERMILLION), (DAY, look.ORANGE), (7 * DAY, look.BLUE)),
            ),
            stat(
                "Alerts firing",
                About(
                    "Alerts of this objective that fire now.",
                    "read the summary in the alert, then the causes below.",
                ),
                [now(firing(THIS), "{{slo}}")],
                unit="short",
                steps=NONE_IS_WELL,
                links=[links.runbook("Runbook", options.runbooks, "StreamErrorBudgetBurn")],
            ),
        ),
    )


def _budget() -> Row:
    return Row(
        "Budget",
        (
            time_series(
                "Budget left, with alerts",
                About(
                    "The budget as a line, each firing alert as a mark on it.",
                    "an alert without a fall was too eager; a fall without an alert too lazy: adjust the objective.",
                ),
                [ask(recorded(rules.BUDGET_REMAINING, THIS), "budget left")],
                unit="percentunit",
                size=(16, 9),
                steps=((None, look.BLUE), (0, look.VERMILLION)),
                bounds=(None, 1),
            ),
            time_series(
                "Good and bad events in five minutes",
                About(
                    "What the ratios are made of.",
                    "a burn rate above few events says little; look at the counts before waking anybody.",
                ),
                [
                    ask(f"sum({recorded(rules.TOTAL_TILE, THIS)}) - sum({recorded(rules.BAD_TILE, THIS)})", "good"),
                    ask(f"sum({recorded(rules.BAD_TILE, THIS)})", "bad"),
                ],
                unit="short",
                size=(8, 9),
                stack=True,
                bars=True,
                overrides=look.colours({"good": look.BLUE, "bad": look.VERMILLION}),
            ),
        ),
    )


def _burn() -> Row:
    every = time_series(
        "Burn rate, every window",
        About(
            "How many times faster than allowed the budget is spent, in every window that is recorded.",
            "short windows above the long ones: it has just begun; below them: it is over.",
        ),
        [ask(recorded(rules.BURN_RATE, THIS), "{{window}}")],
        unit="short",
        size=(8, 9),
        steps=((None, look.BLUE), (1, look.ORANGE)),
        overrides=look.colours({**look.WINDOWS, **look.PERIODS}),
    )
    return Row("Burn rate against the thresholds of this objective's alerts", (*map(_against, _DUE), every))


_DUE = {"page": "a page calls somebody now", "ticket": "a ticket waits for working hours"}


def _against(severity: str) -> object:
    waits = ask(recorded(rules.THRESHOLD, THIS, f'severity="{severity}"'), "above this in {{window}} and {{short}}")
    dashes = {**look.DASHED, "custom.lineWidth": 1}
    thresholds = [
        look.like(f"^above this in {window_} ", {**dashes, "color": look.fixed(colour)})
        for window_, colour in look.WINDOWS.items()
    ]
    return time_series(
        f"{severity.title()}: burn rate and threshold",
        About(
            f"Dashed: the burn rates that this objective's own alert waits for; {_DUE[severity]} when both windows are "
            "above their line. Empty for an objective without such an alert.",
            "one line above: it has begun, or it is over; both: it is happening.",
        ),
        [ask(alerted(severity, THIS), "{{window}}"), waits],
        unit="short",
        size=(8, 9),
        overrides=[look.like("^above this in ", dashes), *thresholds, *look.colours(look.WINDOWS)],
    )


def _causes(options: Options) -> Row:
    outcome, finding = label(names.OUTCOME), label(names.FINDING)
    return Row(
        "What burns it (streams of the chosen service, provider and model)",
        (
            time_series(
                "Bad endings by outcome",
                About(
                    "Streams per second whose ending burns budget.",
                    "click a series for its traces and its runbook.",
                ),
                [ask(rate(names.STREAMS, where(names.OUTCOME, *BAD), by=[names.OUTCOME]), f"{{{{{outcome}}}}}")],
                unit="cps",
                stack=True,
                overrides=look.colours(look.OUTCOMES),
                links=links.by_outcome(options.runbooks),
            ),
            time_series(
                "Findings that burn budget",
                About(
                    "Streams per second with a finding that turns a good ending bad.",
                    "stalls point at the provider's pacing, loops at the model, malformed tool calls at "
                    "prompt or parser.",
                ),
                [
                    ask(
                        rate(names.FINDINGS_TOTAL, where(names.FINDING, *BAD_FINDINGS), by=[names.FINDING]),
                        f"{{{{{finding}}}}}",
                    )
                ],
                unit="cps",
                sparse=True,
                stack=True,
                overrides=look.colours(look.FINDINGS),
                links=links.by_finding(options.runbooks),
            ),
            _contributors(),
            _truths(),
        ),
    )


def _contributors() -> object:
    columns = {
        label(names.PROVIDER_NAME): "Provider",
        label(names.REQUEST_MODEL): "Model",
        label(names.OUTCOME): "Outcome",
        label(names.FAILURE_MODE): "Failure",
        label(names.STATUS_CLASS): "HTTP",
        "Value": "Streams",
    }
    counted = increase(names.STREAMS, where(names.OUTCOME, *BAD), by=_CAUSES)
    there = links.dashboard("Streams", uids.STREAMS, provider=links.of_row("Provider"), model=links.of_row("Model"))
    return table(
        "Contributors",
        About(
            "Who the bad streams of the time range belong to, largest first; the column HTTP is what the "
            "status code said.",
            "one model or all? one provider or all? click a model to see its streams.",
        ),
        [now(f"topk(20, {counted} > 0)")],
        transformations=[look.renamed(columns, columns)],
        size=(14, 9),
        sort=("Streams", True),
        overrides=[
            named("Model", {"links": [there]}),
            named("Streams", {"decimals": 0, "custom.cellOptions": {"type": "gauge", "mode": "basic"}, "min": 0}),
        ],
    )


def _truths() -> object:
    queries: list[Query] = [ask(http_says(), "HTTP says"), ask(users_got(), "users got")]
    return time_series(
        "HTTP says / users got",
        About(
            "The same streams read twice: by status code and by how they ended.",
            "the wider the gap, the less a status-code dashboard would have told you.",
        ),
        queries,
        unit="percentunit",
        size=(10, 9),
        bounds=(None, 1),
        overrides=truth_lines(),
    )
