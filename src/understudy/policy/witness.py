"""What a status page lends to a cause: much where it is red, little where it is green.

Pages lag: they are written by people, minutes or tens of minutes after the first failures, and
some trouble never reaches them. So a green page hardly speaks against an outage that is seen, while
a red one would be an odd chance. A page that says nothing, or nothing new, is no witness.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import Final

from understudy.policy.causes import Testimony
from understudy.policy.slices import Slice
from understudy.policy.suspects import Suspect

__all__ = ["STALE_SECONDS", "names", "speaks_for", "weight_of"]

#: Seconds after which what a page said is no witness to what is the matter now.
STALE_SECONDS: Final = 900.0
#: How much likelier a page says so while its provider has such a trouble than while it has none.
_SAYS: Final = {
    "major_outage": math.log(8.0),
    "partial_outage": math.log(8.0),
    "degraded": math.log(4.0),
    "maintenance": math.log(3.0),
    "operational": math.log(0.7),
}
_NO_WORD: Final = re.compile(r"[^a-z0-9]+")
#: A date at the end of a model's name, which pages leave out.
_DATE: Final = re.compile(r"-(?:\d{8}|\d{4}-\d{2}-\d{2})$", re.ASCII)


def weight_of(suspect: Suspect, place: Slice, witnesses: Sequence[Testimony]) -> float:
    """What the pages lend to that cause at that place (nats)."""
    if not suspect.is_theirs:
        return 0.0
    return sum(_weight(testimony, place) for testimony in witnesses)


def _weight(testimony: Testimony, place: Slice) -> float:
    if not speaks_for(testimony, place):
        return 0.0
    weight = _SAYS[testimony.state]
    model = place.node.partition("/")[2]
    # A red page says of a model what it says of it by name.
    is_meant = not model or weight < 0.0 or names(testimony, model)
    return weight if is_meant else 0.5 * weight


def speaks_for(testimony: Testimony, place: Slice) -> bool:
    """Whether it says anything that counts of that place."""
    provider = re.split(r"[@/]", place.node, maxsplit=1)[0]
    return (
        testimony.provider == provider
        and testimony.state in _SAYS
        and testimony.age <= STALE_SECONDS
    )


def names(testimony: Testimony, model: str) -> bool:
    """Whether it says of a model, by its name, what it says."""
    name = _NO_WORD.sub("-", _DATE.sub("", model).lower())
    return f"-{name}-" in f"-{_NO_WORD.sub('-', testimony.words.lower())}-"
