"""The registry under OpenTelemetry's own tool, where it is installed: its check, and its live check of what we emit."""

import json
import shutil
import subprocess
from collections.abc import Mapping
from typing import Any

import pytest
from tests.schema import emitted
from tests.schema.conftest import ROOT

from streamgauge.schema import model

pytestmark = pytest.mark.skipif(shutil.which("weaver") is None, reason="no weaver binary on PATH")


def weaver(*arguments: str) -> "subprocess.CompletedProcess[str]":
    """Weaver over our registry; it reads the folder of the conventions from the working directory."""
    registry = str(model.REGISTRY.relative_to(ROOT))
    command = ["weaver", "registry", *arguments, "-r", registry, "--v2"]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=100)


def test_the_check_passes():
    run = weaver("check")
    assert run.returncode == 0, run.stdout + run.stderr


def test_the_live_check_of_everything_emitted_has_no_violation(tmp_path):
    sent = emitted.emit(*emitted.REPORTS)
    samples = [{"span": span(one)} for one in sent.spans]
    samples += [{"log": log(one.log_record)} for one in sent.logs]
    samples += [
        {"metric": metric(one)}
        for resource in sent.metrics.resource_metrics
        for scope in resource.scope_metrics
        for one in scope.metrics
    ]
    source = tmp_path / "samples.json"
    source.write_text(json.dumps(samples))
    run = weaver("live-check", "--input-source", str(source), "--input-format", "json", "--fail-on", "violation")
    assert run.returncode == 0, run.stdout + run.stderr


def attributes(given: Mapping[str, Any] | None) -> list[dict[str, Any]]:
    return [{"name": key, "value": value} for key, value in (given or {}).items()]


def span(one: Any) -> dict[str, Any]:
    return {
        "name": one.name,
        "kind": one.kind.name.lower(),
        "status": {"code": one.status.status_code.name.lower(), "message": one.status.description or ""},
        "attributes": attributes(one.attributes),
        "span_events": [{"name": event.name, "attributes": attributes(event.attributes)} for event in one.events],
    }


def log(one: Any) -> dict[str, Any]:
    return {"event_name": one.event_name, "attributes": attributes(one.attributes)}


def metric(one: Any) -> dict[str, Any]:
    kind = model.current().metrics[one.name].instrument
    return {
        "name": one.name,
        "instrument": kind,
        "unit": one.unit,
        "data_points": [point(item) for item in one.data.data_points],
    }


def point(one: Any) -> dict[str, Any]:
    given = attributes(one.attributes)
    if hasattr(one, "bucket_counts"):
        bounds = {"bucket_counts": list(one.bucket_counts), "explicit_bounds": list(one.explicit_bounds)}
        return {"attributes": given, "count": one.count, "sum": one.sum, **bounds}
    return {"attributes": given, "value": one.value}
