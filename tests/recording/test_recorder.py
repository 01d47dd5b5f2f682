"""The recorder: any words in any order at any time never fail, and its figures agree with each other."""

from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from tests.recording.recorders import SECOND, recorder, tapped

from streamgauge.events import Usage
from streamgauge.names import Initiator, Phase, State
from streamgauge.recording import End, EndCause, Recorder, Step

TEXT = st.text(min_size=1, max_size=20)
KEYS = st.sampled_from([0, 1, "call_1", (0, 1)])
WORDS = st.one_of(
    st.tuples(st.just("text"), TEXT),
    st.tuples(st.just("reasoning"), TEXT),
    st.tuples(st.just("refusal"), TEXT),
    st.tuples(st.just("tool_call"), KEYS, st.none() | TEXT, st.none() | TEXT),
    st.tuples(st.just("tool_arguments"), KEYS, TEXT),
    st.tuples(st.just("tool_call_end"), KEYS),
    st.tuples(st.just("choice"), st.integers(0, 5)),
    st.tuples(st.just("finish"), st.integers(0, 5), st.sampled_from(["stop", "length"])),
    st.tuples(st.just("terminal"), st.just("[DONE]")),
    st.tuples(st.just("usage"), st.builds(Usage, st.none() | st.integers(0, 99), st.none() | st.integers(0, 99))),
    st.tuples(st.just("response"), st.none() | TEXT, st.none() | TEXT, st.none()),
    st.tuples(st.just("error"), st.none() | TEXT, st.none() | st.just("failed")),
    st.tuples(st.just("duplicate")),
    st.tuples(st.just("ping")),
    st.tuples(st.just("expects_marker")),
    st.tuples(st.just("unrecognised")),
    st.tuples(st.just("no such word")),
)
CHUNKS = st.lists(st.tuples(TEXT | st.lists(WORDS, max_size=3), st.integers(0, 20 * SECOND), st.integers(0, SECOND)))


def fed(made: Recorder, chunks: list[tuple[Any, int, int]]) -> int:
    now = 2000
    made.attempt(now)
    now += 10
    made.opened(200, now)
    moments = [now]
    for _, wait, consumed in chunks:
        moments += (moments[-1] + wait, moments[-1] + wait + consumed)
    assert len(list(tapped(made, [chunk for chunk, _, _ in chunks], moments))) == len(chunks)
    return moments[-1] + 7


@example([([("no such word",)], 0, 0)], EndCause.EXHAUSTED, 8)
@given(CHUNKS, st.sampled_from(EndCause), st.integers(8, 60))
def test_any_chunks_give_a_record_whose_figures_agree(
    chunks: list[tuple[Any, int, int]], cause: EndCause, budget: int
) -> None:
    made = recorder(budget)
    now = fed(made, chunks)
    record = made.seal(End(cause), now, event_budget=budget)
    said = [words for words, _, _ in chunks]
    assert record.chunks == len(chunks)
    assert sum(row.count for row in record.timeline) == len(chunks)
    assert sum(record.phase_times_ns.values()) == sum(record.state_times_ns.values()) == now - 1000
    assert min([*record.phase_times_ns.values(), *record.state_times_ns.values()]) >= 0
    assert record.wait_ns <= now - 1000
    assert record.characters.total == sum(row.characters for row in record.timeline)
    assert record.characters.text == sum(len(piece) for piece in plain_text(said))
    firsts = (record.first_text_ns, record.first_reasoning_ns, record.first_tool_call_ns)
    known = [at for at in firsts if at is not None]
    assert (record.last_content_ns is None) == (not known)
    assert all(1000 < at <= (record.last_content_ns or 0) for at in known)
    assert record.first_any_ns is None or all(record.first_any_ns <= at for at in known)
    assert record.unrecognised >= sum("no such word" in [w for w, *_ in c] for c in said if isinstance(c, list))
    assert made.seal(End(EndCause.EXIT), now + 99) is record


def plain_text(said: list[Any]) -> list[str]:
    """The visible text in the chunks, up to the first word of each that cannot be read."""
    pieces: list[str] = []
    for chunk in said:
        if isinstance(chunk, str):
            pieces.append(chunk)
            continue
        for word, *arguments in chunk:
            if word == "no such word":
                break
            pieces += [arguments[0]] if word in ("text", "refusal") else []
    return pieces


@given(CHUNKS, st.integers(0, 300))
def test_batched_text_is_told_as_if_each_chunk_had_been_settled_alone(
    chunks: list[tuple[Any, int, int]], more: int
) -> None:
    """The same text as plain pieces, which are settled in batches, and as words, which are not."""
    texts = [(chunk, wait, used) for chunk, wait, used in chunks if isinstance(chunk, str)]
    texts += [(f"{n % 7} ", n % 3 * SECOND, 0) for n in range(more)]
    batched, single = recorder(8), recorder(8)
    ended = fed(batched, texts)
    fed(single, [([("text", piece)], wait, used) for piece, wait, used in texts])
    one = batched.seal(End(EndCause.EXHAUSTED), ended)
    two = single.seal(End(EndCause.EXHAUSTED), ended)
    for name in ("characters", "content_chunks", "gap_max_ns", "stalls", "duplicates", "phase_times_ns", "wait_ns"):
        assert getattr(one, name) == getattr(two, name), name
    assert (one.first_text_ns, one.last_content_ns) == (two.first_text_ns, two.last_content_ns)
    assert sum(row.count for row in one.timeline) == sum(row.count for row in two.timeline) == len(texts)


