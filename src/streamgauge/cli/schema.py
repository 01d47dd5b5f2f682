"""`streamgauge schema`: generate names, check signals, compare versions, write the reference."""

import click

from streamgauge.schema import generate as generator
from streamgauge.schema import model


@click.group()
def command() -> None:
    """The trace schema: generate, check, compare, document."""


@command.command()
@click.option("--check", is_flag=True, help="Write nothing; exit 1 when names.py does not match the registry.")
@click.pass_context
def generate(ctx: click.Context, *, check: bool) -> None:
    """Write streamgauge/names.py from the registry."""
    same = generator.write_or_compare(generator.TARGET, generator.names(model.current()), check=check)
    click.echo(f"names.py {'matches' if same else 'differs from' if check else 'written from'} the registry")
    ctx.exit(1 if check and not same else 0)
