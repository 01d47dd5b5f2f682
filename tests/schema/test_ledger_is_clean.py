"""What a real ledger tells, as signals and as records, keeps the schema."""

import json

import pytest
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from tests.ledger.conftest import HandClock

from streamgauge.ledger.ledger import Ledger
from streamgauge.names import Phase
from streamgauge.schema.check import Checker
from streamgauge.settings import Settings
from streamgauge.signals import Signals
from streamgauge.testing.watching import watching


@pytest.fixture
def clock():
    return HandClock()


@pytest.fixture
def told(tmp_path, clock):
    """A ledger whose facts become signals, all of them watched; afterwards every record and signal is checked."""
    providers = TracerProvider(), LoggerProvider(), MeterProvider([InMemoryMetricReader()])
    tracers, loggers, meters = providers
    signals = Signals(
        Settings(),
        lambda: [(Phase.WAITING, 0.0)],
        tracer_provider=tracers,
        meter_provider=meters,
        logger_provider=loggers,
    )
    with watching() as found, Ledger(f"sqlite:///{tmp_path}/effects.db", clock=clock) as ledger:
        ledger.on_change(signals.effects(ledger))
        yield ledger
        records = list(ledger.reconciliations())
        for provider in providers:
            provider.force_flush()
            provider.shutdown()
    one = Checker()
    for record in records:
        found += one.line(json.dumps(record).encode())
    assert [str(finding) for finding in found] == []
    assert one.seen["records"] == len(records) > 0


def stream(ledger: Ledger, ref: str, outcome: str, *, cancelled: bool = False, tool: str | None = None) -> None:
    ledger.begin_stream(ref)
    if tool is not None:
        with ledger.effect(tool, kind="external_message", stream=ref, args={"invoice": ref}) as effect:
            effect.committed("250 OK")
    if cancelled:
        ledger.cancel(ref, "user_stop")
    ledger.end_stream(ref, outcome)


def test_streams_that_completed_or_were_stopped_with_an_effect_or_without(told):
    stream(told, "s-consistent", "completed", tool="send")
    stream(told, "s-partial", "cancelled", cancelled=True, tool="send")
    stream(told, "s-clean", "cancelled", cancelled=True)
    told.reconcile()
    verdicts = {record["stream"]: record["verdict"] for record in told.reconciliations()}
    assert verdicts["s-consistent"] == "consistent"
    assert verdicts["s-partial"] == "partial_commit"


def test_an_effect_that_a_probe_found_and_a_tool_call_that_nobody_declared(told, clock):
    told.begin_stream("s-dark", trace={"trace_id": "ab" * 16, "span_id": "cd" * 8})
    told.observe_tool_call("s-dark", "call_1", "search", complete=True)
    with pytest.raises(TimeoutError), told.effect("pay", kind="payment", stream="s-dark", args={"amount": 3}):
        raise TimeoutError
    told.end_stream("s-dark", "completed")
    told.probe("pay", lambda _entry: True)
    clock.turn(3600)
    told.reconcile()
    (record,) = told.reconciliations(stream="s-dark")
    assert {effect["state"] for effect in record["effects"]} == {"reconciled_committed"}
    assert [call["state"] for call in record["undeclared"]] == ["undeclared"]
