"""What went wrong inside a stream, whatever its outcome: one row per finding, each a question to the sealed record."""

from collections.abc import Callable

from streamgauge.analysis.outcome import FILTERED, expected_choices, finished
from streamgauge.names import Finding
from streamgauge.recording import StreamRecord


def _stalled(record: StreamRecord) -> bool:
    return record.stall_count > 0


def _malformed(record: StreamRecord) -> bool:
    return any(call.well_formed is False for call in record.tool_calls)


def _empty(record: StreamRecord) -> bool:
    silenced = record.refused or FILTERED & set(record.finish_reasons.values())
    return finished(record) and not silenced and record.characters.total == 0 and record.tool_call_count == 0


def _missing_finish_reason(record: StreamRecord) -> bool:
    return record.terminal_marker is not None and len(record.finish_reasons) < expected_choices(record)


def _duplicate(record: StreamRecord) -> bool:
    return record.duplicates > 0


def _unrecognised(record: StreamRecord) -> bool:
    return record.unrecognised > 0


QUESTIONS: dict[Finding, Callable[[StreamRecord], bool]] = {
    Finding.STALLED: _stalled,
    Finding.MALFORMED_TOOL_CALL: _malformed,
    Finding.EMPTY: _empty,
    Finding.MISSING_FINISH_REASON: _missing_finish_reason,
    Finding.DUPLICATE_CHUNK: _duplicate,
    Finding.UNRECOGNISED_CHUNK: _unrecognised,
}


def findings(record: StreamRecord) -> tuple[Finding, ...]:
    """The findings that the record alone proves, in the order of the table."""
    return tuple(finding for finding, asked in QUESTIONS.items() if asked(record))
