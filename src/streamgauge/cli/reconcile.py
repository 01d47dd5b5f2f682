"""`streamgauge reconcile`: resolve what the ledger left open, with an exit status for cron."""

import dataclasses
import importlib
import json
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import click

from streamgauge.errors import ConfigError
from streamgauge.ledger import open_ledger


@click.command(name="reconcile")
@click.option(
    "--ledger",
    "url",
    metavar="URL",
    help="The ledger's database; else STREAMGAUGE_LEDGER_URL, else ./streamgauge-effects.db.",
)
@click.option(
    "--probes",
    metavar="MODULE:ATTR",
    help="A mapping from tool to probe, or a function that registers on the ledger it is given.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")
@click.pass_context
def command(ctx: click.Context, url: str | None, probes: str | None, as_json: bool) -> None:
    """Ask probes, find the dead, run compensations and write the records that are due.

    Exit status: 0 nothing is open, 1 something is still unresolved, 2 an error.
    """
    register = _load(probes) if probes is not None else {}
    with open_ledger(url) as ledger:
        _register(ledger, register)
        report = dataclasses.asdict(ledger.reconcile())
    click.echo(json.dumps(report) if as_json else "\n".join(f"{count:>8}  {name}" for name, count in report.items()))
    ctx.exit(1 if report["unresolved"] else 0)


def _register(ledger: Any, probes: Mapping[str, Callable[..., Any]] | Callable[..., Any]) -> None:
    if callable(probes):
        probes(ledger)
        return
    for tool, probe in probes.items():
        ledger.probe(tool, probe)


def _load(path: str) -> Any:
    """The attribute that MODULE:ATTR names; modules beside the caller are found as python finds them."""
    module, _, attribute = path.partition(":")
    if str(Path.cwd()) not in sys.path:
        sys.path.insert(0, str(Path.cwd()))
    try:
        found = getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError, ValueError) as error:
        raise ConfigError("--probes", path, f"MODULE:ATTR that can be imported ({error})") from error
    if not callable(found) and not isinstance(found, Mapping):
        raise ConfigError("--probes", path, "a mapping from tool to probe, or a function that takes the ledger")
    return found
