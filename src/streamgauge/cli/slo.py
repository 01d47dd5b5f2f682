"""`streamgauge slo`: make, check, explain, generate and backtest objectives. Parses, calls the slo room, prints."""

from datetime import UTC, datetime
from pathlib import Path
from typing import TextIO

import click
import yaml

from streamgauge import slo
from streamgauge.slo import alertmanager as alertmanaging
from streamgauge.slo import backtest as backtesting
from streamgauge.slo import explain as explaining
from streamgauge.slo import openslo, promql, promtool, render, runbooks
from streamgauge.slo.windows import Clause

_DIRECTORY = click.Path(file_okay=False, path_type=Path)
_FILE = click.argument("file", type=click.Path(dir_okay=False, path_type=Path), required=False)


@click.group()
def command() -> None:
    """Streaming SLOs: objectives, burn-rate rules, alerts. Without FILE the shipped default objectives are used."""


@command.command()
def init() -> None:
    """Print a commented SLO file to start from."""
    click.echo(slo.default_text(), nl=False)


@command.command()
@_FILE
def check(file: Path | None) -> None:
    """Read FILE; errors with line and column, warnings for what is probably not meant."""
    objectives = slo.load(file)
    for warning in explaining.warnings(objectives):
        click.echo(f"warning: {warning}", err=True)
    click.echo(f"{len(objectives)} objectives for {objectives.service}: {', '.join(each.name for each in objectives)}")


@command.command()
@_FILE
@click.option("--per-day", type=click.IntRange(min=1), default=10_000, show_default=True, help="Streams a day.")
def explain(file: Path | None, per_day: int) -> None:
    """Print each objective in streams and minutes: its budget, when it pages, what its guards mean."""
    for one in explaining.explain(slo.load(file), per_day):
        click.echo("\n".join(_lines(one, per_day)) + "\n")


@command.command()
@_FILE
@click.option("--out", type=_DIRECTORY, help="Write the rule files into this directory.")
@click.option("--check", "against", type=_DIRECTORY, help="Compare with this directory.")
@click.option("--format", "form", type=click.Choice(render.FORMATS), default="prometheus", show_default=True)
@click.option("--tests", is_flag=True, help="Also write promtool unit tests for the rules.")
@click.option(
    "--time-scale", type=click.IntRange(min=1), default=1, help="Divide every duration by this, to rehearse live."
)
def generate(
    file: Path | None, out: Path | None, against: Path | None, form: str, tests: bool, time_scale: int
) -> None:
    """Generate recording rules and alerts from FILE."""
    objectives = slo.load(file)
    texts = render.files(objectives, form, time_scale)
    if tests:
        documents = promtool.documents(objectives, texts)
        texts |= {name: render.document(document) for name, document in documents.items()}
    _deliver(texts, out, against)


@command.command()
@_FILE
@click.option(
    "--jsonl", type=click.File(encoding="utf-8"), required=True, help="Recorded reports, one JSON object a line."
)
def backtest(file: Path | None, jsonl: TextIO) -> None:
    """Replay recorded reports: what would each objective have said, and when would it have paged?"""
    objectives = slo.load(file)
    for result in backtesting.backtest(objectives, backtesting.reports(jsonl, str(jsonl.name))):
        click.echo("\n".join(_backtested(result)))


@command.command(name="export")
@_FILE
def export(file: Path | None) -> None:
    """Print FILE as OpenSLO v1 documents."""
    click.echo(openslo.export(slo.load(file)), nl=False)


@command.command(name="import")
@click.argument("documents", type=click.File(encoding="utf-8"))
def import_(documents: TextIO) -> None:
    """Print an SLO file made from OpenSLO v1 DOCUMENTS; what does not fit is told on stderr."""
    imported = openslo.read(documents.read(), str(documents.name))
    for note in imported.notes:
        click.echo(f"note: {note}", err=True)
    click.echo(yaml.safe_dump(imported.content, sort_keys=False), nl=False)


