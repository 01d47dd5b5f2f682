"""`streamgauge dashboards`: generate, list or compare Grafana dashboards. Parses, calls the dashboards room, prints."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import click

from streamgauge.errors import ConfigError

if TYPE_CHECKING:
    from streamgauge.dashboards import Board

_DIRECTORY = click.Path(file_okay=False, path_type=Path)


@click.command()
@click.option("--out", type=_DIRECTORY, help="Write dashboards and provisioning files into this directory.")
@click.option("--check", "against", type=_DIRECTORY, help="Compare with this directory; stray files count.")
@click.option("--list", "listing", is_flag=True, help="Print the dashboards: file, uid, panels, title.")
@click.option("--datasource", metavar="UID", help="Prometheus data source to start with. [Grafana's default]")
@click.option("--schema-version", type=int, help="Version that the JSON names, from 39 (Grafana 11) on. [42]")
@click.option("--runbooks", metavar="URL", help="Where runbook links lead. [as in the default SLO file]")
def command(
    out: Path | None,
    against: Path | None,
    listing: bool,
    datasource: str | None,
    schema_version: int | None,
    runbooks: str | None,
) -> None:
    """Generate the Grafana dashboards as JSON files with provisioning."""
    try:
        from streamgauge import dashboards
    except ModuleNotFoundError as error:
        raise ConfigError("package", str(error.name), "pip install 'streamgauge[dashboards]'") from error
    given = {"datasource": datasource, "schema_version": schema_version, "runbooks": runbooks and runbooks.rstrip("/")}
    options = dashboards.Options(**{name: value for name, value in given.items() if value is not None})  # type: ignore[arg-type]
    if listing:
        _list(dashboards.collect(options))
    elif against is not None:
        _report(dashboards.drift(dashboards.files(options), against))
    elif out is not None:
        dashboards.write(dashboards.files(options), out)
    else:
        raise click.UsageError("one of --out, --check and --list is needed")


def _list(boards: "Mapping[str, Board]") -> None:
    for name, board in boards.items():
        count = sum(len(row.panels) for row in board.rows)
        click.echo(f"{name}.json  {board.uid}  {count} panels  {board.title}")


def _report(differences: list[str]) -> None:
    for difference in differences:
        click.echo(difference, err=True)
    if differences:
        raise SystemExit(1)
