"""`streamgauge doctor` where six other instrumentations are installed and two of them are active."""

import json
import os
import subprocess
from collections.abc import Callable
from typing import Any

import pytest
from tests.matrix.conftest import Job
from tests.matrix.environments import BESIDE, make

JOB: Job = (BESIDE, "doctoring.py", ())
ACTIVE = {("anthropic", "OpenLLMetry"), ("openai", "OpenInference")}


def _states(diagnosis: dict[str, Any]) -> dict[tuple[str, str], str]:
    return {(other["sdk"], other["name"]): other["state"] for other in diagnosis["instrumentations"]}


@pytest.mark.parametrize("job", [JOB], ids=["two"])
def test_what_is_active_is_told_from_what_is_installed(told_by: Callable[[Job], dict[str, Any]], job: Job) -> None:
    told = told_by(job)
    names = ("OpenInference", "OpenTelemetry GenAI", "OpenLLMetry")
    products = [(sdk, name) for sdk in ("anthropic", "openai") for name in names]
    before, after = _states(told["calm"]), _states(told["active"])
    assert {key: before[key] for key in products} == dict.fromkeys(products, "installed")
    assert {key for key in products if after[key] == "active"} == ACTIVE
    assert after["anthropic", "the SDK's own tracing"] == "active"


@pytest.mark.parametrize("job", [JOB], ids=["two"])
def test_advice_names_what_doubles_the_spans_and_how_it_is_switched_off(
    told_by: Callable[[Job], dict[str, Any]], job: Job
) -> None:
    first, second = told_by(job)["active"]["advice"][:2]
    assert first.startswith("every anthropic call has a second span, by OpenLLMetry: ")
    assert "leave out opentelemetry.instrumentation.anthropic.AnthropicInstrumentor().instrument()" in first
    assert second.startswith("every openai call has a second span, by OpenInference: ")
    assert "under opentelemetry-instrument, set OTEL_PYTHON_DISABLED_INSTRUMENTATIONS=" in second
    (names,) = {advice.rpartition("=")[2] for advice in told_by(job)["active"]["advice"]}
    assert set(names.split(",")) == {"openai", "anthropic"}  # one variable for all of them, not one after the other


@pytest.mark.parametrize(("disabled", "status"), [("", 1), ("openai,anthropic", 0)])
def test_exit_status_says_whether_there_is_something_to_do(disabled: str, status: int) -> None:
    environ = {**os.environ, "OTEL_PYTHON_DISABLED_INSTRUMENTATIONS": disabled}
    command = [str(make(BESIDE)), "-m", "streamgauge", "doctor", "--json"]
    done = subprocess.run(command, capture_output=True, text=True, env=environ, timeout=60)
    told = json.loads(done.stdout)
    assert (done.returncode, told["healthy"]) == (status, status == 0)
    assert [sdk["state"] for sdk in told["sdks"]] == ["supported", "supported"]
