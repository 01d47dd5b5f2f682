"""A stop button: say who ended the stream, end it, and let the provider go.

OPENAI_BASE_URL=... OPENAI_API_KEY=... python examples/stop_button.py
"""

import threading

from openai import OpenAI

import streamgauge

streamgauge.instrument()

stream = OpenAI().responses.create(model="gpt-5", input="Count to a thousand.", stream=True)
handle = streamgauge.of(stream)
assert handle is not None

# the user presses Stop while another thread is reading
threading.Timer(0.05, streamgauge.cancel, (stream,), {"initiator": "user_stop"}).start()

for _event in stream:
    pass

report = handle.report
assert report is not None and report.cancel is not None
print(f"{report.outcome} by {report.cancel.initiator} while {report.cancel.phase}")
print(f"{report.characters.text} characters had been shown, {report.cancel.characters_after} came after the stop")

# later, when it is known: the user kept the part, asked again ("reprompted"), or threw it away ("discarded")
streamgauge.followed_up(handle, "partial_kept")
