"""One execution of one effect: begin (on disk before anything is dispatched), then exactly one word about how it went.

Comes in: what the programmer declared and the arguments of this call. Goes out: entries, through the ledger. May not
decide what is allowed (policy) nor what a state means (states).
"""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol, TypeVar

from streamgauge.ledger import identity
from streamgauge.ledger.context import lookups, resolve
from streamgauge.ledger.entry import Entry, Source
from streamgauge.ledger.errors import EffectInputError, IllegalTransition, NoEffect
from streamgauge.ledger.identity import Origin
from streamgauge.ledger.offload import offload
from streamgauge.ledger.policy import Policy, ToolClass
from streamgauge.ledger.states import EffectState, Step

T = TypeVar("T")
Proof = Callable[[BaseException], bool]


class Books(Protocol):
    """The part of the ledger that an execution needs."""

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
    ) -> Entry:
        """An entry that is not written yet."""
        ...

    def compensate(self, tool: str, function: Callable[[Entry], Any]) -> None:
        """Register how to undo an effect of `tool`."""
        ...

    def admit(self, wanted: Entry, policy: Policy | None, source: Source, *, announce: bool) -> Entry:
        """Write intent and start, or raise a refusal."""
        ...

    def settle(self, entry: Entry, step: Step, **values: Any) -> Entry:
        """Write the outcome; never raises for a store that is away."""
        ...


@dataclass(frozen=True, slots=True)
class Declaration:
    """What the programmer says about an effect; see `effect` for the meaning of each."""

    tool: str | None = None
    tool_class: ToolClass = ToolClass()  # noqa: RUF009 - frozen
    key: str | None = None
    tool_call: Any = None
    stream: str | None = None
    args: Any = None
    policy: Policy | None = None
    confidence: float | None = None
    show: tuple[str, ...] = ()
    no_effect: tuple[type[BaseException], ...] | Proof = ()
    record_result: bool = False
    on_duplicate: str = "raise"
    ignore_args: tuple[str, ...] = ()
    key_arg: str | None = None
    stream_arg: str | None = None
    tool_call_arg: str | None = None
    offer_key_as: str | None = None
    lease: float | None = None


class Call(NamedTuple):
    """Who one execution is: what was declared for all, unless a decorated function's arguments say it."""

    key: str | None
    stream: str | None
    tool_call: Any
    args: Any

    @classmethod
    def declared(cls, declaration: Declaration) -> "Call":
        """As declared."""
        return cls(declaration.key, declaration.stream, declaration.tool_call, declaration.args)


