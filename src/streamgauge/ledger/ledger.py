"""The ledger: durable effects, the fence, approvals, and a reconciliation record for every stream that touched the
world.

Comes in: declarations of effects, and streams by string reference from whoever reads them. Goes out: entries, records,
facts to listeners. Wires the rooms of this package together and decides nothing that a table or a policy could decide.
"""

import json
import logging
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar, overload

from streamgauge.clock import SYSTEM_CLOCK, Clock
from streamgauge.ledger import identity, retention
from streamgauge.ledger.books import Bookkeeper, Compensation
from streamgauge.ledger.compensation import Compensator
from streamgauge.ledger.context import lookups
from streamgauge.ledger.database import Database
from streamgauge.ledger.effects import Effect, make_effect
from streamgauge.ledger.entry import Entry, StreamRow, ToolCall
from streamgauge.ledger.errors import (
    EffectInputError,
    UnknownEntry,
    UnknownTool,
)
from streamgauge.ledger.facts import Fact, Reconciled
from streamgauge.ledger.owner import InFlight, owner
from streamgauge.ledger.policy import LedgerSettings
from streamgauge.ledger.reading import Reading, Statistics
from streamgauge.ledger.reconciler import Probe, Reconciler, Report
from streamgauge.ledger.stamps import Stamps
from streamgauge.ledger.states import Step
from streamgauge.ledger.store import Store

_log = logging.getLogger("streamgauge.ledger")
F = TypeVar("F", bound=Callable[..., Any])

_SECOND = 1_000_000_000

Listener = Callable[[Fact], None]
SeenCall = tuple[str, str, str | None, bool]

OUTCOMES = (
    "completed",
    "length_limited",
    "content_filtered",
    "truncated",
    "failed",
    "timed_out",
    "cancelled",
    "abandoned",
    "detached",
    "crashed",
)
"""The closed set of stream outcomes."""


