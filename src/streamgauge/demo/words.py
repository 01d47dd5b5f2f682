"""The summary in words and tables, before anybody decides how they are drawn.

In: a `Summary`. Out: `Table`s and lines of text. One more table is one more function.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from streamgauge.demo import story as conditions
from streamgauge.demo.report import Row, Summary
from streamgauge.demo.stops import Facts, Stopped
from streamgauge.demo.tally import Tally
from streamgauge.names import Verdict


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of text under a title; columns in `right` are numbers, rows in `bad` need eyes."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    right: frozenset[int] = frozenset()
    bad: frozenset[int] = frozenset()


def tables(summary: Summary) -> tuple[Table, ...]:
    """All tables, in the order in which they are shown."""
    shown = (_agreement(summary), _times(summary), _overhead(summary), _stops(summary))
    return tuple(table for table in shown if table.rows)


def closing(summary: Summary) -> Iterator[str]:
    """What is said below the tables: the two shares, the conditions, and whether the rows agree."""
    yield _made(summary)
    yield from shares(summary.tally)
    yield ""
    yield from _rows_agree(summary)
    yield from _stops_agree(summary)


def _rows_agree(summary: Summary) -> Iterator[str]:
    if not summary.disagreeing:
        yield f"All {len(summary.rows)} rows (story x API) agree."
        return
    yield f"{len(summary.disagreeing)} of {len(summary.rows)} rows do not agree:"
    for row in summary.disagreeing:
        yield from (f"  {row.story.name}, {row.api}, {problem}" for problem in row.problems)


def _stops_agree(summary: Summary) -> Iterator[str]:
    wrong = [stop for stop in summary.stops if not stop.agree]
    if wrong:
        yield f"{len(wrong)} of {len(summary.stops)} presses of Stop do not agree:"
    elif summary.stops:
        yield f"All {len(summary.stops)} presses of Stop agree: stream, ledger and mail server tell the same."
    for stop in wrong:
        yield from (f"  {stop.press.name}, {stop.press.api}, {problem}" for problem in stop.problems)


def shares(tally: Tally) -> Iterator[str]:
    """What a status-code dashboard says beside what users got."""
    if tally.http_share is None or tally.users_share is None:
        yield "No stream was good or bad for its user."
        return
    yield f"HTTP says {tally.http_share:.1%} ok, users got {tally.users_share:.1%}.".replace("%", " %")
    yield (
        f"(Of {tally.judged} streams; {tally.verdicts[Verdict.EXCLUDED]} more count for neither: "
        "their callers ended or left them, or a filter acted before any text was shown.)"
    )


def _made(summary: Summary) -> str:
    sdks = ", ".join(f"{name} {version}" for name, version in summary.sdks.items())
    return (
        f"{summary.streams} streams in {summary.duration_s:.1f} s with {sdks}, seed {summary.seed}. A stall is "
        f"{conditions.STALL:g} s of silence here and counts from {conditions.STALL_LIMIT:g} s on (default 10 s); "
        f"the read timeout is {conditions.TIMEOUT:g} s."
    )


def _agreement(summary: Summary) -> Table:
    merged = _merged(summary.rows)
    return Table(
        "What was injected, and what was recorded",
        ("story", "API", "streams", "HTTP", "expected", "recorded", "agree"),
        tuple(_cells(group) for group in merged),
        frozenset({2, 3}),
        frozenset(number for number, group in enumerate(merged) if not group[0].agree),
    )


def _merged(rows: Iterable[Row]) -> list[list[Row]]:
    """Rows that say the same of several APIs, together."""
    groups: dict[tuple[object, ...], list[Row]] = {}
    for row in rows:
        recorded = tuple(str(said) for said, _count in row.recorded)
        groups.setdefault((row.story.name, str(row.expected), _http(row), recorded, row.agree), []).append(row)
    return list(groups.values())


def _cells(group: Sequence[Row]) -> tuple[str, ...]:
    row = group[0]
    apis = tuple(one.api for one in group)
    return (
        row.story.name,
        "all" if apis == conditions.APIS else ", ".join(apis),
        str(sum(one.streams for one in group)),
        _http(row),
        str(row.expected),
        " | ".join(dict.fromkeys(str(said) for said, _count in row.recorded)) or "nothing",
        "yes" if row.agree else "NO",
    )


def _http(row: Row) -> str:
    return "/".join(dict.fromkeys(str(said.http_status or "-") for said, _count in row.recorded)) or "-"


def _times(summary: Summary) -> Table:
    cells = (
        (
            times.api,
            str(times.streams),
            *map(
                _seconds,
                (
                    times.first_event_p50_s,
                    times.first_event_p95_s,
                    times.ttft_p50_s,
                    times.ttft_p95_s,
                    times.ttlt_p50_s,
                    times.ttlt_p95_s,
                ),
            ),
        )
        for times in summary.times
    )
    heads = (f"{what} {share}" for what in ("first event", "TTFT", "TTLT") for share in ("p50", "p95"))
    columns = ("API", "streams", *heads)
    return Table(
        "Time to the first event, to the first visible text (TTFT) and to the last content (TTLT), in seconds",
        columns,
        tuple(cells),
        frozenset(range(1, len(columns))),
    )


def _seconds(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def _overhead(summary: Summary) -> Table:
    return Table(
        "Overhead: CPU time per chunk, bare SDK and observed, start and end of the stream included; here and now",
        ("API", "chunks", "bare µs", "observed µs", "ratio"),
        tuple(
            (cost.api, str(cost.chunks), f"{cost.bare_us:.1f}", f"{cost.observed_us:.1f}", f"{cost.ratio:.3f}")
            for cost in summary.overhead
        ),
        frozenset({1, 2, 3, 4}),
    )


def _stops(summary: Summary) -> Table:
    return Table(
        "What the stop button did not stop: a tool sends mail, a user presses Stop; recorded then, and once reconciled",
        ("stop", "API", "stream", "position", "stop came", "verdict at stop", "effect", "reconciled", "sent", "agree"),
        tuple(_stop_cells(stop) for stop in summary.stops),
        frozenset({8}),
        frozenset(number for number, stop in enumerate(summary.stops) if not stop.agree),
    )


def _stop_cells(stop: Stopped) -> tuple[str, ...]:
    press, said = stop.press, stop.recorded
    stream, effect, position, verdict, sent = _compared(press.expected, said)
    return (
        press.name,
        press.api,
        stream,
        position,
        _when(stop),
        _expected(press.at_stop, stop.at_stop or "nothing"),
        effect,
        verdict,
        sent,
        "yes" if stop.agree else "NO",
    )


def _compared(expected: Facts, recorded: Facts | None) -> Iterator[str]:
    """What was recorded, with what was expected where that is something else."""
    for wanted, got in zip(_said(expected), _said(recorded) if recorded else ("nothing",) * 5, strict=True):
        yield _expected(wanted, got)


def _expected(wanted: str, got: str) -> str:
    return got if got == wanted else f"{got}, expected {wanted}"


def _said(facts: Facts) -> tuple[str, ...]:
    who = f" by {facts.initiator}" if facts.initiator else ""
    return (
        f"{facts.outcome}{who}",
        facts.effect_state,
        facts.position or "-",
        facts.verdict,
        str(facts.messages),
    )


def _when(stop: Stopped) -> str:
    """The stop against the effect's commit if it came after that, else against its start."""
    if stop.stop_after_commit_ms is not None and stop.stop_after_commit_ms > 0:
        return f"{stop.stop_after_commit_ms:.1f} ms after commit"
    return "before start" if stop.stop_after_start_ms is None else f"{stop.stop_after_start_ms:.1f} ms after start"
