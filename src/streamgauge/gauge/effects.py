"""Joins streams with the ledger of their side effects, once the application uses one.

The ledger knows streams by their id. It is told of a cancel at once (the fence), of the end when the stream is
sealed, and of the tool calls seen; a stream that touched nothing costs it one look-up. Without a ledger in use
nothing here does anything."""

from collections import OrderedDict
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from streamgauge.ledger.context import lookups
from streamgauge.ledger.current import current_ledger
from streamgauge.names import Initiator

if TYPE_CHECKING:
    from streamgauge.analysis import StreamReport
    from streamgauge.gauge.observation import Observation
    from streamgauge.ledger.ledger import Ledger

REMEMBERED_CALLS = 4096


class Bridge:
    """Between the gauge's streams and the ledger in use."""

    def __init__(
        self,
        find: Callable[[str], "Observation | None"],
        open_streams: Callable[[], Iterable["Observation"]],
        listen: Callable[["Ledger"], Callable[[Any], None]],
    ) -> None:
        self._find, self._open, self._listen = find, open_streams, listen
        self._calls: OrderedDict[str, str] = OrderedDict()
        self._listening: Ledger | None = None

    def install(
        self, current: Callable[[], "Observation | None"], attempt: Callable[..., Any], *, listening: bool
    ) -> None:
        """Let effects find the stream that they came from; with `listening`, the signals hear of every effect from
        the first one on, whether or not there is a stream.
        """
        lookups.current_stream = lambda: _id(current())
        lookups.tool_call = self.tool_call
        lookups.shown_chars = self._shown
        lookups.opened = lambda _ledger: attempt("ledger", self.ledger) if listening else None
        lookups.opened(None)

    def ledger(self) -> "Ledger | None":
        """The ledger in use, if there is one; the signals listen to it from now on."""
        ledger = current_ledger(open_default=False)
        if ledger is not None and ledger is not self._listening:
            self._listening = ledger
            ledger.on_change(self._listen(ledger))
        return ledger

    def tool_call(self, call: object) -> str | None:
        """Reference of a tool call seen in a stream of this process, by its id."""
        call_id = call if isinstance(call, str) else None
        if call_id is None:
            return None
        stream = self._calls.get(call_id) or next(
            (observation.id for observation in self._open() if call_id in observation.recorder.tool_call_ids()), None
        )
        return None if stream is None else f"{stream}#{call_id}"

    def _shown(self, stream_id: str) -> int | None:
        observation = self._find(stream_id)
        return None if observation is None else observation.counts["text"]

    def cancelled(self, ledger: "Ledger", stream_id: str, initiator: Initiator) -> None:
        """Put the fence up, before the connection is closed."""
        ledger.cancel(stream_id, initiator.value)

    def sealed(self, ledger: "Ledger", report: "StreamReport") -> None:
        """Tell the ledger how the stream ended, and which tool calls it saw."""
        trace = {"trace_id": report.trace_id, "span_id": report.span_id} if report.trace_id else None
        for call in report.tool_calls:
            if call.id is not None:
                self._remember(call.id, report.stream_id)
                ledger.observe_tool_call(report.stream_id, call.id, call.name or "", call.arguments_hash, call.complete)
        cancel = report.cancel
        usage = report.usage
        ledger.end_stream(
            report.stream_id,
            report.outcome.value,
            cancel.initiator.value if cancel is not None else None,
            cancel.phase.value if cancel is not None else None,
            failure_mode=report.failure_mode.value if report.failure_mode is not None else None,
            shown_chars=report.characters.text,
            usage={
                "provenance": usage.provenance.value,
                "input_tokens": usage.input_tokens,
                "output_tokens": usage.output_tokens,
            },
            trace=trace,
            only_if_known=not report.tool_calls,
        )

    def _remember(self, call_id: str, stream_id: str) -> None:
        self._calls[call_id] = stream_id
        while len(self._calls) > REMEMBERED_CALLS:
            self._calls.popitem(last=False)


def _id(observation: "Observation | None") -> str | None:
    return None if observation is None else observation.id
