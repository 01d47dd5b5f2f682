"""Undoes effects. A compensation is an effect too: intent first, never run twice, probed if it dies
("<tool>.compensation").

Comes in: entries whose compensation was requested. Goes out: `compensated` or `compensation_failed`, or nothing yet.
"""

from collections.abc import Mapping
from typing import Any

from streamgauge.ledger import identity
from streamgauge.ledger.books import Bookkeeper
from streamgauge.ledger.entry import Entry, Source
from streamgauge.ledger.errors import EffectRefused, NoEffect
from streamgauge.ledger.identity import Origin
from streamgauge.ledger.patience import within
from streamgauge.ledger.policy import LedgerSettings, Policy, ToolClass
from streamgauge.ledger.stamps import Stamps
from streamgauge.ledger.states import Meaning, Step
from streamgauge.ledger.store import Store

_CLASS = ToolClass("compensation")


class Compensator:
    """Runs the registered compensations."""

    def __init__(
        self,
        books: Bookkeeper,
        store: Store,
        stamps: Stamps,
        settings: LedgerSettings,
        probes: Mapping[str, Any],
    ) -> None:
        self._books, self._store, self._stamps, self._settings = books, store, stamps, settings
        self._probes = probes

    def undo(self, entry: Entry) -> None:
        """Run the compensation of `entry`, or follow up on an earlier run of it."""
        tool = f"{entry.tool}.compensation"
        key = identity.compensation_key(entry.key)
        wanted = self._books.draft(
            tool, _CLASS, key, Origin(), {"key": entry.key}, token=identity.token(), compensates=entry.key
        )
        try:
            child = self._books.admit(wanted, Policy(), Source(), announce=False)
        except EffectRefused as earlier:
            self._follow(entry, earlier.entry)
            return
        self._run_compensation(entry, child)

    def _run_compensation(self, entry: Entry, child: Entry) -> None:
        try:
            within(self._settings.probe_timeout, self._books.compensations[entry.tool], entry)
        except BaseException as error:
            self._books.settle(
                child, Step.FAIL if isinstance(error, NoEffect) else Step.LOSE, reason=type(error).__name__
            )
            self._compensated(entry, Step.FAIL_COMPENSATION, f"the compensation raised {type(error).__name__}")
            return
        self._books.settle(child, Step.COMMIT)
        self._compensated(entry, Step.COMPENSATE, None)

    def _follow(self, entry: Entry, child: Entry | None) -> None:
        """An earlier run of the compensation already says, or will say, what became of it."""
        if child is not None and child.meaning is Meaning.STANDS:
            self._compensated(entry, Step.COMPENSATE, None)
        elif child is not None and child.meaning is Meaning.UNKNOWN and child.tool not in self._probes:
            self._compensated(entry, Step.FAIL_COMPENSATION, "the compensation died and nobody can tell how far it got")

    def _compensated(self, entry: Entry, step: Step, reason: str | None) -> None:
        now = self._stamps.now()
        times = {"compensated_ns": now} if step is Step.COMPENSATE else {"reason": reason}
        self._store.settle(entry, step, now, **times)
