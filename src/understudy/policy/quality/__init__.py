"""Content health: answers that come in time, end well, and are not what they were.

A provider can be up and still answer badly: Thai letters in English prose, a sentence without end,
JSON that is none, refusals where there were none. In August 2025 that went on for weeks, at 0.8 %
of one model's requests at first and at 16 % in the worst hour
(https://www.anthropic.com/engineering/a-postmortem-of-three-recent-issues). No status says so; only
the answers do, against what the same model answered to the same feature before.

`read` looks at one answer and says what signs it shows; `Quality` knows how often each model shows
each of them for each feature, and *doubts* a model when that changes. A doubted model is passed
over for one that is not; it is never left alone for this, and a few calls go on reaching it, so
that it is seen to be well again. docs/quality.md has the numbers.
"""

from __future__ import annotations

from understudy.policy.quality.quality import Quality
from understudy.policy.quality.reading import Asked, Said, needs_request, read
from understudy.policy.quality.signs import Sign, Signs
from understudy.policy.quality.views import Change, Event, QualityView, SignView

__all__ = [
    "Asked",
    "Change",
    "Event",
    "Quality",
    "QualityView",
    "Said",
    "Sign",
    "SignView",
    "Signs",
    "needs_request",
    "read",
]
