"""Takes protecting code away, one mutation at a time, and looks whether the tests that hold the promise fail.

    python -m tests.mutations [--list] [--matrix] [WORD...]

Works on a copy of the checkout, never in it. With words, only the promises that contain one of them are tried. Rows
whose tests need the matrix's environments (minutes to make) are left out without `--matrix`. Exit status 1 if a
mutation survived, or if a test that is to fail did not pass before.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterable
from pathlib import Path

from tests.mutations.table import MATRIX, TABLE, Mutation

ROOT = Path(__file__).parents[2]
PATIENCE = 1800
Results = dict[tuple[str, str], bool]
"""(module, test) -> whether it passed."""


def main(arguments: list[str]) -> int:
    words = [word.lower() for word in arguments if not word.startswith("--")]
    rows = [row for row in TABLE if not words or any(word in row.promise.lower() for word in words)]
    rows = [row for row in rows if "--matrix" in arguments or not row.matrix]
    if "--list" in arguments:
        print("\n".join(f"{row.promise}\n    " + "\n    ".join(row.tests) for row in rows))
        return 0
    with tempfile.TemporaryDirectory(prefix="streamgauge-mutations-") as place:
        copy = copied(Path(place) / "checkout")
        return _tried(copy, rows)


def _tried(copy: Path, rows: list[Mutation]) -> int:
    before = run(copy, {test for row in rows for test in row.tests})
    broken = [test for row in rows for test in row.tests if not before or fails(before, test) is not False]
    for test in broken:
        print(f"does not pass before: {test}")
    survivors = 0
    for row in rows:
        survived = surviving(copy, row)
        survivors += bool(survived)
        print(f"{'SURVIVED' if survived else 'caught  '} {row.promise}", *survived, sep="\n    ", flush=True)
    print(f"{len(rows) - survivors} of {len(rows)} mutations were caught")
    return int(bool(survivors or broken))


def copied(place: Path) -> Path:
    """The checkout as it is now, without what git does not know."""
    known = ("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard")
    names = subprocess.run(known, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for name in filter(None, names.split("\0")):
        if (ROOT / name).is_file():
            (place / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, place / name)
    return place


def surviving(copy: Path, row: Mutation) -> list[str]:
    """The tests of `row` that do not fail although its code is gone."""
    originals = {edit.path: (copy / edit.path).read_text() for edit in row.edits}
    try:
        for edit in row.edits:
            text = (copy / edit.path).read_text()
            (copy / edit.path).write_text(text.replace(edit.old, edit.new))
            compile((copy / edit.path).read_text(), edit.path, "exec")
        results = run(copy, row.tests)
    finally:
        for path, text in originals.items():
            (copy / path).write_text(text)
    return [test for test in row.tests if results is not None and fails(results, test) is not True]


def run(copy: Path, tests: Iterable[str]) -> Results | None:
    """What came of the tests in the copy; None if they did not end."""
    told = copy / "results.xml"
    told.unlink(missing_ok=True)
    tests = sorted(tests)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--tb=no", f"--junitxml={told}"]
    if any(test.startswith(MATRIX) for test in tests):
        command += ["-m", "matrix or not matrix"]
    else:
        command += ["--timeout=300"]  # long, so that a loaded machine is not taken for a mutation that was caught
    command += tests
    environ = {**os.environ, "PYTHONPATH": f"{copy / 'src'}", "PYTHONDONTWRITEBYTECODE": "1"}
    environ.setdefault("STREAMGAUGE_MATRIX_CACHE", str(ROOT / ".ci" / "cache" / "matrix"))
    try:
        done = subprocess.run(command, cwd=copy, env=environ, capture_output=True, text=True, timeout=PATIENCE)
    except subprocess.TimeoutExpired:
        return None
    if done.returncode not in (0, 1):
        raise SystemExit(f"pytest could not run: {done.stdout[-3000:]}{done.stderr[-3000:]}")
    cases = ElementTree.parse(told).iter("testcase")
    return {(case.get("classname", ""), case.get("name", "")): len(case) == 0 for case in cases}


def fails(results: Results, test: str) -> bool | None:
    """Whether `test`, or any case of it, failed; None if there is none."""
    path, _, name = test.partition("::")
    module = re.sub(r"\.py$", "", path).replace("/", ".")
    found = [
        passed
        for (where, case), passed in results.items()
        if where == module and name in (case, case.partition("[")[0])
    ]
    return not all(found) if found else None


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
