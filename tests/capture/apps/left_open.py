"""An application that reads a little of six streams and then ends, in one of several ways; spans go to a file."""

import os
import sys
from pathlib import Path
from typing import Any

import anthropic
import openai
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import ConsoleLogRecordExporter, SimpleLogRecordProcessor
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, ConsoleSpanExporter

import streamgauge

PROMPT: list[Any] = [{"role": "user", "content": "Which gauge?"}]


class OwnError(Exception):
    """What the application raises."""


url, way, spans = sys.argv[1:]
tracers, loggers = TracerProvider(), LoggerProvider()
written = Path(spans).open("w")  # noqa: SIM115 - open until the end, as this application's exporter is
tracers.add_span_processor(
    BatchSpanProcessor(ConsoleSpanExporter(out=written, formatter=lambda span: span.to_json(indent=None) + "\n"))
)
loggers.add_log_record_processor(SimpleLogRecordProcessor(ConsoleLogRecordExporter()))
streamgauge.instrument(tracer_provider=tracers, logger_provider=loggers)

one = openai.OpenAI(base_url=f"{url}/v1", api_key="k")
two = anthropic.Anthropic(base_url=url, api_key="k")
streams: list[Any] = [
    one.chat.completions.create(model="m", messages=PROMPT, stream=True),
    one.chat.completions.stream(model="m", messages=PROMPT).__enter__(),
    one.responses.create(model="m", input="Which gauge?", stream=True),
    one.responses.stream(model="m", input="Which gauge?").__enter__(),
    two.messages.create(model="m", messages=PROMPT, max_tokens=9, stream=True),
    two.messages.stream(model="m", messages=PROMPT, max_tokens=9).__enter__(),
]
for stream in streams:
    next(stream)
if way == "exit":
    sys.exit(3)
if way == "raise":
    raise OwnError
if way == "die":
    sys.stdout.flush()
    os._exit(9)
