"""Loading: from the call to the first text, with the last text beside it; their remedies differ."""

from streamgauge import names
from streamgauge.dashboards import look
from streamgauge.dashboards.board import Options, Row
from streamgauge.dashboards.panels import About, ask, time_series
from streamgauge.dashboards.queries import label, quantile, series, where
from streamgauge.dashboards.shapes import TEXT, legend, timing
from streamgauge.names import Phase


def row(_options: Options) -> Row:
    """The row\'s panels."""
    first = About(
        "TTFT: from the call to the first visible text; roles, pings and reasoning do not count.",
        "slow here and quick in TTLT beside it: queueing or a long prompt at the provider; ask for less context first.",
    )
    last = About(
        "TTLT: from the call to the last piece of content; closing frames do not count.",
        "slow here and quick in TTFT: long answers or slow output; TTFT and TTLT have different remedies.",
    )
    ttft, ttft_cloud = timing("First text (TTFT)", names.TTFT_SECONDS, first, TEXT)
    ttlt, ttlt_cloud = timing("Last text (TTLT)", names.TTLT_SECONDS, last)
    waiting = where(names.PHASE, Phase.WAITING, Phase.PLANNING)
    return Row(
        "Loading: from the call to the first text, and to the last",
        (
            ttft,
            ttlt,
            ttft_cloud,
            ttlt_cloud,
            time_series(
                "First of each kind, median",
                About(
                    "Median time to the first event of any kind, reasoning, tool call and text.",
                    "text late but the first event early: the model thinks or the stream is buffered on its way.",
                ),
                [ask(quantile(0.5, names.TTFT_SECONDS, by=(names.KIND,)), legend(names.KIND))],
                unit="s",
                overrides=look.of_set(names.KIND),
            ),
            time_series(
                "Readers waiting now",
                About(
                    "Open streams that have shown no text yet, by phase.",
                    "a rising line with a flat arrival rate is a queue at the provider: shed load or fail over.",
                ),
                [ask(f"sum by ({label(names.PHASE)}) ({series(names.STREAMS_ACTIVE, waiting)})", legend(names.PHASE))],
                unit="short",
                stack=True,
                overrides=look.colours(look.PHASES),
            ),
        ),
    )
