"""The environments of the matrix, as a table, and how one is made: a venv in the cache, filled by pip from names.

streamgauge comes from the checkout: a `.pth` file points to its sources, as an editable install does. An environment
that is there already is used as it is; its directory is named after its requirements, so a changed row makes a new one.
"""

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
CACHE = Path(os.environ.get("STREAMGAUGE_MATRIX_CACHE") or ROOT / ".ci" / "cache" / "matrix")
OURS = (
    "click>=8.1",
    "opentelemetry-api>=1.40,<2",
    "opentelemetry-instrumentation>=0.60b0",
    "opentelemetry-sdk>=1.40,<2",
    "packaging>=23",
    "PyYAML>=6",
    "wrapt>=1.17,<3",
)
"""What streamgauge itself depends on."""


@dataclass(frozen=True)
class Environment:
    """One row: a name and what pip installs beside streamgauge's own dependencies."""

    name: str
    requirements: tuple[str, ...]

    def __str__(self) -> str:
        return self.name


def sdks(openai: str, anthropic: str, *more: str) -> Environment:
    """An environment of two SDKs of these versions."""
    requirements = (f"openai=={openai}", f"anthropic=={anthropic}", *more)
    return Environment(f"openai-{openai}-anthropic-{anthropic}", requirements)


# openai before 1.55.3 passes an argument that httpx took out in 0.28: whoever has one has an older httpx, too
OLDEST = sdks("1.26.0", "0.51.0", "httpx<0.28")
BEYOND = sdks("1.25.2", "0.50.0", "httpx<0.28")
SDKS = (
    OLDEST,
    sdks("1.66.0", "0.75.0"),
    sdks("1.109.1", "0.125.0"),
    sdks("2.0.0", "1.0.0"),
    sdks("2.54.0", "1.17.0"),
    sdks("3.0.0", "2.0.0"),
    sdks("3.54.0", "2.12.0"),
)
"""Oldest supported, a milestone in the middle, then the newest minor of each major and the first of the next."""

BESIDE = Environment(
    "beside",
    (
        "openai==3.54.0",
        "anthropic==2.12.0",
        "opentelemetry-instrumentation-genai-openai==1.3b0",
        "opentelemetry-instrumentation-genai-anthropic==1.3b0",
        "openinference-instrumentation-openai==0.1.66",
        "openinference-instrumentation-anthropic==3.1.0",
        "opentelemetry-instrumentation-openai==0.62.4",
        "opentelemetry-instrumentation-anthropic==0.62.4",
    ),
)
FRAMEWORKS = Environment(
    "frameworks",
    (
        "openai==3.54.0",
        "anthropic==2.12.0",
        "langchain-openai==1.7.3",
        "langchain-anthropic==1.7.7",
        "openai-agents==0.24.0",
        "pydantic-ai-slim[openai,anthropic]==2.68.0",
    ),
)
OLDER_FRAMEWORKS = Environment(
    "older-frameworks", ("litellm==1.106.2", "instructor==1.17.0", "anthropic==2.12.0", "mcp")
)
"""These do not go with the newest SDKs: litellm wants openai below 3, instructor an older jiter."""


def make(environment: Environment) -> Path:
    """The Python of the environment, which is made first if it is not there."""
    wanted = "\n".join((sys.version, *OURS, *environment.requirements))
    place = CACHE / f"{environment.name}-{hashlib.sha256(wanted.encode()).hexdigest()[:12]}"
    CACHE.mkdir(parents=True, exist_ok=True)
    (CACHE / ".gitignore").write_text("*\n")
    with (CACHE / f"{place.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (place / "made").exists():
            shutil.rmtree(place, ignore_errors=True)
            _fill(place, environment)
            (place / "made").touch()
        _point(next(place.glob("lib/python*/site-packages")) / "streamgauge.pth", f"{ROOT / 'src'}\n")
    return place / "bin" / "python"


def _point(file: Path, to: str) -> None:
    """A job that starts meanwhile must find the whole line."""
    if not file.exists() or file.read_text() != to:
        new = file.with_suffix(".new")
        new.write_text(to)
        new.replace(file)


def _fill(place: Path, environment: Environment) -> None:
    python = place / "bin" / "python"
    _run(sys.executable, "-m", "venv", "--without-pip", str(place))
    pip = (sys.executable, "-m", "pip", "--python", str(python), "--disable-pip-version-check")
    _run(*pip, "install", "--quiet", "--no-compile", "--prefer-binary", *OURS, *environment.requirements)


def _run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)} failed:\n{done.stdout}{done.stderr}")
