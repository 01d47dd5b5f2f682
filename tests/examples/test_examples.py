"""Every example runs as its user would run it, against the demo provider, and says what it should."""

import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from streamgauge.demo import Provider

EXAMPLES = Path(__file__).parents[2] / "examples"

SAYS = {
    "every_client.py": r"completed after .* s, first text after .* s\n  \d+ chunks, \d+ characters, findings: none",
    "one_client_async.py": r"completed, \d+ tokens reported",
    "stop_button.py": r"cancelled by user_stop while (responding|waiting)\n\d+ characters had been shown",
    "any_iterator.py": r"truncated",
    "prometheus_metrics.py": r'streamgauge_streams_total\{.*streamgauge_outcome="completed".*\} 1\.0',
    "unmodified_app.py": r"done",
    "invoice_stop.py": r"partial_commit",
}


@pytest.fixture(scope="module")
def provider() -> Iterator[Provider]:
    with Provider(defaults={"pieces": 200, "gap_ms": 1}) as running:
        yield running


def run(command: list[str], provider: Provider, cwd: Path, **variables: str) -> str:
    environment = {
        **os.environ,
        "OPENAI_API_KEY": "x",
        "ANTHROPIC_API_KEY": "x",
        "OPENAI_BASE_URL": provider.base_url("healthy"),
        "ANTHROPIC_BASE_URL": provider.base_url("healthy", api="anthropic"),
        **variables,
    }
    done = subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    return done.stdout


def free_port() -> str:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return str(found.getsockname()[1])


@pytest.mark.parametrize("name", sorted(path.name for path in EXAMPLES.glob("*.py")))
def test_an_example_runs_and_says_what_it_should(name: str, provider: Provider, tmp_path: Path) -> None:
    said = run([sys.executable, str(EXAMPLES / name)], provider, tmp_path, PORT=free_port())
    assert re.search(SAYS[name], said), said


def test_auto_instrumentation_catches_an_application_that_knows_nothing_of_us(
    provider: Provider, tmp_path: Path
) -> None:
    instrument = str(Path(sys.executable).with_name("opentelemetry-instrument"))
    script = str(EXAMPLES / "unmodified_app.py")
    said = run(
        [instrument, "--traces_exporter", "console", "--metrics_exporter", "none", "--logs_exporter", "none",
         sys.executable, script],
        provider,
        tmp_path,
    )  # fmt: skip
    assert '"name": "chat gpt-5"' in said
    assert '"streamgauge.outcome": "completed"' in said