@pytest.mark.parametrize("word", ["text", "reasoning"])
def test_what_a_batch_holds_was_there_before_what_ends_it(word: str) -> None:
    heard: list[str] = []
    made = recorder(on_text=heard.append)
    now = fed(made, [("a", 1, 0), ("b", 1, 0), ("c", 1, 0), ([(word, "d")], 1, 0)])
    record = made.seal(End(EndCause.EXHAUSTED), now)
    assert record.last_content_ns == 2014
    assert "".join(heard) == ("abcd" if word == "text" else "abc")


def test_who_is_told_of_the_text_and_cancels_counts_each_chunk_once() -> None:
    """As an application does that stops a stream when it hears of a loop."""
    counted: list[tuple[int, int]] = []

    def stop(_text: str) -> None:
        counted.append((made.chunks, made.text_characters))
        if len(counted) == 2:
            made.cancel(Initiator.GUARDRAIL, made.now)

    made = recorder(on_text=stop)
    now = fed(made, [("ab", 1, 0)] * 100)
    record = made.seal(End(EndCause.CLOSED), now)
    assert counted == [(0, 2), (65, 130), (100, 200)]
    assert record.cancel is not None
    assert (record.cancel.chunks_after, record.cancel.characters_after) == (35, 70)


def test_role_empty_usage_and_error_chunks_never_set_the_first_text() -> None:
    made = recorder()
    made.attempt(1100)
    chunks: tuple[Any, ...] = ([], "", [("usage", Usage(1))], [("ping",)], [("reasoning", "x")])
    assert len(list(tapped(made, chunks, range(2000, 3000)))) == len(chunks)
    assert made.seal(End(EndCause.CLOSED), 3000).first_text_ns is None


def test_trailing_usage_and_the_close_do_not_move_the_last_content() -> None:
    made = recorder()
    now = fed(made, [("answer", 1, 0), ([("finish", 0, "stop")], 5, 0), ([("usage", Usage(1, 2))], 9, 0)])
    assert made.seal(End(EndCause.EXHAUSTED), now).last_content_ns == 2011


def test_waiting_and_the_consumer_are_told_apart() -> None:
    made = recorder()
    now = fed(made, [("a", 3 * SECOND, 5 * SECOND), ("b", SECOND, 0)])
    record = made.seal(End(EndCause.EXHAUSTED), now)
    assert record.wait_ns == pytest.approx(4 * SECOND, abs=100)


@pytest.mark.parametrize("phase", ["reasoning", "text"])
def test_stall_in_an_open_read_is_told_by_where_it_is_and_kept_at_the_end(phase: str) -> None:
    made = recorder()
    now = fed(made, [([(phase, "hm")], 5, 0)])
    assert made.silence(now + 5 * SECOND) == 0
    assert made.silence(now + 11 * SECOND) > 10 * SECOND
    (stall,) = made.seal(End(EndCause.INTERRUPTED), now + 11 * SECOND).stalls
    assert stall.open
    assert stall.phase is (Phase.PLANNING if phase == "reasoning" else Phase.RESPONDING)


def test_consumer_that_takes_its_time_is_no_stall() -> None:
    made = recorder()
    now = fed(made, [("a", 5, 100 * SECOND), ("b", 5, 100 * SECOND)])
    assert made.seal(End(EndCause.EXHAUSTED), now).stalls == ()


def test_cancel_counts_what_arrives_after_it_and_the_first_to_ask_is_remembered() -> None:
    made = recorder()
    now = 2000
    chunks = tapped(made, ["abc", "de", "fgh"], range(now, now + 10))
    assert next(chunks) == "abc"
    made.cancel(Initiator.USER_STOP, now)
    made.cancel(Initiator.SHUTDOWN, now + 5)
    assert list(chunks) == ["de", "fgh"]
    cancel = made.seal(End(EndCause.CLOSED), now + 20, closed_ns=now + 15).cancel
    assert cancel is not None
    assert cancel.initiator is Initiator.USER_STOP
    assert (cancel.chunks_after, cancel.characters_after) == (2, 5)
    assert (cancel.requested_ns, cancel.upstream_closed_ns) == (now, now + 15)


def test_resumed_call_is_recovered_and_a_retry_goes_through_retried() -> None:
    resumed, retried = recorder(resume_of="r"), recorder()
    resumed.attempt(1100)
    retried.attempt(1100)
    retried.attempt(1200)
    assert resumed.state is State.RECOVERED
    assert retried.state is State.SENDING
    record = retried.seal(End(EndCause.FAILED), 1300)
    assert State.RETRIED in record.state_times_ns
    assert record.attempts == 2
    retried.step(Step.VALIDATE, 1400)
    assert retried.illegal == 1


@pytest.mark.parametrize("strange", [7, 3.5, ["a", "b"], {"text": "x"}, True])
def test_text_that_is_no_text_is_unrecognised_and_stops_nothing(strange: Any) -> None:
    made = recorder()
    made.look = lambda chunk, _sink: chunk
    now = fed(made, [("plain", 1, 0), (strange, 1, 0), (" text", 1, 0), (" again", 1, 0), (strange, 1, 0)])
    assert (made.chunks, made.text_characters) == (5, 16)
    record = made.seal(End(EndCause.EXHAUSTED), now)
    assert (record.chunks, record.unrecognised, record.characters.text) == (5, 2, 16)
    assert sum(row.characters for row in record.timeline) == 16
    assert record.last_content_ns == record.first_any_ns + 3  # type: ignore[operator] # " again" came third after it
