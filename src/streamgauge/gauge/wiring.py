"""The gauge: holds settings, signals and the open streams, and makes an observation of each call.

Rooms 1 to 6 meet here and nowhere else. Everything that the application's own calls run through is guarded.
"""

import atexit
import os
import secrets
import threading
import weakref
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator
from contextvars import ContextVar
from dataclasses import replace
from typing import Any

from streamgauge.analysis import Arguments, StreamReport
from streamgauge.analysis.loops import Loop, LoopDetector
from streamgauge.clock import SYSTEM_CLOCK, Clock
from streamgauge.gauge.effects import Bridge, ledger_in_use
from streamgauge.gauge.follow_ups import FollowUps, Known
from streamgauge.gauge.guard import Guard
from streamgauge.gauge.observation import Observation, loop_report
from streamgauge.gauge.watchdog import Watchdog
from streamgauge.names import FollowUp, Initiator, Phase
from streamgauge.providers import Request
from streamgauge.recording import Call, EndCause, Recorder, Timeline
from streamgauge.recording.intake import Reader
from streamgauge.recording.samples import sampled
from streamgauge.recording.timeline import NoTimeline
from streamgauge.settings import Settings
from streamgauge.signals import Signals, Sink, SpanContext

REMEMBERED = 1024
"""Streams that are remembered for a later resume to be linked to, and for what becomes of them."""

current_observation: ContextVar[Observation | None] = ContextVar("streamgauge_current", default=None)

OnFinding = Callable[[Observation, Any], None]


