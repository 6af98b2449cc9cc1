"""Who may go to a target that cannot take everyone: what its provider allows, what it bears, whose
turn it is.

Each target has a gate. It is shut where the provider's own limit leaves too little for a request
(`allowance`), where more would run at once than the target has shown to bear (`concurrency`), and
where others wait already. A request that finds every target of its plan shut waits, inside its
`Delivery`, with a ticket here.

Whose turn it is. Interactive before background; among equals the tenant that has had the least
(start-time fair queueing: Goyal, Vin, Cheng, SIGCOMM '96, with tokens as the cost), so that one
tenant's flood delays that tenant. Background leaves a fifth of everything to interactive requests.

What is a guess gives way: how many answers a target bears at once, and limits that nobody told but
that refusals taught. After half a second
an interactive request goes beyond the former by half (the patience of "Fail at Scale", CACM 58/11,
2015: half a second to be admitted), and after its whole patience whatever runs
there (`Delivery`). What a provider has said does not give way: asked all the same, it refuses, and
everybody waits for that.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from heapq import heappop, heappush
from typing import Final

from understudy.core.quota import Need, Quota
from understudy.policy.allowance import Allowance
from understudy.policy.board import THROTTLE_SECONDS
from understudy.policy.concurrency import Concurrency
from understudy.policy.plans import Claim, Target

__all__ = ["Gate", "Gates", "Ticket"]

#: The share of a limit that background leaves to interactive requests.
RESERVE: Final = 0.2
#: Seconds that an interactive request waits for what is inferred, and how far it may then go
#: beyond that.
GUESS_SECONDS: Final = 0.5
GUESS_STRETCH: Final = 1.5
#: What a request costs its tenant's turn at least, in tokens: small ones are not free.
LEAST_COST: Final = 500.0
#: Seconds between two readings of what a provider says of its limits, unless it says that they are
#: reached.
READ_SECONDS: Final = 0.2
#: Gates kept, some 25 KB each; callers may name models. One that is idle can be made anew.
GATES_KEPT: Final = 256

_NEVER: Final = float("-inf")


class Ticket:
    """One request's place, should it have to wait.

    Args:
        gates: where.
        claim: what it needs, and for whom.
        draw: gives a number in [0, 1).
    """

    __slots__ = ("_draw", "_gates", "_luck", "claim", "granted", "mark", "since", "waits")

    def __init__(self, gates: Gates, claim: Claim, draw: Callable[[], float]) -> None:
        self._gates = gates
        self._draw = draw
        self._luck = -1.0
        self.claim = claim
        #: It stands in a line.
        self.waits = False
        self.since = 0.0
        #: The key of the target that it may go to now, and the mark of what was taken for it there.
        self.granted = ""
        self.mark = 0

    def shut(self, target: Target, now: float) -> str | None:
        """Why the request must not go to `target` now; None if it may."""
        return self._gates.shut(target, self, now)

    def soonest(self, targets: Iterable[Target], now: float) -> tuple[float, Target]:
        """Which of `targets` (one at least) allows the request first by what its provider has said
        of its limits, and in how many seconds; 0: now, and whatever keeps it out is inferred.
        """
        best: tuple[float, Target] | None = None
        for target in targets:
            wait = self._gates.of(target).allowance.told_wait(self.claim.need, now)
            if best is None or wait < best[0]:
                best = wait, target
        if best is None:
            raise ValueError("no targets to compare")
        return best

    def luck(self) -> float:
        """Drawn once: who looks often is let in no sooner."""
        if self._luck < 0.0:
            self._luck = self._draw()
        return self._luck

    def draw_again(self) -> None:
        """Luck is another one from now on: time has passed, and nothing came of the last."""
        self._luck = -1.0


class Gate:
    """What one target can take.

    Args:
        key: the target's.
        reserves_output: the provider counts the limit of output tokens when a request begins.
    """

    __slots__ = (
        "_granted",
        "_key",
        "_line",
        "_numbers",
        "_served",
        "_turns",
        "allowance",
        "concurrency",
        "read_at",
        "waiting_background",
        "waiting_interactive",
    )

    def __init__(self, key: str, *, reserves_output: bool = False) -> None:
        self._key = key
        self.allowance = Allowance(reserves_output=reserves_output)
        self.concurrency = Concurrency()
        #: When what the provider says was last read.
        self.read_at = _NEVER
        self.waiting_interactive = 0
        self.waiting_background = 0
        #: (background, turn, number, ticket), the next first.
        self._line: list[tuple[bool, float, int, Ticket]] = []
        self._numbers = 0
        #: Tenant → the turn after the last that it took; and the turn that is being served.
        self._turns: dict[str | None, float] = {}
        self._served = 0.0
        #: Let in, and not gone in yet.
        self._granted: list[Ticket] = []

    @property
    def has_granted(self) -> bool:
        """Somebody was let in, and has not gone in yet."""
        return bool(self._granted)

    @property
    def is_idle(self) -> bool:
        """Nothing runs, and nobody waits."""
        return not (self._line or self._granted or self.concurrency.in_flight)

    def shut(self, ticket: Ticket, now: float) -> str | None:
        """Why the request must not go in; None if it may."""
        if ticket.granted:
            return None if ticket.granted == self._key else f"{self._key}: it may go elsewhere"
        if self._line:
            ahead = self.waiting_interactive
            if ticket.claim.background:
                ahead += self.waiting_background
            if ahead:
                return f"{self._key}: {ahead} others wait for it"
        return self._full(ticket, now)

    def _full(self, ticket: Ticket, now: float) -> str | None:
        claim = ticket.claim
        background = claim.background
        wait = self.allowance.wait(claim.need, now, RESERVE if background else 0.0)
        if wait > 0.0:
            return f"{self._key}: our rate limit there allows this in {wait:.1f} s"
        concurrency = self.concurrency
        share = 1.0 - RESERVE if background else 1.0
        if ticket.waits and not background and now - ticket.since >= GUESS_SECONDS:
            share = GUESS_STRETCH
        if concurrency.is_full(share):
            return f"{self._key}: it bears {concurrency.limit:.0f} answers at once"
        return None

    # -- the line -----------------------------------------------------------------------------

    def enter(self, ticket: Ticket) -> None:
        """It waits for this target, among others perhaps."""
        claim = ticket.claim
        turn = max(self._served, self._turns.get(claim.tenant, 0.0))
        cost = max(LEAST_COST, claim.need.input + claim.need.output)
        self._turns[claim.tenant] = turn + cost
        self._numbers += 1
        heappush(self._line, (claim.background, turn, self._numbers, ticket))
        if claim.background:
            self.waiting_background += 1
        else:
            self.waiting_interactive += 1

    def grant(self, now: float) -> bool:
        """Let in who may go in now; whether anybody still waits.

        What they need is taken at once, so that nobody is let in for what another will use.
        """
        for ticket in [ticket for ticket in self._granted if not ticket.waits]:
            self._take_back(ticket, now)
        line = self._line
        while line:
            background, turn, _, ticket = line[0]
            if ticket.waits and not ticket.granted and self._full(ticket, now) is not None:
                break
            heappop(line)
            if background:
                self.waiting_background -= 1
            else:
                self.waiting_interactive -= 1
            if ticket.waits and not ticket.granted:
                self._served = turn
                ticket.granted = self._key
                ticket.mark = self.started(ticket.claim.need, now)
                self._granted.append(ticket)
        if not line:
            self._turns.clear()
            self._served = 0.0
        return bool(line or self._granted)

    def _take_back(self, ticket: Ticket, now: float) -> None:
        """It was let in, and has no use for it."""
        self._granted.remove(ticket)
        ticket.granted = ""
        self.concurrency.ended(now)
        self.allowance.gave_back(ticket.mark, now)

    def drop(self, ticket: Ticket, now: float) -> None:
        """It may not use what it was let in for: what was taken is there again."""
        if ticket in self._granted:
            self._take_back(ticket, now)

    def go_in(self, ticket: Ticket) -> int:
        """The attempt begins that it was let in for. Gives its mark."""
        self._granted.remove(ticket)
        ticket.granted = ""
        return ticket.mark

    # -- what happens -------------------------------------------------------------------------

    def started(self, need: Need, now: float) -> int:
        """An attempt begins. Gives its mark: see `understudy.policy.allowance`."""
        self.concurrency.started(now)
        return self.allowance.took(need, now)

    def told(self, quotas: tuple[Quota, ...], mark: int, now: float) -> None:
        """The provider has said what is left, in the head of the answer to what got `mark`."""
        self.allowance.told(quotas, mark, now)

    def pushed_back(
        self, now: float, retry_after: float | None, *, is_limit: bool, is_out: bool
    ) -> None:
        """The provider has turned something away: our limit is reached, or it is overloaded.

        `is_out`: the target is out of service.
        """
        if not is_out:
            # Else it refuses the only one that is there: that teaches nothing of how many.
            self.concurrency.pushed_back(now)
        if is_limit:
            wait = THROTTLE_SECONDS if retry_after is None else retry_after
            self.allowance.throttled(wait, now)


class Gates:
    """The gates of every target."""

    def __init__(self) -> None:
        self._gates: dict[str, Gate] = {}
        #: Those that somebody waits at.
        self._lines: dict[str, Gate] = {}

    def of(self, target: Target) -> Gate:
        """A target's gate."""
        gate = self._gates.get(target.key)
        if gate is None:
            if len(self._gates) >= GATES_KEPT:
                self._gates = {k: gate for k, gate in self._gates.items() if not gate.is_idle}
            gate = Gate(target.key, reserves_output=target.reserves_output)
            self._gates[target.key] = gate
        return gate

    def shut(self, target: Target, ticket: Ticket, now: float) -> str | None:
        """Why the holder of `ticket` must not go to `target` now; None if it may."""
        gate = self._gates.get(target.key)
        return None if gate is None else gate.shut(ticket, now)

    def enter(self, ticket: Ticket, targets: Iterable[Target], now: float) -> None:
        """A request waits until it may go to one of `targets`."""
        if ticket.granted:
            self._gates[ticket.granted].drop(ticket, now)
        if not ticket.waits:
            ticket.waits = True
            ticket.since = now
        for target in targets:
            gate = self.of(target)
            gate.enter(ticket)
            self._lines[target.key] = gate

    def grant(self, now: float) -> bool:
        """Let in who may go in now, in their order. Whether anybody was let in."""
        granted = False
        for key, gate in list(self._lines.items()):
            if not gate.grant(now):
                del self._lines[key]
            granted = granted or gate.has_granted
        return granted

    def started(self, target: Target, ticket: Ticket, now: float) -> int:
        """An attempt of the holder of `ticket` begins. Gives its mark: see `Allowance.took`."""
        gate = self.of(target)
        if ticket.granted == target.key:
            return gate.go_in(ticket)
        return gate.started(ticket.claim.need, now)

    def ended(self, target: Target, now: float) -> Gate:
        """An attempt has ended. Gives its gate."""
        gate = self.of(target)
        gate.concurrency.ended(now)
        return gate
