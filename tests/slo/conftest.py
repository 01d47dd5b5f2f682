"""The real binaries of both Prometheus majors: found, or skipped with a reason."""

import functools
import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
PROGRAMS = ("prometheus", "promtool", "alertmanager", "amtool")


@dataclass(frozen=True)
class Tools:
    """The programs of one major."""

    major: int
    prometheus: str
    promtool: str
    alertmanager: str
    amtool: str

    def run(self, *command: str | Path, cwd: Path | None = None) -> str:
        """Output of a program that must succeed."""
        done = subprocess.run([str(part) for part in command], capture_output=True, text=True, cwd=cwd, timeout=500)
        assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
        return done.stdout + done.stderr


@pytest.fixture(scope="session", params=(2, 3), ids=lambda major: f"prometheus-{major}")
def tools(request) -> Tools:
    return find_tools(request.param)


@functools.cache
def find_tools(major: int) -> Tools:
    for directory in filter(None, _directories(major)):
        found = {program: path for program in PROGRAMS if (path := _find(directory, program))}
        if len(found) == len(PROGRAMS) and _major_of(found["prometheus"]) == major:
            return Tools(major, **found)
    reason = f"Prometheus {major}.x with promtool, Alertmanager and amtool is missing: run .ci/prometheus.sh .ci/cache"
    if os.environ.get("STREAMGAUGE_REQUIRE_ALL") == "1":
        pytest.fail(reason)
    pytest.skip(reason)


def _directories(major: int) -> list[str]:
    cache = REPOSITORY / ".ci" / "cache" / f"prometheus-{major}" / "usr" / "bin"
    return [
        os.environ.get(f"STREAMGAUGE_PROMETHEUS_{major}", ""),
        str(cache),
        *os.environ.get("PATH", "").split(os.pathsep),
    ]


def _find(directory: str, program: str) -> str | None:
    return shutil.which(program, path=directory) or shutil.which(f"prometheus-{program}", path=directory)


def _major_of(prometheus: str) -> int:
    version = subprocess.run([prometheus, "--version"], capture_output=True, text=True, timeout=20)
    return int((version.stdout + version.stderr).split("version ")[1].split(".")[0])
