"""Whether the stream's span is current during the request, and nothing but the request, is a setting."""

import httpx2
import openai
import pytest
from opentelemetry import trace
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.trace import TracerProvider

import streamgauge
from streamgauge.demo import Provider


@pytest.mark.parametrize("propagate", [True, False])
async def test_the_request_sees_the_streams_span_only_when_asked_for(provider: Provider, propagate: bool) -> None:
    seen: list[str] = []

    def note(_request: httpx2.Request) -> None:
        seen.append(trace.format_span_id(trace.get_current_span().get_span_context().span_id))

    async def note_async(request: httpx2.Request) -> None:
        note(request)

    settings = streamgauge.Settings(propagate=propagate)
    meters = MeterProvider()
    streamgauge.instrument(tracer_provider=TracerProvider(), meter_provider=meters, settings=settings)
    url = provider.base_url("healthy")
    with httpx2.Client(event_hooks={"request": [note]}) as pool:
        stream = openai.OpenAI(api_key="x", base_url=url, http_client=pool).chat.completions.create(
            model="m", messages=[], stream=True
        )
        handle = streamgauge.of(stream)
        assert not trace.get_current_span().get_span_context().is_valid
        list(stream)
    async with httpx2.AsyncClient(event_hooks={"request": [note_async]}) as apool:
        client = openai.AsyncOpenAI(api_key="x", base_url=url, http_client=apool)
        astream = await client.chat.completions.create(model="m", messages=[], stream=True)
        ahandle = streamgauge.of(astream)
        assert not trace.get_current_span().get_span_context().is_valid
        assert [chunk async for chunk in astream]
    streamgauge.uninstrument()
    meters.shutdown()
    assert handle is not None and handle.report is not None
    assert ahandle is not None and ahandle.report is not None
    own = [handle.report.span_id, ahandle.report.span_id]
    assert (seen == own) is propagate
