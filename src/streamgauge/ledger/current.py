"""The ledger of this process, for applications that need only one.

Opened on first use, or by `use_ledger(url)`, which is what calling `streamgauge.ledger(url)` does.
"""

import atexit
import os
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar, overload

from streamgauge.errors import ConfigError
from streamgauge.ledger.context import lookups
from streamgauge.ledger.effects import Compensation, Effect, make_effect
from streamgauge.ledger.execution import Books, Proof
from streamgauge.ledger.policy import Policy

if TYPE_CHECKING:
    from streamgauge.ledger.ledger import Ledger

F = TypeVar("F", bound=Callable[..., Any])

DEFAULT_URL = "sqlite:///streamgauge-effects.db"
VARIABLE = "STREAMGAUGE_LEDGER_URL"

_lock = threading.RLock()
_current: "Ledger | None" = None


def open_ledger(url: str | None = None, **choices: Any) -> "Ledger":
    """A ledger at `url`, else at STREAMGAUGE_LEDGER_URL, else in a file beside the application.

    `choices` as for `Ledger`.
    """
    try:
        from streamgauge.ledger.ledger import Ledger
    except ModuleNotFoundError as missing:
        raise ConfigError(
            "ledger", missing.name, "SQLAlchemy and Alembic: pip install 'streamgauge[ledger]'"
        ) from missing
    return Ledger(url or os.environ.get(VARIABLE) or DEFAULT_URL, **choices)


def use_ledger(url: str | None = None, **choices: Any) -> "Ledger":
    """Open a ledger and make it the one that `effect` uses; the one before is closed."""
    global _current
    opened = open_ledger(url, **choices)
    atexit.register(opened.close)
    with _lock:
        before, _current = _current, opened
    if before is not None:
        _retire(before)
    lookups.opened(opened)
    return opened


def current_ledger(open_default: bool = True) -> "Ledger | None":
    """The ledger that `effect` uses; opened now if there is none yet, unless `open_default` is false."""
    with _lock:
        return _current if _current is not None or not open_default else use_ledger()


def close_ledger() -> None:
    """Close the ledger of this process, if it has one."""
    global _current
    with _lock:
        before, _current = _current, None
    if before is not None:
        _retire(before)


def _retire(before: "Ledger") -> None:
    atexit.unregister(before.close)
    before.close()


def _books() -> Books:
    found = current_ledger()
    assert found is not None  # noqa: S101 - opened on demand
    return found.books


@overload
def effect(tool: F) -> F: ...


@overload
def effect(
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
) -> Effect: ...


def effect(tool: Any = None, **declared: Any) -> Any:
    """Declare a side effect: put it before a function, sync or async, or use it once in a `with` or `async with`.

    `tool`: the tool's name (a function's own name if left out). `kind`: its class, e.g. "read_only",
    "external_message"; "destructive" if nothing is said. `reversible`, `idempotent`: what holds for it; False if
    nothing is said. `hints`: an MCP tool's annotations, which may make it safer only with `trust_hints`.

    Where it comes from: `tool_call` (an SDK's object or dict, a tool call id, or a reference
    `stream_ref#tool_call_id`), `stream` (a reference); else the context. `key`: the idempotency key, else made from
    reference and tool. `args`: the block's arguments; a function's own. `key_arg`, `stream_arg`, `tool_call_arg`:
    parameters of the function to read these from; `offer_key_as`: the parameter that gets the key; `ignore_args`:
    parameters that are no part of the wish (sessions, clients).

    What is allowed: `policy`, `confidence` (0..1). What is kept: a hash of the arguments always, the arguments named in
    `show`, the result with `record_result`; then `on_duplicate="result"` returns it instead of raising
    `DuplicateEffect`.

    What a failure means: exceptions in `no_effect` (types, or a function that judges one), and `NoEffect`, prove that
    nothing happened; all others leave the effect `unknown`. `lease`: seconds for which it is believed to run; longer
    than its own time-out. `compensate`: how to undo it.

    Entering the block, or calling the function, raises an `EffectRefused` with the entry that stands in the way, or
    `StoreUnavailable`; then nothing was dispatched.
    """
    if callable(tool):
        return make_effect(_books)(tool)
    return make_effect(_books, tool, **declared)
