"""The same check on several processors: lines go out to processes, findings come back in the order of the lines."""

import os
from collections import Counter
from collections.abc import Iterable, Iterator
from multiprocessing import get_context

from streamgauge.schema.check.findings import Finding
from streamgauge.schema.check.lines import Checker
from streamgauge.schema.check.reading import LINE_LIMIT

WORTH_IT = 32 * 1024 * 1024
"""Bytes of a file from which on starting processes pays off."""

_checker: Checker | None = None


def processors() -> int:
    """How many this process may use, at most four: reading the file becomes the limit."""
    return min(4, len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1)


def check_parallel(lines: Iterable[bytes], jobs: int, seen: Counter[str], limit: int = LINE_LIMIT) -> Iterator[Finding]:
    """Findings of all lines, by `jobs` processes; `seen` gathers what they counted. Few lines are in memory at once."""
    with get_context("spawn").Pool(jobs, _begin, (limit,)) as pool:
        for findings, counts in pool.imap(_check, enumerate(lines, 1)):
            seen.update(counts)
            yield from findings


def _begin(limit: int) -> None:
    global _checker
    _checker = Checker(limit=limit)


def _check(numbered: tuple[int, bytes]) -> tuple[list[Finding], Counter[str]]:
    assert _checker is not None  # noqa: S101 - the pool's initializer has run
    number, line = numbered
    _checker.start_at(number)
    found = _checker.line(line)
    return found, _checker.take_seen()
