"""Keeps the books of running effects: drafts entries, has them admitted, writes their outcomes, and owes what the
store cannot take.

Comes in: executions and whatever has to be told. Goes out: entries and refusals. Knows no probes and no streams'
insides.
"""

from collections.abc import Callable
from typing import Any

from streamgauge.ledger import identity
from streamgauge.ledger.entry import Entry, Source
from streamgauge.ledger.errors import ApprovalRequired, EffectInputError, StoreUnavailable, UnknownTool
from streamgauge.ledger.facts import Fact, StoreTrouble
from streamgauge.ledger.identity import Origin
from streamgauge.ledger.owed import Debt, Owed
from streamgauge.ledger.owner import InFlight, owner
from streamgauge.ledger.policy import LedgerSettings, Policy, ToolClass
from streamgauge.ledger.reading import Reading
from streamgauge.ledger.stamps import Stamps
from streamgauge.ledger.states import EffectState, Step
from streamgauge.ledger.store import Store

Compensation = Callable[[Entry], Any]

_SECOND = 1_000_000_000


class Bookkeeper:
    """Runs the writes of effects on `store` under `settings`."""

    def __init__(
        self,
        store: Store,
        reading: Reading,
        stamps: Stamps,
        settings: LedgerSettings,
        in_flight: InFlight,
        publish: Callable[[list[Fact]], None],
    ) -> None:
        self._store, self._reading, self._stamps, self._settings = store, reading, stamps, settings
        self._in_flight, self._publish = in_flight, publish
        self.owed = Owed()
        self.compensations: dict[str, Compensation] = {}

    def compensate(self, tool: str, function: Compensation) -> None:
        """Register how to undo an effect of `tool`."""
        if not callable(function):
            raise EffectInputError(f"compensation of {tool}", function, "a function that takes the entry")
        self.compensations[identity.tool_name(tool)] = function

    def draft(
        self,
        tool: str,
        tool_class: ToolClass,
        key: str,
        origin: Origin,
        args: Any,
        *,
        show: tuple[str, ...] = (),
        confidence: float | None = None,
        token: str = "",
        lease: float | None = None,
        compensates: str | None = None,
    ) -> Entry:
        """An entry that is checked but not written yet."""
        if self._settings.tools is not None and tool not in self._settings.tools and compensates is None:
            raise UnknownTool(tool, "entry in the setting 'tools'", self._settings.tools)
        now = self._stamps.now()
        return _BLANK.evolve(
            key=key,
            tool=tool,
            kind=tool_class.kind,
            args_hash=identity.args_hash(tool, args),
            args_view=identity.view(tool, args, show),
            token=token,
            intended_ns=now,
            changed_ns=now,
            stream_ref=origin.stream_ref,
            tool_call_id=origin.tool_call_id,
            reversible=tool_class.reversible,
            idempotent=tool_class.idempotent,
            confidence=confidence,
            compensates=compensates,
            owner=owner(),
            lease_ns=now + int((lease or self._settings.lease) * _SECOND),
        )

    def admit(self, wanted: Entry, policy: Policy | None, source: Source, *, announce: bool) -> Entry:
        """Write intent and start of an effect, or raise the `EffectRefused` that keeps it from starting."""
        policy = policy or self._settings.policy_of(wanted.tool)
        mode = policy.decide(wanted.confidence)
        wanted = _stamped(wanted, self._stamps.now(), mode, policy)
        self._in_flight.add(wanted.token)
        try:
            return self._admit(wanted, "announce" if announce else mode, policy, source)
        except BaseException:
            self._in_flight.discard(wanted.token)
            raise

    def _admit(self, wanted: Entry, mode: str, policy: Policy, source: Source) -> Entry:
        self.owed.repay()
        try:
            return self._store.admit(wanted, mode, self._settings.fence, source)
        except ApprovalRequired as waiting:
            if mode != "page" or waiting.entry is None or waiting.entry.token != wanted.token:
                raise
            return self._page(wanted, waiting, policy, source)
        except StoreUnavailable as trouble:
            return self._without_store(wanted, mode, trouble)

    def _page(self, wanted: Entry, waiting: ApprovalRequired, policy: Policy, source: Source) -> Entry:
        assert policy.pager is not None and waiting.entry is not None  # noqa: S101 - the policy checked it
        said = policy.pager(waiting.entry)
        if said is None:
            raise waiting
        step = Step.APPROVE if said else Step.DENY
        self._store.decide(waiting.entry.key, step, "pager", self._stamps.now(), wanted.args_hash)
        return self._admit(_stamped(wanted, self._stamps.now(), "page", policy), "silent", policy, source)

    def _without_store(self, wanted: Entry, mode: str, trouble: StoreUnavailable) -> Entry:
        if self._settings.on_store_failure != "memory" or mode != "silent":
            trouble.entry = wanted
            raise trouble
        started = _in_memory(wanted, self._stamps.now())
        self._owe(f"the start of {started.tool} ({started.key})", started, lambda: self._store.adopt(started), trouble)
        return started

    def settle(self, entry: Entry, step: Step, **values: Any) -> Entry:
        """Write the outcome of a started effect.

        A store that is away gets it later: the effect has happened, nothing can be refused.
        """
        now = self._stamps.now()
        values |= {"settled_ns": now} | ({"committed_ns": now} if step is Step.COMMIT else {})
        self._in_flight.discard(entry.token)
        try:
            if not self.owed.repay():
                raise StoreUnavailable(self._store.database.url, "earlier writes are still owed")
            return self._store.settle(entry, step, now, **values)
        except StoreUnavailable as trouble:
            what = f"the outcome ({step}) of {entry.tool} ({entry.key})"
            self._owe(what, entry, lambda: self._store.settle(entry, step, now, **values), trouble)
            return entry

    def _owe(self, what: str, entry: Entry | None, pay: Callable[[], object], trouble: StoreUnavailable) -> None:
        self.owed.add(Debt(what, entry, pay), trouble)
        self._publish([StoreTrouble(trouble.reason, entry)])

    def tell(self, what: str, write: Callable[[], object]) -> None:
        """Something that was told and cannot be refused.

        What the store does not take now is owed, and the caller hears of it.
        """
        try:
            if not self.owed.repay():
                raise StoreUnavailable(self._store.database.url, "earlier writes are still owed")
            write()
        except StoreUnavailable as trouble:
            self._owe(what, None, write, trouble)
            if self._settings.on_store_failure == "refuse":
                raise


_BLANK = Entry("", 1, "", "", EffectState.INTENDED, "", "", 0, 0)
"""What every draft is a copy of."""


def _stamped(wanted: Entry, now: int, mode: str, policy: Policy) -> Entry:
    expires = now + int(policy.expires_after * _SECOND)
    lease = wanted.lease_ns + now - wanted.changed_ns if wanted.lease_ns is not None else None
    return wanted.evolve(intended_ns=now, changed_ns=now, policy=mode, expires_ns=expires, lease_ns=lease)


def _in_memory(wanted: Entry, now: int) -> Entry:
    return wanted.evolve(state=EffectState.STARTED, started_ns=now, changed_ns=now, reason="the store was away")
