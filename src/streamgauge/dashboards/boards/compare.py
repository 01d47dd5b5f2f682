"""Compare: providers and models side by side, a row for each model, and whether the observer itself is well."""

from typing import Any

from streamgauge import names
from streamgauge.dashboards import links, look, uids
from streamgauge.dashboards.board import Board, Options, Row
from streamgauge.dashboards.look import NONE_IS_WELL, named
from streamgauge.dashboards.panels import EVERY, About, ask, now, stat, table, time_series
from streamgauge.dashboards.queries import (
    http_says,
    increase,
    label,
    output_tokens,
    quantile,
    rate,
    series,
    users_got,
    variable,
    where,
)
from streamgauge.dashboards.variables import MODEL, PROVIDER, SERVICE
from streamgauge.names import Kind

BY = (names.PROVIDER_NAME, names.REQUEST_MODEL)
TEXT = where(names.KIND, Kind.TEXT)
SCRAPED_WITHIN = 120.0
"""Seconds after which a scrape is late: twice the usual interval of a minute."""

_COLUMNS = {
    label(names.PROVIDER_NAME): "Provider",
    label(names.REQUEST_MODEL): "Model",
    "Value #A": "Streams",
    "Value #B": "HTTP says",
    "Value #C": "Users got",
    "Value #D": "TTFT p95",
    "Value #E": "TTLT p95",
    "Value #F": "Gap p95",
    "Value #G": "Tokens/s",
}


def build(options: Options) -> Board:
    """The page that answers: which provider, which model - and can the observer be believed?"""
    return Board(
        uid=uids.COMPARE,
        place=5,
        title="streamgauge / 5 Compare, and the observer",
        about="Providers and models side by side, a row per model, and the health of the measurement itself.",
        choices=(SERVICE, PROVIDER, MODEL),
        rows=(_side_by_side(), _model(options), _observer()),
    )


def _side_by_side() -> Row:
    columns = [
        f"{increase(names.STREAMS, by=BY)} > 0",
        http_says(BY),
        users_got(BY),
        quantile(0.95, names.TTFT_SECONDS, TEXT, by=BY),
        quantile(0.95, names.TTLT_SECONDS, by=BY),
        quantile(0.95, names.GAP_MAX_SECONDS, by=BY),
        output_tokens(BY),
    ]
    there = links.dashboard("Streams", uids.STREAMS, provider=links.of_row("Provider"), model=links.of_row("Model"))
    percent = {"unit": "percentunit", "decimals": 2}
    gauge = {"custom.cellOptions": {"type": "gauge", "mode": "basic"}, "min": 0}
    return Row(
        "Side by side",
        (
            table(
                "Providers and models",
                About(
                    "One line per provider and model: streams of the time range; the rest is the latest rate.",
                    "sort by a column to compare; click a model to see its streams.",
                ),
                [now(expr) for expr in columns],
                transformations=[{"id": "merge", "options": {}}, look.renamed(_COLUMNS, _COLUMNS)],
                size=(24, 7),
                sort=("Streams", True),
                overrides=[
                    named("Model", {"links": [there]}),
                    named("Streams", {"decimals": 0, **gauge}),
                    named("HTTP says", percent),
                    named("Users got", percent),
                    *(named(column, {"unit": "s"}) for column in ("TTFT p95", "TTLT p95", "Gap p95")),
                    named("Tokens/s", {"unit": "cps", "decimals": 0}),
                ],
            ),
            *(
                time_series(title, about, [ask(expr, _legend())], unit=unit, size=(8, 8), bounds=bounds)
                for title, about, expr, unit, bounds in _comparisons()
            ),
        ),
    )


def _legend() -> str:
    return f"{{{{{label(names.PROVIDER_NAME)}}}}} {{{{{label(names.REQUEST_MODEL)}}}}}"


def _comparisons() -> tuple[tuple[str, About, str, str, tuple[float | None, float | None]], ...]:
    return (
        (
            "Users got",
            About(
                "Share of streams that ended well.",
                "one line falling alone: route around it.",
            ),
            users_got(BY),
            "percentunit",
            (None, 1),
        ),
        (
            "First text (TTFT), p95",
            About(
                "Slowest twentieth of the first texts.",
                "compare at the same time of day; queues have tides.",
            ),
            quantile(0.95, names.TTFT_SECONDS, TEXT, by=BY),
            "s",
            (0, None),
        ),
        (
            "Last text (TTLT), p95",
            About(
                "Slowest twentieth of the last texts.",
                "a fast first text may still end late: the ranking differs.",
            ),
            quantile(0.95, names.TTLT_SECONDS, by=BY),
            "s",
            (0, None),
        ),
    )


