"""`streamgauge slo`: make, check, explain, generate and backtest objectives. Parses, calls the slo room, prints."""

from pathlib import Path

import click

from streamgauge import slo
from streamgauge.slo import explain as explaining
from streamgauge.slo import promql, render
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
@click.option(
    "--time-scale", type=click.IntRange(min=1), default=1, help="Divide every duration by this, to rehearse live."
)
def generate(file: Path | None, out: Path | None, against: Path | None, form: str, time_scale: int) -> None:
    """Generate recording rules and alerts from FILE."""
    texts = render.files(slo.load(file), form, time_scale)
    if against is not None:
        _report_drift(render.drift(texts, against))
    elif out is not None:
        render.write(texts, out)
    else:
        click.echo("---\n".join(texts.values()), nl=False)


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
