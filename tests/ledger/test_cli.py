import json
from typing import Any

import pytest
from click.testing import CliRunner

from streamgauge.cli import main
from streamgauge.ledger import ApprovalRequired, Policy
from streamgauge.ledger.ledger import Ledger


def run(*args: Any, url: Any) -> Any:
    return CliRunner().invoke(main, [*args, "--ledger", url])


@pytest.fixture
def filled(url):
    with Ledger(url) as ledger:
        with ledger.effect("send", key="k1", kind="mail", stream="resp_1"):
            pass
        ledger.end_stream("resp_1", "cancelled", "user_stop")
        with pytest.raises(OSError), ledger.effect("charge", key="k2"):
            raise OSError
    return url


def test_reconcile_says_by_its_exit_status_whether_something_is_open(filled, tmp_path, monkeypatch):
    (tmp_path / "myprobes.py").write_text(
        "probes = {'charge': lambda entry: True}\ndef register(ledger): ledger.probe('*', lambda e: None)\n"
    )
    monkeypatch.chdir(tmp_path)
    left = run("reconcile", "--json", url=filled)
    assert (left.exit_code, json.loads(left.output)["unresolved"]) == (1, 1)
    assert run("reconcile", "--probes", "myprobes:register", url=filled).exit_code == 1
    with Ledger(filled) as ledger:
        ledger._database.write(lambda c: c.exec_driver_sql("UPDATE streamgauge_effect SET next_probe_ns = 0"))
    done = run("reconcile", "--probes", "myprobes:probes", url=filled)
    assert (done.exit_code, "0  unresolved" in done.output) == (0, True)


@pytest.mark.parametrize("probes", ["nonsense", "no.such.module:x", "json:nothing", "json:__name__"])
def test_probes_that_cannot_be_loaded_are_an_error_with_status_2(filled, probes):
    result = run("reconcile", "--probes", probes, url=filled)
    assert result.exit_code == 2
    assert "--probes" in result.output


def test_a_ledger_that_cannot_be_opened_is_an_error_with_status_2(tmp_path):
    assert run("reconcile", url=f"sqlite:///{tmp_path}/no/such/directory/x.db").exit_code == 2
    assert run("reconcile", url="mysql://localhost/x").exit_code == 2


def test_list_shows_effects_and_records(filled):
    text = run("ledger", "list", url=filled).output
    assert [line.split()[2:5] for line in text.splitlines()[1:]] == [
        ["committed", "send", "mail"],
        ["unknown", "charge", "destructive"],
    ]
    assert [e["key"] for e in json.loads(run("ledger", "list", "--open", "--json", url=filled).output)] == ["k2"]
    assert (
        "partial_commit  cancelled  user_stop  resp_1  send committed (after_commit)"
        in run("ledger", "list", "--reconciliations", url=filled).output
    )
    assert run("ledger", "list", "--state", "done", url=filled).exit_code == 2


def test_show_tells_the_whole_story_of_a_key_or_a_stream(filled):
    by_key = json.loads(run("ledger", "show", "k1", "--json", url=filled).output)
    assert [line["what"] for line in by_key["history"]] == ["intended", "started", "committed"]
    by_stream = run("ledger", "show", "resp_1", url=filled).output
    assert "partial_commit" in by_stream
    assert "stopped" in by_stream
    missing = run("ledger", "show", "nope", url=filled)
    assert (missing.exit_code, "'nope'" in missing.output) == (2, True)


def test_export_writes_every_row_as_json(filled, tmp_path):
    lines = [json.loads(line) for line in run("ledger", "export", url=filled).output.splitlines()]
    assert {line["line"] for line in lines} == {"stream", "effect", "reconciliation", "history"}
    assert run("ledger", "export", "--output", str(tmp_path / "x.jsonl"), url=filled).exit_code == 0
    assert len((tmp_path / "x.jsonl").read_text().splitlines()) == len(lines)


def test_prune_takes_an_age(filled):
    removed = json.loads(run("ledger", "prune", "--older-than", "0s", "--json", url=filled).output)
    assert removed["streamgauge_effect"] == 1
    assert "--older-than" in run("ledger", "prune", "--older-than", "soon", url=filled).output


def test_approvals_can_be_decided_from_the_shell(filled):
    with Ledger(filled) as ledger:
        for key in ("a", "b"):
            with pytest.raises(ApprovalRequired), ledger.effect("charge", key=key, policy=Policy("confirm")):
                pass
    assert run("ledger", "approve", "a", "--by", "ann", url=filled).output == "a approved\n"
    assert run("ledger", "deny", "b", "--by", "ann", url=filled).output == "b denied\n"
    assert run("ledger", "approve", "zzz", "--by", "ann", url=filled).exit_code == 2
    assert json.loads(run("ledger", "statistics", url=filled).output)["approvals"] == 2
