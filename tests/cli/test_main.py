"""`python -m streamgauge` is the command, wherever its script is not on the path."""

import subprocess
import sys
from importlib.metadata import version


def said(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-W", "error", "-m", "streamgauge", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def test_it_says_its_version_and_its_commands() -> None:
    assert said("--version").stdout == f"streamgauge, version {version('streamgauge')}\n"
    told = said("--help")
    assert told.stdout.startswith("Usage: streamgauge ")
    assert {"demo", "doctor", "ledger", "schema", "slo"} <= set(told.stdout.split())


def test_a_wrong_command_is_told_by_the_same_name_and_status() -> None:
    told = said("diagnose")
    assert told.returncode == 2
    assert told.stderr.startswith("Usage: streamgauge ")
