import json
import re
from pathlib import Path

import pytest
from click.testing import CliRunner
from tests.schema.conftest import ROOT

from streamgauge import names
from streamgauge.cli.schema import command
from streamgauge.schema import diff, docs, model
from streamgauge.schema.check import Checker

PAGES = docs.pages(model.current())


def test_the_committed_pages_are_the_generated_ones():
    folder = ROOT / docs.TARGET
    assert {path.name: path.read_text("utf-8") for path in folder.glob("*.md")} == PAGES, (
        "run `streamgauge schema docs`"
    )


def test_a_page_that_drifted_or_is_stray_is_seen(tmp_path):
    run = CliRunner()
    assert run.invoke(command, ["docs", "--out", str(tmp_path)]).exit_code == 0
    assert run.invoke(command, ["docs", "--out", str(tmp_path), "--check"]).exit_code == 0
    (tmp_path / "notes.md").write_text("mine")
    assert run.invoke(command, ["docs", "--out", str(tmp_path), "--check"]).exit_code == 1
    (tmp_path / "notes.md").unlink()
    (tmp_path / "span.md").write_text("changed")
    assert run.invoke(command, ["docs", "--out", str(tmp_path), "--check"]).exit_code == 1


def test_every_name_stands_on_its_page():
    registry = model.current()
    for page, entries in (("events", registry.events), ("metrics", registry.metrics)):
        assert [name for name in entries if f"`{name}`" not in PAGES[f"{page}.md"]] == []
    assert [
        one.key for one in docs.ours(registry.attributes) if f"\n## {one.key}\n" not in PAGES["attributes.md"]
    ] == []
    for key in registry.spans[model.STREAM_SPAN].keys:
        assert f"`{key}`" in PAGES["span.md"]


def test_links_lead_somewhere():
    def anchors(text: str) -> set[str]:
        titles = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
        return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}

    for page, text in PAGES.items():
        for target in re.findall(r"\]\((?!https?:)([^)]+)\)", text):
            file, _, anchor = target.partition("#")
            assert file in PAGES, f"{page} links to {target}"
            assert not anchor or anchor in anchors(PAGES[file]), f"{page} links to {target}"


def test_no_table_row_has_another_number_of_cells_than_its_head():
    for page, text in PAGES.items():
        for table in re.findall(r"(?:^\|.*\|\n)+", text, re.MULTILINE):
            counts = {len(re.findall(r"(?<!\\)\|", row)) for row in table.splitlines()}
            assert len(counts) == 1, f"{page}: {table[:80]}"


@pytest.mark.parametrize("path", sorted(docs.EXAMPLES.glob("*.json")), ids=lambda path: path.name)
def test_an_example_of_json_passes_the_check(path: Path):
    value = json.loads(path.read_text("utf-8"))
    assert [str(finding) for finding in Checker().value(value)] == []


def test_the_example_scrape_shows_metrics_of_the_registry():
    text = (docs.EXAMPLES / "metrics.txt").read_text("utf-8")
    families = set(re.findall(r"^# TYPE (\S+)", text, re.MULTILINE))
    known = {metric.prometheus for metric in names.METRICS}
    assert families and families <= known | {name.removesuffix("_total") for name in known}


def test_the_changelog_lists_what_a_version_changed(tmp_path, monkeypatch):
    older = tmp_path / "0.0.9"
    diff.freeze(tmp_path).rename(older)
    manifest, events = older / "registry" / "manifest.yaml", older / "registry" / "events.yaml"
    manifest.write_text(
        manifest.read_text("utf-8").replace(f"schemas/{names.SCHEMA_VERSION}", "schemas/0.0.9"), "utf-8"
    )
    text = events.read_text("utf-8").replace(f"name: {names.EVENT_STALL}\n", f"name: {names.EVENT_STALL}ed\n")
    events.write_text(text, "utf-8")
    monkeypatch.setattr(diff, "RELEASED", tmp_path)
    page = docs.pages(model.current())["changelog.md"]
    assert f"## {names.SCHEMA_VERSION} (not released yet)" in page
    assert f"- signal added: `{names.EVENT_STALL}` (minor)" in page
    assert "## 0.0.9\n\nThe first version." in page
