"""Every panel has its place, its name, its words and its way on; the set hangs together."""

import itertools
import re
from types import SimpleNamespace
from urllib.parse import unquote

import pytest
from tests.dashboards import reading

from streamgauge import names, slo
from streamgauge.dashboards import board, layout, look, panels, queries, render
from streamgauge.names import FollowUp
from streamgauge.slo import rules, runbooks

BOARDS = reading.load()
PANELS = [(name, panel) for name, board_ in BOARDS.items() for panel in reading.panels(board_)]
IDS = [f"{name}-{panel['title']}" for name, panel in PANELS]
OBSOLETE = {
    "rows",
    "style",
    "hideControls",
    "sharedCrosshair",
    "gnetId",
    "__inputs",
    "span",
    "error",
    "editable",
    "intervalFactor",
}
each_board = pytest.mark.parametrize("name", BOARDS)
each_panel = pytest.mark.parametrize(("name", "panel"), PANELS, ids=IDS)


def cells(panel: reading.Json) -> set[tuple[int, int]]:
    at = panel["gridPos"]
    return set(itertools.product(range(at["x"], at["x"] + at["w"]), range(at["y"], at["y"] + at["h"])))


@each_board
def test_panels_do_not_overlap_and_fit_the_grid(name):
    taken: dict[tuple[int, int], str] = {}
    for panel in BOARDS[name]["panels"]:
        for cell in cells(panel):
            assert cell not in taken, f"{panel['title']} lies on {taken.get(cell)}"
            assert cell[0] < 24
            taken[cell] = panel["title"]


@each_board
def test_every_line_of_panels_is_as_wide_as_the_page(name):
    lines: dict[int, list[int]] = {}
    for panel in BOARDS[name]["panels"]:
        lines.setdefault(panel["gridPos"]["y"], []).append(panel["gridPos"]["w"])
    assert {top: sum(widths) for top, widths in lines.items() if sum(widths) != 24} == {}


@each_board
def test_ids_are_unique_and_titles_within_a_row_too(name):
    ids = [panel["id"] for panel in BOARDS[name]["panels"]]
    assert len(ids) == len(set(ids))


def test_two_panels_of_one_name_in_a_row_are_refused():
    twins = [panels.stat("A", panels.About("a.", "b."), [panels.now("up")], unit="short") for _ in range(2)]
    with pytest.raises(ValueError, match="same id"):
        layout.place([board.Row("Row", tuple(twins))])


def test_an_id_survives_a_panel_above_it():
    def made(*titles: str) -> dict[str, int]:
        shown = [panels.stat(title, panels.About("a.", "b."), [panels.now("up")], unit="short") for title in titles]
        return {panel.title: panel.id for panel in layout.place([board.Row("Row", tuple(shown))])}

    assert made("New", "Old")["Old"] == made("Old")["Old"]


@each_board
def test_nothing_of_old_grafanas_is_left(name):
    top, inner = set(BOARDS[name]), {key for panel in BOARDS[name]["panels"] for key in panel}
    assert (top & (OBSOLETE - {"editable"}), inner & OBSOLETE, BOARDS[name]["schemaVersion"]) == (set(), set(), 42)


@each_panel
def test_every_description_says_what_is_read_and_what_to_do(name, panel):
    what, reads, do = panel["description"].split("\n\n")
    assert what.endswith(".") and do.startswith("**Do** ") and do.endswith(".")
    families = set(re.findall(r"`([^`]+)`", reads))
    assert families, "names no metric"


@each_panel
def test_no_traffic_is_said_in_words(name, panel):
    assert panel["fieldConfig"]["defaults"]["noValue"] == look.NO_TRAFFIC


@each_panel
def test_no_colour_is_plain_red_or_green(name, panel):
    assert set(re.findall(r"'(?:fixedColor|color)': '([a-z-]*(?:red|green)[a-z-]*)'", str(panel))) == set()


def links_of(panel: reading.Json) -> list[reading.Json]:
    shown = panel["fieldConfig"]["defaults"].get("links", [])
    overrides = panel["fieldConfig"].get("overrides", [])
    own = [p["value"] for override in overrides for p in override["properties"] if p["id"] == "links"]
    return [*shown, *itertools.chain(*own)]


def test_links_lead_to_dashboards_that_exist_with_time_and_choice_kept():
    uids = {board_["uid"]: board_ for board_ in BOARDS.values()}
    seen: set[str] = set()
    for _, panel in PANELS:
        for link in links_of(panel):
            if link["url"].startswith("/d/"):
                uid, query = link["url"][3:].split("?", 1)
                seen.add(uid)
                known = {variable["name"] for variable in uids[uid]["templating"]["list"]}
                assert set(re.findall(r"var-(\w+)=", query)) <= known
                assert "${__url_time_range}" in query and "${prometheus_datasource:queryparam}" in query
    assert {"streamgauge-slo", "streamgauge-streams", "streamgauge-effects"} <= seen


