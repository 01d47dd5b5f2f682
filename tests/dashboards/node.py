"""The npm packages that type and draw dashboards: found in the cache, or skipped with a reason."""

import functools
import os
import shutil
import subprocess
from pathlib import Path

import pytest
from tests.dashboards.reading import REPOSITORY

SOURCES = Path(__file__).parent / "typescript"
CACHE = REPOSITORY / ".ci" / "cache" / "grafana"


def missing(reason: str) -> None:
    """Skip, or fail where nothing may be missing."""
    if os.environ.get("STREAMGAUGE_REQUIRE_ALL") == "1":
        pytest.fail(reason)
    pytest.skip(reason)


@functools.cache
def modules() -> Path:
    """The cache directory that holds `node_modules` of this very package.json."""
    installed, wanted = CACHE / "installed.json", SOURCES / "package.json"
    if not shutil.which("node") or not installed.exists() or installed.read_bytes() != wanted.read_bytes():
        missing("npm packages are missing: run tests/dashboards/typescript/install.sh .ci/cache")
    return CACHE


def run(tool: str, *arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    """A program of the cache's node_modules."""
    program = modules() / "node_modules" / ".bin" / tool
    return subprocess.run([str(program), *arguments], capture_output=True, text=True, cwd=cwd, timeout=110)
