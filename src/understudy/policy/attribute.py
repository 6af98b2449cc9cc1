"""What is the matter, as far as it can be told: from evidence to causes, ranked, with reasons.

Every cause, at every place where it may strike, is a hypothesis: "so many of these calls have been
failing in its way for so long, and all others fail as they always do". Its weight is how often such
a thing happens times how much better it explains what was seen than "nothing is wrong" does. For
how long, and what share of the calls, is not known, and so averaged over. What the calls outside do
is part of it: an outage of a whole provider does not explain why one of its models works, nor that
of one model why another fails.

Hypotheses that explain some of the same failures are rivals and share the belief in their trouble;
those that have none in common are troubles of their own. A cause is named where it has nearly all
of the belief, and it is *unknown* otherwise, with what it lies between: of two that explain the
same evidence equally well, as one model and its provider while no other model has been asked, none
ever leads.

Each weight is a sum over a few kinds of symptoms, so that no number of calls makes this slow.
This is the scheme of Adtributor (Bhagwan et al., NSDI 2014) and its successors, that look for the
dimension along which a change runs, with a likelihood in the place of their scores: there are
enough calls there to compare shares, and here there are sometimes three.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Final

from understudy.policy.causes import Cause, CauseKind, Testimony
from understudy.policy.grounds import Scene, against, between, in_favour
from understudy.policy.seen import STEP, STEPS, Snapshot
from understudy.policy.slices import Slice, cut
from understudy.policy.suspects import SUSPECTS, Family, Leaning, Suspect
from understudy.policy.symptoms import Symptom
from understudy.policy.witness import weight_of

__all__ = ["LEAD", "Belief", "Cause", "CauseKind", "Testimony", "explain"]

#: The share of belief from which on a cause is named.
LEAD: Final = 0.9
#: The share from which on it is mentioned beside others.
WORTH_A_WORD: Final = 0.02
#: How often a cause strikes at one place: twice a week, reckoned in windows of five minutes.
_STRIKES: Final = math.log(1e-3)
#: How likely it is that one is over rather than going on, as long as nothing has worked since. What
#: is ours to mend seldom passes by itself.
_IS_OVER: Final = {True: math.log(0.1), False: math.log(0.02)}
#: Of so many troubles at a time each is explained for itself.
_TROUBLES: Final = 4
#: Moments at which each may have begun.
_BEGINNINGS: Final = 12

#: What a wide place is made of: where its parts explain more, each for itself, it does not.
_PARTS: Final = {
    Family.EVERYTHING: (Family.PROVIDER,),
    Family.PROVIDER: (Family.MODEL, Family.TARGET),
    Family.ACCOUNT: (Family.TARGET,),
    Family.MODEL: (Family.TARGET,),
}


class Belief:
    """One hypothesis and its weight.

    `weight` and `over` are the logarithms of how much likelier it is than "nothing is wrong", if it
    goes on and if it is over. `since`: the step from which on it explains most.
    """

    __slots__ = ("explains", "over", "place", "since", "suspect", "weight")

    def __init__(
        self, suspect: Suspect, place: Slice, explains: frozenset[tuple[int, Symptom]]
    ) -> None:
        self.suspect = suspect
        self.place = place
        self.explains = explains
        self.weight = float("-inf")
        self.over = float("-inf")
        self.since = STEPS - 1

    def is_one_with(self, other: Belief) -> bool:
        """They name the same cause, one of them of a part of what the other says it of."""
        return self.suspect.kind is other.suspect.kind and (
            self.explains <= other.explains or other.explains <= self.explains
        )


def explain(seen: Snapshot, witnesses: Sequence[Testimony], now: float) -> list[Cause]:
    """What is the matter now, the likeliest first; nothing if nothing stands out.

    Args:
        seen: what was seen, up to a moment ago.
        witnesses: what status pages say. They lend weight to what was seen, and name nothing alone.
        now: seconds of the snapshot's clock. What was seen longer ago than it remembers is nothing.
    """
    if now - seen.at > STEPS * STEP:
        return []
    scene = Scene(seen, tuple(cut(seen)), tuple(witnesses))
    beliefs = _without_sums(list(_beliefs(scene)), scene)
    named: list[Cause] = []
    open_ones: list[Cause] = []
    for _ in range(_TROUBLES):
        top = max(beliefs, key=lambda belief: belief.weight, default=None)
        if top is None or top.weight <= 0.0:
            break
        rivals = [belief for belief in beliefs if belief.explains & top.explains]
        beliefs = [belief for belief in beliefs if not belief.explains & top.explains]
        causes = _trouble(rivals, scene)
        if causes and causes[0].kind is not CauseKind.UNKNOWN:
            named.append(causes[0])
            open_ones += causes[1:]
        else:
            open_ones = causes + open_ones
    return named + open_ones


# -- weighing ---------------------------------------------------------------------------------


def _beliefs(scene: Scene) -> Iterator[Belief]:
    """Every hypothesis that explains any failure."""
    models = {place.node for place in scene.slices if place.family is Family.MODEL}
    for place in scene.slices:
        failing = place.symptoms - {Symptom.GOOD}
        for suspect in SUSPECTS:
            often = _often(suspect, place, models)
            if not often or failing.isdisjoint(suspect.shows):
                continue
            belief = Belief(suspect, place, _explained(suspect, place))
            told = weight_of(suspect, place, scene.witnesses)
            _weigh(belief, _STRIKES + math.log(often) + told)
            yield belief


def _often(suspect: Suspect, place: Slice, models: set[str]) -> float:
    """How often it strikes there. At one account only, a model's outage is its target's."""
    often = suspect.strikes.get(place.family, 0.0)
    if place.family is Family.TARGET and _model_of(place) not in models:
        often += suspect.strikes.get(Family.MODEL, 0.0)
    return often


def _model_of(place: Slice) -> str:
    account, _, model = place.node.partition("/")
    return f"{account.partition('@')[0]}/{model}"


def _explained(suspect: Suspect, place: Slice) -> frozenset[tuple[int, Symptom]]:
    shows = suspect.shows.keys()
    return frozenset(
        (index, symptom)
        for index, symptoms in place.inside.items()
        if not symptoms.isdisjoint(shows)
        for symptom in symptoms & shows
    )


def _weigh(belief: Belief, prior: float) -> None:
    counts = belief.place.counts
    beginnings = _beginnings([counts[s] for s in belief.suspect.shows if s in counts])
    newest = beginnings[0] - 1
    going, ended = [], []
    best = float("-inf")
    for leaning in belief.suspect.leanings:
        # Were it over, what went well since its last failure would speak for nothing.
        calm = _likelihood(counts, leaning, newest) if newest >= 0 else 0.0
        for since in beginnings:
            weight = _likelihood(counts, leaning, since)
            going.append(weight)
            ended.append(weight - min(calm, 0.0))
            if weight > best:
                best, belief.since = weight, since
    shares = len(belief.suspect.leanings)
    belief.weight = prior + _sum(going) - math.log(shares * _BEGINNINGS)
    belief.over = (
        prior + _sum(ended) - math.log(shares * _BEGINNINGS) + _IS_OVER[belief.suspect.is_theirs]
    )


def _beginnings(failures: list[list[int]]) -> list[int]:
    """Steps in which there were failures, the newest first; of many some."""
    totals = [sum(column) for column in zip(*failures, strict=True)]
    steps = [step for step, total in enumerate(totals) if total > (totals[step - 1] if step else 0)]
    if len(steps) <= _BEGINNINGS:
        return steps
    last = len(steps) - 1
    return [steps[round(n * last / (_BEGINNINGS - 1))] for n in range(_BEGINNINGS)]


def _likelihood(counts: dict[Symptom, list[int]], leaning: Leaning, since: int) -> float:
    return sum(totals[since] * leaning[symptom] for symptom, totals in counts.items())


def _sum(weights: list[float]) -> float:
    """The logarithm of the sum of what these are logarithms of."""
    most = max(weights)
    return most + math.log(sum(math.exp(weight - most) for weight in weights))


def _without_sums(beliefs: list[Belief], scene: Scene) -> list[Belief]:
    """Without those that say of a whole what is rather to be said of some of its parts."""
    return [belief for belief in beliefs if not _is_sum(belief, beliefs, scene)]


def _is_sum(whole: Belief, beliefs: list[Belief], scene: Scene) -> bool:
    """Several of its parts fail, each in a way of its own, while another of them works."""
    families = _PARTS.get(whole.place.family)
    if families is None or whole.weight <= 0.0:
        return False
    within = whole.place.inside.keys()
    for family in families:
        best = {
            part.node: 0.0
            for part in scene.slices
            if part.family is family and part.inside.keys() <= within and part.calls(whole.since)
        }
        for belief in beliefs:
            node = belief.place.node
            if belief.place.family is family and node in best:
                best[node] = max(best[node], belief.weight)
        told = [weight for weight in best.values() if weight > 0.0]
        if 1 < len(told) < len(best) and sum(told) > whole.weight:
            return True
    return False


# -- judging ----------------------------------------------------------------------------------


def _trouble(rivals: list[Belief], scene: Scene) -> list[Cause]:
    """The causes of one trouble; nothing if it is as likely as not that there is none, or that it
    is over.
    """
    most = max(0.0, *(max(belief.weight, belief.over) for belief in rivals))
    going = {id(belief): math.exp(belief.weight - most) for belief in rivals}
    nothing = math.exp(-most)
    total = nothing + sum(going.values())
    if sum(going.values()) < nothing + sum(math.exp(belief.over - most) for belief in rivals):
        return []
    ranked = sorted(rivals, key=lambda belief: belief.weight, reverse=True)
    causes: list[Cause] = []
    told: list[Belief] = []
    for belief in ranked:
        if any(belief.is_one_with(other) for other in told):
            continue
        told.append(belief)
        share = sum(going[id(b)] for b in rivals if b.is_one_with(belief)) / total
        if share >= WORTH_A_WORD or not causes:
            causes.append(_cause(belief, share, scene))
    causes.sort(key=lambda cause: cause.share, reverse=True)
    if causes[0].share >= LEAD:
        return causes
    named = [cause for cause in causes if cause.kind is not CauseKind.UNKNOWN]
    rest = max(0.0, 1.0 - sum(cause.share for cause in named))
    unknown = Cause(kind=CauseKind.UNKNOWN, node="", share=rest, evidence_for=between(named))
    return [unknown, *named]


def _cause(belief: Belief, share: float, scene: Scene) -> Cause:
    suspect, place, since = belief.suspect, belief.place, belief.since
    return Cause(
        kind=suspect.kind,
        node=place.node,
        share=min(1.0, share),
        about=place.about,
        evidence_for=in_favour(suspect, place, since, scene),
        evidence_against=against(suspect, place, since, scene),
    )
