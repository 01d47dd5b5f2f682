"""An application that has never heard of streamgauge; OpenTelemetry's auto-instrumentation finds it.

opentelemetry-instrument --traces_exporter console python examples/unmodified_app.py
"""

from openai import OpenAI

for _chunk in OpenAI().chat.completions.create(
    model="gpt-5", messages=[{"role": "user", "content": "Tell me of the sea."}], stream=True
):
    pass
print("done")
