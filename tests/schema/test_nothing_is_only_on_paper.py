"""The registry has no entry that nothing emits, and the code emits nothing that the registry lacks."""

import json
import re
from typing import Any

from tests.schema import emitted

from streamgauge.schema import model
from streamgauge.testing.signals import logs_to_otlp, metrics_to_otlp, spans_to_otlp

KNOWN = {*model.current().attributes, *model.current().events, *model.current().metrics}
RESOURCE = {key for key, one in model.current().attributes.items() if one.annotations.get("python", "") is None}


def everything() -> str:
    """All signals that the capture can send, as one text of JSON."""
    sent: list[dict[str, Any]] = []
    for where in ("span", "log"):
        out = emitted.emit(*emitted.REPORTS, effects=True, timeline_signal=where)
        sent += [spans_to_otlp(out.spans), metrics_to_otlp(out.metrics), logs_to_otlp(out.logs)]
    return json.dumps(sent)


SEEN = set(re.findall(r'"(?:key|name|eventName)": "([a-z0-9_.]+)"', everything()))


def test_every_entry_of_the_registry_is_emitted():
    assert set() == KNOWN - SEEN - RESOURCE


def test_every_emitted_name_is_in_the_registry():
    assert {name for name in SEEN if name.startswith(("streamgauge.", "gen_ai."))} <= KNOWN
