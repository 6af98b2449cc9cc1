"""Which models' answers have changed, and what is to be thought of them for it.

A model is known by its name (`anthropic/claude-sonnet-5`), all of its accounts together: what it
writes is no account's affair. What is usual is learned for each model and feature apart
(`baseline`), and what speaks for a change is summed up for each model (`watch`).

What is counted of every attempt costs a look-up and an addition; it is reckoned with when `settle`
is called, once a second, or when something is amiss.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Final

from understudy.policy.causes import Cause, CauseKind
from understudy.policy.quality.baseline import KNOWN, Lengths, Rate
from understudy.policy.quality.signs import COUNTED, Sign, Signs
from understudy.policy.quality.views import Change, Event, QualityView, SignView
from understudy.policy.quality.watch import Watch
from understudy.policy.quality.wording import against, in_favour, reason

__all__ = ["PROBE", "Quality"]

#: The name under which probes are a feature of their own.
PROBE: Final = ""
#: Models and features kept apart at most; callers may name models.
PAIRS_KEPT: Final = 1024
#: Seconds between calls that reach a model in doubt although another could serve them: what is seen
#: of these decides whether it is well again.
TRIAL_SECONDS: Final = 15.0
#: Seconds after which a doubt that nothing has cleared is taken for the way things are now. By then
#: somebody has been told; what remains is most often a change of the product's own.
ACCEPTED_SECONDS: Final = 86_400.0
#: The share of a feature's answers from which on a script belongs to it, the answers without it
#: that are taken for granted before anything is seen, and those that are remembered.
SCRIPT_SHARE: Final = 0.05
SCRIPTS_GRANTED: Final = 30.0
SCRIPTS_REMEMBERED: Final = 1000.0
#: A change strikes a model so seldom that the score must make up for it: once in 1,000 answers.
_SELDOM: Final = math.log(1000.0)

_LENGTHS: Final = (Sign.SHORTER, Sign.LONGER)


class _Pair:
    """One model and one feature: what is usual."""

    __slots__ = ("at", "good", "lengths", "rates", "samples")

    def __init__(self) -> None:
        self.rates: dict[Sign, Rate] = {}
        self.lengths = Lengths()
        self.samples = 0
        #: Answers that showed nothing that is counted, since `settle`.
        self.good = 0
        #: When it was last heard of.
        self.at = 0.0

    def rate(self, sign: Sign) -> Rate:
        rate = self.rates.get(sign)
        if rate is None:
            rate = self.rates[sign] = Rate()
        return rate


class _Model:
    """One model: what speaks for a change."""

    __slots__ = ("_asks", "_several", "pairs", "samples", "trial_at", "watches")

    def __init__(self) -> None:
        self.pairs: dict[str, _Pair] = {}
        self.watches = {sign: Watch(of_lengths=sign in _LENGTHS) for sign in Sign}
        self.samples = 0
        self.trial_at = 0.0
        self._asks: str | None = None
        self._several = False

    def one_of_several(self, who: str | None) -> str | None:
        """`who`, if it has been seen that others ask this model too."""
        if who is not None and not self._several:
            self._several = self._asks not in {None, who}
            self._asks = who
        return who if self._several else None

    def doubts(self) -> list[tuple[Sign, Watch]]:
        """The signs for which it is doubted, the first first."""
        found = [(at, s, w) for s, w in self.watches.items() if (at := w.doubted_at) is not None]
        return [(sign, watch) for _, sign, watch in sorted(found, key=lambda one: one[0])]


class _Scripts:
    """The scripts of a feature's answers, whichever model wrote them."""

    __slots__ = ("_known", "_shares")

    def __init__(self) -> None:
        self._shares: dict[str, float] = {}
        self._known = SCRIPTS_GRANTED

    def usual(self) -> frozenset[str]:
        return frozenset(s for s, share in self._shares.items() if share >= SCRIPT_SHARE)

    def learn(self, found: frozenset[str]) -> None:
        self._known = min(SCRIPTS_REMEMBERED, self._known + 1.0)
        for script in found | self._shares.keys():
            share = self._shares.get(script, 0.0)
            self._shares[script] = share + ((script in found) - share) / self._known


