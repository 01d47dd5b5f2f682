"""`streamgauge schema`: generate names, check signals, compare versions, write the reference."""

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import click

from streamgauge.schema import check as checker
from streamgauge.schema import diff as differ
from streamgauge.schema import docs as reference
from streamgauge.schema import generate as generator
from streamgauge.schema import model


@click.group()
def command() -> None:
    """The trace schema: generate, check, compare, document."""


@command.command()
@click.option("--check", is_flag=True, help="Write nothing; exit 1 when a file does not match the registry.")
@click.pass_context
def generate(ctx: click.Context, *, check: bool) -> None:
    """Write names.py and the JSON Schemas of our records from the registry."""
    _write_all(ctx, generator.outputs(model.current()), check=check)


def _write_all(ctx: click.Context, outputs: dict[Path, str], *, check: bool) -> None:
    same = [generator.write_or_compare(path, text, check=check) for path, text in outputs.items()]
    for path, matches in zip(outputs, same, strict=True):
        click.echo(f"{path.name}: {'unchanged' if matches else 'differs' if check else 'written'}")
    ctx.exit(1 if check and not all(same) else 0)


@command.command()
@click.option("--check", is_flag=True, help="Write nothing; exit 1 when a page does not match the schema or is stray.")
@click.option("--examples", is_flag=True, help="First record the examples again, from a stream of the demo's provider.")
@click.option("--out", default=str(reference.TARGET), show_default=True, type=click.Path(path_type=Path))
@click.pass_context
def docs(ctx: click.Context, *, check: bool, examples: bool, out: Path) -> None:
    """Write the Markdown reference of the schema."""
    if examples:
        _record_examples()
    pages = reference.pages(model.current())
    for name in reference.stray(out, pages):
        click.echo(f"{name}: stray, no page of the schema")
        if check:
            ctx.exit(1)
    _write_all(ctx, {out / name: text for name, text in pages.items()}, check=check)


def _record_examples() -> None:
    from streamgauge.demo import Provider
    from streamgauge.testing.examples import capture

    with Provider() as provider:
        for name, text in capture(provider.base_url).items():
            generator.write_or_compare(reference.EXAMPLES / name, text, check=False)
            click.echo(f"{name}: recorded")


_MARKS = {"error": "red", "warning": "yellow", "info": "blue"}
_EXIT = {checker.Severity.INFO: 0, checker.Severity.WARNING: 1, checker.Severity.ERROR: 3}


@command.command("check")
@click.argument("files", nargs=-1, required=True, type=click.File("rb"), metavar="FILE...")
@click.option("--json", "as_json", is_flag=True, help="One JSON object per finding and a summary at the end.")
@click.option("--limit", default=20, show_default=True, help="Findings shown per rule; 0 shows all. All are counted.")
@click.option("--jobs", default=0, help="Processes to use; by default several for a large file, else one.")
@click.pass_context
def check_files(ctx: click.Context, files: tuple[BinaryIO, ...], *, as_json: bool, limit: int, jobs: int) -> None:
    """Validate OTLP JSON, stream reports and reconciliation records, one a line; - reads standard input.

    Exit status: 0 nothing above info, 1 warnings, 3 errors, 2 when the check itself could not run.
    """
    counts: Counter[str] = Counter()
    seen: Counter[str] = Counter()
    for file in files:
        for finding in _findings(file, jobs, seen):
            counts[finding.rule] += 1
            if limit == 0 or counts[finding.rule] <= limit:
                _show(finding, _name(file), as_json=as_json)
    _summarise(counts, seen, as_json=as_json)
    ctx.exit(max((_EXIT[checker.RULES[rule].severity] for rule in counts), default=0))


def _findings(file: BinaryIO, jobs: int, seen: Counter[str]) -> Iterator[checker.Finding]:
    path = Path(_name(file))
    large = path.is_file() and path.stat().st_size >= checker.WORTH_IT
    wanted = jobs or (checker.processors() if large else 1)
    if wanted > 1:
        yield from checker.check_parallel(checker.read_lines(file), wanted, seen)
        return
    one = checker.Checker()
    yield from one.lines(checker.read_lines(file))
    seen.update(one.seen)


def _name(file: BinaryIO) -> str:
    name = str(getattr(file, "name", "-"))
    return "-" if name == "<stdin>" else name


def _show(finding: checker.Finding, file: str, *, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps({"file": file, **finding.to_dict()}))
        return
    severity = finding.severity.name.lower()
    owner = f" (span {finding.span_id})" if finding.span_id else ""
    click.echo(
        f"{file}:{finding.line}: {click.style(severity, _MARKS[severity])} {finding.rule}: {finding.message}{owner}"
    )
    click.echo(f"    at {finding.path or '$'}. {finding.hint}")


def _summarise(counts: Counter[str], seen: Counter[str], *, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps({"summary": {"findings": dict(counts), "seen": dict(seen)}}))
        return
    for rule, count in counts.most_common():
        click.echo(f"{count:7} {rule}: {checker.RULES[rule].summary}")
    what = ", ".join(f"{count} {thing}" for thing, count in seen.items()) or "nothing"
    click.echo(f"{sum(counts.values())} findings in {what}")


@command.command()
@click.argument("old")
@click.argument("new", default="current")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@click.pass_context
def diff(ctx: click.Context, old: str, new: str, *, as_json: bool) -> None:
    """List what changed from OLD to NEW and which version that needs.

    OLD and NEW are released versions, `current`, or folders. Exit status 1 when the version of NEW is too low.
    """
    before, after = differ.edition(old), differ.edition(new)
    found = sorted(differ.changes(before, after), key=lambda change: -change.level)
    level = max((change.level for change in found), default=differ.Level.PATCH)
    versions = before.registry.version, after.registry.version
    fits = differ.allowed(*versions, level)
    needed = differ.needed(versions[0], level)
    if as_json:
        rows = [
            {"level": c.level.name.lower(), "kind": c.kind, "subject": c.subject, "detail": c.detail} for c in found
        ]
        click.echo(
            json.dumps({"old": versions[0], "new": versions[1], "needed": needed, "fits": fits, "changes": rows})
        )
    else:
        for change in found:
            click.echo(f"{change.level.name.lower():6} {change.kind}: {change.subject} {change.detail}".rstrip())
        verdict = "which it is at least" if fits else f"but it is {versions[1]}"
        click.echo(f"{len(found)} changes since {versions[0]}: needs version {needed} or later, {verdict}")
    ctx.exit(0 if fits else 1)


@command.command()
def freeze() -> None:
    """Keep a copy of the schema as it stands as a released version; refuses to change one that was released."""
    click.echo(f"frozen: {differ.freeze().name}")
