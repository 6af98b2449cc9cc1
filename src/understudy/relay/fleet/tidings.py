"""Tells the other processes what is found out here of health, and follows what they say.

Whatever a breaker finds out is told within `SOON_SECONDS`; all that is not well is told again every
two seconds, for words are lost and processes come. None of it is on a request's path: a breaker
that changes its state says so, which it seldom does.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

import msgspec

from understudy.policy.breaker import Breaker, BreakerState, Change
from understudy.policy.news import DISTRUST_SECONDS, Doubt, Heard, Ledger, News, Works
from understudy.relay.fleet.words import pack, unpack

if TYPE_CHECKING:
    from understudy.relay.relay import Relay

__all__ = ["Tidings"]

TOPIC: Final = "health"
#: Seconds in which changes are gathered, and after which everything is told again.
SOON_SECONDS: Final = 0.02
AGAIN_SECONDS: Final = 2.0
#: Seconds after which it is told again when a target was last seen to work.
WORKS_SECONDS: Final = 10.0
#: Seconds that the trial of a caller's request is left to whoever found the target broken, and to
#: each of the others in turn.
TURN_SECONDS: Final = 1.0
#: Doubts of other processes that are remembered; more are looked into twice.
DOUBTS_KEPT: Final = 4096

_CLOSED: Final = BreakerState.CLOSED
_NEVER: Final = float("-inf")

_ENCODER: Final = msgspec.json.Encoder()
_DECODER: Final = msgspec.json.Decoder(News | Doubt | Works)


class Tidings:
    """What one relay tells of health, and hears.

    Args:
        relay: whose breakers it is about. Its fleet carries the words.
    """

    def __init__(self, relay: Relay) -> None:
        self._relay = relay
        self._ledger = Ledger(relay.fleet.name)
        #: Nodes to tell of.
        self._changed: dict[str, None] = {}
        self._is_telling = False
        self._again_at = _NEVER
        #: Target's key → since when it is doubted, as was told; and when it was told to work.
        self._doubted: dict[tuple[str, bool], float] = {}
        self._works_at: dict[str, float] = {}
        #: Process, target's key and whether it is about slowness → the doubt last heard of.
        self._doubts: dict[tuple[str, str, bool], float] = {}
        if relay.fleet.is_shared:
            relay.board.changed = self._note
            relay.fleet.on(TOPIC, self._hear)
            relay.fleet.watch(self._tell_all)

    def told_by(self, node: str) -> str | None:
        """Which other process has found the node broken; None: it isn't, or this one has."""
        opener = self._ledger.opener(node)
        return opener if opener and opener != self._relay.fleet.name else None

    def look(self, now: float) -> None:
        """Once a second."""
        relay = self._relay
        if not relay.fleet.is_shared:
            return
        relay.board.processes = relay.fleet.processes
        if now >= self._again_at:
            self._tell_again(now)

    def suspected(self) -> None:
        """Something has failed."""
        if self._relay.fleet.is_shared:
            self._soon()

    # -- telling ------------------------------------------------------------------------------

    def _note(self, node: str, change: Change) -> None:
        relay = self._relay
        breaker = relay.board.breaker(node)
        moment = relay.now() + relay.wall
        if breaker is not None and self._ledger.note(node, change, breaker, moment):
            self._changed[node] = None
            self._soon()

    def _soon(self) -> None:
        if not self._is_telling:
            self._is_telling = True
            self._relay.call_later(SOON_SECONDS, self._tell_changes)

    def _tell_changes(self) -> None:
        self._is_telling = False
        changed, self._changed = self._changed, {}
        self._tell([*self._news(changed), *self._new_doubts(again=False)])

    def _tell_again(self, now: float) -> None:
        relay = self._relay
        moment = now + relay.wall
        self._again_at = now + AGAIN_SECONDS
        for target in relay.targets():
            # What is told of it is to find it here.
            relay.board.of_target(target)
        self._ledger.forget(moment)
        lasting = self._news(self._ledger.lasting(moment))
        self._tell([*lasting, *self._new_doubts(again=True), *self._works(now)])

    def _tell_all(self) -> None:
        """Somebody is there who may know nothing of it."""
        self._works_at.clear()
        self._tell_again(self._relay.now())

    def _tell(self, told: Iterable[News | Doubt | Works]) -> None:
        for body in pack(_ENCODER.encode(one) for one in told):
            self._relay.fleet.tell(TOPIC, body)

    def _news(self, nodes: Iterable[str]) -> list[News]:
        board, now = self._relay.board, self._relay.now()
        found = []
        for node in nodes:
            breaker = board.breaker(node)
            news = None if breaker is None else self._ledger.news(node, breaker, now)
            if news is not None:
                found.append(news)
        return found

    def _new_doubts(self, *, again: bool) -> list[Doubt]:
        """What is under suspicion here; without `again` only what was not before."""
        doubted: dict[tuple[str, bool], float] = {}
        for target in self._relay.targets():
            breaker = self._relay.board.of_target(target)
            if breaker.state is not _CLOSED:
                continue
            if breaker.is_suspicious:
                doubted[target.key, False] = breaker.suspected_at
            if breaker.slow_since > _NEVER:
                doubted[target.key, True] = breaker.slow_since
        before, self._doubted = self._doubted, doubted
        return [
            Doubt(node, since, slow)
            for (node, slow), since in doubted.items()
            if again or before.get((node, slow)) != since
        ]

    def _works(self, now: float) -> list[Works]:
        """When targets were last seen to work, where that was not told lately, or is waited for."""
        relay = self._relay
        found: list[Works] = []
        for target in relay.targets():
            breaker = relay.board.of_target(target)
            good = breaker.last_good
            told = self._works_at.get(target.key, _NEVER)
            if good <= told:
                continue
            is_sound = not breaker.is_suspicious and good > breaker.last_bad
            is_awaited = is_sound and self._redeem(relay.fleet.name, target.key, good)
            if is_awaited or now - told >= WORKS_SECONDS:
                self._works_at[target.key] = now
                found.append(Works(target.key, round(now - good, 3), is_sound))
        return found

    def _redeem(self, process: str, key: str, good: float) -> bool:
        """A process has seen a target work, and so what stands above it; whether it was not
        believed before.
        """
        wall, ledger = self._relay.wall, self._ledger
        account, _, _ = key.partition("/")
        provider, _, _ = account.partition("@")
        moment = self._relay.now() + wall
        doubted = [n for n in (key, account, provider) if not ledger.believes(process, n, moment)]
        for node in doubted:
            ledger.redeem(process, node, good + wall)
        return bool(doubted)

    # -- hearing ------------------------------------------------------------------------------

    def _hear(self, sender: str, body: bytes) -> None:
        now = self._relay.now()
        for piece in unpack(body):
            try:
                told = _DECODER.decode(piece)
            except (msgspec.DecodeError, UnicodeDecodeError):
                # A newer program's, perhaps.
                continue
            breaker = self._relay.board.breaker(told.node)
            if breaker is None:
                # It will be told again, and may be known by then.
                continue
            if isinstance(told, News):
                self._hear_news(told, breaker, now)
            elif isinstance(told, Doubt):
                self._hear_doubt(sender, told, breaker, now)
            else:
                good = now - max(0.0, told.ago)
                breaker.told_good = max(breaker.told_good, good)
                if told.sound:
                    self._redeem(sender, told.node, good)

    def _hear_news(self, news: News, breaker: Breaker, now: float) -> None:
        relay, fleet = self._relay, self._relay.fleet
        second = fleet.is_second(news.opener)
        heard = self._ledger.hear(news, breaker, now, now + relay.wall, second=second)
        if heard is Heard.SHARED:
            self._changed[news.node] = None
            self._soon()
        if heard is not Heard.FOLLOWED:
            return
        if news.refutes == fleet.name:
            fleet.stand_back(DISTRUST_SECONDS)
            relay.log.note("refuted", node=news.node, by=news.by)
        if breaker.is_ours:
            relay.suspect(now)
        elif breaker.state is not _CLOSED and not fleet.leads:
            breaker.opened_until += TURN_SECONDS * (1.0 + fleet.processes * relay.draw())

    def _hear_doubt(self, sender: str, doubt: Doubt, breaker: Breaker, now: float) -> None:
        """Whoever leads looks closer, once for each doubt of each process."""
        relay = self._relay
        key = sender, doubt.node, doubt.slow
        if not relay.fleet.leads or self._doubts.get(key) == doubt.since:
            return
        if self._ledger.believes(sender, doubt.node, now + relay.wall):
            if len(self._doubts) >= DOUBTS_KEPT:
                self._doubts.clear()
            self._doubts[key] = doubt.since
            breaker.doubt_as_told(now, slow=doubt.slow)
            relay.suspect(now)
