"""`streamgauge doctor` on the command line: what it says of the process that it runs in, and of what is imported."""

import json
import sys
from pathlib import Path
from subprocess import CompletedProcess, run

import pytest


def said(*arguments: str, where: Path) -> CompletedProcess[str]:
    command = [sys.executable, "-m", "streamgauge", "doctor", *arguments]
    return run(command, capture_output=True, text=True, timeout=60, check=False, cwd=where)


def test_it_says_that_an_application_is_seen_by_its_modules_alone(tmp_path: Path) -> None:
    told = said(where=tmp_path)
    assert "not set up" in told.stdout
    assert told.stdout.splitlines()[-1].startswith("Seen in this process alone: --import MODULE")


def test_what_an_imported_module_sets_up_is_seen(tmp_path: Path) -> None:
    (tmp_path / "telemetry.py").write_text(
        "from opentelemetry import trace\n"
        "from opentelemetry.sdk.trace import TracerProvider\n"
        "trace.set_tracer_provider(TracerProvider())\n"
    )
    told = said("--import", "telemetry", where=tmp_path)
    assert "opentelemetry.sdk.trace.TracerProvider" in told.stdout
    assert "Seen in this process alone" not in told.stdout
    assert json.loads(said("--json", where=tmp_path).stdout)["providers"]["traces"] == "not set up"


@pytest.mark.parametrize(
    ("module", "raised"),
    [("absent", "ModuleNotFoundError: No module named 'absent'"), ("broken", "ImportError: no httpx")],
)
def test_a_module_that_cannot_be_imported_is_one_line_and_no_traceback(
    tmp_path: Path, module: str, raised: str
) -> None:
    (tmp_path / "broken.py").write_text("raise ImportError('no httpx')\n")
    told = said("--import", module, where=tmp_path)
    assert told.returncode == 2
    (line,) = told.stderr.splitlines()
    assert line.startswith(f"streamgauge: --import='{module}'")
    assert raised in line
    assert module == "absent" or "broken.py, line 1" in line
