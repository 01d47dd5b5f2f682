"""Typed reading of YAML with places: every wrong value is reported as file:line:column with what would be right.

A YAML mapping node comes in; durations, percentages, choices and nested mappings go out. Knows no objective.
"""

import difflib
from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from typing import Any

import yaml

from streamgauge.errors import ConfigError
from streamgauge.slo import promql

REQUIRED: Any = object()
_SECONDS = "a duration such as 500ms, 2s, 10m or 30d"


def parse(text: str, source: str) -> "Fields":
    """The document's top mapping; ConfigError with the place when it is no YAML or no mapping."""
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = f"{source}:{mark.line + 1}:{mark.column + 1}" if mark else source
        raise ConfigError("YAML", error.problem or "unreadable", "a well-formed YAML document", place) from error
    if not isinstance(node, yaml.MappingNode):
        raise ConfigError(
            "document", "empty" if node is None else "no mapping", "a mapping with `objectives:`", f"{source}:1:1"
        )
    return Fields(node, source)


@dataclass(slots=True)
class Fields:
    """The fields of one mapping; each is read once by name, and `close` refuses what nobody asked for."""

    node: yaml.MappingNode
    source: str
    _nodes: dict[str, yaml.Node] = field(init=False)
    _asked: set[str] = field(init=False, default_factory=set)

    def __post_init__(self) -> None:
        self._nodes = {}
        for key, value in self.node.value:
            if key.value in self._nodes:
                raise ConfigError(key.value, "given twice", "each field once", self._at(key))
            self._nodes[key.value] = value

    @property
    def place(self) -> str:
        """file:line:column of the mapping."""
        return self._at(self.node)

    def place_of(self, name: str) -> str:
        """file:line:column of a field's value, or of the mapping when the field is absent."""
        return self._at(self._nodes.get(name, self.node))

    def wrong(self, name: str, allowed: str) -> ConfigError:
        """The error to raise when the field's value is not allowed."""
        node = self._nodes.get(name)
        value = node.value if isinstance(node, yaml.ScalarNode) else "missing" if node is None else "a list or mapping"
        return ConfigError(name, value, allowed, self.place_of(name))

    def names(self) -> tuple[str, ...]:
        """Names of all fields, in the file's order; all of them count as asked for."""
        self._asked.update(self._nodes)
        return tuple(self._nodes)

    def text(self, name: str, default: Any = REQUIRED) -> Any:
        """A string."""
        value = self._scalar(name, default, "text")
        return value.strip() if isinstance(value, str) else value

    def duration(self, name: str, default: Any = REQUIRED) -> Any:
        """Seconds as a Decimal, above 0."""
        return self._parsed(name, default, promql.parse_duration, _SECONDS, lambda seconds: seconds > 0)

    def decimal(self, name: str, allowed: str, low: str, high: str, default: Any = REQUIRED) -> Any:
        """A Decimal strictly between `low` and `high`."""
        return self._parsed(name, default, Decimal, allowed, lambda value: Decimal(low) < value < Decimal(high))

    def integer(self, name: str, allowed: str, default: Any = REQUIRED) -> Any:
        """An integer of at least 0."""
        return self._parsed(name, default, int, allowed, lambda value: value >= 0)

    def choice(self, name: str, allowed: Iterable[str], default: Any = REQUIRED) -> Any:
        """One of the allowed words."""
        words = tuple(allowed)
        return self._parsed(name, default, str, _one_of(words), lambda word: word in words)

    def flag(self, name: str, default: bool) -> bool:
        """true or false."""
        word = self.choice(name, ("true", "false"), "true" if default else "false")
        return bool(word == "true")

    def words(self, name: str, default: Any = ()) -> tuple[str, ...]:
        """A list of strings; a single string is a list of one."""
        node = self._take(name, default)
        if node is None:
            return tuple(default)
        nodes = node.value if isinstance(node, yaml.SequenceNode) else [node]
        if not nodes or not all(isinstance(each, yaml.ScalarNode) and each.value for each in nodes):
            raise self.wrong(name, "a string or a list of strings")
        return tuple(str(each.value) for each in nodes)

    def mapping(self, name: str) -> "Fields | None":
        """A nested mapping, or None when absent."""
        node = self._take(name, None)
        if node is None:
            return None
        if not isinstance(node, yaml.MappingNode):
            raise self.wrong(name, "a mapping")
        return Fields(node, self.source)

    def mappings(self, name: str) -> list["Fields"]:
        """A list of mappings, with at least one."""
        node = self._take(name, REQUIRED)
        if not isinstance(node, yaml.SequenceNode) or not node.value:
            raise self.wrong(name, "a list with at least one entry")
        for each in node.value:
            if not isinstance(each, yaml.MappingNode):
                raise ConfigError(name, getattr(each, "value", "a list"), "a list of mappings", self._at(each))
        return [Fields(each, self.source) for each in node.value]

    def is_scalar(self, name: str) -> bool:
        """Whether the field is there and is a plain value."""
        return isinstance(self._nodes.get(name), yaml.ScalarNode)

    def close(self) -> None:
        """Refuse fields that were not asked for, with the nearest name that exists."""
        for key, _ in self.node.value:
            if key.value not in self._asked:
                near = difflib.get_close_matches(key.value, self._asked, n=1)
                hint = f"; did you mean {near[0]!r}?" if near else ""
                raise ConfigError("field", key.value, _one_of(sorted(self._asked)) + hint, self._at(key))

    def _take(self, name: str, default: Any) -> yaml.Node | None:
        self._asked.add(name)
        if name not in self._nodes and default is REQUIRED:
            raise self.wrong(name, "a value: the field is required")
        return self._nodes.get(name)

    def _scalar(self, name: str, default: Any, allowed: str) -> Any:
        node = self._take(name, default)
        if node is None:
            return default
        if not isinstance(node, yaml.ScalarNode):
            raise self.wrong(name, allowed)
        return node.value

    def _parsed(self, name: str, default: Any, convert: Any, allowed: str, valid: Any) -> Any:
        text = self._scalar(name, default, allowed)
        if name not in self._nodes:
            return text
        try:
            value = convert(text)
            allows = valid(value)
        except (ValueError, InvalidOperation):
            allows = False
        if not allows:
            raise self.wrong(name, allowed)
        return value

    def _at(self, node: yaml.Node) -> str:
        return f"{self.source}:{node.start_mark.line + 1}:{node.start_mark.column + 1}"


def _one_of(words: Iterable[str]) -> str:
    return "one of " + ", ".join(words)
