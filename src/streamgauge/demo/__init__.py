"""Room 11, the demo: a provider that goes wrong on purpose, and traffic that meets it.

`Provider` is at once the test server of this project and a product: applications are pointed at it to see what they do
when a stream stalls, breaks or lies. See `streamgauge provider --list`.
"""

from streamgauge.demo.faults import FAULTS, Expected, Fault
from streamgauge.demo.log import RequestLog
from streamgauge.demo.provider import Provider, closed_port
from streamgauge.demo.script import Script, ToolCall

__all__ = ["FAULTS", "Expected", "Fault", "Provider", "RequestLog", "Script", "ToolCall", "closed_port"]
