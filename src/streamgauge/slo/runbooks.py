"""Runbooks: one page per alert, outcome and finding; a generated frame around advice that a person wrote.

The vocabulary and the advice of existing pages come in, pages go out. What stands between the markers is never
overwritten; a page without advice is refused, and so is a link between pages that leads nowhere.
"""

import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from streamgauge import names
from streamgauge.names import Finding, Outcome, Verdict
from streamgauge.slo import alerts, promql
from streamgauge.slo.policy import DEFAULT
from streamgauge.slo.rules import BUDGET_REMAINING, BURN_RATE

BEGIN, END = "<!-- advice: written by hand, kept by the generator -->", "<!-- /advice -->"
UNWRITTEN = "Nothing is written here yet."
_ADVICE = re.compile(re.escape(BEGIN) + r"\n(.*?)\n?" + re.escape(END), re.DOTALL)
_LINK = re.compile(r"\]\(([^)#:]+)(?:#[^)]*)?\)")

_ALERTS: Mapping[str, str] = {
    alerts.BURN: "An objective spends its error budget so fast that it would be gone long before its period ends.",
    alerts.EXHAUSTED: "The error budget of the period is used up: more streams were bad than the objective allows.",
    alerts.OBJECTIVE_ABSENT: "The series of one objective are gone, so nobody would see it fail.",
    alerts.TELEMETRY_ABSENT: "No verdict is counted any more: every stream objective of the service is blind.",
    alerts.LOW_TRAFFIC: "Several streams failed, at a traffic too low for a burn rate to mean anything.",
    alerts.CANCEL: "Streams that were cancelled go on at the provider: tokens are paid for, effects may happen.",
    alerts.UNRECONCILED: "A side effect of a tool call has waited for its outcome longer than the objective allows.",
}
_OUTCOMES: Mapping[str, str] = {
    Outcome.COMPLETED: "An accepted terminal marker of the API was seen.",
    Outcome.LENGTH_LIMITED: "The marker says that the answer reached its token limit.",
    Outcome.CONTENT_FILTERED: "A filter or a refusal ended the answer; bad when text had been shown before.",
    Outcome.TRUNCATED: "The bytes ended without any terminal marker, behind a status of 200.",
    Outcome.FAILED: "An exception, an error frame in the stream, or an HTTP error before it.",
    Outcome.TIMED_OUT: "A read or deadline timeout ended the stream.",
    Outcome.CANCELLED: "The caller ended the stream: a user's Stop, a disconnect, a budget, a guardrail.",
    Outcome.ABANDONED: "Nobody read on and nobody closed the stream.",
    Outcome.DETACHED: "The reader left while the provider goes on in the background.",
    Outcome.CRASHED: "The process died during the stream; reconciliation found it afterwards.",
}
_FINDINGS: Mapping[str, str] = {
    Finding.STALLED: "The stream stood still longer than its phase allows, and then went on.",
    Finding.LOOPED: "The text repeats itself.",
    Finding.MALFORMED_TOOL_CALL: "A tool call's arguments are cut off or are no valid JSON.",
    Finding.EMPTY: "The stream ended well and showed nothing.",
    Finding.MISSING_FINISH_REASON: "The stream ended with its marker but named no reason.",
    Finding.DUPLICATE_CHUNK: "A chunk came twice.",
    Finding.UNRECOGNISED_CHUNK: "A chunk came that no provider file knows.",
}


def pages(existing: Mapping[str, str]) -> dict[str, str]:
    """Every page by file name, with the advice that `existing` pages hold."""
    made = {f"{name}.md": _alert_page(name, brief) for name, brief in _ALERTS.items()}
    made |= {f"outcome-{word}.md": _outcome_page(word, brief) for word, brief in _OUTCOMES.items()}
    made |= {f"finding-{word}.md": _finding_page(word, brief) for word, brief in _FINDINGS.items()}
    made["README.md"] = _index()
    return {name: text.replace(UNWRITTEN, advice_of(existing.get(name, ""))) for name, text in made.items()}


def read(directory: Path) -> dict[str, str]:
    """The pages that are there."""
    return {path.name: path.read_text(encoding="utf-8") for path in sorted(directory.glob("*.md"))}


def advice_of(page: str) -> str:
    """The hand-written part of a page."""
    found = _ADVICE.search(page)
    return found[1] if found else UNWRITTEN


def broken_links(texts: Mapping[str, str], directory: Path) -> list[str]:
    """Relative links that lead nowhere, as `page -> target`."""
    return [
        f"{name} -> {target}"
        for name, text in texts.items()
        for target in _LINK.findall(text)
        if target not in texts and not (directory / target).exists()
    ]


def without_advice(texts: Mapping[str, str]) -> list[str]:
    """Pages on which nobody has written anything."""
    return [name for name, text in texts.items() if UNWRITTEN in text]


