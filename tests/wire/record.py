"""Records wire bytes from the demo provider, and the goldens of their events: `python -m tests.wire.record`.

Run it when a dialect of the provider changes; read what changed in the goldens before committing them.
"""

import json
from typing import Any

import httpx2
from tests.wire.replay import HERE, PROMPT, events, golden, recordings, wire

from streamgauge.demo import Provider

FAULTS = (
    "healthy",
    "reasoning_and_tools",
    "several_choices",
    "content_filter_mid",
    "incomplete",
    "refusal",
    "malformed_tool",
    "truncated",
    "truncated_frame",
    "error_event",
    "response_failed",
    "garbage",
    "gateway",
    "null_fields",
    "unknown_event",
    "duplicate_chunk",
    "usage_missing",
    "missing_finish_reason",
    "empty",
)
ASKED: dict[str, dict[str, tuple[str, dict[str, Any]]]] = {
    "openai": {
        "chat_completions": ("/v1/chat/completions", {"messages": PROMPT, "stream_options": {"include_usage": True}}),
        "completions": ("/v1/completions", {"prompt": "Which gauge?", "stream_options": {"include_usage": True}}),
        "responses": ("/v1/responses", {"input": "Which gauge?"}),
    },
    "anthropic": {"messages": ("/v1/messages", {"messages": PROMPT, "max_tokens": 9})},
}


def record() -> None:
    """Write every recording anew."""
    with Provider(defaults={"gap_ms": 0, "first_ms": 0, "pieces": 4}) as provider, httpx2.Client() as client:
        for name, apis in ASKED.items():
            (HERE / name).mkdir(exist_ok=True)
            for api, (path, body) in apis.items():
                for fault in FAULTS:
                    asked = {"model": f"demo-{fault}", "stream": True, **body}
                    answer = client.post(provider.url + path, json=asked)
                    (HERE / name / f"{api}.{fault}.sse").write_bytes(answer.content)


def judge() -> None:
    """Write every golden anew."""
    for one in recordings():
        told = events(one[0], one[1], [wire(*one)])
        lines = ",\n  ".join(json.dumps(event, ensure_ascii=False) for event in told["events"])
        golden(*one).write_text(f'{{"failure": {json.dumps(told["failure"])}, "events": [\n  {lines}\n]}}\n')


if __name__ == "__main__":
    record()
    judge()
