"""Dashboards are drawn by Grafana's own components in a real browser, from what Prometheus answered."""

import re
import struct

import pytest
from tests.dashboards import pictures, reading


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    directory = tmp_path_factory.mktemp("page")
    pictures.chromium()
    pictures.bundle(directory)
    return directory


@pytest.mark.timeout(300)
@pytest.mark.parametrize("name", pictures.README)
def test_every_panel_of_the_picture_is_drawn(name, page, prometheus, tmp_path):
    picture, out = pictures.README[name], tmp_path / f"{name}.png"
    height = pictures.draw(picture, prometheus(3), page, out)
    assert size_of(out.read_bytes()) == (picture.width, height)
    html = pictures.text_of(page / "page.html")
    assert "FAILED" not in html
    drawn = dict(re.findall(r'data-panel="([^"]+)"(.*?)(?=data-panel=|</body>)', html, re.DOTALL))
    placed = [each["panel"] for each in pictures.place(reading.load()[picture.board], picture)[0]]
    wanted = {panel["title"]: panel["type"] for panel in placed if panel["type"] != "row"}
    assert set(drawn) == set(wanted)
    assert [title for title, kind in wanted.items() if SIGNS[kind] not in drawn[title]] == []


SIGNS = {
    "timeseries": "uplot",
    "heatmap": "uplot",
    "state-timeline": "uplot",
    "stat": "<span",
    "bargauge": "Bar gauge value",
    "table": 'role="row"',
}
"""What Grafana's component leaves in the page when it has drawn something."""


def size_of(png: bytes) -> tuple[int, int]:
    assert png.startswith(b"\x89PNG")
    width, height = struct.unpack(">II", png[16:24])
    return width, height
