"""The arithmetic of docs/scaling.md follows from its measured figures, and the figures from what spans are today."""

import re

import pytest
from tests.pipeline.measure import metric_sizes, span_sizes
from tests.pipeline.tools import REPOSITORY

PAGE = (REPOSITORY / "docs" / "scaling.md").read_text()
FIGURES = [
    float(each.replace(",", "")) for each in re.findall(r"^\| [^|]+ \| ([\d.,]+) \| [^|]+ \|$", PAGE, re.MULTILINE)
]
ROWS = [
    [float(cell.replace(",", "")) for cell in line.strip("| ").split(" | ")]
    for line in PAGE.splitlines()
    if line.count("|") == 11 and line[2].isdigit()
]
(SMALL, SPAN, PACKED, LARGEST, BARE, BARE_PACKED, FIXED, PER_MODEL, EXPORT, COST, BARE_COST, WAITING, BARE_WAITING) = (
    FIGURES
)
MODELS, PER_PROCESS, SCRAPE, WRONG = 10, 20, 15, 0.02


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row[0]:g} streams per second")
def test_a_row_follows_from_the_figures(row: list[float]):
    streams = row[0]
    share, wait = (0.10, 10) if streams <= 100 else (0.01, 30)
    processes = max(1, streams // PER_PROCESS)
    series = processes * (FIXED + PER_MODEL * MODELS)
    kept = streams * (WRONG + (1 - WRONG) * share)
    assert row == pytest.approx(
        [
            streams,
            processes,
            series,
            series / SCRAPE,
            streams * SPAN / 1000,
            streams * PACKED / 1000,
            streams * COST / 1000,
            streams * wait * WAITING / 1e6,
            kept,
            kept * PACKED * 86400 / 1e6,
        ],
        rel=0.01,
    )


def test_there_is_a_row_up_to_ten_thousand():
    assert [row[0] for row in ROWS] == [1, 10, 100, 1000, 10_000]


def test_spans_still_have_the_sizes_that_are_told():
    sizes = {chunks: size / 1000 for chunks, _, size, _ in span_sizes("adaptive", (15, 50, 300))}
    assert sizes == pytest.approx({15: SMALL, 50: SPAN, 300: LARGEST}, rel=0.25)
    assert [size / 1000 for _, _, size, _ in span_sizes("off", (50,))] == pytest.approx([BARE], rel=0.25)


def test_a_process_still_has_the_series_that_are_told():
    series = {models: count for models, _, _, count in metric_sizes()}
    assert series[10] - series[2] == pytest.approx(8 * PER_MODEL, rel=0.1)
    assert series[1] == pytest.approx(FIXED + PER_MODEL, rel=0.1)
