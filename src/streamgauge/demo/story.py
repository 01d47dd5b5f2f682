"""The stories that the demo tells: what is injected, how the caller behaves, and what an honest observer must then say.

In: the table of faults. Out: `STORIES`, one per fault, read by a plain caller, and one per way in which callers leave a
stream. A story is data; `reading.py` acts it out. Times are seconds unless they say otherwise.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from streamgauge.demo.faults import FAULTS, Expected
from streamgauge.errors import ConfigError
from streamgauge.names import FailureMode, Initiator, Outcome

APIS = ("chat", "responses", "messages")

STALL_LIMIT = 1.2
"""Silence in the middle of a stream that the demo's settings call a stall; the default is 10 seconds or more."""

STALL = 2.2
"""Silence that the demo's provider puts where a fault says stall."""

SLOW_FIRST = 1.5
"""Wait before the first piece where a fault says slow; below the limit of 5 seconds that holds before any content."""

TIMEOUT = 3.0
"""Read timeout of the demo's clients."""

PATIENCE = 1.5
"""Silence after which an application gives up by itself; it looks that often, so it takes up to twice as long."""

IDLE_LIMIT = 2.5
"""How long a stream may be held unread before it counts as abandoned; the default is 300 seconds."""


@dataclass(frozen=True, slots=True)
class Surface:
    """By which door the caller comes in: sync or async, `create(stream=True)` or the `.stream()` helper."""

    asynchronous: bool
    helper: bool

    def __str__(self) -> str:
        return f"{'async' if self.asynchronous else 'sync'} {'stream()' if self.helper else 'create()'}"


SYNC, ASYNC = Surface(False, False), Surface(True, False)
SYNC_HELPER, ASYNC_HELPER = Surface(False, True), Surface(True, True)
CREATE, EVERYWHERE = (SYNC, ASYNC), (SYNC, ASYNC_HELPER, ASYNC, SYNC_HELPER)


@dataclass(frozen=True, slots=True)
class Story:
    """One kind of stream.

    The caller reads to the end unless `leaves` names a row of `reading.LEAVES`, done after `after` chunks, or
    `patience` runs out. `managed` reads inside `with`. `ends` overrides what the fault's own table expects; `initiator`
    is who must be on record as having ended it.
    """

    name: str
    description: str
    fault: str = "healthy"
    leaves: str = ""
    after: int = 6
    patience: float | None = None
    initiator: Initiator | None = None
    managed: bool = False
    ends: Expected | None = None
    apis: tuple[str, ...] = APIS
    surfaces: tuple[Surface, ...] = EVERYWHERE
    script: Mapping[str, object] = field(default_factory=dict)
    request: Mapping[str, object] = field(default_factory=dict)
    retries: int = 0
    timeout: float = TIMEOUT
    reachable: bool = True

    def expected(self, api: str) -> Expected:
        """What must be reported of this story on this API."""
        return self.ends or FAULTS[self.fault].expected(api)


_OF_FAULTS: Mapping[str, Mapping[str, object]] = {
    "slow_first_token": {"script": {"stall_ms": SLOW_FIRST * 1e3}},
    "slow_dribble": {"script": {"pieces": 4, "gap_ms": 1}, "surfaces": (SYNC_HELPER, ASYNC)},
    "duplicate_chunk": {"script": {"pieces": 16}},
    "loop": {"script": {"gap_ms": 3}},
    "stall_forever": {
        "patience": PATIENCE,
        "initiator": Initiator.DEADLINE,
        "timeout": 10.0,
    },
    # Anthropic's `.stream()` helper raises at the first piece that cannot be JSON: then it is the caller who leaves.
    "malformed_tool": {"surfaces": CREATE},
    "rate_limited_then_ok": {"retries": 1},
}
"""What a caller must bring, beyond plain reading, for a fault to show."""


def _told(name: str) -> Story:
    return Story(name, FAULTS[name].description, fault=name, **_OF_FAULTS.get(name, {}))  # type: ignore[arg-type]


_STOPPED = Expected(Outcome.CANCELLED)
_LEFT = Expected(Outcome.ABANDONED)

_OF_CALLERS = (
    Story(
        "user_stop",
        "a user presses Stop: streamgauge.cancel(stream)",
        leaves="stop",
        initiator=Initiator.USER_STOP,
        ends=_STOPPED,
    ),
    Story(
        "stop_reasoning",
        "a user presses Stop while the model reasons",
        fault="reasoning_and_tools",
        leaves="stop",
        after=5,
        initiator=Initiator.USER_STOP,
        ends=_STOPPED,
    ),
    Story(
        "with_break",
        "the caller leaves the loop inside `with`",
        leaves="break",
        managed=True,
        initiator=Initiator.UNKNOWN,
        ends=_STOPPED,
    ),
    Story(
        "close",
        "the caller closes the stream half-way",
        leaves="close",
        initiator=Initiator.UNKNOWN,
        surfaces=CREATE,
        ends=_STOPPED,
    ),
    Story(
        "task_cancel",
        "the caller's asyncio task is cancelled",
        leaves="cancel_task",
        initiator=Initiator.UNKNOWN,
        surfaces=(ASYNC, ASYNC_HELPER),
        ends=_STOPPED,
    ),
    Story("break", "the caller leaves the loop and drops the stream", leaves="break", surfaces=CREATE, ends=_LEFT),
    Story("left_open", "the caller keeps the stream and never reads on", leaves="keep", surfaces=CREATE, ends=_LEFT),
    Story(
        "background_left",
        "the caller leaves a background response that goes on",
        leaves="close",
        apis=("responses",),
        initiator=Initiator.UNKNOWN,
        surfaces=CREATE,
        request={"background": True},
        ends=Expected(Outcome.DETACHED),
    ),
    Story(
        "close_after_end",
        "the caller closes a stream that has ended",
        leaves="close_at_end",
        managed=True,
    ),
    Story(
        "refused",
        "nobody listens at the address",
        reachable=False,
        ends=Expected(Outcome.FAILED, FailureMode.NETWORK_PRE_STREAM, (), None, "connection_error"),
    ),
)

STORIES: Mapping[str, Story] = {story.name: story for story in (*map(_told, FAULTS), *_OF_CALLERS)}
"""Every story by name: the faults in their own order, then the callers."""


def chosen(names: Iterable[str]) -> tuple[Story, ...]:
    """The stories of these names, all of them when there is none; dashes count as underscores.

    Raises:
        ConfigError: there is no such story.
    """
    wanted = [name.strip().replace("-", "_") for name in names if name.strip()]
    for name in wanted:
        if name not in STORIES:
            raise ConfigError("--faults", name, f"one of {', '.join(STORIES)}")
    return tuple(STORIES[name] for name in wanted) or tuple(STORIES.values())
