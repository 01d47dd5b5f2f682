"""Everything that this process emits through the OpenTelemetry SDK, checked against the trace schema while it happens.

For a whole test suite, as an autouse fixture:

    @pytest.fixture(autouse=True)
    def schema_checked():
        with watching() as found:
            yield found
        assert [str(finding) for finding in found] == []

Comes in: every span that ends, every log record, every collection of metrics, whatever the exporter or reader. Goes
out: findings.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import wraps
from typing import Any

from opentelemetry.sdk._logs._internal import SynchronousMultiLogRecordProcessor
from opentelemetry.sdk.metrics._internal.measurement_consumer import SynchronousMeasurementConsumer
from opentelemetry.sdk.trace import SynchronousMultiSpanProcessor

from streamgauge.schema.check import Finding
from streamgauge.testing.signals import check_logs, check_metrics, check_spans


@contextmanager
def watching() -> Iterator[list[Finding]]:
    """A list that fills with findings until the block is left."""
    found: list[Finding] = []
    with ExitStack() as stack:
        for owner, method, check in (
            (SynchronousMultiSpanProcessor, "on_end", lambda _, span: check_spans([span])),
            (SynchronousMultiLogRecordProcessor, "on_emit", lambda _, record: check_logs([record])),
            (SynchronousMeasurementConsumer, "collect", lambda data, *_: check_metrics(data)),
        ):
            stack.enter_context(_tapped(owner, method, check, found))
        yield found


@contextmanager
def _tapped(owner: Any, method: str, check: Callable[..., list[Finding]], found: list[Finding]) -> Iterator[None]:
    """`owner.method` also tells `check` what it returned and what it was given."""
    original = getattr(owner, method)

    @wraps(original)
    def tapped(self: Any, *args: Any, **named: Any) -> Any:
        result = original(self, *args, **named)
        found.extend(check(result, *args))
        return result

    setattr(owner, method, tapped)
    try:
        yield
    finally:
        setattr(owner, method, original)
