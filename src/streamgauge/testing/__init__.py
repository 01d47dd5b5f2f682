"""The public test kit: nothing here needs pytest.

`signals` checks what the OpenTelemetry SDK's in-memory exporters hold against the trace schema; `cases` is the table
of ways in which streams go wrong and are left, with what an honest observer records of each; `driver` plays a case
with a real SDK; `conformance` runs an instrumentation through the table and scores it.
"""
