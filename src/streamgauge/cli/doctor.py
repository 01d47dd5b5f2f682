"""`streamgauge doctor`: what is installed and active, which spans will be double, and what to switch off."""

import importlib
import json
import sys
import traceback
from pathlib import Path

import click

from streamgauge.errors import ConfigError
from streamgauge.gauge.doctor import Diagnosis, Instrumentation, examine

_WIDTH = 14
_HINT = "Seen in this process alone: --import MODULE adds what a module of your application switches on and sets up."


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print everything as JSON.")
@click.option(
    "--import",
    "modules",
    multiple=True,
    metavar="MODULE",
    help="Import this module of your application first, so that what it switches on is seen. Repeatable.",
)
def command(as_json: bool, modules: tuple[str, ...]) -> None:
    """Look at SDKs, other instrumentations, settings and providers; exit status 1 when there is something to do."""
    sys.path.insert(0, str(Path.cwd()))
    for module in modules:
        _import(module)
    diagnosis = examine()
    if as_json:
        click.echo(json.dumps(diagnosis.to_dict(), indent=2))
    else:
        click.echo(_said(diagnosis) if modules else f"{_said(diagnosis)}\n\n{_HINT}")
    sys.exit(0 if diagnosis.healthy else 1)


def _import(module: str) -> None:
    try:
        importlib.import_module(module)
    except Exception as error:
        frames = traceback.extract_tb(error.__traceback__)
        raise ConfigError(
            "--import",
            module,
            f"a module that can be imported from here; it raised {type(error).__name__}: {error}",
            f"{frames[-1].filename}, line {frames[-1].lineno}",
        ) from None


def _said(diagnosis: Diagnosis) -> str:
    sections = {
        "SDKs": [f"{s.name:{_WIDTH}}{s.version or '-':{_WIDTH}}{s.state} ({s.supported})" for s in diagnosis.sdks],
        "Also instrumenting them": [_line(other) for other in diagnosis.instrumentations] or ["nothing"],
        "OpenTelemetry": [f"{signal:{_WIDTH}}{provider}" for signal, provider in diagnosis.providers.items()],
        "Settings": [f"{name} = {diagnosis.settings[name]!r}" for name in diagnosis.changed] or ["all defaults"],
        "To do": [f"{number}. {advice}" for number, advice in enumerate(diagnosis.advice, 1)] or ["nothing"],
    }
    return "\n\n".join("\n".join((title, *(f"  {line}" for line in lines))) for title, lines in sections.items())


def _line(other: Instrumentation) -> str:
    more = (
        "one more span for every call" if other.state == "active" else "one more span for every call, once switched on"
    )
    double = more if other.doubles else "no second span for observed streams"
    release = f"{other.distribution} {other.version}" if other.distribution else other.module
    return f"{other.sdk:{_WIDTH}}{other.state:{_WIDTH}}{other.name}, {release}: {double}"
