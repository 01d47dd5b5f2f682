"""Addresses of the dashboards: links and alerts rely on them, so they never change."""

from streamgauge.slo.annotations import DASHBOARD

SLO_OVERVIEW = "streamgauge-slo-overview"
SLO_DETAIL = DASHBOARD
STREAMS = "streamgauge-streams"
EFFECTS = "streamgauge-effects"
COMPARE = "streamgauge-compare"
