"""PromQL's small words: durations, numbers, selectors. Plain values come in, text goes out."""

import re
from collections.abc import Mapping
from decimal import Decimal

_UNITS: tuple[tuple[str, int], ...] = (
    ("d", 86_400_000),
    ("h", 3_600_000),
    ("m", 60_000),
    ("s", 1_000),
    ("ms", 1),
)
_ESCAPED_DASH = re.escape("-")
_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|[smhdw])")
_MILLISECONDS = {**dict(_UNITS), "w": 7 * 86_400_000}


def parse_duration(text: str) -> Decimal:
    """Seconds of a duration such as `30d`, `1h30m` or `1.5s`; ValueError when it is none."""
    if not text or _PART.sub("", text):
        raise ValueError(text)
    return sum((Decimal(number) * _MILLISECONDS[unit] for number, unit in _PART.findall(text)), Decimal(0)) / 1000


def duration(seconds: Decimal | int, scale: int = 1) -> str:
    """The duration as Prometheus writes it, divided by `scale`; whole milliseconds, in the largest single unit that
    fits."""
    milliseconds = int(Decimal(seconds) * 1000 / scale)
    unit, size = next((unit, size) for unit, size in _UNITS if milliseconds % size == 0)
    return f"{milliseconds // size}{unit}"


def number(value: Decimal | float | int) -> str:
    """Decimal digits without exponent or trailing zeros: thresholds must not read 0.0009999999999999432."""
    text = format(Decimal(str(value)), "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def label(attribute: str) -> str:
    """Name of the Prometheus label that carries an attribute."""
    return attribute.replace(".", "_")


def matcher(name: str, values: tuple[str, ...]) -> str:
    """`name="a"`, or `name=~"a|b"` for several; `*` in a value matches anything."""
    if len(values) == 1 and "*" not in values[0]:
        return f'{name}="{_quoted(values[0])}"'
    pattern = "|".join(".*".join(re.escape(part) for part in value.split("*")) for value in values)
    return f'{name}=~"{_quoted(pattern.replace(_ESCAPED_DASH, "-"))}"'


def bound(seconds: Decimal) -> str:
    """Matcher of the bucket at `seconds`, as Prometheus 2 (`1`) and 3 (`1.0`) store the label `le`."""
    text = number(seconds)
    return f'le="{text}"' if "." in text else f'le=~"{text}(\\\\.0)?"'


def selector(metric: str, *matchers: str) -> str:
    """`metric{a="b",...}`; empty matchers are left out."""
    inside = ",".join(text for text in matchers if text)
    return f"{metric}{{{inside}}}" if inside else metric


def equals(labels: Mapping[str, str]) -> str:
    """Matchers that ask for exactly these label values."""
    return ",".join(f'{name}="{_quoted(value)}"' for name, value in labels.items())


def _quoted(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"')
