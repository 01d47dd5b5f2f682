"""`streamgauge ledger`: look into the ledger, decide approvals, export and prune it."""

import datetime
import json
import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import click

from streamgauge.errors import ConfigError
from streamgauge.ledger import UnknownEntry, open_ledger

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def _ledger_option(function: Callable[..., Any]) -> Callable[..., Any]:
    help_ = "The ledger's database; else STREAMGAUGE_LEDGER_URL, else ./streamgauge-effects.db."
    return click.option("--ledger", "url", metavar="URL", help=help_)(function)


def _json_option(function: Callable[..., Any]) -> Callable[..., Any]:
    return click.option("--json", "as_json", is_flag=True, help="Print JSON instead of text.")(function)


@click.group(name="ledger")
def command() -> None:
    """Side effects and their reconciliation."""


@command.command(name="list")
@_ledger_option
@_json_option
@click.option("--stream", metavar="REF", help="Only effects of this stream.")
@click.option("--tool", help="Only effects of this tool.")
@click.option("--state", help="Only effects in this state.")
@click.option("--open", "unsettled", is_flag=True, help="Only effects that somebody still has to resolve.")
@click.option("--reconciliations", is_flag=True, help="Reconciliation records instead of effects.")
@click.option("--limit", type=click.IntRange(min=1), default=100, show_default=True)
def list_(url: str | None, as_json: bool, reconciliations: bool, stream: str | None, limit: int, **wanted: Any) -> None:
    """List effects, or reconciliation records."""
    with open_ledger(url) as ledger:
        if reconciliations:
            _print_records(ledger.reconciliations(stream=stream, limit=limit), as_json)
        else:
            _print_entries([e.to_dict() for e in ledger.entries(stream=stream, limit=limit, **wanted)], as_json)


@command.command()
@_ledger_option
@_json_option
@click.argument("reference")
def show(url: str | None, as_json: bool, reference: str) -> None:
    """Show everything about one effect (by key) or one stream (by reference)."""
    with open_ledger(url) as ledger:
        found = {
            "entries": [e.to_dict() for e in ledger.entries(key=reference) or ledger.entries(stream=reference)],
            "reconciliations": ledger.reconciliations(stream=reference, history=True),
            "history": ledger.history(key=reference) or ledger.history(stream=reference),
        }
    if not any(found.values()):
        raise UnknownEntry(reference, "effect or stream")
    if as_json:
        click.echo(json.dumps(found, default=str))
        return
    _print_entries(found["entries"], as_json=False)
    _print_records(found["reconciliations"], as_json=False)
    rows = [
        (_time(h["at_ns"]), h["what"], h["key"] or h["stream_ref"], h["actor"], h["detail"]) for h in found["history"]
    ]
    _print_table(("at", "what", "of", "by", "detail"), rows)


@command.command()
@_ledger_option
@click.option("--output", type=click.File("w"), default="-", help="A file; standard output if left out.")
def export(url: str | None, output: Any) -> None:
    """Write the whole ledger as JSON lines."""
    with open_ledger(url) as ledger:
        for line in ledger.export():
            output.write(line + "\n")


@command.command()
@_ledger_option
@_json_option
@click.option("--older-than", required=True, metavar="AGE", help="Age such as 90d, 12h, 30m or 45s.")
def prune(url: str | None, as_json: bool, older_than: str) -> None:
    """Forget what is settled and old; never what is unreconciled."""
    with open_ledger(url) as ledger:
        removed = ledger.prune(_seconds(older_than))
    click.echo(
        json.dumps(removed) if as_json else "\n".join(f"{count:>8}  {table}" for table, count in removed.items())
    )


@command.command()
@_ledger_option
@click.argument("key")
@click.option("--by", required=True, help="Who approves.")
def approve(url: str | None, key: str, by: str) -> None:
    """Let a waiting effect run."""
    with open_ledger(url) as ledger:
        click.echo(f"{key} {ledger.approve(key, by).state}")


@command.command()
@_ledger_option
@click.argument("key")
@click.option("--by", required=True, help="Who denies.")
def deny(url: str | None, key: str, by: str) -> None:
    """Refuse a waiting effect for good."""
    with open_ledger(url) as ledger:
        click.echo(f"{key} {ledger.deny(key, by).state}")


@command.command()
@_ledger_option
def statistics(url: str | None) -> None:
    """Print the numbers behind the metrics as JSON."""
    with open_ledger(url) as ledger:
        click.echo(json.dumps(ledger.statistics().to_dict()))


def _seconds(age: str) -> float:
    match = re.fullmatch(r"(\d+(?:\.\d+)?)([smhd])", age)
    if match is None:
        raise ConfigError("--older-than", age, "a number and a unit: 45s, 30m, 12h or 90d")
    return float(match[1]) * _UNITS[match[2]]


def _print_entries(entries: Sequence[dict[str, Any]], as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(list(entries), default=str))
        return
    rows = [
        (_time(e["intended_ns"]), e["state"], e["tool"], e["kind"], e["key"], e["attempt"], e["reason"])
        for e in entries
    ]
    _print_table(("intended", "state", "tool", "class", "key", "attempt", "reason"), rows)


def _print_records(records: Sequence[dict[str, Any]], as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(list(records)))
        return
    rows = [
        (_time(r["at_ns"]), r["verdict"], r["outcome"], r["initiator"], r["stream"], _positions(r)) for r in records
    ]
    _print_table(("written", "verdict", "outcome", "initiator", "stream", "effects"), rows)


def _positions(record: dict[str, Any]) -> str:
    parts = [f"{e['tool']} {e['state']}" + (f" ({e['position']})" if e["position"] else "") for e in record["effects"]]
    return ", ".join([*parts, *(f"{call['tool']} undeclared" for call in record["undeclared"])])


def _time(ns: int) -> str:
    return datetime.datetime.fromtimestamp(ns / 1e9, datetime.UTC).isoformat(" ", "milliseconds").removesuffix("+00:00")


def _print_table(head: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    lines = [tuple(head), *(tuple("-" if cell is None else str(cell) for cell in row) for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(head))]
    for line in lines:
        click.echo("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())
