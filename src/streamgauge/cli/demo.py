"""`streamgauge demo`: real SDKs, a provider that goes wrong in every way that matters, and what was recorded of it."""

import json
import sys

import click

from streamgauge.errors import ConfigError


@click.command()
@click.option("--faults", default="", metavar="NAME[,NAME]", help="Only these stories (`--list` prints them).")
@click.option("--streams", type=int, metavar="N", help="Streams in total.  [default: 420; no end with --serve]")
@click.option("--seed", type=int, default=0, show_default=True, help="Makes order and answers repeatable.")
@click.option("--jsonl", metavar="FILE", help="Append every stream's report to this file.")
@click.option("--prometheus-port", type=click.IntRange(0, 65535), metavar="PORT", help="Serve /metrics; 0 is any port.")
@click.option("--otlp", is_flag=True, help="Send spans, metrics and logs by OTLP, as the OTEL_* variables say.")
@click.option("--serve", is_flag=True, help="Keep mostly healthy traffic running, for a dashboard, until told to end.")
@click.option("--bad-share", type=float, default=0.1, show_default=True, help="Share of other streams with --serve.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object; progress goes to stderr.")
@click.option("--list", "listing", is_flag=True, help="Print the stories and exit.")
def command(as_json: bool, serve: bool, listing: bool, faults: str, **options: object) -> None:
    """Watch healthy and broken streams end, and compare what happened with what was recorded.

    Then press Stop before, during and after a tool that sends mail. Needs no key and no server. The exit status is 1
    if any row does not agree.
    """
    if listing:
        click.echo(_stories())
        return
    try:
        from streamgauge.demo import live, run, words
        from streamgauge.demo.ending import interrupted_by_sigterm
    except ImportError as error:
        raise ConfigError("demo", error.name, "an installation with the extra streamgauge[demo]") from None
    asked = run.Options(faults=tuple(filter(None, faults.split(","))), **options)  # type: ignore[arg-type]
    show = live.show_on(sys.stderr if as_json else sys.stdout)
    if serve:
        with interrupted_by_sigterm():
            tally = run.serve(asked, show)
        for line in words.shares(tally):
            show.say(line)
        return
    with interrupted_by_sigterm():
        summary = run.run(asked, show)
    if as_json:
        click.echo(json.dumps(summary.to_dict()))
    else:
        for table in words.tables(summary):
            show.table(table)
        for line in words.closing(summary):
            show.say(line)
    if not summary.agree:
        raise SystemExit(1)


def _stories() -> str:
    from streamgauge.demo.story import STORIES

    width = max(map(len, STORIES)) + 2
    return "\n".join(f"  {story.name:{width}}{story.description}" for story in STORIES.values())
