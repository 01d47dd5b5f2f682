"""Judges tool-call arguments while they arrive: are they JSON, can they still become JSON, and what is their hash.

In: the pieces of one call, cut anywhere. Out: a verdict and a SHA-256. The text is read and forgotten: no more than
`HELD` characters, a stack of brackets and an unfinished word are kept, however long the arguments are. What is no
longer than `HELD` is judged by `json.loads` alone; the grammar below says the same of everything else, and of
arguments that were cut.
"""

import hashlib
import json
import re

HELD = 2048
"""Characters that are gathered before they are read."""

DEEPEST = 500
"""Nesting beyond which nothing is said; `json.loads` gives up on it, too."""

LONGEST_WORD = 4096
"""Characters of a number beyond which nothing is said."""

_SPACE = re.compile(r"[ \t\n\r]*")
_STRING = re.compile(r'(?:[^"\\\x00-\x1f]+|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*')
_CUT_ESCAPE = re.compile(r"\\(?:u[0-9a-fA-F]{0,3})?")
_WORD = re.compile(r"[-+.0-9A-Za-z]+")
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?")
_CUT_NUMBER = re.compile(r"-?|-?(?:0|[1-9][0-9]*)(?:\.[0-9]*|(?:\.[0-9]+)?[eE][-+]?[0-9]*)?")
_NAMES = ("true", "false", "null", "NaN", "Infinity", "-Infinity")

_VALUE = {"[": "value or ]", "{": "key or }", '"': "value text"}
_NEXT = {
    "value": _VALUE,
    "value or ]": _VALUE,
    "key": {'"': "key text"},
    "key or }": {'"': "key text"},
    ":": {":": "value"},
    ", or ]": {",": "value"},
    ", or }": {",": "key"},
    "nothing": {},
}
"""What is expected -> what comes -> what is expected then; words and closing brackets are looked at on their own."""

_CLOSES = {"value or ]": "]", ", or ]": "]", "key or }": "}", ", or }": "}"}
_AFTER = {"[": ", or ]", "{": ", or }", "": "nothing"}


class Arguments:
    """The arguments of one tool call, piece by piece."""

    __slots__ = ("_broken", "_expected", "_hash", "_held", "_open", "_read", "_unfinished", "_unknown")

    def __init__(self) -> None:
        self._hash = hashlib.sha256()
        self._held = ""
        self._read = False
        self._open = ""
        self._expected = "value"
        self._unfinished = ""
        self._broken = self._unknown = False

    def feed(self, piece: str) -> None:
        """The next piece."""
        self._held += piece
        if len(self._held) >= HELD:
            self._take()

    def verdict(self, complete: bool) -> tuple[bool | None, str]:
        """Whether they are a JSON value, and their hash in hexadecimal.

        Nothing at all is an empty object. Of arguments that were cut, False says that they could never have become
        JSON, and None that they could; None of complete ones says that they are nested too deeply to be judged."""
        if complete and not self._read:
            return _parses(self._held), self._digest(self._held)
        self._take()
        if self._broken or self._unknown:
            return (False if self._broken else None), self._digest("")
        return (self._whole() if complete else None if self._may_go_on() else False), self._digest("")

    def _digest(self, rest: str) -> str:
        self._hash.update(rest.encode("utf-8", "surrogatepass"))
        return self._hash.hexdigest()

    def _take(self) -> None:
        text, self._held, self._read = self._held, "", True
        self._hash.update(text.encode("utf-8", "surrogatepass"))
        if not (self._broken or self._unknown):
            text = self._unfinished + text
            self._unfinished = text[self._through(text) :]
            self._unknown = self._unknown or len(self._unfinished) > LONGEST_WORD

    def _through(self, text: str) -> int:
        """Read `text`; where the unfinished rest begins."""
        at = 0
        while not (self._broken or self._unknown):
            if self._expected.endswith("text"):
                at = _STRING.match(text, at).end()  # type: ignore[union-attr] # it matches nothing, too
                if at == len(text) or _CUT_ESCAPE.fullmatch(text, at):
                    return at
                self._string_ends(text[at])
                at += 1
                continue
            at = _SPACE.match(text, at).end()  # type: ignore[union-attr] # as above
            if at == len(text):
                return at
            word = _WORD.match(text, at)
            if word is None:
                self._sign(text[at])
                at += 1
            elif word.end() == len(text):
                return at
            else:
                self._word(word[0])
                at = word.end()
        return len(text)

    def _string_ends(self, sign: str) -> None:
        if sign != '"':
            self._broken = True
        else:
            self._expected = ":" if self._expected == "key text" else self._after_value()

    def _sign(self, sign: str) -> None:
        if sign == _CLOSES.get(self._expected):
            self._open = self._open[:-1]
            self._expected = self._after_value()
            return
        expected = _NEXT[self._expected].get(sign)
        self._broken = expected is None
        self._expected = expected or self._expected
        if sign in "[{" and not self._broken:
            self._open += sign
            self._unknown = len(self._open) > DEEPEST

    def _word(self, word: str) -> None:
        wanted = self._expected.startswith("value")
        self._broken = not wanted or not (word in _NAMES or _NUMBER.fullmatch(word))
        self._expected = self._after_value()

    def _after_value(self) -> str:
        return _AFTER[self._open[-1:]]

    def _whole(self) -> bool:
        if self._unfinished and not self._expected.endswith("text"):
            self._word(self._unfinished)
        return not self._broken and self._expected == "nothing"

    def _may_go_on(self) -> bool:
        word = self._unfinished
        if not word or self._expected.endswith("text"):
            return True
        started = bool(_CUT_NUMBER.fullmatch(word)) or any(name.startswith(word) for name in _NAMES)
        return started and self._expected.startswith("value")


def _parses(text: str) -> bool | None:
    if not text:
        return True
    try:
        json.loads(text)
    except ValueError:
        return False
    except RecursionError:
        return None
    return True
