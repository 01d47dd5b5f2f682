import json
import random
import runpy
import sys
import weakref
from collections.abc import Callable, Iterator
from dataclasses import asdict
from inspect import getgeneratorlocals
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamgauge.analysis import loops
from streamgauge.analysis.loops import LONG_STEP, STEP, TAIL, Loop, LoopDetector
from streamgauge.analysis.markup import LEAST, context_of
from streamgauge.analysis.periods import LONGEST_PERIOD, NEEDLE, agreement, common_start, recurrence

CORPUS = Path(__file__).parent / "corpus"
MANIFEST = json.loads((CORPUS / "manifest.json").read_text())
LOOPING = {truth["name"]: truth for truth in MANIFEST["looping"]}
WHOLE = 10**9
PIECES = pytest.mark.parametrize("size", [1, 4, 7, 40, WHOLE])
SENTENCE = "I will look at the file again, and then decide what to do. "


def text_of(kind: str, name: str) -> str:
    return (CORPUS / kind / f"{name}.txt").read_bytes().decode()


def cut(text: str, size: int) -> Iterator[str]:
    return (text[at : at + size] for at in range(0, len(text), size))


def detect(text: str, size: int = 4, on_loop: Callable[[Loop], None] | None = None) -> LoopDetector:
    detector = LoopDetector(on_loop)
    for piece in cut(text, size):
        detector.feed(piece)
    detector.finish()
    assert detector.failure is None
    return detector


def words(rng: random.Random, size: int) -> str:
    """Text of exactly `size` characters, of words that hardly ever come twice."""
    text = ""
    while len(text) < size:
        text += "".join(rng.choices("abcdefghijklmnopqrstuvwxyz", k=rng.randint(2, 9))) + rng.choice("    \n")
    return text[:size]


# The corpus


@PIECES
@pytest.mark.parametrize("name", LOOPING)
def test_every_exact_loop_is_found_with_its_period_start_and_length_while_the_stream_is_open(
    name: str, size: int
) -> None:
    text, truth = text_of("looping", name), LOOPING[name]
    found: list[Loop] = []
    detector = LoopDetector(found.append)
    last = len(text) - size if size < WHOLE else len(text)
    for piece in cut(text[: max(last, 0)], size):
        detector.feed(piece)
    assert len(found) == 1, "not found before the last piece"
    assert (found[0].period, found[0].start, found[0].kind) == (truth["period"], truth["start"], "exact")
    detector.feed(text[max(last, 0) :])
    loop = detector.finish()
    assert loop == Loop(
        truth["period"],
        truth["length"] // truth["period"],
        truth["start"],
        truth["length"],
        truth["length"] / len(text),
        truth["context"],
    )


@PIECES
@pytest.mark.parametrize("name", MANIFEST["honest"])
def test_no_honest_text_is_flagged_at_any_moment(name: str, size: int) -> None:
    found: list[Loop] = []
    assert detect(text_of("honest", name), size, found.append).finding is None
    assert found == []


@PIECES
@pytest.mark.parametrize("name", MANIFEST["drifting"])
def test_drifting_repetition_is_suspect_and_never_a_finding(name: str, size: int) -> None:
    found: list[Loop] = []
    detector = detect(text_of("drifting", name), size, found.append)
    assert (detector.finding, found) == (None, [])
    assert detector.suspect is not None
    assert detector.suspect.kind == "suspect"
    assert detector.finish() == detector.suspect


def test_the_figures_of_the_corpus(capsys: pytest.CaptureFixture[str]) -> None:
    found = sum(detect(text_of("looping", name)).finding is not None for name in LOOPING)
    honest = [detect(text_of("honest", name)) for name in MANIFEST["honest"]]
    flagged = sum(detector.finding is not None for detector in honest)
    suspected = sum(detector.suspect is not None for detector in honest)
    drifting = sum(detect(text_of("drifting", name)).suspect is not None for name in MANIFEST["drifting"])
    with capsys.disabled():
        print(
            f"\nloops: {found} of {len(LOOPING)} exact loops found, {flagged} of {len(honest)} honest texts flagged "
            f"({suspected} suspect), {drifting} of {len(MANIFEST['drifting'])} drifting texts suspect"
        )
    assert (found, flagged) == (len(LOOPING), 0)
    assert len(LOOPING) >= 25
    assert len(honest) >= 40


