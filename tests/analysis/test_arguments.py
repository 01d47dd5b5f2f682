"""Tool arguments, cut anywhere: the verdict is that of `json.loads` on the whole, and what is held is bounded."""

import hashlib
import json
import random
import sys
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamgauge.analysis import arguments
from streamgauge.analysis.arguments import DEEPEST, HELD, LONGEST_WORD, Arguments

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4),
    max_leaves=12,
)
SIGNS = st.text(alphabet='{}[]":,0123456789eE+-. \t\n\\untrfalsbINy\x00é\ufeff', max_size=30)
CUTS = st.lists(st.integers(0, 400), max_size=12)


def judged(text: str, cuts: list[int], *, complete: bool = True) -> tuple[bool | None, str]:
    made = Arguments()
    edges = [0, *sorted(cut % (len(text) + 1) for cut in cuts), len(text)]
    for start, end in pairwise(edges):
        made.feed(text[start:end])
        made._take()  # as if this had been a long piece
    return made.verdict(complete)


def parses(text: str) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True


@given(VALUES.map(json.dumps), CUTS)
def test_json_is_json_however_it_is_cut_and_so_is_every_beginning_of_it(text: str, cuts: list[int]) -> None:
    assert judged(text, cuts) == (True, hashlib.sha256(text.encode()).hexdigest())
    for end in range(len(text)):
        assert judged(text[:end], cuts, complete=False)[0] is None


@given(SIGNS, CUTS)
def test_signs_in_any_order_are_judged_as_by_the_parser(text: str, cuts: list[int]) -> None:
    assert judged(text, cuts)[0] is parses(text)


@given(VALUES.map(json.dumps), st.integers(0, 400), SIGNS.filter(bool), CUTS)
def test_json_with_something_in_it_is_judged_as_by_the_parser(text: str, at: int, sign: str, cuts: list[int]) -> None:
    at %= len(text) + 1
    spoilt = text[:at] + sign + text[at:]
    assert judged(spoilt, cuts)[0] is parses(spoilt)


@given(VALUES.map(json.dumps), st.integers(0, 400), SIGNS.filter(bool), CUTS)
def test_what_cannot_become_json_any_more_is_told_of_a_cut_call(text: str, at: int, sign: str, cuts: list[int]) -> None:
    """False is never wrong: whatever follows, no parser takes it."""
    at %= len(text) + 1
    spoilt = text[:at] + sign
    if judged(spoilt, cuts, complete=False)[0] is False:
        assert not parses(spoilt + text[at:])
        assert not any(parses(spoilt + end) for end in ("", '"', "}", "]", '"}', "0", "0}", "e", "ull", '": 0}', " 0]"))


@pytest.mark.parametrize(
    "cut", ['{"days": th', '{"a": 1,}', "{a", "[1 2", '{"a" 1', "]", '"\\x', '"\x01', "01", "1.e", "nulL", "{} {"]
)
def test_cut_arguments_that_went_wrong_are_malformed(cut: str) -> None:
    made = Arguments()
    made.feed(cut)
    assert made.verdict(complete=False)[0] is False


def test_nothing_at_all_is_an_empty_object_and_space_is_not() -> None:
    assert Arguments().verdict(complete=True)[0] is True
    assert judged(" ", [])[0] is False


def test_what_is_nested_too_deeply_or_a_number_too_long_is_not_judged() -> None:
    for text in ("[" * 100_000, "[" * (DEEPEST + 1), "1" * (LONGEST_WORD + HELD)):
        assert judged(text, [])[0] is None
    made = Arguments()
    for _ in range(HELD - 1):
        made.feed("[")
    assert made.verdict(complete=True)[0] is not True  # the parser gives up, or comes to the end


def held_by(made: Arguments) -> int:
    return sum(sys.getsizeof(getattr(made, name)) for name in made.__slots__)


@pytest.mark.parametrize("kind", ["text", "list", "broken"])
def test_a_million_characters_leave_no_more_behind_than_a_few(kind: str) -> None:
    chance = random.Random(3)
    whole = json.dumps({"text": "a word " * 150_000} if kind == "text" else [{"n": n} for n in range(100_000)])
    whole = whole[:5000] + "}" + whole[5000:] if kind == "broken" else whole
    made, at, most = Arguments(), 0, 0
    while at < len(whole):
        size = chance.choice((1, 5, 40))
        made.feed(whole[at : at + size])
        at += size
        most = max(most, held_by(made))
    assert most < 8192
    assert made.verdict(complete=True) == (kind != "broken", hashlib.sha256(whole.encode()).hexdigest())


def test_short_arguments_are_left_to_the_parser(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Arguments, "_through", lambda *_: pytest.fail("the grammar was asked"))
    made = Arguments()
    made.feed('{"city": ')
    made.feed('"Chur"}')
    assert made.verdict(complete=True)[0] is True
    assert arguments.HELD > 16