class Ledger:
    """A ledger at `url` (`sqlite:///effects.db`, `postgresql+psycopg://...`). Safe from any thread, usable after a
    fork.

    `settings`: see `LedgerSettings`; single ones may be given by name (`fence="warn"`). `clock`: where time comes from.
    `jsonl`: a path or a callable that gets every reconciliation record. `reconcile_every`: seconds between runs of a
    background reconciler, which also renews the leases of what runs long; None for no thread.

    Raises `EffectInputError` for a URL or setting that cannot work, `StoreUnavailable`, `NewerSchema`.
    """

    def __init__(
        self,
        url: str,
        settings: LedgerSettings | None = None,
        *,
        clock: Clock = SYSTEM_CLOCK,
        jsonl: str | Path | Callable[[dict[str, Any]], None] | None = None,
        reconcile_every: float | None = None,
        **choices: Any,
    ) -> None:
        self.settings = _settings(settings, choices)
        self._stamps = Stamps(clock)
        self._database = Database(url, busy_timeout=self.settings.busy_timeout, pool_size=self.settings.pool_size)
        self.url = self._database.url
        self._store = Store(self._database, self._publish)
        self._reading = Reading(self._database)
        self._listeners: list[Listener] = [_jsonl(jsonl)] if jsonl is not None else []
        self._probes: dict[str, Probe] = {}
        self._in_flight = InFlight()
        self.books = Bookkeeper(self._store, self._reading, self._stamps, self.settings, self._in_flight, self._publish)
        compensator = Compensator(self.books, self._store, self._stamps, self.settings, self._probes)
        self._reconciler = Reconciler(
            self._store,
            self._stamps,
            self.settings,
            self._probes,
            compensator.undo,
            self.books.compensations,
            self._in_flight,
        )
        self._over = threading.Event()
        self._thread = self._start_background(reconcile_every)

    # Effects

    @overload
    def effect(self, tool: F) -> F: ...

    @overload
    def effect(self, tool: str | None = None, **declared: Any) -> Effect: ...

    def effect(self, tool: Any = None, **declared: Any) -> Any:
        """A decorator or context manager around one effect; see `streamgauge.ledger.effect` for the arguments."""
        if callable(tool):
            return make_effect(lambda: self.books)(tool)
        return make_effect(lambda: self.books, tool, **declared)

    @property
    def unstored(self) -> list[Entry]:
        """Effects whose last word is in memory only, because the store was away."""
        return self.books.owed.entries()

    # Approvals

    def approve(self, key: str, by: str, args: Any = None) -> Entry:
        """Let a waiting effect run, when it is called again.

        With `args` the approval is for these arguments and no others.
        """
        return self._store.decide(key, Step.APPROVE, _somebody(by), self._stamps.now(), self._hash_for(key, args))

    def deny(self, key: str, by: str, args: Any = None) -> Entry:
        """Refuse a waiting effect for good."""
        return self._store.decide(key, Step.DENY, _somebody(by), self._stamps.now(), self._hash_for(key, args))

    def _hash_for(self, key: str, args: Any) -> str | None:
        return None if args is None else identity.args_hash(self._last(key).tool, args)

    def _last(self, key: str) -> Entry:
        found = self._reading.entries(key=key)
        if not found:
            raise UnknownEntry(key)
        return found[-1]

    # Streams, by reference

    def begin_stream(
        self,
        ref: str,
        *,
        response_id: str | None = None,
        at_ns: int | None = None,
        trace: Mapping[str, Any] | None = None,
    ) -> None:
        """Write down that this process reads the stream `ref`; if the process dies, the stream is found as crashed.

        `response_id`: the provider's name for the answer. Keys of effects are made from it, so that a stream that
        resumes the answer under another reference knows them.
        """
        now = at_ns if at_ns is not None else self._stamps.now()
        lease = now + int(self.settings.lease * _SECOND)
        row = StreamRow(
            _reference(ref), now, owner(), lease, trace=trace, changed_ns=now, response_id=_response(response_id)
        )
        self.books.tell(f"the begin of stream {ref}", lambda: self._store.begin_stream(row))

    def cancel(self, ref: str, initiator: str = "unknown", *, at_ns: int | None = None) -> None:
        """Put the fence up: no effect of the stream that has not started will.

        Works from any process, before or after the end.
        """
        told, now = at_ns is not None, at_ns if at_ns is not None else self._stamps.now()
        hold = self.settings.fence == "refuse"
        _reference(ref)
        self.books.tell(
            f"the cancel of stream {ref}",
            lambda: self._store.stop_stream(ref, initiator, now, told=told, hold=hold),
        )

    def end_stream(
        self,
        ref: str,
        outcome: str,
        initiator: str | None = None,
        phase: str | None = None,
        *,
        at_ns: int | None = None,
        failure_mode: str | None = None,
        shown_chars: int | None = None,
        usage: Mapping[str, Any] | None = None,
        trace: Mapping[str, Any] | None = None,
        response_id: str | None = None,
        tool_calls: Iterable[SeenCall] = (),
        only_if_known: bool = False,
    ) -> None:
        """Write down how the stream ended; on disk when this returns.

        `tool_calls`: those that were seen in it, as of `observe_tool_call`: id, name, hash of the arguments or None,
        whether it was complete. `only_if_known`: not for streams that no effect came from.
        """
        if outcome not in OUTCOMES:
            raise EffectInputError("outcome", outcome, "one of " + ", ".join(OUTCOMES))
        calls = [ToolCall(_reference(ref), *call, at_ns or self._stamps.now()) for call in tool_calls]
        told, now = at_ns is not None, at_ns if at_ns is not None else self._stamps.now()
        values: dict[str, Any] = {
            "outcome": outcome,
            "initiator": initiator,
            "phase": phase,
            "failure_mode": failure_mode,
        }
        values |= {"shown_chars": shown_chars, "usage": usage, "trace": trace, "response_id": _response(response_id)}
        hold = self.settings.fence == "refuse"
        _reference(ref)
        self.books.tell(
            f"the end of stream {ref}",
            lambda: self._store.end_stream(ref, now, values, calls, told=told, hold=hold, known=only_if_known),
        )

    def observe_tool_call(
        self,
        ref: str,
        tool_call_id: str,
        name: str,
        args_hash: str | None = None,
        complete: bool = True,
        *,
        at_ns: int | None = None,
    ) -> None:
        """Write down that the model made a tool call in the stream; without an effect it is shown as undeclared."""
        at_ns = at_ns if at_ns is not None else self._stamps.now()
        call = ToolCall(_reference(ref), tool_call_id, name, args_hash, complete, at_ns)
        self.books.tell(f"the tool call {tool_call_id} of stream {ref}", lambda: self._store.observe(call))

    # Reconciliation

    def probe(self, tool: str, function: Probe) -> None:
        """Register how to find out whether an effect of `tool` happened.

        `function(entry)`, sync or async, answers True, False or None (not known yet). The tool "*" stands for all
        others.
        """
        self._probes[_tool_or_any(tool)] = _callable("probe", tool, function)

    def compensate(self, tool: str, function: Compensation) -> None:
        """Register how to undo an effect of `tool`: `function(entry)`.

        An exception means that it is not proven to be undone.
        """
        self.books.compensate(tool, function)

    def request_compensation(self, key: str, by: str) -> Entry:
        """Ask for an effect that stands to be undone; the next `reconcile` does it."""
        tool = self._last(key).tool
        if tool not in self.books.compensations:
            raise UnknownTool(tool, "compensation", sorted(self.books.compensations))
        return self._store.request_undo(key, self._stamps.now(), _somebody(by))

    def reconcile(self) -> Report:
        """Resolve what can be resolved now.

        Probes, the dead, expired approvals, compensations, records that are due.
        """
        lookups.told()
        self.books.owed.repay()
        self._renew()
        return self._reconciler.run()

    def _start_background(self, every: float | None) -> threading.Thread | None:
        if every is None:
            return None
        thread = threading.Thread(target=self._background, args=(every,), name="streamgauge-reconciler", daemon=True)
        thread.start()
        return thread

    def _background(self, every: float) -> None:
        while not self._over.wait(every):
            try:
                self.reconcile()
            except Exception:
                _log.exception("the background reconciler will try again in %g s", every)

    def _renew(self) -> None:
        lease = self._stamps.now() + int(self.settings.lease * _SECOND)
        self._store.renew(owner(), self._in_flight, lease)

    # Questions

    def entries(self, **wanted: Any) -> list[Entry]:
        """Entries by `key`, `stream`, `tool`, `state`, `unsettled`; at most `limit`."""
        lookups.told()
        return self._reading.entries(**wanted)

    def streams(self, **wanted: Any) -> list[StreamRow]:
        """Streams, by `ref`; at most `limit`."""
        lookups.told()
        return self._reading.streams(**wanted)

    def reconciliations(self, **wanted: Any) -> list[dict[str, Any]]:
        """Newest reconciliation record per stream, by `stream`, `verdict`; all revisions with `history=True`."""
        lookups.told()
        return self._reading.reconciliations(**wanted)

    def undeclared(self, **wanted: Any) -> list[ToolCall]:
        """Tool calls that were seen in a stream and for which no effect was declared."""
        lookups.told()
        return self._reading.undeclared(**wanted)

    def history(self, **wanted: Any) -> list[dict[str, Any]]:
        """Every step, refusal and probe of a `key` or `stream`."""
        lookups.told()
        return self._reading.history(**wanted)

    def statistics(self) -> Statistics:
        """The numbers behind the metrics; a handful of indexed queries."""
        return self._reading.statistics(self._stamps.now())

    def export(self) -> Iterator[str]:
        """The whole ledger as JSON lines."""
        lookups.told()
        return self._reading.export()

    def durability(self) -> dict[str, str]:
        """How safely the database commits, as it says itself."""
        return self._database.durability()

    def prune(self, older_than: float) -> dict[str, int]:
        """Forget what is settled, reconciled and older than this many seconds; never what is unreconciled.

        Rows removed per table.
        """
        if not older_than >= 0:
            raise EffectInputError("older_than", older_than, "a number of seconds, 0 or more")
        return retention.prune(self._database, self._stamps.now() - int(older_than * _SECOND))

    # Listeners

    def on_change(self, listener: Listener) -> None:
        """Call `listener` with every fact (`streamgauge.ledger.facts`) once it is on disk.

        Its exceptions are logged and go no further.
        """
        self._listeners.append(listener)

    def _publish(self, facts: list[Fact]) -> None:
        for listener in self._listeners if facts else ():
            for fact in facts:
                try:
                    listener(fact)
                except Exception:
                    _log.exception("a listener of the ledger failed")

    def close(self) -> None:
        """Stop the background reconciler, repay what is owed and give the connections back."""
        lookups.told()
        self._over.set()
        if self._thread is not None:
            self._thread.join(timeout=self.settings.probe_timeout)
        if not self.books.owed.repay():
            _log.error(
                "closed while %d writes are in memory only: %s", len(self.books.owed), [e.key for e in self.unstored]
            )
        self._database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _settings(settings: LedgerSettings | None, choices: dict[str, Any]) -> LedgerSettings:
    known = LedgerSettings.__dataclass_fields__
    for name in choices:
        if name not in known:
            raise EffectInputError("ledger setting", name, "one of " + ", ".join(known))
    base = {name: getattr(settings, name) for name in known} if settings is not None else {}
    return LedgerSettings(**base | choices)


