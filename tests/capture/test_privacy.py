"""A canary in prompts, answers, tool arguments and exception messages: no signal carries it by default."""

import json
import logging
from pathlib import Path
from typing import Any

import anthropic
import httpx2
import openai
import pytest
from opentelemetry import trace
from tests.capture.surfaces import PLAIN, Surface
from tests.capture.trial import Trial, run
from tests.capture.watching import Watch, watching

import streamgauge
from streamgauge.demo import Provider

CANARY = "canary4711"
PROMPT: list[Any] = [{"role": "user", "content": f"Tell nobody of {CANARY}."}]
TOOLS = [{"name": "get_weather", "arguments": {"city": CANARY}}, {"name": "broken", "arguments": f'{{"{CANARY}": '}]
SCRIPT = {"text": f"The {CANARY} sings. " * 4, "reasoning": 0, "tools": TOOLS, "seed": 1}


def everything(watch: Watch, told: Path, said: list[logging.LogRecord]) -> str:
    """Every word that left, in one text."""
    words = [span.to_json() for span in watch.spans]
    words += [repr((span.status.description, span.events, span.links, dict(span.attributes))) for span in watch.spans]
    words += [log.log_record.to_json() if hasattr(log.log_record, "to_json") else repr(log) for log in watch.logs]
    words += [repr((name, points)) for name, points in watch.points().items()]
    words += [json.dumps(report.to_dict()) + repr(report) for report in watch.reports]
    words += [told.read_text()]
    words += [record.getMessage() + repr(record.exc_info) for record in said if record.name.startswith("streamgauge")]
    return "\n".join(words)


class CanaryTransport(httpx2.BaseTransport):
    """A network that fails with a message that nobody must see."""

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        if "fails" in str(request.content):
            raise httpx2.ConnectError(f"no way to {CANARY}")
        body = {"error": {"message": f"no {CANARY}", "type": f"no {CANARY} here", "code": f"bad {CANARY} code!"}}
        if "refuses" in str(request.content):
            return httpx2.Response(400, json={"type": "error", **body})
        events = f"event: error\ndata: {json.dumps({'type': 'error', **body})}\n\n".encode()
        return httpx2.Response(200, content=events, headers={"content-type": "text/event-stream"})


@pytest.mark.parametrize("mode", ["adaptive", "every"])
def test_no_content_leaves_with_any_stream(
    clients: dict[str, Any], tmp_path: Path, caplog: pytest.LogCaptureFixture, mode: str
) -> None:
    told = tmp_path / "reports.jsonl"
    settings = {"jsonl": str(told), "chunk_events": mode, "log_events": ("begin", "stall", "cancel", "end")}
    with watching(settings=settings) as watch, caplog.at_level(logging.DEBUG, "streamgauge"):
        for surface in PLAIN:
            script = {"extra_headers": {"x-streamgauge-script": json.dumps(SCRIPT)}}
            for fault in ("healthy", "truncated", "error_event", "malformed_tool"):
                asked = {"input": str(PROMPT)} if surface.api == "responses" else {"messages": PROMPT}
                trial = Trial(surface, clients[surface.sdk], fault, {**asked, **script})
                run(read_whole, trial)
        assert len(watch.reports) == 12
        assert any(report.characters.text for report in watch.reports)
        assert any(call.arguments_hash for report in watch.reports for call in report.tool_calls)
        assert CANARY not in everything(watch, told, caplog.records)


def read_whole(trial: Trial) -> None:
    options = {"model": f"demo-{trial.fault}", "stream": True, **trial.options}
    if trial.surface.api == "chat":
        trial.read(trial.client.chat.completions.create(**options))
    elif trial.surface.api == "responses":
        trial.read(trial.client.responses.create(**options))
    else:
        trial.read(trial.client.messages.create(max_tokens=9, **options))


@pytest.mark.parametrize("surface", PLAIN, ids=str)
def test_no_exception_message_leaves(surface: Surface, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    told = tmp_path / "reports.jsonl"
    made: Any = openai.OpenAI if surface.sdk == "openai" else anthropic.Anthropic
    with (
        made(api_key="k", max_retries=0, http_client=httpx2.Client(transport=CanaryTransport())) as client,
        watching(settings={"jsonl": str(told)}) as watch,
        caplog.at_level(logging.DEBUG, "streamgauge"),
    ):
        seen = []
        for model in ("fails", "refuses", "tells"):
            trial = Trial(surface, client)
            seen += run(lambda trial, model=model: trial.read(surface.call(client, model)), trial).seen  # type: ignore[misc]
        assert len(watch.reports) == 3
        assert CANARY in "".join(seen)
        assert {report.outcome.value for report in watch.reports} == {"failed"}
        assert CANARY not in everything(watch, told, caplog.records)


def test_exception_of_the_body_leaves_no_message_in_our_span(clients: dict[str, Any], tmp_path: Path) -> None:
    told = tmp_path / "reports.jsonl"
    with watching(settings={"jsonl": str(told)}) as watch:
        with pytest.raises(ValueError, match=CANARY), Trial(PLAIN[0], clients["openai"]).managed() as stream:
            next(stream)
            raise ValueError(CANARY)
        assert len(watch.reports) == 1
        assert CANARY not in everything(watch, told, [])


def test_iterator_of_text_leaves_no_text(tmp_path: Path) -> None:
    told = tmp_path / "reports.jsonl"
    with watching(settings={"jsonl": str(told)}) as watch:
        assert list(streamgauge.watch(iter([CANARY, CANARY]), provider="acme", model="m1")) == [CANARY] * 2

        def broken() -> Any:
            yield CANARY
            raise OSError(CANARY)

        with pytest.raises(OSError, match=CANARY):
            list(streamgauge.watch(broken(), provider="acme"))
        assert [report.outcome.value for report in watch.reports] == ["completed", "failed"]
        assert CANARY not in everything(watch, told, [])


def test_no_span_of_ours_is_current_during_the_request(provider: Provider, clients: dict[str, Any]) -> None:
    """So no trace header goes out to the provider unless the user wants it."""
    with watching() as watch:
        run(lambda trial: trial.read(trial.open()), Trial(PLAIN[0], clients["openai"]))
        assert "traceparent" not in provider.requests[-1].headers
        assert len(watch.reports) == 1
        assert not trace.get_current_span().is_recording()
