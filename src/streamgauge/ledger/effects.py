"""`effect`: the decorator and context manager around whatever touches the world. Sync and async, functions and blocks.

Comes in: a declaration, a function or a block. Goes out: an `Execution` that was on disk before the first line of the
block ran.
"""

import functools
import inspect
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from types import TracebackType
from typing import Any, TypeVar

from streamgauge.ledger.entry import Entry
from streamgauge.ledger.errors import DuplicateEffect, EffectInputError
from streamgauge.ledger.execution import Books, Call, Declaration, Execution, Proof, pick
from streamgauge.ledger.identity import tool_name
from streamgauge.ledger.offload import offload
from streamgauge.ledger.policy import Policy, check_confidence, check_duration, tool_class
from streamgauge.ledger.states import Meaning

F = TypeVar("F", bound=Callable[..., Any])
Compensation = Callable[[Entry], Any]
FindBooks = Callable[[], Books]

ON_DUPLICATE = ("raise", "result")


class Effect:
    """What `effect(...)` returns: put it before a function, or use it once in a `with` or `async with`."""

    def __init__(self, find_books: FindBooks, declaration: Declaration, compensate: Compensation | None) -> None:
        self._find_books = find_books
        self._declared = declaration
        self._compensate = compensate
        self._execution: Execution | None = None
        self._context: AbstractContextManager[Execution] | None = None

    def __call__(self, function: F) -> F:
        """Decorate `function`: every call of it is one effect, its bound arguments are the effect's arguments."""
        if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
            raise EffectInputError(
                "effect", function.__qualname__, "a function that returns; a generator has no one outcome"
            )
        tool = tool_name(self._declared.tool or function.__name__)
        signature = inspect.signature(function)
        _check_names(self._declared, signature, tool)
        bound = _Bound(self, function, signature, tool)
        wrap = bound.async_wrapper if inspect.iscoroutinefunction(function) else bound.sync_wrapper
        return wrap()  # type: ignore[return-value]

    def execution(self, tool: str | None = None, call: Call | None = None) -> Execution:
        """A new execution, checked but not begun.

        `tool` and `call`: what a decorated function knows of this call of it.
        """
        books, declared = self._find_books(), self._declared
        name = tool or tool_name(declared.tool)
        if self._compensate is not None:
            books.compensate(name, self._compensate)
        return Execution(books, declared, name, call or Call.declared(declared))

    def __enter__(self) -> Execution:
        execution = self._prepare()
        execution.begin()
        return self._run(execution)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._execution is not None  # noqa: S101 - entered
        self._leave()
        self._execution.finish(error)

    async def __aenter__(self) -> Execution:
        execution = self._prepare()
        await execution.abegin()
        return self._run(execution)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._execution is not None  # noqa: S101 - entered
        self._leave()
        execution = self._execution
        await offload(lambda: execution.finish(error))

    def _prepare(self) -> Execution:
        if self._execution is not None:
            raise EffectInputError("effect", self._declared.tool, "a new effect(...) for every block")
        self._execution = self.execution()
        return self._execution

    def _run(self, execution: Execution) -> Execution:
        self._context = execution.current()
        return self._context.__enter__()

    def _leave(self) -> None:
        assert self._context is not None  # noqa: S101 - entered
        self._context.__exit__(None, None, None)


def _check_names(declared: Declaration, signature: inspect.Signature, tool: str) -> None:
    named = (declared.key_arg, declared.stream_arg, declared.tool_call_arg, declared.offer_key_as)
    free = any(p.kind is inspect.Parameter.VAR_KEYWORD for p in signature.parameters.values())
    for name in (*filter(None, named), *declared.show, *declared.ignore_args):
        if name not in signature.parameters and not free:
            raise EffectInputError(f"argument of {tool}", name, "one of " + ", ".join(signature.parameters))