@command.command()
@click.option("--out", type=_DIRECTORY, help="Write the pages, keeping hand-written advice.")
@click.option("--check", "against", type=_DIRECTORY, help="Compare with this directory.")
def runbook(out: Path | None, against: Path | None) -> None:
    """Generate the frame of a page per alert, outcome and finding around the advice that is there."""
    place = out or against
    texts = runbooks.pages(runbooks.read(place) if place else {})
    _deliver(texts, out, against, "*.md")


@command.command()
@click.option("--base-url", default="http://localhost:8080", show_default=True, help="Where the receivers post to.")
def alertmanager(base_url: str) -> None:
    """Print a sample Alertmanager configuration: routes by severity, pages mute tickets."""
    click.echo(alertmanaging.text(base_url), nl=False)


def _deliver(texts: dict[str, str], out: Path | None, against: Path | None, pattern: str = "*.yaml") -> None:
    if against is not None:
        _report_drift(render.drift(texts, against, pattern))
    elif out is not None:
        render.write(texts, out)
    else:
        click.echo("---\n".join(texts.values()), nl=False)


def _backtested(result: backtesting.Result) -> list[str]:
    counts = ", ".join(f"{result.counts[verdict]} {verdict}" for verdict in ("good", "bad", "excluded"))
    sli = "no streams" if result.sli is None else f"SLI {_percent(result.sli)}"
    causes = ", ".join(f"{word} {count}" for word, count in result.causes.most_common(3))
    lines = [f"{result.name}: {sli} ({counts})" + (f"; {causes}" if causes else "")]
    return lines + [f"  {each.severity}: {_moment(each.since)} until {_moment(each.until)}" for each in result.alarms]


def _moment(seconds: int | None) -> str:
    return "the end" if seconds is None else datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M UTC")


def _report_drift(differences: list[str]) -> None:
    for difference in differences:
        click.echo(difference, err=True)
    if differences:
        raise SystemExit(1)


def _lines(one: explaining.Explanation, per_day: int) -> list[str]:
    return [
        f"{one.name}: {promql.number(one.target)} % over {promql.duration(one.period)}",
        f"  budget        {_spoken(one.budget_seconds)} of outage; {one.budget_streams} bad streams at {per_day} a day",
        f"  pages         {_times(one.to_page)}",
        f"  tickets       {_times(one.to_ticket)}",
        *(f"  clause        {_clause(clause)}" for clause in one.clauses),
        f"  low traffic   {_guard(one)}",
        *(f"  warning       {warning}" for warning in one.warnings),
    ]


def _guard(one: explaining.Explanation) -> str:
    alerting = one.alerting
    return (
        f"one failure among fewer than {one.single_failure_below} streams would page; "
        f"guarded by at least {alerting.min_failures} failures and {alerting.min_events} events in the long window"
    )


def _times(times: tuple[tuple[object, int | None], ...]) -> str:
    spoken = (f"{_percent(failing)} failing: {_spoken(seconds) if seconds else 'never'}" for failing, seconds in times)
    return ", ".join(spoken)


def _clause(clause: Clause) -> str:
    factor = "outage" if clause.outage else f"{promql.number(round(clause.factor, 2))}x"
    return (
        f"{clause.severity} {factor}: more than {_percent(clause.threshold)} bad over {promql.duration(clause.long)} "
        f"and {promql.duration(clause.short)}"
    )


def _percent(ratio: object) -> str:
    return f"{float(str(ratio)) * 100:.4g} %"


def _spoken(seconds: int) -> str:
    days, rest = divmod(seconds, 86_400)
    hours, rest = divmod(rest, 3_600)
    minutes, rest = divmod(rest, 60)
    parts = ((days, "d"), (hours, "h"), (minutes, "min"), (rest, "s"))
    return " ".join(f"{count} {unit}" for count, unit in parts if count) or "0 s"
