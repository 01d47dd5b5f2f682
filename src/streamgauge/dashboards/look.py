"""How things look: colours that a colour-blind reader can tell apart, thresholds, mappings, field overrides.

Plain values come in, Grafana field configuration goes out. A colour never stands alone: each has a word, a line or a
position beside it. The palette is Okabe and Ito's (Color Universal Design, 2008), lightened for dark and light themes.
"""

import itertools
from collections.abc import Iterable, Mapping
from typing import Any

from streamgauge.names import VALUES, Finding, FollowUp, Initiator, Outcome, Phase

BLUE, SKY, TEAL = "#3E8ED0", "#7FC4F0", "#12A383"
YELLOW, ORANGE, VERMILLION = "#E8D24A", "#E69F00", "#D55E00"
PURPLE, GREY, LIGHT_GREY = "#C678A8", "#7E8794", "#B4BAC2"

NO_TRAFFIC = "no traffic"

OUTCOMES: Mapping[str, str] = {
    Outcome.COMPLETED: BLUE,
    Outcome.LENGTH_LIMITED: SKY,
    Outcome.CONTENT_FILTERED: PURPLE,
    Outcome.TRUNCATED: VERMILLION,
    Outcome.FAILED: ORANGE,
    Outcome.TIMED_OUT: YELLOW,
    Outcome.CANCELLED: GREY,
    Outcome.ABANDONED: LIGHT_GREY,
    Outcome.DETACHED: TEAL,
    Outcome.CRASHED: "#8F3B00",
}
FINDINGS: Mapping[str, str] = {
    Finding.STALLED: VERMILLION,
    Finding.LOOPED: ORANGE,
    Finding.MALFORMED_TOOL_CALL: PURPLE,
    Finding.EMPTY: YELLOW,
    Finding.MISSING_FINISH_REASON: SKY,
    Finding.DUPLICATE_CHUNK: GREY,
    Finding.UNRECOGNISED_CHUNK: LIGHT_GREY,
}
PHASES: Mapping[str, str] = {
    Phase.WAITING: YELLOW,
    Phase.PLANNING: PURPLE,
    Phase.ACTING: ORANGE,
    Phase.RESPONDING: BLUE,
}
INITIATORS: Mapping[str, str] = {
    Initiator.USER_STOP: BLUE,
    Initiator.CLIENT_DISCONNECT: SKY,
    Initiator.DEADLINE: YELLOW,
    Initiator.BUDGET: ORANGE,
    Initiator.GUARDRAIL: PURPLE,
    Initiator.SHUTDOWN: VERMILLION,
    Initiator.RACE_LOST: TEAL,
    Initiator.UNKNOWN: GREY,
}
FOLLOW_UPS: Mapping[str, str] = {
    FollowUp.REPROMPTED: ORANGE,
    FollowUp.PARTIAL_KEPT: BLUE,
    FollowUp.DISCARDED: PURPLE,
}
WINDOWS: Mapping[str, str] = {"5m": SKY, "30m": YELLOW, "1h": BLUE, "6h": ORANGE, "3d": PURPLE}
PERIODS: Mapping[str, str] = dict.fromkeys(("7d", "28d", "30d", "90d"), TEAL)

QUANTILES: Mapping[str, str] = {"p50": SKY, "p90": BLUE, "p95": YELLOW, "p99": ORANGE}

BY_SERIES = "palette-colorblind"
"""Grafana 13's palette for lines whose names are not known beforehand; it is Okabe and Ito's, too."""

PALETTE = (BLUE, ORANGE, TEAL, PURPLE, SKY, VERMILLION, YELLOW, GREY, LIGHT_GREY)

Steps = tuple[tuple[float | None, str], ...]
"""Colours from a value upwards; the first value is None."""

PLAIN: Steps = ((None, BLUE),)
BUDGET: Steps = ((None, VERMILLION), (0, ORANGE), (0.25, BLUE))
NONE_IS_WELL: Steps = ((None, BLUE), (1, VERMILLION))


def above(limit: float, colour: str = VERMILLION) -> Steps:
    """Calm below the limit."""
    return ((None, BLUE), (limit, colour))


def thresholds(steps: Steps) -> dict[str, Any]:
    """The steps as Grafana reads them."""
    return {"mode": "absolute", "steps": [{"color": colour, "value": value} for value, colour in steps]}


def words(meanings: Mapping[str, tuple[str, str]]) -> list[dict[str, Any]]:
    """Value mappings: value to text and colour."""
    rows = enumerate(meanings.items())
    options = {value: {"text": text, "color": colour, "index": index} for index, (value, (text, colour)) in rows}
    return [{"type": "value", "options": options}, *no_traffic()]


def no_traffic(text: str = NO_TRAFFIC) -> list[dict[str, Any]]:
    """NaN and absence in words."""
    return [{"type": "special", "options": {"match": "null+nan", "result": {"text": text, "color": GREY, "index": 90}}}]


def named(name: str, properties: Mapping[str, Any]) -> dict[str, Any]:
    """An override for the field with this name; property ids with dots are Grafana's own."""
    return {
        "matcher": {"id": "byName", "options": name},
        "properties": [{"id": key, "value": value} for key, value in properties.items()],
    }


def like(pattern: str, properties: Mapping[str, Any]) -> dict[str, Any]:
    """An override for all fields whose names match."""
    return {**named(pattern, properties), "matcher": {"id": "byRegexp", "options": f"/{pattern}/"}}


def fixed(colour: str) -> dict[str, str]:
    """A colour that does not depend on the value."""
    return {"mode": "fixed", "fixedColor": colour}


def colours(table: Mapping[str, str]) -> list[dict[str, Any]]:
    """One override per name: the same thing has the same colour in every panel."""
    return [named(str(name), {"color": fixed(colour)}) for name, colour in table.items()]


DASHED: Mapping[str, Any] = {"custom.lineStyle": {"fill": "dash", "dash": [8, 6]}}


def lines(known: Iterable[str]) -> list[dict[str, Any]]:
    """Colours for lines with these names, however many; dashes tell the second round from the first."""
    return [
        named(name, {"color": fixed(PALETTE[index % len(PALETTE)]), **(DASHED if index >= len(PALETTE) else {})})
        for index, name in enumerate(known)
    ]


def told_apart(legends: Iterable[str]) -> list[dict[str, Any]]:
    """Colours for lines whose names are known beforehand."""
    known = [legend for legend in legends if "{{" not in legend and legend != "__auto"]
    return colours(dict(zip(known, PALETTE, strict=False)))


def of_set(attribute: str) -> list[dict[str, Any]]:
    """Colours for the words of an attribute that is a closed set."""
    known = dict(zip(VALUES[attribute], itertools.cycle(PALETTE), strict=False))
    return colours({**known, "none": LIGHT_GREY})


def renamed(names: Mapping[str, str], order: Iterable[str], hidden: Iterable[str] = ()) -> dict[str, Any]:
    """The table transformation that orders, renames and hides columns."""
    return {
        "id": "organize",
        "options": {
            "excludeByName": dict.fromkeys(("Time", *hidden), True),
            "indexByName": {column: index for index, column in enumerate(order)},
            "renameByName": dict(names),
        },
    }