def _page(title: str, brief: str, facts: Iterable[str], queries: Iterable[tuple[str, str]], more: str) -> str:
    asked = "\n\n".join(f"{what}:\n\n```promql\n{query}\n```" for what, query in queries)
    told = "\n".join(f"- {fact}" for fact in facts)
    advice = f"## What to do\n\n{BEGIN}\n{UNWRITTEN}\n{END}"
    return f"# {title}\n\n{brief}\n\n{told}\n\n{advice}\n\n## Look\n\n{asked}\n\n{more}\n"


def _alert_page(name: str, brief: str) -> str:
    facts = (f"Severity: {_SEVERITIES[name]}.", "Labels: `severity`, `slo`, `service`, `owner`.")
    bad = "|".join(DEFAULT.bad_outcomes())
    queries = (
        ("Burn rate of every window", f'{BURN_RATE}{{slo="$slo"}}'),
        ("Budget that is left", f'{BUDGET_REMAINING}{{slo="$slo"}}'),
        (
            "How streams end badly, by model",
            _by(names.STREAMS.prometheus, names.OUTCOME, f'=~"{bad}"', names.REQUEST_MODEL),
        ),
        ("HTTP says that all is well? Compare", _http()),
    )
    return _page(name, brief, facts, queries, "All pages: [index](README.md).")


def _outcome_page(word: str, brief: str) -> str:
    verdict = DEFAULT.verdict(word)
    shown = DEFAULT.verdict(word, content_shown=True)
    judged = f"Availability counts it as **{verdict}**" + (
        f", after visible text as **{shown}**" if shown != verdict else ""
    )
    facts = (f"{judged}; `policy:` in the SLO file overrides it.", f'On the span: `{names.OUTCOME} = "{word}"`.')
    queries = [
        (
            "How often, by model and kind of failure",
            _by(names.STREAMS.prometheus, names.OUTCOME, f'="{word}"', names.REQUEST_MODEL, names.FAILURE_MODE),
        )
    ]
    if verdict is Verdict.BAD:
        queries.append(
            ("With which HTTP status", _by(names.STREAMS.prometheus, names.OUTCOME, f'="{word}"', names.STATUS_CLASS))
        )
    return _page(
        f"Outcome: {word}",
        brief,
        facts,
        queries,
        f"Alert: [{alerts.BURN}]({alerts.BURN}.md). All pages: [index](README.md).",
    )


def _finding_page(word: str, brief: str) -> str:
    verdict = DEFAULT.verdict(Outcome.COMPLETED, (word,))
    facts = (
        f"It makes a stream that ended well **{verdict}** for availability; `policy:` in the SLO file overrides it.",
        f"On the span: `{names.FINDINGS}` holds `{word}`.",
    )
    queries = (
        ("How often, by model", _by(names.FINDINGS_TOTAL.prometheus, names.FINDING, f'="{word}"', names.REQUEST_MODEL)),
    )
    return _page(
        f"Finding: {word}",
        brief,
        facts,
        queries,
        f"Alert: [{alerts.BURN}]({alerts.BURN}.md). All pages: [index](README.md).",
    )


def _index() -> str:
    parts = (
        ("Alerts", {name: f"{name}.md" for name in _ALERTS}, _ALERTS),
        ("Outcomes", {word: f"outcome-{word}.md" for word in _OUTCOMES}, _OUTCOMES),
        ("Findings", {word: f"finding-{word}.md" for word in _FINDINGS}, _FINDINGS),
    )
    sections = (
        f"## {title}\n\n" + "\n".join(f"- [{name}]({files[name]}): {briefs[name]}" for name in files)
        for title, files, briefs in parts
    )
    return (
        "# Runbooks\n\nAn alert's `runbook_url` and `cause_runbook_url` lead here.\n\n" + "\n\n".join(sections) + "\n"
    )


def _by(metric: str, attribute: str, condition: str, *by: str) -> str:
    labels = ", ".join(promql.label(name) for name in (attribute, *by))
    return f"sum by ({labels}) (increase({metric}{{{promql.label(attribute)}{condition}}}[1h]))"


def _http() -> str:
    status = promql.label(names.STATUS_CLASS)
    return f"sum by ({status}, {promql.label(names.OUTCOME)}) (increase({names.STREAMS.prometheus}[1h]))"


_SEVERITIES: Mapping[str, str] = {
    alerts.BURN: "page for a fast burn, ticket for a slow one",
    alerts.EXHAUSTED: "info",
    alerts.OBJECTIVE_ABSENT: "ticket",
    alerts.TELEMETRY_ABSENT: "page",
    alerts.LOW_TRAFFIC: "ticket",
    alerts.CANCEL: "page for a fast burn, ticket for a slow one",
    alerts.UNRECONCILED: "page",
}