def _model(options: Options) -> Row:
    outcome = f"{{{{{label(names.OUTCOME)}}}}}"
    return Row(
        "Model $model",
        (
            stat(
                "HTTP says / users got",
                About(
                    "The two readings of this model's streams.",
                    "see the first row of Streams for what lies between.",
                ),
                [ask(http_says(), "HTTP says"), ask(users_got(), "users got")],
                unit="percentunit",
                decimals=2,
                size=(4, 8),
                names_shown=True,
                overrides=[
                    named("HTTP says", {"color": look.fixed(look.LIGHT_GREY)}),
                    named("users got", {"color": look.fixed(look.BLUE)}),
                ],
            ),
            time_series(
                "Outcomes",
                About(
                    "How this model's streams ended.",
                    "click a series for its traces and its runbook.",
                ),
                [ask(rate(names.STREAMS, by=[names.OUTCOME]), outcome)],
                unit="cps",
                size=(8, 8),
                stack=True,
                overrides=look.colours(look.OUTCOMES),
                links=links.by_outcome(options.runbooks),
            ),
            *(
                time_series(
                    title, about, _two(metric, *matchers), unit="s", size=(4, 8), overrides=look.colours(look.QUANTILES)
                )
                for title, about, metric, matchers in _TIMES
            ),
        ),
        repeat="model",
    )


_TIMES: tuple[tuple[str, About, names.Metric, tuple[str, ...]], ...] = (
    (
        "First text",
        About(
            "TTFT of this model.",
            "p95 far above p50: queueing.",
        ),
        names.TTFT_SECONDS,
        (TEXT,),
    ),
    (
        "Last text",
        About(
            "TTLT of this model.",
            "grows with the length of the answers.",
        ),
        names.TTLT_SECONDS,
        (),
    ),
    (
        "Largest gap",
        About(
            "Largest pause of each stream.",
            "seconds here are freezes.",
        ),
        names.GAP_MAX_SECONDS,
        (),
    ),
)


def _two(metric: names.Metric, *matchers: str) -> list[Any]:
    return [ask(quantile(q, metric, *matchers), f"p{q * 100:g}") for q in (0.5, 0.95)]


def _observer() -> Row:
    job = variable("job", "service")
    age = f"time() - max(timestamp({series(names.STREAMS_ACTIVE)}))"
    return Row(
        "The observer's own health",
        (
            stat(
                "Last sample",
                About(
                    "Age of the newest sample of a gauge that is always there.",
                    "above two scrape intervals: the process is gone, or is not scraped; every other panel is"
                    " then old.",
                ),
                [now(age)],
                unit="s",
                decimals=0,
                steps=look.above(SCRAPED_WITHIN),
                size=(4, 8),
            ),
            stat(
                "Series",
                About(
                    "Series that streamgauge has in Prometheus for the chosen services.",
                    "tens of thousands: too many models; set a model limit.",
                ),
                [now(f'count({{__name__=~"{EVERY}",{job}}})')],
                unit="short",
                decimals=0,
                steps=look.above(50_000, look.ORANGE),
                size=(4, 8),
            ),
            time_series(
                "Errors kept from the application",
                About(
                    "Errors inside streamgauge per second, by the hook where they were caught; the "
                    "application never saw them.",
                    "anything above 0 is a bug of ours: the process's log has one traceback, please report it.",
                ),
                [ask(rate(names.INTERNAL_ERRORS, by=[names.HOOK]), f"{{{{{label(names.HOOK)}}}}}")],
                unit="cps",
                size=(8, 8),
                steps=((None, look.BLUE), (0.001, look.VERMILLION)),
                at_least=0.01,
            ),
            time_series(
                "Dropped",
                About(
                    "What streamgauge had to drop per second, by reason.",
                    "model_limit: names beyond the limit count as `other`; raise the limit or list the models.",
                ),
                [ask(rate(names.INTERNAL_DROPS, by=[names.DROP_REASON]), f"{{{{{label(names.DROP_REASON)}}}}}")],
                unit="cps",
                sparse=True,
                size=(8, 8),
            ),
            stat(
                "Errors in this time",
                About(
                    "Errors kept from the application in the time range.",
                    "should be 0.",
                ),
                [now(increase(names.INTERNAL_ERRORS))],
                unit="short",
                decimals=0,
                steps=NONE_IS_WELL,
                size=(4, 6),
            ),
            stat(
                "Dropped in this time",
                About(
                    "Items dropped in the time range.",
                    "see the reasons above.",
                ),
                [now(increase(names.INTERNAL_DROPS))],
                unit="short",
                decimals=0,
                steps=((None, look.BLUE), (1, look.ORANGE)),
                size=(4, 6),
            ),
            time_series(
                "Verdicts by objective",
                About(
                    "Verdicts per second: good and bad are judged, excluded ones are the user's stops.",
                    "no verdicts while streams end: the process runs without its SLO file.",
                ),
                [ask(rate(names.SLO_EVENTS, by=[names.VERDICT]), f"{{{{{label(names.VERDICT)}}}}}")],
                unit="cps",
                size=(16, 6),
                overrides=look.colours({"good": look.BLUE, "bad": look.VERMILLION, "excluded": look.GREY}),
            ),
        ),
    )
