"""An unmodified application under `opentelemetry-instrument`; and the span that the Anthropic SDK makes by itself."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import anthropic
import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from tests.capture.surfaces import SURFACES, Surface
from tests.capture.trial import Trial, aexhaust, arun, exhaust, run
from tests.capture.watching import Watch, watching
from tests.conftest import require

from streamgauge import names
from streamgauge.demo import Provider
from streamgauge.names import Outcome

APP = Path(__file__).parent / "apps" / "plain.py"
OWN = "com.anthropic.sdk.python"
ANTHROPIC = tuple(surface for surface in SURFACES if surface.sdk == "anthropic")


def objects(text: str) -> list[dict[str, Any]]:
    """The JSON objects in a text, one after another, whatever is between them."""
    decoder, found, place = json.JSONDecoder(), [], 0
    while (place := text.find("{", place)) >= 0:
        value, place = decoder.raw_decode(text, place)
        found.append(value)
    return found


def ran(*command: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, env={**os.environ, **environment}, capture_output=True, text=True, timeout=100, check=False
    )


def test_unmodified_application_is_caught_by_opentelemetry_instrument(provider: Provider) -> None:
    wrapper = Path(sys.executable).with_name("opentelemetry-instrument")
    done = ran(
        str(wrapper) if wrapper.exists() else require("opentelemetry-instrument"),
        *("--traces_exporter", "console", "--metrics_exporter", "console", "--logs_exporter", "none"),
        sys.executable,
        str(APP),
        provider.url,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    bare = ran(sys.executable, str(APP), provider.url).stdout.splitlines()
    assert [line for line in done.stdout.splitlines() if line in bare] == bare
    told = objects(done.stdout)
    spans = [span for span in told if "span_id" in json.dumps(span.get("context", {}))]
    ours = {
        span["attributes"][names.REQUEST_MODEL]: span["attributes"][names.OUTCOME]
        for span in spans
        if names.OUTCOME in span["attributes"]
    }
    assert ours == {
        "m-chat": "completed",
        "m-async": "completed",
        "m-create": "completed",
        "m-stream": "completed",
        "m-left": "cancelled",
    }
    models = [span["attributes"].get(names.REQUEST_MODEL) for span in spans]
    assert sorted(model for model in models if model != "m-whole") == sorted(ours)
    metrics = {
        metric["name"]
        for data in told
        for resource in data.get("resource_metrics", ())
        for scope in resource["scope_metrics"]
        for metric in scope["metrics"]
    }
    assert {names.STREAMS.name, names.TTFT_SECONDS.name, names.OPERATION_DURATION.name} <= metrics


# the SDK's own span


@pytest.fixture
def traced() -> tuple[TracerProvider, InMemorySpanExporter]:
    tracers, spans = TracerProvider(), InMemorySpanExporter()
    tracers.add_span_processor(SimpleSpanProcessor(spans))
    return tracers, spans


def one_llm_span(watch: Watch, outcome: Outcome) -> None:
    """Exactly one span says what a model did, and it is ours."""
    scopes = [span.instrumentation_scope.name for span in watch.spans]
    assert scopes.count(names.SCOPE) == 1
    assert OWN not in scopes
    watch.one(outcome)


@pytest.mark.parametrize("surface", ANTHROPIC, ids=str)
@pytest.mark.parametrize("fault", ["healthy", "truncated", "rate_limited", "reset"])
def test_anthropics_own_span_gives_way_to_ours(
    provider: Provider, monkeypatch: pytest.MonkeyPatch, surface: Surface, fault: str
) -> None:
    with watching() as watch:
        monkeypatch.setattr("opentelemetry.trace._TRACER_PROVIDER", watch.tracers)
        with anthropic.Anthropic(base_url=provider.base_url(api="anthropic"), api_key="k", max_retries=0) as client:
            run(exhaust, Trial(surface, client, fault))
        outcomes = {"healthy": Outcome.COMPLETED, "truncated": Outcome.TRUNCATED}
        one_llm_span(watch, outcomes.get(fault, Outcome.FAILED))


@pytest.mark.parametrize("surface", ANTHROPIC, ids=str)
async def test_anthropics_own_span_of_an_async_call_gives_way_to_ours(
    provider: Provider, monkeypatch: pytest.MonkeyPatch, surface: Surface
) -> None:
    with watching() as watch:
        monkeypatch.setattr("opentelemetry.trace._TRACER_PROVIDER", watch.tracers)
        async with anthropic.AsyncAnthropic(base_url=provider.base_url(api="anthropic"), api_key="k") as client:
            await arun(aexhaust, Trial(surface, client))
        one_llm_span(watch, Outcome.COMPLETED)


def test_anthropics_own_span_gives_way_also_where_the_client_was_given_a_tracer_provider(
    provider: Provider, gauge: Watch, traced: tuple[TracerProvider, InMemorySpanExporter]
) -> None:
    tracers, spans = traced
    asked: dict[str, Any] = {"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "x"}]}
    chosen: Any = {"traces": {"enabled": True}, "tracer_provider": tracers}
    with anthropic.Anthropic(base_url=provider.base_url(api="anthropic"), api_key="k", open_telemetry=chosen) as client:
        list(client.messages.create(stream=True, **asked))
        assert spans.get_finished_spans() == ()
        gauge.one(Outcome.COMPLETED)
        client.messages.create(**asked)
    assert [span.instrumentation_scope.name for span in spans.get_finished_spans() if span.instrumentation_scope] == [
        OWN
    ]
    tracers.shutdown()


def test_anthropics_own_span_stays_for_calls_that_we_do_not_observe(
    provider: Provider, monkeypatch: pytest.MonkeyPatch, traced: tuple[TracerProvider, InMemorySpanExporter]
) -> None:
    tracers, spans = traced
    monkeypatch.setattr("opentelemetry.trace._TRACER_PROVIDER", tracers)
    asked: dict[str, Any] = {"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "x"}]}
    with anthropic.Anthropic(base_url=provider.base_url(api="anthropic"), api_key="k") as client:
        list(client.messages.create(stream=True, **asked))
        bare = [span.instrumentation_scope.name for span in spans.get_finished_spans() if span.instrumentation_scope]
        assert bare.count(OWN) == 1
        with watching() as watch:
            client.messages.create(**asked)
            assert watch.reports == []
        list(client.messages.create(stream=True, **asked))
    scopes = [span.instrumentation_scope.name for span in spans.get_finished_spans() if span.instrumentation_scope]
    assert scopes.count(OWN) == 3
    tracers.shutdown()