class Quality:
    """The content health of every model. Times are seconds of one clock that never goes back."""

    def __init__(self) -> None:
        #: Model → why its answers are doubted. Empty while all is well, so that the path need not
        #: ask for more: see `doubt`.
        self.doubted: dict[str, str] = {}
        self._models: dict[str, _Model] = {}
        self._pairs: dict[tuple[str, str], _Pair] = {}
        self._features: dict[str, _Scripts] = {}
        self._changes: list[Change] = []

    # -- what happens -------------------------------------------------------------------------

    def answered(self, model: str, feature: str) -> None:
        """An attempt gave a whole answer that is no refusal and not empty."""
        pair = self._pairs.get((model, feature))
        if pair is None:
            pair = self._add(model, feature)
        pair.good += 1

    def showed(
        self, model: str, feature: str, sign: Sign, now: float, who: str | None = None
    ) -> None:
        """An attempt ended in what is counted of every one: `Sign.REFUSED` or `Sign.EMPTY`.

        `who` asked for it: an end user's digest, a tenant, whatever tells requesters apart.
        """
        pair = self._pairs.get((model, feature)) or self._add(model, feature)
        one = self._models[model]
        self._count(one)
        pair.at = now
        who = one.one_of_several(who)
        for counted in COUNTED:
            self._judge(one, feature, counted, counted is sign, who=who)
        self._conclude(model, one, now)

    def sampled(
        self, model: str, feature: str, signs: Signs, now: float, who: str | None = None
    ) -> None:
        """The text of an answer was read. Of a probe's the feature is `PROBE`; `who` as above."""
        pair = self._pairs.get((model, feature)) or self._add(model, feature)
        one = self._models[model]
        pair.at = now
        pair.samples += 1
        one.samples += 1
        who = one.one_of_several(who)
        if signs.scripts is not None:
            self._judge_scripts(one, feature, signs.scripts, who)
        for sign, shown in (
            (Sign.LOOP, signs.loops),
            (Sign.STRUCTURE, signs.breaks_structure),
            (Sign.DECLINED, signs.declines),
            (Sign.CANARY, signs.lacks_word),
        ):
            if shown is not None:
                self._judge(one, feature, sign, shown, who=who)
        if signs.length is not None:
            self._judge_length(one, feature, signs.length, who)
        self._conclude(model, one, now)

    def began(self, model: str, now: float) -> None:
        """An attempt at a model in doubt begins; the next trial is due after that."""
        one = self._models.get(model)
        if one is not None and now >= one.trial_at:
            one.trial_at = now + TRIAL_SECONDS

    def settle(self, now: float) -> None:
        """Reckon with what was counted: to be called about once a second."""
        for name, one in self._models.items():
            if self._count(one, now):
                self._conclude(name, one, now)
        for name in list(self.doubted):
            one = self._models[name]
            for sign, watch in one.doubts():
                if watch.doubted_at is not None and now - watch.doubted_at >= ACCEPTED_SECONDS:
                    self._accept(name, one, sign, watch, now)
            self._conclude(name, one, now)

    def accept(self, model: str, now: float) -> bool:
        """Somebody says that a model's answers are as they should be: its doubts are dropped, and
        what is usual is learned anew. Whether there were any.
        """
        one = self._models.get(model)
        doubts = one.doubts() if one is not None else []
        if one is None or not doubts:
            return False
        for sign, watch in doubts:
            self._accept(model, one, sign, watch, now)
        self._conclude(model, one, now)
        return True

    # -- what is known ------------------------------------------------------------------------

    def doubt(self, model: str, now: float) -> str | None:
        """Why another model should be preferred now; None if there is no doubt, or a trial is due.

        Who asks need only do so while `doubted` is not empty.
        """
        why = self.doubted.get(model)
        if why is None or now >= self._models[model].trial_at:
            return None
        return why

    def is_keen(self, model: str, feature: str) -> bool:
        """Whether every answer of it is worth a look: it is not known yet, or not above doubt."""
        pair = self._pairs.get((model, feature))
        if pair is None or pair.samples < KNOWN:
            return True
        if model in self.doubted:
            return True
        return any(watch.is_suspicious for watch in self._models[model].watches.values())

    def changes(self) -> list[Change]:
        """What has changed since this was last asked."""
        changes, self._changes = self._changes, []
        return changes

    def causes(self, now: float) -> list[Cause]:
        """What is the matter with whom; nothing if all is well."""
        self.settle(now)
        return [
            self._cause(name, sign, watch)
            for name in self.doubted
            for sign, watch in self._models[name].doubts()
        ]

    def views(self, now: float) -> list[QualityView]:
        """Every model, by name."""
        self.settle(now)
        return [self._view(name, one, now) for name, one in sorted(self._models.items())]

    # -- inside -------------------------------------------------------------------------------

    def _add(self, model: str, feature: str) -> _Pair:
        if len(self._pairs) >= PAIRS_KEPT:
            self._make_room()
        one = self._models.get(model)
        if one is None:
            one = self._models[model] = _Model()
        pair = self._pairs[model, feature] = one.pairs[feature] = _Pair()
        if feature not in self._features:
            self._features[feature] = _Scripts()
        return pair

    def _make_room(self) -> None:
        """Forget the quarter that was not heard of for longest, but no doubts."""
        old = sorted(self._pairs, key=lambda key: self._pairs[key].at)
        for model, feature in old[: PAIRS_KEPT // 4]:
            if model in self.doubted:
                continue
            del self._pairs[model, feature]
            del self._models[model].pairs[feature]
            if not self._models[model].pairs:
                del self._models[model]

    def _count(self, one: _Model, now: float | None = None) -> bool:
        """Reckon with answers that showed nothing that is counted; whether there were any."""
        found = False
        for feature, pair in one.pairs.items():
            good, pair.good = pair.good, 0
            if good:
                found = True
                if now is not None:
                    pair.at = now
                for sign in COUNTED:
                    self._judge(one, feature, sign, shown=False, count=good)
        return found

    def _judge(
        self,
        one: _Model,
        feature: str,
        sign: Sign,
        shown: bool,
        count: int = 1,
        who: str | None = None,
    ) -> None:
        rate, watch = one.pairs[feature].rate(sign), one.watches[sign]
        watch.answers += count
        if shown:
            watch.shown += count
        if rate.is_telling:
            watch.judge_rate(feature, rate, shown, count, who)
        if not watch.is_suspicious:
            rate.learn(shown, count)

    def _judge_scripts(
        self, one: _Model, feature: str, scripts: frozenset[str], who: str | None
    ) -> None:
        of_feature = self._features[feature]
        self._judge(one, feature, Sign.SCRIPT, bool(scripts - of_feature.usual()), who=who)
        if not one.watches[Sign.SCRIPT].is_suspicious:
            of_feature.learn(scripts)

    def _judge_length(self, one: _Model, feature: str, length: int, who: str | None) -> None:
        lengths = one.pairs[feature].lengths
        if lengths.is_telling:
            far = lengths.distance(length)
            for sign in _LENGTHS:
                watch = one.watches[sign]
                longer = sign is Sign.LONGER
                watch.answers += 1
                watch.shown += far >= 1.0 if longer else far <= -1.0
                watch.judge_length(feature, lengths, length, longer, who)
        if not any(one.watches[sign].is_suspicious for sign in _LENGTHS):
            lengths.learn(length)

    def _conclude(self, name: str, one: _Model, now: float) -> None:
        """Whether the model is to be doubted, or no longer."""
        for sign, watch in one.watches.items():
            if watch.is_alarmed:
                watch.doubt(now)
                one.trial_at = now + TRIAL_SECONDS
                self._tell(name, sign, Event.DOUBTED, reason(sign, watch), now)
            elif watch.is_cleared:
                watch.clear()
                self._tell(name, sign, Event.RECOVERED, f"{sign}: as usual again", now)
        doubts = one.doubts()
        if doubts:
            self.doubted[name] = "; ".join(reason(sign, watch) for sign, watch in doubts)
        else:
            self.doubted.pop(name, None)

    def _accept(self, name: str, one: _Model, sign: Sign, watch: Watch, now: float) -> None:
        words = f"{reason(sign, watch)}: taken for usual from now on"
        watch.clear()
        for pair in one.pairs.values():
            pair.rates.pop(sign, None)
            if sign in _LENGTHS:
                pair.lengths = Lengths()
        self._tell(name, sign, Event.ACCEPTED, words, now)

    def _tell(self, name: str, sign: Sign, event: Event, words: str, now: float) -> None:
        self._changes.append(Change(model=name, sign=sign, event=event, words=words, at=now))

    def _cause(self, name: str, sign: Sign, watch: Watch) -> Cause:
        one = self._models[name]
        alike = list(self._alike(name, sign, watch))
        odds = math.exp(watch.standing - _SELDOM) / (1.0 + 4.0 * bool(alike))
        only = next(iter(watch.runs)) if len(watch.runs) == 1 < len(one.pairs) else ""
        others = {other: w for other, w in one.watches.items() if other is not sign}
        return Cause(
            kind=CauseKind.DEGRADED_QUALITY,
            node=name,
            share=odds / (1.0 + odds),
            about=only,
            evidence_for=in_favour(sign, watch),
            evidence_against=against(watch, others, alike),
        )

    def _alike(self, name: str, sign: Sign, watch: Watch) -> Iterator[str]:
        """Other models that show the same for the same features: it may be what is asked."""
        for other, one in self._models.items():
            its = one.watches[sign]
            if other != name and its.is_suspicious and its.runs.keys() & watch.runs.keys():
                yield other

    def _view(self, name: str, one: _Model, now: float) -> QualityView:
        doubts = one.doubts()
        since = doubts[0][1].doubted_at if doubts else None
        return QualityView(
            model=name,
            reason=self.doubted.get(name),
            doubted_for=None if since is None else now - since,
            trial_in=max(0.0, one.trial_at - now) if doubts else None,
            samples=one.samples,
            signs=tuple(
                SignView(
                    sign=str(sign),
                    score=round(watch.standing, 2),
                    doubted=watch.doubted_at is not None,
                    answers=watch.answers,
                    shown=watch.shown,
                )
                for sign, watch in one.watches.items()
                if watch.answers
            ),
        )