class Execution:
    """An effect under way. `idempotency_key` is for the other side; `entry` is what the ledger holds so far."""

    def __init__(self, books: Books, declaration: Declaration, tool: str, call: Call) -> None:
        self._books = books
        self._declared = declaration
        origin = resolve(call.tool_call, call.stream, tool)
        self._origin = origin
        self._wanted = books.draft(
            tool,
            declaration.tool_class,
            identity.idempotency_key(tool, origin, call.key),
            origin,
            call.args if call.args is not None else origin.args,
            show=declaration.show,
            confidence=declaration.confidence,
            token=identity.token(),
            lease=declaration.lease,
        )
        self.entry: Entry = self._wanted
        self._settled = False

    @property
    def idempotency_key(self) -> str:
        """Give it to the other side, so that it can tell a repetition from a second wish."""
        return self.entry.key

    @property
    def reference(self) -> str | None:
        """Where the effect came from, as a string that survives queues and processes."""
        return self._origin.reference

    @property
    def over(self) -> bool:
        """Whether its outcome has been said."""
        return self._settled

    def announce(self) -> Entry:
        """Write the intent down without starting; the effect itself follows, or is found as `never_started`."""
        self.entry = self._books.admit(self._wanted, self._declared.policy, self._source(), announce=True)
        return self.entry

    def begin(self) -> None:
        """Write intent and start; after this, and not before, the effect may be dispatched.

        Raises an `EffectRefused`.
        """
        shown = self._shown()
        if shown is not None:
            self._wanted = self._wanted.evolve(shown_at_start=shown)
        self.entry = self._books.admit(self._wanted, self._declared.policy, self._source(), announce=False)

    async def abegin(self) -> None:
        """`begin`, off the event loop.

        A cancel meanwhile leaves an effect that failed without effect, since nothing was dispatched.
        """
        try:
            await offload(self.begin)
        except BaseException:
            if self.entry.state is EffectState.STARTED:
                self._settle(Step.FAIL, reason="cancelled before dispatch")
            raise

    def committed(self, result: T = None) -> T:  # type: ignore[assignment]
        """Say that the effect happened.

        Returns `result`, which is kept only if the effect was declared with `record_result`.
        """
        kept = {"result": self._plain(result)} if self._declared.record_result else {}
        self._settle(Step.COMMIT, **kept)
        return result

    async def acommitted(self, result: T = None) -> T:  # type: ignore[assignment]
        """`committed`, off the event loop; a cancel meanwhile does not lose it."""
        return await offload(lambda: self.committed(result))

    def failed_no_effect(self, reason: str = "the tool says that nothing happened") -> None:
        """Say that nothing happened, and that this is proven."""
        self._settle(Step.FAIL, reason=reason)

    def unknown(self, reason: str = "the tool does not know") -> None:
        """Say that nobody knows whether it happened; a probe will."""
        self._settle(Step.LOSE, reason=reason)

    def failed(self, error: BaseException) -> None:
        """Judge an exception: without proof that nothing happened the outcome is unknown, never failed."""
        if self._settled:
            return
        step = Step.FAIL if self._proves_no_effect(error) else Step.LOSE
        self._settle(step, reason=_reason(error))

    def finish(self, error: BaseException | None) -> None:
        """The block or function is over; whoever said nothing by then has committed, or failed with `error`."""
        if error is not None:
            self.failed(error)
        elif not self._settled:
            self.committed()

    def _proves_no_effect(self, error: BaseException) -> bool:
        if isinstance(error, NoEffect) or self._declared.tool_class.read_only:
            return True
        proof = self._declared.no_effect
        return isinstance(error, proof) if isinstance(proof, tuple) else bool(proof(error))

    def _settle(self, step: Step, **values: Any) -> None:
        if self._settled:
            raise IllegalTransition(str(self.entry.state), str(step), (), self.entry)
        self._settled = True
        self.entry = self._books.settle(self.entry, step, shown_at_settle=self._shown(), **values)

    def _source(self) -> Source:
        ref = self._origin.stream_ref
        return Source(ref is not None and lookups.lives_here(ref), self._origin.response_id)

    def _shown(self) -> int | None:
        ref = self._wanted.stream_ref
        return None if ref is None else lookups.shown_chars(ref)

    def _plain(self, result: Any) -> Any:
        """The result as JSON, or None: a result that cannot be kept must not turn a commit into an error."""
        try:
            return identity.plain(self._wanted.tool, result)
        except EffectInputError:
            return None

    def current(self) -> AbstractContextManager["Execution"]:
        """Make this the effect that `current_effect()` returns."""
        return _Current(self)


class _Current:
    """A `contextmanager` would cost as much as the whole rest of what surrounds the tool."""

    def __init__(self, execution: Execution) -> None:
        self._execution = execution

    def __enter__(self) -> Execution:
        self._token = _current.set(self._execution)
        return self._execution

    def __exit__(self, *_: object) -> None:
        _current.reset(self._token)


_current: ContextVar[Execution | None] = ContextVar("streamgauge_effect", default=None)


def current_effect() -> Execution | None:
    """The effect whose tool runs in this context, or None."""
    return _current.get()


def _reason(error: BaseException) -> str:
    """Why, without the exception's message: that may hold anything."""
    if isinstance(error, TimeoutError):
        return f"timed out in flight: {type(error).__name__}"
    if not isinstance(error, Exception):
        return f"cancelled in flight: {type(error).__name__}"
    return f"exception after dispatch: {type(error).__name__}"


def pick(arguments: Mapping[str, Any], name: str | None, fallback: Any, tool: str) -> Any:
    """The argument that the decorator names, or `fallback`."""
    if name is None:
        return fallback
    if name not in arguments:
        raise EffectInputError(f"argument of {tool}", name, "one of its parameters: " + ", ".join(arguments))
    return arguments[name] if arguments[name] is not None else fallback
