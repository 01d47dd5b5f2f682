"""`streamgauge schema check`: does what was emitted keep the schema?

Comes in: lines of OTLP JSON (as the Collector's file exporter and protobuf's JSON mapping write it), stream reports
and reconciliation records, in any mixture. Goes out: findings, each with rule, severity, place and hint
(`findings.RULES` is the whole list). A line at a time, so memory is bounded by the longest line; other people's
signals are passed over and counted; whatever a line holds, the answer is a finding and never an exception.
"""

from streamgauge.schema.check.findings import RULES, Finding, Rule, Severity
from streamgauge.schema.check.lines import Checker
from streamgauge.schema.check.parallel import WORTH_IT, check_parallel, processors
from streamgauge.schema.check.reading import read_lines

__all__ = ["RULES", "WORTH_IT", "Checker", "Finding", "Rule", "Severity", "check_parallel", "processors", "read_lines"]
