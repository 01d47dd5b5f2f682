"""Every dashboard is what Grafana 13's own types say: the JSON as TypeScript, read by the real compiler."""

import copy
import json
from pathlib import Path

from tests.dashboards import node, reading

CONFIG = {
    "compilerOptions": {
        "strict": True, "noEmit": True, "skipLibCheck": True, "module": "esnext", "moduleResolution": "bundler",
        "target": "es2022", "types": [],
    },
    "include": ["*.ts"],
}  # fmt: skip


def as_typescript(board: reading.Json) -> str:
    """Each panel as a constant of its type, and the dashboard around them."""
    lines = ["import type { Frame, Panels } from './contract';"]
    lines += [f"export const p{each['id']}: Panels['{each['type']}'] = {json.dumps(each)};" for each in board["panels"]]
    frame = {key: value for key, value in board.items() if key != "panels"}
    return "\n".join([*lines, f"export const frame: Frame = {json.dumps(frame)};"]) + "\n"


def complaints(boards: dict[str, reading.Json], directory: Path) -> str:
    """What the compiler says."""
    (directory / "node_modules").symlink_to(node.modules() / "node_modules")
    (directory / "tsconfig.json").write_text(json.dumps(CONFIG))
    (directory / "contract.ts").write_text((node.SOURCES / "contract.ts").read_text("utf-8"))
    for name, board in boards.items():
        (directory / f"{name}.ts").write_text(as_typescript(board))
    done = node.run("tsc", "--pretty", "false", "-p", "tsconfig.json", cwd=directory)
    assert done.stderr == ""
    return done.stdout


def test_the_dashboards_have_the_types_of_grafana_13(tmp_path):
    assert complaints(reading.load(), tmp_path) == ""


def first(board: reading.Json, kind: str) -> reading.Json:
    return next(panel for panel in board["panels"] if panel["type"] == kind)


def test_the_compiler_finds_unknown_keys_wrong_values_and_what_is_missing(tmp_path):
    boards = copy.deepcopy(reading.load())
    broken, headless = boards["streams"], boards["effects"]
    first(broken, "stat")["options"]["sparkline"] = True
    first(broken, "timeseries")["fieldConfig"]["defaults"]["custom"]["drawStyle"] = "lines"
    del first(broken, "heatmap")["options"]["color"]
    broken["templating"]["list"][0]["useTags"] = False
    del headless["schemaVersion"]
    found = complaints({"broken": broken, "headless": headless}, tmp_path)
    for word in ("sparkline", '"lines"', "'color'", "useTags", "schemaVersion"):
        assert word in found
    assert found.count("error TS") == 5
