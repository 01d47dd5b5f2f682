"""What the generated rules cost, beside Sloth's shape for the same objectives, on a real Prometheus.

    python benchmarks/slo.py [--objectives 200] [--bin .ci/cache/prometheus-3/usr/bin]

History of three days (raw counters, one sample a minute) and of thirty days (what each shape sums up over its period)
is loaded; every expression is then evaluated three times and the best time the server itself reports is taken. A rule
costs its time once per interval of its group, so the figure that counts is seconds of evaluation per minute.
"""

import argparse
import json
import tempfile
import time
import urllib.parse
import urllib.request
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from streamgauge import names, slo
from streamgauge.slo import alerts, promql, render, replay, rules
from streamgauge.slo.rehearsal import Rehearsal
from streamgauge.slo.replay import Month, Series
from streamgauge.slo.rules import Alert, Group, Rule

START = 1_700_006_400
WINDOWS = ("5m", "30m", "1h", "2h", "6h", "1d", "3d")
PERIOD = "30d"


@dataclass(frozen=True)
class Cost:
    """What one shape needs."""

    shape: str
    rules: int
    series: int
    per_minute: float
    slowest: float


def main() -> None:
    """Print the table."""
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--objectives", type=int, default=200)
    arguments.add_argument("--bin", type=Path, default=Path(".ci/cache/prometheus-3/usr/bin"))
    chosen = arguments.parse_args()
    objectives = made(chosen.objectives)
    began = time.perf_counter()
    texts = render.files(objectives)
    took = time.perf_counter() - began
    print(f"{chosen.objectives} objectives: generated in {took:.2f} s, {size(texts)} KiB of rules\n")
    shapes = {
        "streamgauge": (*rules.recording_groups(objectives), *alerts.alert_groups(objectives)),
        "Sloth's shape": (Group("sloth", 60, tuple(sloth(objectives))),),
    }
    print("| shape | rules | recorded series | evaluation per minute | slowest rule |\n|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as directory:
        for cost in measured(shapes, objectives, chosen.bin, Path(directory)):
            times = f"{cost.per_minute:.2f} s | {cost.slowest * 1000:.0f} ms"
            print(f"| {cost.shape} | {cost.rules} | {cost.series} | {times} |")


def made(count: int) -> slo.Objectives:
    """So many availability objectives."""
    rows = "\n".join(f"  - {{name: slo-{number}, kind: availability, target: 99}}" for number in range(count))
    return slo.loads(f"service: bench\nobjectives:\n{rows}\n")


def size(texts: dict[str, str]) -> int:
    """KiB of text."""
    return sum(len(text) for text in texts.values()) // 1024


def sloth(objectives: slo.Objectives) -> Iterable[Rule | Alert]:
    """Fifteen records and two alerts per objective, as Sloth writes them with its default options."""
    for objective in objectives:
        own = {"sloth_id": f"bench-{objective.name}", "sloth_service": "bench", "sloth_slo": objective.name}
        at = promql.equals(own)
        yield from (
            Rule(f"slo:sli_error:ratio_rate{window}", _ratio(objective.name, window), own) for window in WINDOWS
        )
        five = f"slo:sli_error:ratio_rate5m{{{at}}}[{PERIOD}]"
        period = f"sum_over_time({five}) / ignoring (sloth_window) count_over_time({five})"
        yield Rule(f"slo:sli_error:ratio_rate{PERIOD}", period, own, level=1)
        facts = {
            "slo:objective:ratio": "vector(0.99)",
            "slo:error_budget:ratio": "vector(1-0.99)",
            "slo:time_period:days": "vector(30)",
            "sloth_slo_info": "vector(1)",
        }
        yield from (Rule(name, expr, own) for name, expr in facts.items())
        burns = {"current": "5m", "period": PERIOD}
        for name, window in burns.items():
            burn = f"slo:sli_error:ratio_rate{window}{{{at}}} / slo:error_budget:ratio{{{at}}}"
            yield Rule(f"slo:{name}_burn_rate:ratio", burn, own, level=2)
        left = f"1 - slo:period_burn_rate:ratio{{{at}}}"
        yield Rule("slo:period_error_budget_remaining:ratio", left, own, level=3)
        pages = (_pair(at, "5m", "1h", "14.4"), _pair(at, "30m", "6h", "6"))
        tickets = (_pair(at, "2h", "1d", "3"), _pair(at, "6h", "3d", "1"))
        yield from (Alert("HighErrorRate", " or ".join(pairs), 0, own, {}) for pairs in (pages, tickets))


def _ratio(name: str, window: str) -> str:
    def rate(verdicts: str) -> str:
        matchers = f'{promql.label(names.SLO)}="{name}",{promql.label(names.VERDICT)}=~"{verdicts}"'
        return f"sum(rate({names.SLO_EVENTS.prometheus}{{{matchers}}}[{window}]))"

    return f"{rate('bad')} / {rate('good|bad')}"


def _pair(at: str, short: str, long: str, factor: str) -> str:
    return " and ".join(f"(slo:sli_error:ratio_rate{window}{{{at}}} > ({factor} * 0.01))" for window in (short, long))


def history(objectives: slo.Objectives) -> list[Series]:
    """Three days of raw counters, thirty days of what the period's sums read, the last minutes of all else."""
    raw, recent = 27 * replay.MINUTES_A_DAY, 30 * replay.MINUTES_A_DAY - 15
    made_: list[Series] = []
    for objective in objectives:
        own = {"slo": objective.name, "service": "bench"}
        sloths = {"sloth_id": f"bench-{objective.name}", "sloth_service": "bench", "sloth_slo": objective.name}
        for verdict, rate in ((names.Verdict.GOOD, 59.4), (names.Verdict.BAD, 0.6)):
            labels = {names.SLO: objective.name, names.VERDICT: verdict}
            made_.append(replace(replay.counter(names.SLO_EVENTS, labels, replay.steady(rate)), born=raw))
        made_ += [_gauge(tile, own, every=5) for tile in (rules.TOTAL_TILE, rules.BAD_TILE)]
        made_.append(_gauge("slo:sli_error:ratio_rate5m", sloths))
        for metric in (rules.BAD, rules.TOTAL, rules.BURN_RATE):
            windows = rules.windows_of(objective, objectives)
            made_ += [_gauge(metric, {**own, "window": rules.window_name(each)}, born=recent) for each in windows]
        made_ += [_gauge(name, own, born=recent) for name in (rules.OBJECTIVE, rules.BUDGET_REMAINING)]
        ratios = [f"slo:sli_error:ratio_rate{window}" for window in (*WINDOWS[1:], PERIOD)]
        facts = ("slo:objective:ratio", "slo:error_budget:ratio", "slo:period_burn_rate:ratio")
        made_ += [_gauge(name, sloths, born=recent) for name in (*ratios, *facts)]
    return made_


def _gauge(name: str, labels: dict[str, str], born: int = 0, every: int = 1) -> Series:
    return Series(name, "gauge", "", labels, replay.steady(0.005), counts=False, born=born, every=every)


def measured(
    shapes: dict[str, tuple[Group, ...]], objectives: slo.Objectives, bin_: Path, directory: Path
) -> Iterable[Cost]:
    """The cost of each shape on one server."""
    month = Month(START, 30)
    replay.write(history(objectives), month, directory / "history.om")
    server = Rehearsal(str(bin_ / "prometheus"), str(bin_ / "promtool"), directory)
    server.load(directory / "history.om")
    (directory / "history.om").unlink()
    with server:
        for shape, groups in shapes.items():
            spent, slowest, series = 0.0, 0.0, 0
            for group in groups:
                for rule in group.rules:
                    took, found = evaluated(server, rule.expr, month.end)
                    spent += took * 60 / group.interval
                    slowest = max(slowest, took)
                    series += found if isinstance(rule, Rule) else 0
            yield Cost(shape, sum(len(group.rules) for group in groups), series, spent, slowest)


def evaluated(server: Rehearsal, expr: str, at: int) -> tuple[float, int]:
    """Best of three evaluations by the server's own clock, and the number of series that come out."""
    data = urllib.parse.urlencode({"query": expr, "time": str(at), "stats": "all"}).encode()
    best, series = float("inf"), 0
    for _ in range(3):
        with urllib.request.urlopen(f"{server.url}/api/v1/query", data=data, timeout=100) as answer:
            told = json.load(answer)["data"]
        best = min(best, told["stats"]["timings"]["evalTotalTime"])
        series = len(told["result"])
    return best, series


if __name__ == "__main__":
    main()
