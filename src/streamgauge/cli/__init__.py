"""Room 12, the command line: one file per command, found by its module name.

A module in this package that defines `command` (a click command or group) is a command of `streamgauge`; one more
command is one more file. Commands parse, call a room and print; they decide nothing themselves."""

import importlib
import pkgutil

import click

from streamgauge.errors import StreamgaugeError


class Discovered(click.Group):
    """A group whose members are the modules of this package, imported only when asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """Names of all command modules, sorted."""
        return sorted(module.name.replace("_", "-") for module in pkgutil.iter_modules(__path__))

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        """The command that the module called `name` defines, or None."""
        if name not in self.list_commands(ctx):
            return None
        module = importlib.import_module(f"{__name__}.{name.replace('-', '_')}")
        command = module.command
        assert isinstance(command, click.Command)  # noqa: S101 - a broken command module is our own bug
        return command

    def invoke(self, ctx: click.Context) -> object:
        """Run; our own errors become one line on stderr and exit status 2."""
        try:
            return super().invoke(ctx)
        except StreamgaugeError as error:
            click.echo(f"streamgauge: {error}", err=True)
            ctx.exit(2)


@click.group(cls=Discovered, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="streamgauge")
def main() -> None:
    """Observe streamed LLM answers: demo, schema, ledger, SLOs and dashboards."""
