"""One row of panels per surface of a streamed chat: loading, streaming, tools, errors, long answers.

Each module defines `row(options) -> Row`; `truth` goes before them, `trust` after.
"""
