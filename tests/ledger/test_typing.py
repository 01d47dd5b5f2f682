"""`streamgauge.ledger` is called by its users, and is a package: both have types under `mypy --strict`."""

import re
import subprocess
import sys
from pathlib import Path

from streamgauge import ledger as room
from streamgauge.ledger.room import Room

SNIPPET = """
import streamgauge
import streamgauge.ledger
from streamgauge.ledger import Ledger, Policy, use_ledger

opened: Ledger = streamgauge.ledger("sqlite:///effects.db", policies={"drop": Policy("deny")})
same: Ledger = use_ledger("sqlite:///effects.db")
policy: Policy = streamgauge.ledger.Policy("confirm")

@streamgauge.effect(kind="external_message", reversible=False)
def send(invoice_id: int) -> str:
    return str(invoice_id)

text: str = send(7)
with streamgauge.ledger.came_from("resp_1#call_1"), streamgauge.effect("charge") as e:
    key: str = e.idempotency_key
opened.probe("send", lambda entry: entry.key == key)

streamgauge.ledger(7)              # wrong
opened.no_such_method()            # wrong
streamgauge.ledger("x").cancel()   # wrong
send("7")                          # wrong
"""

WRONG = [number for number, line in enumerate(SNIPPET.splitlines(), 1) if line.endswith("# wrong")]


def test_a_user_s_own_type_check_finds_what_is_wrong_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(SNIPPET)
    command = [sys.executable, "-m", "mypy", "--strict", "--follow-imports=silent", "--no-error-summary", "app.py"]
    said = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert [int(number) for number in re.findall(r"^app\.py:(\d+): error", said.stdout, re.MULTILINE)] == WRONG, (
        said.stdout + said.stderr
    )


def test_type_checkers_know_every_public_name() -> None:
    declared = set(
        re.findall(
            r"^        +(?:self\.)?(\w+) = ",
            Path(sys.modules[Room.__module__].__file__ or "").read_text(),
            re.MULTILINE,
        )
    )
    assert declared == set(room.__all__)