def test_links_to_traces_ask_for_an_attribute_of_our_spans():
    attributes = {names.OUTCOME, names.FINDINGS, names.RECONCILIATION_VERDICT}
    asked = {
        found
        for _, panel in PANELS
        for link in links_of(panel)
        for found in re.findall(r"span\.([\w.]+) =", unquote(link["url"]))
    }
    assert asked == attributes


def test_links_to_runbooks_lead_to_runbooks_that_are_shipped():
    base, shipped = slo.load().runbooks, set(runbooks.pages({}))
    filled = {"outcome": names.Outcome, "finding": names.Finding}
    linked: set[str] = set()
    for _, panel in PANELS:
        for link in links_of(panel):
            if link["url"].startswith(base):
                page = link["url"].removeprefix(base + "/")
                word = page.split("-")[0]
                linked |= {re.sub(r"\$\{[^}]+\}", value, page) for value in filled.get(word, ["-"])}
    assert linked and linked <= shipped


@each_board
def test_every_dashboard_shows_the_way_to_the_others(name):
    link = BOARDS[name]["links"][0]
    assert (link["type"], link["tags"], link["includeVars"], link["keepTime"]) == (
        "dashboards",
        ["streamgauge"],
        True,
        True,
    )
    assert (BOARDS[name]["tags"], BOARDS[name]["graphTooltip"]) == (["streamgauge"], 1)


@each_board
def test_every_dashboard_lets_the_reader_choose(name):
    chosen = {variable["name"] for variable in BOARDS[name]["templating"]["list"]}
    assert chosen >= {"prometheus_datasource", "tempo_datasource", "service", "provider", "model"}


def test_uids_are_those_that_alerts_link_to():
    from streamgauge.slo.annotations import DASHBOARD

    assert BOARDS["slo-detail"]["uid"] == DASHBOARD
    assert len({board_["uid"] for board_ in BOARDS.values()}) == 5


@pytest.mark.parametrize("surface", ["Loading", "Streaming", "Tools", "Errors", "Long answers"])
def test_every_surface_of_the_mission_has_a_row(surface):
    rows = [panel["title"] for panel in BOARDS["streams"]["panels"] if panel["type"] == "row"]
    assert any(row.startswith(surface) for row in rows)


def test_a_stop_rate_never_stands_alone():
    for target in reading.targets(BOARDS):
        if '="cancelled"' in target.expr and target.panel["fieldConfig"]["defaults"]["unit"] == "percentunit":
            beside = " ".join(each["expr"] for each in target.panel["targets"])
            for word in ("abandoned", FollowUp.REPROMPTED, FollowUp.PARTIAL_KEPT):
                assert f'="{word}"' in beside, target.place


def test_every_query_is_scoped():
    for place, expr in reading.asked(BOARDS):
        if "/ variable service" in place:
            continue
        for selector in reading.selectors(expr.replace("$service", "SERVICE")):
            held = {matcher.name for matcher in selector.matchers.matchers if matcher.value == "SERVICE"}
            assert held & {"job", "service"}, f"{place}: {selector.prettify()}"


@pytest.mark.parametrize("severity", ["page", "ticket"])
def test_the_thresholds_of_the_objectives_own_alerts_are_drawn(severity):
    drawn = {
        panel["title"]
        for _, panel in PANELS
        if any(
            f'{rules.THRESHOLD}{{service=~"$service",slo=~"$slo",severity="{severity}"}}' == target["expr"]
            for target in panel["targets"]
        )
    }
    assert drawn == {f"{severity.title()}: burn rate and threshold"}


def test_lines_without_a_known_name_come_from_a_palette_for_colour_blind_readers():
    series = [panel for _, panel in PANELS if panel["type"] == "timeseries"]
    assert {panel["fieldConfig"]["defaults"]["color"]["mode"] for panel in series} == {"palette-colorblind"}
    older = render.files(board.Options(schema_version=39))
    assert not any("palette-colorblind" in text for text in older.values())


@pytest.mark.parametrize("outcome", names.Outcome)
@pytest.mark.parametrize("status", names.StatusClass)
def test_http_says_is_what_the_objective_for_the_status_code_says(outcome, status):
    answered = None if status is names.StatusClass.NONE else int(status[0]) * 100
    objective = slo.load().only("http-status").objectives[0]
    judged = objective.judge(SimpleNamespace(http_status=answered, outcome=outcome))
    good = status in queries.ANSWERED
    counted = status is not names.StatusClass.NONE or outcome in queries.UNANSWERED
    assert judged == ("good" if good else "bad" if counted else "excluded")


def test_users_got_is_what_the_policy_says():
    judged = {outcome: slo.load().policy.verdict(outcome) for outcome in names.Outcome}
    assert {outcome for outcome, verdict in judged.items() if verdict == "good"} == set(queries.GOOD)
    assert {outcome for outcome, verdict in judged.items() if verdict == "bad"} == set(queries.BAD)
