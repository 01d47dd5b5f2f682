"""Shapes that several dashboards draw alike: quantile lines, a histogram twice, the two readings of the truth."""

from typing import Any

from streamgauge import names
from streamgauge.dashboards import look
from streamgauge.dashboards.look import named
from streamgauge.dashboards.panels import About, Query, ask, heatmap, time_series
from streamgauge.dashboards.queries import buckets, label, quantile, rate, share, where
from streamgauge.names import FollowUp, Kind, Metric, Outcome

TEXT = where(names.KIND, Kind.TEXT)
LONG_ANSWER = 60.0
"""Seconds after which an answer is long: the bound of the default objective `answer-time`."""


def legend(attribute: str) -> str:
    """A legend that shows the label."""
    return f"{{{{{label(attribute)}}}}}"


def quantiles(metric: Metric, *matchers: str) -> list[Query]:
    """p50, p95 and p99, with exemplars."""
    return [
        ask(quantile(q, metric, *matchers), f"p{q * 100:g}", exemplar=index == 0)
        for index, q in enumerate((0.5, 0.95, 0.99))
    ]


def truth_lines() -> list[dict[str, Any]]:
    """The two readings in their colours, what lies between them filled."""
    return [
        named(
            "HTTP says",
            {
                "color": look.fixed(look.GREY),
                **look.DASHED,
                "custom.fillBelowTo": "users got",
                "custom.fillOpacity": 25,
            },
        ),
        named("users got", {"color": look.fixed(look.BLUE), "custom.lineWidth": 3, "custom.fillOpacity": 0}),
    ]


def stopped_beside(title: str, size: tuple[int, int], *shown: dict[str, Any]) -> Any:
    """The stop rate with what keeps it from being misread: who left instead, and what became of stopped answers."""
    ended = rate(names.STREAMS)
    left = [
        ask(share(rate(names.STREAMS, where(names.OUTCOME, outcome)), ended), str(outcome))
        for outcome in (Outcome.CANCELLED, Outcome.ABANDONED, Outcome.DETACHED)
    ]
    followed = {"reprompted": FollowUp.REPROMPTED, "partial kept": FollowUp.PARTIAL_KEPT}
    then = [
        ask(share(rate(names.FOLLOW_UPS, where(names.FOLLOW_UP, word)), ended), shown_as)
        for shown_as, word in followed.items()
    ]
    dashed = [
        named(shown_as, {**look.DASHED, "color": look.fixed(look.FOLLOW_UPS[word])})
        for shown_as, word in followed.items()
    ]
    return time_series(
        title,
        About(
            "Shares of streams that were cancelled, that nobody read on, and whose reader left while the provider goes "
            "on; dashed, those whose reader asked again or kept the part, as the application tells with "
            "`followed_up()`. A stop rate alone says nothing about quality.",
            "stops down and abandonment up means that Stop got worse, not the answers better; stops that are kept were "
            "long enough, stops that are asked again were wrong.",
        ),
        [*left, *then],
        unit="percentunit",
        sparse=True,
        size=size,
        overrides=[*look.colours(look.OUTCOMES), *dashed],
        links=shown,
    )


def timing(title: str, metric: Metric, about: About, *matchers: str) -> tuple[Any, Any]:
    """Quantiles as lines, and every stream as a cloud."""
    lines = time_series(
        f"{title}: p50, p95, p99",
        about,
        quantiles(metric, *matchers),
        unit="s",
        overrides=look.colours(look.QUANTILES),
    )
    cloud = heatmap(f"{title}: every stream", about, ask(buckets(metric, *matchers), exemplar=True), unit="s")
    return lines, cloud