class Gauge:
    """Observes streams and emits their signals; one per `instrument()`.

    `on_finding(stream, finding)` is called while the stream is open: with a `LoopReport` for a loop, with a `Stall`
    word for a stall."""

    def __init__(
        self,
        settings: Settings | None = None,
        *,
        tracer_provider: Any = None,
        meter_provider: Any = None,
        logger_provider: Any = None,
        sinks: Iterable[Sink] = (),
        on_finding: OnFinding | None = None,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self.settings = Settings.from_env() if settings is None else settings
        self.clock = clock
        self.guard = Guard(self._count_error)
        self._on_finding = on_finding
        self._open: dict[str, Observation] = {}
        self._by_response: weakref.WeakKeyDictionary[Any, Observation] = weakref.WeakKeyDictionary()
        self._by_iterator: weakref.WeakKeyDictionary[Any, Observation] = weakref.WeakKeyDictionary()
        self._remembered: OrderedDict[str, Known] = OrderedDict()
        self._lock = threading.Lock()
        self._limits = self.settings.stall_limits()
        self._objectives = _objectives(self.settings)
        self.signals = Signals(
            self.settings,
            self._open_streams,
            tracer_provider=tracer_provider,
            meter_provider=meter_provider,
            logger_provider=logger_provider,
            sinks=sinks,
            bounds=self._objectives.bounds_by_metric() if self._objectives else None,
            slos=self._objectives.names if self._objectives else (),
            attempt=self.guard.call,
        )
        shortest = min((*self._limits.values(), int(self.settings.idle_limit * 1e9))) / 1e9
        self._follow_ups = FollowUps(self.signals)
        self._watchdog = Watchdog(self.look_around, self._handle, min(max(shortest / 4, 0.02), 1.0))
        self._exit_registered = False
        self._bridge = Bridge(self.by_id, lambda: list(self._open.values()), self.signals.effects)
        self._bridge.install(current_observation.get, self.guard.call, listening=self.settings.enabled)
        os.register_at_fork(after_in_child=_weakly(self, Gauge._forked))
        _alive.add(self)

    # beginning

    def begin(self, request: Request, *, resume_of: str | None = None) -> Observation | None:
        """Observe a call that is about to be made; None if observing it failed."""
        return self.guard.call("request", self._begin, request, resume_of)

    def _begin(self, request: Request, resume_of: str | None) -> Observation:
        resumed = self._resumed(request.resume_of_response, resume_of)
        call = self._call(request, resumed[0] if resumed else resume_of)
        return self._observe(call, request, resumed[1] if resumed else None)

    def _observe(self, call: Call, request: Request, resumed: SpanContext | None) -> Observation:
        loops = (
            LoopDetector(on_loop=lambda loop: self._looped(call.stream_id, loop))
            if self.settings.loop_detection
            else None
        )
        recorder = Recorder(
            call,
            self._reader(request, call),
            timeline=self._timeline(),
            stall_limits=self._limits,
            judge=Arguments,
            on_text=loops.feed if loops is not None else None,
        )
        span, labels = self.signals.begin(call, resumed)
        observation = Observation(self, call, recorder, span, labels, request=request, loops=loops)
        self._open[call.stream_id] = observation
        current_observation.set(observation)
        self._ensure_exit()
        self._watchdog.wake()
        return observation

    def successor(self, observation: Observation) -> Observation | None:
        """A new observation for a stream that was given up as abandoned and is read again, linked to the first."""
        return self.guard.call("successor", self._successor, observation)

    def _successor(self, observation: Observation) -> Observation:
        recorder, before = observation.recorder, observation.call
        call = replace(
            before,
            stream_id=secrets.token_hex(8),
            started_unix_ns=before.started_unix_ns + recorder.asked - before.started_ns,
            started_ns=recorder.asked,
            resume_of=before.stream_id,
        )
        resumed = self._resumed(None, before.stream_id)
        follower = self._observe(call, observation.request, resumed[1] if resumed else None)
        follower.recorder.attempt(recorder.asked)
        follower.recorder.opened(recorder.http_status, recorder.asked)
        follower.recorder.response(recorder.response_id, recorder.response_model, recorder.service_tier)
        return follower

    def _call(self, request: Request, resume_of: str | None) -> Call:
        return Call(
            stream_id=secrets.token_hex(8),
            provider=self.settings.provider or request.provider,
            operation=request.api.operation,
            api=request.api.name,
            model=request.model,
            started_unix_ns=self.clock.wall_ns(),
            started_ns=self.clock.monotonic_ns(),
            server_address=request.server_address,
            server_port=request.server_port,
            parameters=request.parameters,
            resume_of=resume_of,
            stream_cursor=request.stream_cursor,
            background=request.background,
            finish_ends=request.api.finish_ends,
            ends_by_itself=request.api.ends_by_itself,
        )

    def _reader(self, request: Request, call: Call) -> Reader:
        read = request.api.reader()
        if not self.settings.time_per_output_chunk:
            return read
        labels = self.signals.metrics.per_chunk_labels(call)
        return sampled(read, lambda seconds: self.signals.metrics.chunk_gap(labels, seconds))

    def _timeline(self) -> Timeline:
        mode = self.settings.chunk_events
        if mode == "off":
            return NoTimeline()
        return Timeline(None if mode == "every" else self.settings.chunk_event_budget)

    @property
    def event_budget(self) -> int | None:
        """Most span events of one stream, or None when each chunk is to have its own."""
        return self.settings.chunk_event_budget if self.settings.chunk_events == "adaptive" else None

    def _resumed(self, response_id: str | None, stream_id: str | None) -> Known | None:
        return self._remembered.get(response_id or "") or self._remembered.get(stream_id or "")

    # finding

    def bind(self, response: Any, observation: Observation) -> None:
        """`response` carries the stream of `observation`."""
        self._by_response[response] = observation

    def bind_iterator(self, iterator: Any, observation: Observation) -> None:
        """`iterator` is what the application reads the stream of `observation` from."""
        self._by_iterator[iterator] = observation

    def by_response(self, response: Any) -> Observation | None:
        """The observation of the stream that `response` carries."""
        try:
            return self._by_response.get(response)
        except TypeError:
            return None

    def by_iterator(self, iterator: Any) -> Observation | None:
        """The observation of a watched iterator."""
        try:
            return self._by_iterator.get(iterator)
        except TypeError:
            return None

    def by_id(self, stream_id: str) -> Observation | None:
        """An open stream by its id."""
        return self._open.get(stream_id)

    def _open_streams(self) -> Iterator[tuple[Phase, float]]:
        # OpenTelemetry asks one of several gauges of the same name: each answers for all that report to the same meters
        for gauge in list(_alive):
            if gauge.signals.meter_provider is self.signals.meter_provider:
                for observation in list(gauge._open.values()):
                    yield observation.phase, observation.elapsed

    @property
    def open_count(self) -> int:
        """How many streams are open now."""
        return len(self._open)

    # while open

    def cancelled(self, observation: Observation, initiator: Initiator, now: int) -> None:
        """Somebody said who ends a stream."""
        self.guard.call("ledger", self._to_ledger, self._bridge.cancelled, observation.id, initiator)
        at = observation.call.started_unix_ns + now - observation.call.started_ns
        self.signals.cancelled(observation.call, observation.span, initiator, observation.phase, at)

    def _to_ledger(self, tell: Callable[..., None], *said: Any) -> None:
        ledger = ledger_in_use()
        if ledger is not None:
            tell(ledger, *said)

    def later(self, observation: Observation, cause: EndCause, at: int) -> None:
        """Seal from a safe place; callable in any context."""
        self._watchdog.later((observation, cause, at))

    def _handle(self, item: tuple[Observation, EndCause, int]) -> None:
        observation, cause, at = item
        observation.seal(cause, None, at)

    def look_around(self) -> bool:
        """Tell of stalls that go on, and give up what nobody reads; what the watchdog does by itself, too."""
        now = self.clock.monotonic_ns()
        idle = int(self.settings.idle_limit * 1e9)
        for observation in list(self._open.values()):
            self.guard.call("watchdog", self._look_after, observation, now, idle)
        return bool(self._open)

    def _look_after(self, observation: Observation, now: int, idle: int) -> None:
        recorder = observation.recorder
        observation.catch_up()
        silence = recorder.silence(now)
        if silence and observation.stall_told_since != recorder.now:
            observation.stall_told_since = recorder.now
            observation.stalls_told += 1
            self._stalled(observation, silence, now)
        elif not recorder.waiting and recorder.attempts and now - recorder.now > idle:
            observation.abandon(now)

    def _stalled(self, observation: Observation, silence: int, now: int) -> None:
        call = observation.call
        at = call.started_unix_ns + now - call.started_ns
        self.signals.stalled(call, observation.span, observation.labels, observation.phase, silence / 1e9, at)
        self._tell(observation, "stalled")

    def _looped(self, stream_id: str, loop: Loop) -> None:
        observation = self._open.get(stream_id)
        if observation is not None and loop.kind == "exact":
            self._tell(observation, loop_report(loop))

    def _tell(self, observation: Observation, finding: Any) -> None:
        if self._on_finding is not None:
            self.guard.call("on_finding", self._on_finding, observation, finding)

    def speak_for_effects(self) -> None:
        """What the ledger tells is told to this gauge's signals, whatever other gauges there are."""
        self._bridge.speak()

    def retire(self) -> None:
        """Nothing new will be observed: another gauge, if there is one, has the effects once the last stream ends."""
        self._bridge.retire()

    # ending

    def judged(self, report: StreamReport) -> StreamReport:
        """The report with its verdicts."""
        return report if self._objectives is None else replace(report, verdicts=self._objectives.verdicts(report))

    def emit(self, observation: Observation) -> None:
        """Everything that is to be said of a sealed stream."""
        report = observation.report
        assert report is not None  # noqa: S101 - sealed observations have one
        self.guard.call("remember", self._remember, observation, report)
        self.guard.call("ledger", self._to_ledger, self._bridge.sealed, report)
        self.signals.sealed(report, observation.span, observation.labels, observation.stalls_told)

    def _remember(self, observation: Observation, report: StreamReport) -> None:
        known = Known(report.stream_id, observation.span.get_span_context(), observation.labels)
        with self._lock:
            for key in (report.response_id, report.stream_id):
                if key is not None:
                    self._remembered[key] = known
            while len(self._remembered) > REMEMBERED:
                self._remembered.popitem(last=False)

    def remembers(self, stream: str) -> bool:
        """Whether a stream, by its id or its response's, is open or was sealed here not long ago."""
        return stream in self._open or stream in self._remembered

    def followed_up(self, stream: str, what: FollowUp) -> None:
        """The application says what became of a stopped answer, by its stream's id or its response's."""
        self.guard.call("follow_up", self._followed_up, stream, what)

    def _followed_up(self, stream: str, what: FollowUp) -> None:
        observation, known = self._open.get(stream), self._remembered.get(stream)
        if observation is not None:
            known = Known(observation.id, observation.span.get_span_context(), observation.labels)
        self._follow_ups.tell(stream, what, known, self.clock.wall_ns())

    def gone(self, observation: Observation) -> None:
        """The observation is sealed."""
        self._open.pop(observation.id, None)

    def flush(self, timeout: float = 5.0) -> None:
        """Seal what was dropped so far; returns when every dropped stream has its report, or after `timeout`
        seconds.
        """
        self._watchdog.drain()
        for observation in list(self._open.values()):
            if observation.dropping:
                observation.sealed.wait(timeout)

    def close(self) -> None:
        """Seal every open stream as abandoned; what the end of the interpreter does, too."""
        self._watchdog.drain()
        for observation in list(self._open.values()):
            observation.seal(EndCause.EXIT)

    def _ensure_exit(self) -> None:
        # exit handlers run last in, first out: ours must come after those of the providers that were set up before
        # the first stream
        if not self._exit_registered:
            self._exit_registered = True
            atexit.register(_weakly(self, Gauge.close))

    def _forked(self) -> None:
        for observation in self._open.values():
            observation.disown()
        self._open.clear()
        self._lock = threading.Lock()
        self._watchdog.reset()
        self._bridge.forked()

    def _count_error(self, hook: str) -> None:
        self.signals.metrics.error(hook)


_alive: weakref.WeakSet[Gauge] = weakref.WeakSet()


def _weakly(gauge: Gauge, method: Callable[[Gauge], None]) -> Callable[[], None]:
    reference = weakref.ref(gauge)

    def run() -> None:
        of = reference()
        if of is not None:
            method(of)

    return run


def _objectives(settings: Settings) -> Any:
    if settings.slo_file is None:
        return None
    from streamgauge import slo  # only who has objectives needs their room

    return slo.load(settings.slo_file)