def test_without_contexts_honest_texts_would_be_flagged(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loops, "needed", lambda _, period: LEAST.copies * period)
    assert sum(detect(text_of("honest", name)).finding is not None for name in MANIFEST["honest"]) >= 25


def test_the_corpus_is_what_its_script_makes() -> None:
    make = runpy.run_path(str(CORPUS / "make.py"))
    made = {("looping", name): t.before + t.unit * t.copies + t.after for name, t in make["LOOPING"].items()}
    made |= {("honest", name): text for name, text in make["honest"]()}
    made |= {("drifting", name): text for name, text in make["drifting"]()}
    assert made == {(path.parent.name, path.stem): path.read_bytes().decode() for path in CORPUS.glob("*/*.txt")}
    assert MANIFEST["looping"] == [make["truth"](name, loop) for name, loop in make["LOOPING"].items()]


# Properties


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**32),
    size=st.integers(0, 12_000),
    alphabet=st.sampled_from(["abcdefgh", "01", "的一是 ", "acgt"]),
)
def test_random_text_has_no_loop(seed: int, size: int, alphabet: str) -> None:
    assert detect("".join(random.Random(seed).choices(alphabet, k=size)), 40).finding is None


@settings(max_examples=120, deadline=None)
@given(
    seed=st.integers(0, 2**32),
    before=st.integers(0, 4000),
    period=st.integers(24, LONGEST_PERIOD),
    more=st.integers(0, 3),
    after=st.integers(0, 4000),
    size=st.integers(1, 40),
)
def test_copies_of_a_random_unit_are_found_with_their_period_and_start_even_if_the_text_goes_on(
    seed: int, before: int, period: int, more: int, after: int, size: int
) -> None:
    rng = random.Random(seed)
    prefix, unit, rest = words(rng, before), words(rng, period), words(rng, after)
    period = (unit * 2).find(unit, 1)
    least = LONG_STEP + NEEDLE + period if after else LEAST.characters
    body = unit * (max(4, 1 + least // len(unit)) + more)
    text = prefix + body + rest
    start, end = before, before + len(body)
    while start and text[start - 1] == text[start - 1 + period]:
        start -= 1
    while end < len(text) and text[end] == text[end - period]:
        end += 1
    loop = detect(text, size).finding
    assert loop is not None
    assert (loop.period, loop.start, loop.start + loop.length) == (period, start, end)
    assert loop.repeats == loop.length // period


@settings(max_examples=60, deadline=None)
@given(name=st.sampled_from(sorted(LOOPING)), sizes=st.lists(st.integers(0, 700), min_size=1, max_size=9).filter(any))
def test_nothing_that_is_reported_depends_on_how_the_text_is_cut(name: str, sizes: list[int]) -> None:
    text, whole, pieces = text_of("looping", name), list[Loop](), list[Loop]()
    detector, at = LoopDetector(pieces.append), 0
    while at < len(text):
        for size in sizes:
            detector.feed(text[at : at + size])
            at += size
    assert detector.finish() == detect(text, WHOLE, whole.append).finding
    assert pieces == whole


@given(st.text("ab", max_size=60), st.integers(1, 70))
def test_agreement_counts_what_a_plain_loop_counts(text: str, lag: int) -> None:
    plain = 0
    while plain < len(text) - lag and text[-1 - plain] == text[-1 - plain - lag]:
        plain += 1
    assert agreement(text, lag) == plain


@given(st.text("ab", max_size=40), st.text("ab", max_size=40))
def test_common_start_is_the_longest_prefix_of_both(left: str, right: str) -> None:
    size = common_start(left, right)
    assert left[:size] == right[:size]
    assert size == min(len(left), len(right)) or left[size] != right[size]


def test_recurrence_prefers_the_primitive_period_to_its_multiples() -> None:
    assert recurrence(SENTENCE * 20) == (len(SENTENCE), len(SENTENCE) * 19)


def test_recurrence_tells_a_unit_from_the_runs_inside_it() -> None:
    unit = "a" * 127 + "b" + "a" * 126 + "b"
    assert recurrence(unit * 4) == (255, 255 * 3)
    assert recurrence(unit * 4 + "a" * 100) == (255, 255 * 3 + 100)


# While the stream is open


def test_a_loop_is_told_once_and_grows_while_it_goes_on() -> None:
    told: list[Loop] = []
    detector = LoopDetector(told.append)
    lengths = []
    for _ in range(60):
        detector.feed(SENTENCE)
        lengths.append(detector.finding.length if detector.finding else 0)
    assert len(told) == 1
    assert lengths[0] == 0
    assert told[0].length <= max(4 * len(SENTENCE), LEAST.characters) + STEP
    assert lengths == sorted(lengths)
    assert len(SENTENCE) * 60 - LONG_STEP < lengths[-1] <= len(SENTENCE) * 60


def test_a_loop_that_is_over_stays_the_finding_while_its_share_shrinks() -> None:
    honest = words(random.Random(1), 9000)
    detector = detect(SENTENCE * 30 + honest)
    length = len(SENTENCE) * 30
    assert detector.finding == Loop(len(SENTENCE), 30, 0, length, length / (length + 9000), "prose")


def test_of_two_loops_both_are_told_and_the_longer_is_the_finding() -> None:
    told: list[Loop] = []
    rng = random.Random(2)
    first, second = SENTENCE * 15, "Once more, from the very beginning of the story. " * 40
    detector = detect(first + words(rng, 2000) + second + words(rng, 2000), 4, told.append)
    assert [loop.period for loop in told] == [59, 49]
    assert detector.finding is not None
    assert (detector.finding.period, detector.finding.start) == (49, len(first) + 2000)


def test_a_loop_at_the_end_shorter_than_a_step_is_found_by_finish() -> None:
    detector = LoopDetector()
    detector.feed(SENTENCE * 4)
    assert detector.finding is None
    assert detector.finish() == Loop(len(SENTENCE), 4, 0, 4 * len(SENTENCE), 1.0, "prose")


def test_three_copies_are_not_a_loop() -> None:
    assert detect(words(random.Random(3), 900) + words(random.Random(4), 900) * 3).finding is None


def test_reading_on_after_finish_goes_on() -> None:
    detector = LoopDetector()
    detector.feed(SENTENCE * 2)
    assert detector.finish() is None
    detector.feed(SENTENCE * 20)
    loop = detector.finish()
    assert loop is not None
    assert (loop.start, loop.length, loop.repeats) == (0, 22 * len(SENTENCE), 22)


def test_an_empty_stream_has_no_loop() -> None:
    detector = LoopDetector()
    detector.feed("")
    assert (detector.finish(), detector.finding, detector.suspect, detector.failure) == (None, None, None, None)


def test_what_on_loop_raises_reaches_nobody_and_the_detector_reads_on() -> None:
    def fail(loop: Loop) -> None:
        raise RuntimeError(f"planted {loop.period}")

    text = SENTENCE * 40 + words(random.Random(5), 2000)
    detector = LoopDetector(fail)
    for piece in cut(text, 7):
        detector.feed(piece)
    assert detector.finish() == detect(text).finding
    assert str(detector.failure) == "planted 59"


def test_what_on_loop_raises_inside_finish_reaches_nobody() -> None:
    def fail(loop: Loop) -> None:
        raise RuntimeError(f"planted {loop.period}")

    detector = LoopDetector(fail)
    detector.feed(SENTENCE * 4)
    assert detector.finish() is not None
    assert str(detector.failure) == "planted 59"


def test_a_piece_that_is_no_text_reaches_nobody_and_the_detector_reads_on() -> None:
    detector = LoopDetector()
    detector.feed(None)  # type: ignore[arg-type]
    assert isinstance(detector.failure, TypeError)
    detector.feed(SENTENCE * 9)
    loop = detector.finish()
    assert loop is not None
    assert loop.repeats == 9


def test_exact_repetition_that_is_honest_here_is_not_suspected_of_drifting() -> None:
    assert detect(text_of("honest", "list-of-placeholders")).suspect is None


# Bounds and privacy


@pytest.mark.parametrize("text", ["honest", "looping", "emoji"])
def test_a_million_characters_leave_no_more_behind_than_the_tail(text: str) -> None:
    rng = random.Random(6)
    unit = {"honest": words(rng, 50_000), "looping": SENTENCE * 900, "emoji": "🎉" + words(rng, 50_000)}[text]
    detector = LoopDetector()
    held: list[tuple[int, int]] = []
    for piece in cut(unit * (1_000_000 // len(unit)), 4):
        detector.feed(piece)
        if rng.random() < 0.002:
            held.append(held_by(detector))
    characters, size = (max(column) for column in zip(*held, strict=True))
    assert characters < TAIL + LONG_STEP + len("prose")
    assert size <= (20_000 if text == "emoji" else 6_000)


def test_a_search_is_made_every_step_and_every_long_step_once_the_tail_is_full(monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[int] = []

    def counted(text: str) -> tuple[int, int]:
        read.append(len(text))
        return recurrence(text)

    monkeypatch.setattr(loops, "recurrence", counted)
    detector = LoopDetector()
    for piece in cut(words(random.Random(2), TAIL + 20 * LONG_STEP), 6):
        detector.feed(piece)
    assert read == [STEP * step for step in range(1, TAIL // STEP + 1)] + [TAIL + LONG_STEP] * 20


def held_by(detector: LoopDetector) -> tuple[int, int]:
    """Characters and bytes that the detector keeps: the pending pieces, and every field of its reader."""
    reader = detector._reader
    pending = getgeneratorlocals(detector._gathering)["pending"]
    values = [pending, *(getattr(reader, name) for name in reader.__slots__)]
    texts = [value for value in values if isinstance(value, str)]
    assert all(isinstance(value, str | int | bool | None | Loop) for value in values)
    return sum(map(len, texts)), sum(map(sys.getsizeof, values))


def test_a_loop_holds_numbers_and_a_context_word_but_no_text() -> None:
    loop = detect(SENTENCE * 30).finding
    assert loop is not None
    assert {type(value) for value in asdict(loop).values()} == {int, float, str}
    assert [value for value in asdict(loop).values() if isinstance(value, str)] == ["prose", "exact"]


def test_a_detector_that_is_dropped_is_gone_at_once() -> None:
    class Listener:
        def __call__(self, loop: Loop) -> None: ...

    listener = Listener()
    detector, alive = LoopDetector(listener), weakref.ref(listener)
    detector.feed(SENTENCE * 30)
    del detector, listener
    assert alive() is None


# Contexts


@pytest.mark.parametrize(
    ("unit", "context"),
    [
        (SENTENCE, "prose"),
        ("again, and ", "prose"),
        ("我们需要重新检查这个文件。", "prose"),
        ("- check that the service runs\n", "list"),
        ("| a | b |\n", "table"),
        ("unknown,north pier,ok,celsius\n", "table"),
        ("Name: __________\n", "table"),
        ('{"name": "", "qty": null}, ', "json"),
        ("    result.append(f(x)[0]);\n", "code"),
        ("0.0, ", "data"),
        ("null, ", "data"),
        ("true, false, ", "data"),
        ("ff 00 ", "data"),
        ("cag", "data"),
        ("-", "rule"),
        ("| --- ", "rule"),
        (" \n", "blank"),
    ],
)
def test_a_unit_is_the_same_kind_of_text_wherever_it_is_cut(unit: str, context: str) -> None:
    assert {context_of(unit[at:] + unit[:at], fenced=False) for at in range(len(unit))} == {context}


def test_prose_inside_a_fence_is_code() -> None:
    assert context_of(SENTENCE, fenced=True) == "code"
    assert context_of(SENTENCE + "```\n", fenced=True) == "prose"


@pytest.mark.parametrize("at", range(STEP - 3, STEP + 4))
def test_a_fence_is_seen_wherever_it_falls_between_two_steps(at: int) -> None:
    loop = detect(words(random.Random(8), at) + "```" + "one more line of the log\n" * 200).finding
    assert loop is not None
    assert loop.context == "code"
