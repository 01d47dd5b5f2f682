"""Whether the numbers can be trusted: overflow of the histograms, and durations counted in two ways."""

from streamgauge import names
from streamgauge.dashboards import look
from streamgauge.dashboards.board import Options, Row
from streamgauge.dashboards.panels import About, ask, bar_gauge, now, time_series
from streamgauge.dashboards.queries import mean, overflow, rate, series, share


def row(_options: Options) -> Row:
    """The row\'s panels."""
    histograms = (
        names.TTFT_SECONDS,
        names.TTLT_SECONDS,
        names.GAP_MAX_SECONDS,
        names.TIME_PER_CHUNK,
        names.UPSTREAM_CLOSE,
        names.APPROVAL_LATENCY,
        names.OPERATION_DURATION,
        names.OPERATION_FIRST_CHUNK,
    )
    return Row(
        "Can these numbers be trusted?",
        (
            bar_gauge(
                "Overflow of the histograms",
                About(
                    "Share of samples beyond the last bucket of each histogram: quantiles there are guesses. "
                    "The conventions' own buckets end at 82 s, ours go on to minutes.",
                    "above a percent: add a bound, or read TTLT instead.",
                ),
                [now(overflow(metric), metric.name) for metric in histograms],
                unit="percentunit",
                bounds=(0, 1),
                steps=look.above(0.01, look.ORANGE),
                size=(12, 8),
            ),
            time_series(
                "Mean duration, two ways",
                About(
                    "Mean TTLT, beside the open streams divided by the arrivals (Little's law).",
                    "they should run together; when they part, streams hang that have not ended yet.",
                ),
                [
                    ask(mean(names.TTLT_SECONDS), "mean TTLT"),
                    ask(share(f"sum({series(names.STREAMS_ACTIVE)})", rate(names.STREAMS)), "open / arrivals"),
                ],
                unit="s",
                size=(12, 8),
            ),
        ),
    )