def _reference(ref: str) -> str:
    origin = identity.parse_reference(ref)
    if origin.tool_call_id is not None:
        raise EffectInputError("stream reference", ref, "a reference without '#'")
    return ref


def _response(response_id: str | None) -> str | None:
    if response_id is not None and (not response_id or identity.SEPARATOR in response_id):
        raise EffectInputError("response_id", response_id, "the provider's name for the answer, without '#'")
    return response_id


def _somebody(by: object) -> str:
    if isinstance(by, str) and by.strip():
        return by
    raise EffectInputError("by", by, "the name of whoever decides")


def _callable(what: str, tool: str, function: Any) -> Any:
    if not callable(function):
        raise EffectInputError(f"{what} of {tool}", function, "a function that takes the entry")
    return function


def _tool_or_any(tool: str) -> str:
    return tool if tool == "*" else identity.tool_name(tool)


def _jsonl(target: str | Path | Callable[[dict[str, Any]], None]) -> Listener:
    def write(body: dict[str, Any]) -> None:
        with Path(target).open("a", encoding="utf-8") as file:  # type: ignore[arg-type]
            file.write(json.dumps(body, sort_keys=True) + "\n")

    emit = target if callable(target) else write

    def listen(fact: Fact) -> None:
        if isinstance(fact, Reconciled):
            emit(fact.record.to_dict())

    return listen
