"""An application as users have it: the real SDK, `streamgauge.configure()`, the OTEL_* variables, orders on stdin.

Each line of input is `{"do": NAME, ...}`, each line of output what came of it. Nothing here knows of the collector.
"""

import hashlib
import json
import sys
from collections.abc import Callable, Iterable
from typing import Any

from openai import OpenAI
from opentelemetry import _logs, metrics, trace
from opentelemetry._logs import LogRecord

import streamgauge
from streamgauge import ledger as ledgers
from streamgauge import names
from streamgauge.demo import Provider

QUESTION: Any = [{"role": "user", "content": "my mail is ann@example.com"}]
TOOLS: Any = [{"type": "function", "function": {"name": "get_weather", "parameters": {"type": "object"}}}]


class Application:
    """Does what it is told and says what it got."""

    def __init__(self, provider: Provider) -> None:
        self._provider = provider

    def read(self, faults: list[str], under_one_span: bool = False) -> list[dict[str, Any]]:
        """One stream per fault, read to its end; `under_one_span` makes them one trace."""
        if not under_one_span:
            return [self._stream(fault) for fault in faults]
        with trace.get_tracer("application").start_as_current_span("turn"):
            return [self._stream(fault) for fault in faults]

    def _stream(self, fault: str) -> dict[str, Any]:
        digest, chunks, error = hashlib.sha256(), 0, None
        with OpenAI(base_url=self._provider.base_url(fault), api_key="k", max_retries=0) as client:
            try:
                for chunk in client.chat.completions.create(
                    model=f"demo-{fault}", messages=QUESTION, tools=TOOLS, stream=True,
                    stream_options={"include_usage": True},
                ):  # fmt: skip
                    chunks += 1
                    digest.update(repr([_content(choice.delta) for choice in chunk.choices]).encode())
            except Exception as raised:  # its kind is part of what the application notices
                error = type(raised).__name__
        return {"fault": fault, "chunks": chunks, "digest": digest.hexdigest(), "error": error}

    def stop(self) -> dict[str, Any]:
        """A user presses Stop after the second chunk."""
        base_url = self._provider.base_url("healthy", pieces=50, gap_ms=5)
        with OpenAI(base_url=base_url, api_key="k", max_retries=0) as client:
            stream = client.chat.completions.create(model="demo-healthy", messages=QUESTION, stream=True)
            chunks = 0
            for _chunk in stream:
                chunks += 1
                if chunks == 2:
                    streamgauge.cancel(stream, "user_stop")
        return {"chunks": chunks}

    def act(self) -> dict[str, Any]:
        """Streams that fit their effects, one whose tool ran although the answer was stopped, and an approval."""
        ledger = ledgers.current_ledger()
        assert ledger is not None
        self.read(["healthy"])  # from a stream on, the signals listen to the ledger
        verdicts: list[str] = []
        ledger.on_change(lambda fact: verdicts.append(fact.record.verdict.value) if hasattr(fact, "record") else None)
        for number in range(10):
            ledger.begin_stream(f"whole-{number}")
            with ledger.effect("get_weather", kind="read", key=f"w{number}", stream=f"whole-{number}") as effect:
                effect.committed("sunny")
            ledger.end_stream(f"whole-{number}", "completed")
        ledger.begin_stream("stopped")
        with ledger.effect("send_mail", kind="external_message", key="m", stream="stopped") as effect:
            effect.committed("sent")
        ledger.cancel("stopped", "user_stop")
        ledger.end_stream("stopped", "cancelled", "user_stop", "responding")
        self._approve(ledger)
        ledger.reconcile()
        return {"verdicts": verdicts}

    def _approve(self, ledger: Any) -> None:
        policy = ledgers.Policy("confirm", expires_after=60)
        try:
            with ledger.effect("charge", kind="payment", key="c", policy=policy) as effect:
                effect.committed()
        except ledgers.ApprovalRequired:
            ledger.approve("c", "ann")

    def leak(self) -> None:
        """What another instrumentation might send: content in spans, span events, status and log events."""
        content = {"gen_ai.input.messages": "SECRET question", "note": "key sk-abcdefghijklmnop1234 of ann@example.com"}
        with trace.get_tracer("elsewhere").start_as_current_span("leaky", attributes=content) as span:
            span.add_event("gen_ai.choice", {"gen_ai.output.messages": "SECRET answer"})
            span.set_status(trace.StatusCode.ERROR, "SECRET reason")
            span.record_exception(ValueError("SECRET exception"))
        effect = {
            names.EFFECT_KEY: "ann@example.com",
            names.EFFECT_STATE: "committed",
            names.EFFECT_CLASS: "external_message",
            names.TOOL_NAME: "send_mail",
        }
        _logs.get_logger("elsewhere").emit(
            LogRecord(event_name=names.EVENT_EFFECT, attributes={**content, **effect}, body="of ann@example.com")
        )

    def flush(self) -> None:
        """Send everything now, as far as anybody takes it."""
        streamgauge.flush()
        for each in (trace.get_tracer_provider(), _logs.get_logger_provider(), metrics.get_meter_provider()):
            each.force_flush()  # type: ignore[union-attr]

    def obey(self, orders: Iterable[str]) -> None:
        """Take orders until the input ends."""
        for line in orders:
            order = json.loads(line)
            action: Callable[..., Any] = getattr(self, order.pop("do"))
            print(json.dumps(action(**order)), flush=True)


def _content(delta: Any) -> Any:
    return delta.content, [(call.function.name, call.function.arguments) for call in delta.tool_calls or ()]


def main() -> None:
    streamgauge.configure(otlp=True)
    with Provider(defaults={"gap_ms": 0, "first_ms": 0, "stall_ms": 300, "pieces": 12}) as provider:
        print(json.dumps("ready"), flush=True)
        Application(provider).obey(sys.stdin)


if __name__ == "__main__":
    main()
