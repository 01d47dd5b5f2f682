"""`streamgauge provider`: the fault-injecting provider alone, for trying one's own application against it."""

import click

from streamgauge.demo import FAULTS, Provider
from streamgauge.demo.ending import interrupted_by_sigterm
from streamgauge.errors import ConfigError

_TIMES = (
    ("--first-ms", 300.0, "Milliseconds before the first piece."),
    ("--gap-ms", 30.0, "Milliseconds between two pieces."),
    ("--stall-ms", 15_000.0, "Milliseconds that a stall takes."),
)


def _timed(command: click.decorators.FC) -> click.decorators.FC:
    for name, default, text in _TIMES:
        command = click.option(name, type=float, default=default, show_default=True, help=text)(command)
    return command


@click.command()
@click.option("--port", type=click.IntRange(0, 65535), default=0, help="Port on 127.0.0.1; 0 is any free one.")
@click.option("--fault", default="healthy", show_default=True, help="What happens to requests that do not say it.")
@click.option("--mix", default="", metavar="A=1,B=2", help="Instead of one fault: weights by name, drawn at random.")
@click.option("--seed", type=int, default=0, show_default=True, help="Makes the order of the mix repeatable.")
@click.option("--pieces", type=int, default=60, show_default=True, help="Pieces of text in an answer.")
@_timed
@click.option("--list", "listing", is_flag=True, help="Print the faults and exit.")
def command(port: int, fault: str, mix: str, seed: int, listing: bool, **defaults: float) -> None:
    """Run a provider that goes wrong on purpose, speaking OpenAI's and Anthropic's wire protocols.

    A request chooses its fault: by the base URL, by the header x-streamgauge-fault, or by a model called demo-NAME.
    """
    if listing:
        click.echo(_faults())
        return
    with interrupted_by_sigterm():
        provider = Provider(port, fault=fault, mix=weights(mix), seed=seed, defaults=defaults).start()
        click.echo(_welcome(provider))
        provider.serve_forever()


def weights(mix: str) -> dict[str, float] | None:
    """`a=1,b=2` as weights by name; None when nothing is given.

    Raises:
        ConfigError: an entry is not NAME=NUMBER.
    """
    if not mix:
        return None
    try:
        pairs = (entry.partition("=") for entry in mix.split(","))
        return {name.strip(): float(number) for name, _, number in pairs}
    except ValueError:
        raise ConfigError("--mix", mix, "NAME=NUMBER, separated by commas, such as healthy=9,stall=1") from None


def _faults() -> str:
    width = max(map(len, FAULTS)) + 2
    return "\n".join(f"  {fault.name:{width}}{fault.description}" for fault in FAULTS.values())


def _welcome(provider: Provider) -> str:
    return f"""\
streamgauge provider on {provider.url} (Ctrl-C stops it)

  OpenAI(base_url="{provider.base_url()}", api_key="any")
  Anthropic(base_url="{provider.base_url(api="anthropic")}", api_key="any")

One fault for all calls of a client, here with 200 pieces:

  OpenAI(base_url="{provider.base_url("stall", pieces=200)}", api_key="any")
  Anthropic(base_url="{provider.base_url("stall", "anthropic", pieces=200)}", api_key="any")

One call: model="demo-stall", or the header x-streamgauge-fault: stall. Faults:

{_faults()}
"""
