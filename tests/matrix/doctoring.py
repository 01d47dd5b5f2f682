"""Runs in the environment with other instrumentations: two of them are switched on, then the doctor is asked.

python doctoring.py PROVIDER_URL
"""

# What this imports is installed in its own environment only.
# mypy: ignore-errors

import json

from openinference.instrumentation.openai import OpenAIInstrumentor
from opentelemetry.instrumentation.anthropic import AnthropicInstrumentor

import streamgauge
from streamgauge.gauge.doctor import examine

if __name__ == "__main__":
    calm = examine().to_dict()
    OpenAIInstrumentor().instrument()
    AnthropicInstrumentor().instrument()
    streamgauge.instrument()
    print(json.dumps({"calm": calm, "active": examine().to_dict()}))
