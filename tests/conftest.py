"""What the tests of the capture share: the provider, clients of the real SDKs, a gauge whose promises are checked."""

import gc
import os
import shutil
import ssl
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import anthropic
import httpx2
import openai
import pytest

from streamgauge.demo import Provider
from streamgauge.schema.check import Finding
from streamgauge.testing.watching import watching as watching_the_schema

pytest.register_assert_rewrite("tests.capture.watching")
from tests.capture.watching import Watch, watching  # noqa: E402 - its assertions are to explain themselves

TLS = ssl.create_default_context()
"""Made once: a TLS context costs more than all the rest of a client."""


def require(binary: str) -> str:
    """Path of a binary that a user would have; without it the test is skipped, or fails where everything must run."""
    path = shutil.which(binary)
    if path is None:
        reason = f"{binary} is not installed"
        if os.environ.get("STREAMGAUGE_REQUIRE_ALL") == "1" or os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    return path


@pytest.fixture(autouse=True)
def schema_checked() -> Iterator[list[Finding]]:
    """Whatever a test emits through the OpenTelemetry SDK keeps the trace schema."""
    with watching_the_schema() as found:
        yield found
    assert [str(finding) for finding in found if finding.rule != "span.dropped_events"] == []


@pytest.fixture(scope="session")
def provider() -> Iterator[Provider]:
    """A provider that goes wrong as the model's name says: `demo-reset`."""
    gc.collect()
    gc.freeze()  # collections in tests look at what tests made, not at the modules of two SDKs
    with Provider(defaults={"gap_ms": 0, "first_ms": 0, "stall_ms": 60, "retry_ms": 2}) as running:
        yield running
    gc.unfreeze()


@pytest.fixture(scope="session")
def clients(provider: Provider) -> Iterator[dict[str, Any]]:
    """Sync clients by SDK."""
    with (
        openai.OpenAI(base_url=provider.base_url(), api_key="k", max_retries=0) as one,
        anthropic.Anthropic(base_url=provider.base_url(api="anthropic"), api_key="k", max_retries=0) as two,
    ):
        yield {"openai": one, "anthropic": two}


def async_clients_of(provider: Provider) -> dict[str, Any]:
    """Async clients by SDK, for the event loop that runs."""
    pools = [httpx2.AsyncClient(verify=TLS, timeout=20) for _ in range(2)]
    return {
        "openai": openai.AsyncOpenAI(base_url=provider.base_url(), api_key="k", max_retries=0, http_client=pools[0]),
        "anthropic": anthropic.AsyncAnthropic(
            base_url=provider.base_url(api="anthropic"), api_key="k", max_retries=0, http_client=pools[1]
        ),
    }


@pytest.fixture
async def async_clients(provider: Provider) -> AsyncIterator[dict[str, Any]]:
    """Async clients by SDK."""
    made = async_clients_of(provider)
    yield made
    for client in made.values():
        await client.close()


@pytest.fixture
def gauge() -> Iterator[Watch]:
    """Everything instrumented, everything caught; afterwards `Watch.check`."""
    with watching() as watch:
        yield watch


@pytest.fixture
def observed() -> Iterator[Callable[..., Watch]]:
    """As `gauge`, with settings of the test's own: `observed(settings={...})`."""
    entered: list[Any] = []

    def enter(**given: Any) -> Watch:
        entered.append(watching(**given))
        watch: Watch = entered[-1].__enter__()
        return watch

    yield enter
    for context in reversed(entered):
        context.__exit__(None, None, None)
