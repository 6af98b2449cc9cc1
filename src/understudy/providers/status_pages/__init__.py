"""Providers' public status pages: read as one witness beside our own traffic.

A module for each engine's feed; `read_page` finds out which it is, `judge` says what it means for
the API that we call, `drift` tells in what a feed has changed. What cannot be read for sure is
`State.UNKNOWN`: pages move, change their engine and put up interstitials, and an outage or a
recovery read out of such a page would be an invention.
"""

from understudy.providers.status_pages.feeds import feeds
from understudy.providers.status_pages.reading import drift, read_page
from understudy.providers.status_pages.report import (
    Component,
    Incident,
    Report,
    Shape,
    State,
    UnreadablePageError,
)
from understudy.providers.status_pages.verdict import Verdict, judge

__all__ = [
    "Component",
    "Incident",
    "Report",
    "Shape",
    "State",
    "UnreadablePageError",
    "Verdict",
    "drift",
    "feeds",
    "judge",
    "read_page",
]
