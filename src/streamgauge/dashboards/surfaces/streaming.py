"""Streaming: whether text keeps flowing, and what is open now."""

from streamgauge import names
from streamgauge.dashboards import look
from streamgauge.dashboards.board import Options, Row
from streamgauge.dashboards.panels import About, ask, time_series
from streamgauge.dashboards.queries import label, output_tokens, quantile, rate, series
from streamgauge.dashboards.shapes import LONG_ANSWER, TEXT, legend, timing


def row(_options: Options) -> Row:
    """The row\'s panels."""
    gaps = About(
        "The largest pause within each stream that ended.",
        "readers ask 'is it frozen?' from about half a second on; pauses of seconds are stalls.",
    )
    lines, cloud = timing("Largest gap", names.GAP_MAX_SECONDS, gaps)
    by_phase = [names.PHASE]
    return Row(
        "Streaming: does it keep flowing?",
        (
            lines,
            cloud,
            time_series(
                "Stalls by phase",
                About(
                    "Silences above the threshold of their phase per second, counted while the stream is still open.",
                    "responding: frozen text; planning: long thought; acting: a slow tool call.",
                ),
                [ask(rate(names.STALLS_TOTAL, by=by_phase), legend(names.PHASE))],
                unit="cps",
                sparse=True,
                size=(8, 8),
                stack=True,
                overrides=look.colours(look.PHASES),
            ),
            time_series(
                "Time between chunks, median and p95",
                About(
                    "Mean time between content chunks of a stream, over streams.",
                    "a shift after a model change is a change of texture: quick dumps or slow drips.",
                ),
                [
                    ask(quantile(0.5, names.TIME_PER_CHUNK), "p50"),
                    ask(quantile(0.95, names.TIME_PER_CHUNK), "p95"),
                ],
                unit="s",
                size=(8, 8),
                overrides=look.colours(look.QUANTILES),
            ),
            time_series(
                "Output per second",
                About(
                    "Output tokens as the providers report them, and chunks and characters as they arrived; a"
                    " chunk is no token.",
                    "chunks without tokens: usage is not reported, switch it on; tokens without chunks: "
                    "hidden reasoning.",
                ),
                [
                    ask(output_tokens(), "tokens"),
                    ask(rate(names.CHUNKS_TOTAL), "chunks"),
                    ask(rate(names.CHARACTERS_TOTAL, TEXT), "characters of text"),
                ],
                unit="cps",
                size=(8, 8),
                log=True,
                bounds=(None, None),
            ),
            time_series(
                "Open streams by phase",
                About(
                    "Streams open now. Arrivals times mean duration is this number: it is what to size pools "
                    "and scale by.",
                    "rising while arrivals are flat: streams hang; see the age of the oldest.",
                ),
                [ask(f"sum by ({label(names.PHASE)}) ({series(names.STREAMS_ACTIVE)})", legend(names.PHASE))],
                unit="short",
                stack=True,
                overrides=look.colours(look.PHASES),
            ),
            time_series(
                "Age of the oldest open stream",
                About(
                    "Seconds since the oldest stream that is still open began.",
                    "a straight ramp is one stream that never ends: a leak in the reader or a hung upstream.",
                ),
                [ask(f"max({series(names.OLDEST_AGE)})", "oldest")],
                unit="s",
                steps=look.above(10 * LONG_ANSWER, look.ORANGE),
            ),
        ),
    )
