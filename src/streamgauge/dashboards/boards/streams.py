"""Streams: what users got, surface by surface - loading, streaming, tools, errors, long answers."""

from streamgauge.dashboards import uids
from streamgauge.dashboards.board import Board, Options
from streamgauge.dashboards.surfaces import errors, loading, long_answers, streaming, tools, trust, truth
from streamgauge.dashboards.variables import MODEL, PROVIDER, SERVICE

ROWS = (truth, loading, streaming, tools, errors, long_answers, trust)


def build(options: Options) -> Board:
    """The page that answers: what did users get, and where does it go wrong?"""
    return Board(
        uid=uids.STREAMS,
        place=3,
        title="streamgauge / 3 Streams",
        about="What users got, a row per surface: loading, streaming, tools, errors, long answers.",
        choices=(SERVICE, PROVIDER, MODEL),
        rows=tuple(surface.row(options) for surface in ROWS),
    )
