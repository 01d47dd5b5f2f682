"""One row of panels per surface of a streamed chat: loading, streaming, tools, errors, long answers.

Each module defines `row(options) -> Row`; `truth` goes before them, `trust` after. `side_effects` is what tools do to
the world; its rows are on a dashboard of their own.
"""
