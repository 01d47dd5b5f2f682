"""Writes the corpus file of the newest schema version.

Every state, every kind of stream. Run once per release; released files never change.

python tests/ledger/corpus/make.py
"""

import contextlib
import sqlite3
from pathlib import Path

from streamgauge.ledger.ledger import Ledger
from streamgauge.ledger.states import MEANING
from streamgauge.ledger.tables import REVISIONS


def main() -> None:
    path = Path(__file__).with_name(f"v{REVISIONS[-1]}.sqlite")
    if path.exists():
        raise SystemExit(f"{path} exists: a released file never changes")
    with Ledger(f"sqlite:///{path}") as ledger:
        for outcome in ("completed", "cancelled"):
            with ledger.effect(
                "send", key=f"{outcome}-1", stream=outcome, args={"n": 1}, show=("n",), record_result=True
            ) as e:
                e.committed({"id": 1})
            ledger.end_stream(outcome, outcome, "user_stop" if outcome == "cancelled" else None, shown_chars=3)
        ledger.observe_tool_call("cancelled", "dark", "tool")
        for state in MEANING:
            with ledger.effect("send", key=f"state-{state}"):
                pass
    with contextlib.closing(sqlite3.connect(path)) as connection:
        for state in MEANING:
            connection.execute("UPDATE streamgauge_effect SET state = ? WHERE key = ?", (str(state), f"state-{state}"))
        connection.commit()
        connection.execute("PRAGMA journal_mode = DELETE")
        connection.execute("VACUUM")


if __name__ == "__main__":
    main()
