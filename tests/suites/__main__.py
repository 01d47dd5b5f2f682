"""Runs the SDKs' own test suites bare and under `instrument()`, and compares which of their tests fail.

    python -m tests.suites [SDK==VERSION...] [-- PYTEST_ARGUMENT...]

Takes the suite from the source distribution, an environment from the matrix, and a mock server of its own for the
tests that need one. What fails newly is run once more, alone, both ways: suites have tests that depend on the clock.
Exit status 1 if a test fails with us and not without.
"""

import json
import os
import subprocess
import sys
import tarfile
import xml.etree.ElementTree as ElementTree
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.matrix.environments import CACHE, Environment, make

HERE = Path(__file__).parent
NEWEST = ("openai==3.54.0", "anthropic==2.12.0")
EXTRAS = {"openai": "aiohttp,realtime,datalib,bedrock", "anthropic": "aiohttp,bedrock,vertex,mcp"}
TOOLS = (
    "pytest", "pytest-asyncio", "pytest-xdist", "pytest-timeout", "inline-snapshot", "dirty-equals", "respx", "rich",
    "time-machine", "trio", "griffe", "nest_asyncio", "Pillow", "azure-identity", "boto3", "importlib-metadata",
    "http-snapshot[httpx]==0.1.9", "hypothesis",
)  # fmt: skip
"""What the suites import beside their SDK."""


@dataclass(frozen=True)
class Suite:
    """An SDK's tests, unpacked, and the Python that runs them."""

    sdk: str
    place: Path
    python: Path

    def run(self, where: str, *arguments: str, instrumented: bool = False) -> dict[tuple[str, str], bool]:
        """(class, test) -> whether it did not fail; skipped tests are left out."""
        with TemporaryDirectory() as told:
            xml = Path(told, "results.xml")
            command = [str(self.python), "-m", "pytest", "-q", "-p", "no:cacheprovider", "--tb=no", "--timeout=120"]
            command += ["-n", os.environ.get("STREAMGAUGE_SUITE_WORKERS", "2"), f"--junitxml={xml}", *arguments]
            environ = {**os.environ, "TEST_API_BASE_URL": where, "PYTHONDONTWRITEBYTECODE": "1"}
            if instrumented:
                command += ["-p", "instrumented"]
                environ |= {"PYTHONPATH": str(HERE), "STREAMGAUGE_SUITE_FACTS": told}
            subprocess.run(command, cwd=self.place, env=environ, stdout=sys.stderr)
            if not xml.exists():
                raise SystemExit(f"{self.sdk}: pytest ran no test, see above")
            if instrumented:
                print(f"  observed: {_facts(Path(told))}")
            results = dict(_cases(xml))
            if not results:
                raise SystemExit(f"{self.sdk}: no test was run, see above")
            return results

    def node(self, case: tuple[str, str]) -> str:
        """The argument by which pytest knows a test."""
        module, parts = case[0].split("."), list[str]()
        while module and not (self.place / Path(*module)).with_suffix(".py").is_file():
            parts.insert(0, module.pop())
        return "::".join([f"{Path(*module)}.py", *parts, case[1]])


def _facts(place: Path) -> str:
    outcomes: Counter[str] = Counter()
    errors: Counter[str] = Counter()
    for file in place.glob("*.json"):
        facts = json.loads(file.read_text())
        outcomes.update(facts["outcomes"])
        errors.update(facts["errors"])
    return f"{outcomes.total()} streams, {dict(outcomes)}; errors of ours: {dict(errors)}"


def _cases(xml: Path) -> Iterator[tuple[tuple[str, str], bool]]:
    for case in ElementTree.parse(xml).iter("testcase"):
        ends = {child.tag for child in case}
        if "skipped" not in ends:
            yield (case.get("classname", ""), case.get("name", "")), not ends & {"failure", "error"}


def unpacked(requirement: str) -> Suite:
    """The suite of one version of an SDK."""
    sdk = requirement.partition("==")[0]
    extras = EXTRAS.get(sdk, "")
    python = make(
        Environment(f"suite-{requirement.replace('==', '-')}", (requirement.replace("==", f"[{extras}]=="), *TOOLS))
    )
    place = CACHE / "suites"
    archive = place / f"{requirement.replace('==', '-')}.tar.gz"
    if not archive.exists():
        pip = (sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--no-binary", sdk)
        subprocess.run([*pip, "--dest", str(place), requirement], check=True)
    folder = place / archive.name.removesuffix(".tar.gz")
    if not folder.exists():
        with tarfile.open(archive) as files:
            files.extractall(place, filter="data")
    return Suite(sdk, folder, python)


@contextmanager
def mocked(suite: Suite) -> Iterator[str]:
    """The address of a mock server of the SDK's API."""
    command = [str(suite.python), str(HERE / "mock.py"), suite.sdk, str(suite.place / "api.md")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        try:
            yield f"http://127.0.0.1:{server.stdout.readline().strip()}"
        finally:
            server.terminate()


def compared(suite: Suite, arguments: list[str]) -> set[str]:
    """Tests that fail with us and not without."""
    with mocked(suite) as where:
        bare = suite.run(where, *arguments)
        ours = suite.run(where, *arguments, instrumented=True)
        newly = sorted(suite.node(case) for case, passed in bare.items() if passed and not ours.get(case, False))
        again = suite.run(where, *newly, instrumented=True) if newly else {}
    failing = {suite.node(case) for case, passed in again.items() if not passed}
    fail = [sum(not passed for passed in results.values()) for results in (bare, ours)]
    print(f"{suite.place.name}: {len(bare)} tests; {fail[0]} fail without us, {fail[1]} with us")
    print(f"  newly {len(newly)}, of which again when run alone {len(failing)}")
    return failing


def main(arguments: list[str]) -> int:
    """Every suite that is named, or the newest of both SDKs."""
    split = arguments.index("--") if "--" in arguments else len(arguments)
    failing = [
        test for name in arguments[:split] or NEWEST for test in compared(unpacked(name), arguments[split + 1 :])
    ]
    print(*failing, sep="\n")
    return int(bool(failing))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
