"""Shapes that several dashboards draw alike: quantile lines, a histogram twice, the two readings of the truth."""

from typing import Any

from streamgauge import names
from streamgauge.dashboards import look
from streamgauge.dashboards.look import named
from streamgauge.dashboards.panels import About, Query, ask, heatmap, time_series
from streamgauge.dashboards.queries import buckets, label, quantile, where
from streamgauge.names import Kind, Metric

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
    dashes = {"fill": "dash", "dash": [8, 6]}
    return [
        named(
            "HTTP says",
            {
                "color": look.fixed(look.GREY),
                "custom.lineStyle": dashes,
                "custom.fillBelowTo": "users got",
                "custom.fillOpacity": 25,
            },
        ),
        named("users got", {"color": look.fixed(look.BLUE), "custom.lineWidth": 3, "custom.fillOpacity": 0}),
    ]


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
