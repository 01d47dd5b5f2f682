"""What kind of text a repeated unit is, and how much of it is still normal there.

In: the unit that repeats and whether a Markdown code fence is open. Out: a context word and the length from which on
the repetition is a loop. Tables, lists, numbers and code repeat themselves honestly. They are not exempt, which would
hide a real loop for ever; they must only go on for much longer. The figures are calibrated on the frozen corpus in
the tests.
"""

import re
from typing import Literal, NamedTuple

Context = Literal["prose", "list", "table", "json", "code", "data", "rule", "blank"]
"""`data` is numbers, hex, base64, sequences; `rule` is text without a letter or digit; `blank` is white space."""

SHORT_UNIT = 16
"""A unit shorter than this is laughter, a rule or a row of zeros more often: twice as many characters are asked for."""


class Need(NamedTuple):
    """Copies and characters that a repetition must both reach to be a loop."""

    copies: int
    characters: int


NEEDS: dict[Context, Need] = {
    "prose": Need(4, 200),
    "blank": Need(4, 500),
    "list": Need(6, 800),
    "table": Need(6, 2_000),
    "rule": Need(6, 2_000),
    "json": Need(6, 2_400),
    "code": Need(6, 2_400),
    "data": Need(8, 4_096),
}

LEAST = min(NEEDS.values())
"""Below this no context calls a repetition a loop."""

_TIGHT_COMMA = re.compile(r",\S")
# numbers, hex, DNA, the words of data, and what stands between them; gives up at the first letter that is neither
_NOTATION = re.compile(r"(?:\b(?i:null|true|false|none|nan|undefined)\b|[\s\dA-Fa-fxtnuTNU.,:;+*/=_\[\](){}\"'-])*+")
_ITEM = re.compile(r"\n[ \t]*(?:[-*+•]|\d+[.)])[ \t]")
_JSON = re.compile(r"\"\s*:|[\[{]\s*\"|\"\s*[\]}]|\",\s*\"")
_SYMBOLS = "{}<>[]();=\\"


def needed(context: Context, period: int) -> int:
    """Characters that a unit of `period` characters must fill in this context to be a loop."""
    copies, characters = NEEDS[context]
    return max(copies * period, characters * (2 if period < SHORT_UNIT else 1))


def context_of(unit: str, fenced: bool) -> Context:
    """The kind of text that `unit` is; `fenced` says that a Markdown code fence is open around it."""
    unit = _turned(unit)
    if unit.isspace():
        return "blank"
    if not any(map(str.isalnum, unit)):
        return "rule"
    if _is_data(unit):
        return "data"
    if _is_table(unit):
        return "table"
    if fenced and "```" not in unit:
        return "code"
    return _context_of_lines(unit)


def _turned(unit: str) -> str:
    # A unit is cut anywhere; as it repeats, it may as well begin where a line does, or a word.
    at = unit.find("\n") if "\n" in unit else unit.find(" ")
    return unit[at:] + unit[:at] if at > 0 else unit


def _context_of_lines(unit: str) -> Context:
    if _ITEM.search(unit):
        return "list"
    if '"' in unit and _JSON.search(unit + unit):
        return "json"
    return "code" if _looks_like_code(unit) else "prose"


def _is_data(unit: str) -> bool:
    digits = _digits(unit)
    letters = sum(map(str.isalnum, unit)) - digits
    return digits >= letters or _is_notation(unit) or (unit.isascii() and _is_unspaced(unit))


def _digits(unit: str) -> int:
    return sum(map(unit.count, "0123456789")) if unit.isascii() else sum(map(str.isdecimal, unit))


def _is_notation(unit: str) -> bool:
    return _NOTATION.fullmatch(unit) is not None


def _is_unspaced(unit: str) -> bool:
    return sum(map(unit.count, " \n\t")) * 20 < len(unit)


def _is_table(unit: str) -> bool:
    if "|" in unit or "\t" in unit or "___" in unit:
        return True
    return len(_TIGHT_COMMA.findall(unit + unit[0])) * 40 > len(unit)


def _looks_like_code(unit: str) -> bool:
    return sum(map(unit.count, _SYMBOLS)) * 16 > len(unit) or _digits(unit) * 6 > len(unit)