class _Bound:
    """A decorated function: turns each call into an execution."""

    def __init__(self, effect: Effect, function: Callable[..., Any], signature: inspect.Signature, tool: str) -> None:
        self._effect = effect
        self._function = function
        self._signature = signature
        self._tool = tool
        self._declared = effect._declared
        self._names = _positional(signature)
        self._plumbing = {
            name
            for name in (
                self._declared.key_arg,
                self._declared.stream_arg,
                self._declared.tool_call_arg,
                self._declared.offer_key_as,
                *self._declared.ignore_args,
            )
            if name is not None
        } | _receiver(signature)

    def sync_wrapper(self) -> Callable[..., Any]:
        @functools.wraps(self._function)
        def call(*args: Any, **kwargs: Any) -> Any:
            execution = self._prepare(args, kwargs)
            try:
                execution.begin()
            except DuplicateEffect as duplicate:
                return self._earlier_result(duplicate)
            return self._run(execution, args, self._offer(execution, kwargs))

        return call

    def _run(self, execution: Execution, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        with execution.current():
            try:
                result = self._function(*args, **kwargs)
            except BaseException as error:
                execution.finish(error)
                raise
        return self._done(execution, result)

    def async_wrapper(self) -> Callable[..., Any]:
        @functools.wraps(self._function)
        async def call(*args: Any, **kwargs: Any) -> Any:
            execution = self._prepare(args, kwargs)
            try:
                await execution.abegin()
            except DuplicateEffect as duplicate:
                return self._earlier_result(duplicate)
            return await self._arun(execution, args, self._offer(execution, kwargs))

        return call

    async def _arun(self, execution: Execution, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        with execution.current():
            try:
                result = await self._function(*args, **kwargs)
            except BaseException as error:
                await self._finish(execution, error)
                raise
        return await offload(lambda: self._done(execution, result))

    async def _finish(self, execution: Execution, error: BaseException) -> None:
        await offload(lambda: execution.finish(error))

    def _done(self, execution: Execution, result: Any) -> Any:
        return result if execution.over else execution.committed(result)

    def _prepare(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Execution:
        bound = self._bind(args, kwargs)
        declared, tool = self._declared, self._tool
        call = Call(
            key=pick(bound, declared.key_arg, declared.key, tool),
            stream=pick(bound, declared.stream_arg, declared.stream, tool),
            tool_call=pick(bound, declared.tool_call_arg, declared.tool_call, tool),
            args={name: value for name, value in bound.items() if name not in self._plumbing},
        )
        return self._effect.execution(tool, call)

    def _bind(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> dict[str, Any]:
        """The call's arguments by name.

        A call that does not fit raises its TypeError here, before anything is dispatched.
        """
        if len(args) == len(self._names) and not kwargs and self._declared.offer_key_as is None:
            return dict(zip(self._names, args, strict=True))
        offered = {} if self._declared.offer_key_as is None else {self._declared.offer_key_as: ""}
        bound = self._signature.bind(*args, **{**kwargs, **offered})
        bound.apply_defaults()
        return dict(bound.arguments)

    def _offer(self, execution: Execution, kwargs: Mapping[str, Any]) -> Mapping[str, Any]:
        name = self._declared.offer_key_as
        return kwargs if name is None else {**kwargs, name: execution.idempotency_key}

    def _earlier_result(self, duplicate: DuplicateEffect) -> Any:
        entry = duplicate.entry
        if self._declared.on_duplicate == "result" and entry is not None and entry.meaning is Meaning.STANDS:
            return entry.result
        raise duplicate


def _positional(signature: inspect.Signature) -> tuple[str, ...]:
    """The names of the parameters of a function that takes nothing but ordinary ones, for there binding is plain."""
    ordinary = all(p.kind is inspect.Parameter.POSITIONAL_OR_KEYWORD for p in signature.parameters.values())
    return tuple(signature.parameters) if ordinary else ()


def _receiver(signature: inspect.Signature) -> set[str]:
    """`self` or `cls`: the object that a method belongs to is no argument of the effect."""
    first = next(iter(signature.parameters), "")
    return {first} if first in ("self", "cls") else set()


def make_effect(
    find_books: FindBooks,
    tool: str | None = None,
    *,
    kind: str | None = None,
    reversible: bool | None = None,
    idempotent: bool | None = None,
    hints: object = None,
    trust_hints: bool = False,
    key: str | None = None,
    tool_call: Any = None,
    stream: str | None = None,
    args: Any = None,
    compensate: Compensation | None = None,
    policy: Policy | None = None,
    confidence: float | None = None,
    show: tuple[str, ...] = (),
    no_effect: tuple[type[BaseException], ...] | type[BaseException] | Proof = (),
    record_result: bool = False,
    on_duplicate: str = "raise",
    ignore_args: tuple[str, ...] = (),
    key_arg: str | None = None,
    stream_arg: str | None = None,
    tool_call_arg: str | None = None,
    offer_key_as: str | None = None,
    lease: float | None = None,
) -> Effect:
    """See `streamgauge.ledger.effect`."""
    if tool is not None:
        tool_name(tool)
    if on_duplicate not in ON_DUPLICATE:
        raise EffectInputError("on_duplicate", on_duplicate, "one of " + ", ".join(ON_DUPLICATE))
    if compensate is not None and not callable(compensate):
        raise EffectInputError("compensate", compensate, "a function that takes the entry")
    if policy is not None and not isinstance(policy, Policy):
        raise EffectInputError("policy", policy, "a Policy")
    check_confidence("confidence", confidence)
    if lease is not None:
        check_duration("lease", lease)
    proof = (no_effect,) if isinstance(no_effect, type) else no_effect
    declaration = Declaration(
        tool=tool,
        tool_class=tool_class(kind, reversible, idempotent, hints, trust_hints),
        key=key,
        tool_call=tool_call,
        stream=stream,
        args=args,
        policy=policy,
        confidence=confidence,
        show=tuple(show),
        no_effect=proof,
        record_result=record_result,
        on_duplicate=on_duplicate,
        ignore_args=tuple(ignore_args),
        key_arg=key_arg,
        stream_arg=stream_arg,
        tool_call_arg=tool_call_arg,
        offer_key_as=offer_key_as,
        lease=lease,
    )
    return Effect(find_books, declaration, compensate)
