"""Loops in real streams: told while they go on, nothing is stopped, and what only drifts is no finding."""

import json
from pathlib import Path
from typing import Any

import pytest
from tests.capture.surfaces import PLAIN, Surface
from tests.capture.trial import Trial, exhaust, run
from tests.capture.watching import watching

from streamgauge.analysis import LoopReport
from streamgauge.names import Finding

DRIFTING = Path(__file__).parents[1] / "analysis" / "corpus" / "drifting" / "pages-that-count.txt"


@pytest.mark.parametrize("surface", PLAIN, ids=str)
def test_loop_is_told_while_the_stream_is_open_and_nothing_is_stopped(
    clients: dict[str, Any], surface: Surface
) -> None:
    bare = run(exhaust, Trial(surface, clients[surface.sdk], "loop")).seen
    told: list[tuple[object, Any]] = []
    with watching(on_finding=lambda stream, finding: told.append((stream.report, finding))) as watch:
        assert run(exhaust, Trial(surface, clients[surface.sdk], "loop")).seen == bare
        (report,) = watch.reports
        ((open_then, loop),) = told
        assert open_then is None
        assert isinstance(loop, LoopReport)
        assert report.loop is not None
        assert (report.loop.period, report.loop.start) == (loop.period, loop.start)
        assert report.loop.repeats > loop.repeats >= 4
        assert 0 < report.loop.share <= 1
        assert Finding.LOOPED in report.findings


@pytest.mark.parametrize("surface", PLAIN, ids=str)
def test_drifting_repetition_is_suspect_and_no_finding(clients: dict[str, Any], surface: Surface) -> None:
    told: list[object] = []
    script = {"extra_headers": {"x-streamgauge-script": json.dumps({"text": DRIFTING.read_text()})}}
    with watching(on_finding=lambda _stream, finding: told.append(finding)) as watch:
        run(exhaust, Trial(surface, clients[surface.sdk], options=script))
        (report,) = watch.reports
        assert report.loop is not None
        assert report.loop.suspect
        assert report.findings == ()
        assert told == []
