"""The stand-in's board: what is to go wrong, how fast answers come, what has been asked.

Tests and the demo hold it in process; `understudy.mock.admin` serves the same verbs over HTTP.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict, deque
from collections.abc import Callable, Iterable

import msgspec

from understudy.mock.capacity import Capacity
from understudy.mock.limits import Limit, Limits
from understudy.mock.pace import Pace
from understudy.mock.reply import Where
from understudy.mock.rules import Counter, FaultRule

__all__ = ["Attempt", "Board", "Watch"]

#: Attempts and named faults that are remembered; older ones are forgotten.
_ATTEMPTS = 10_000
_NAMED = 1_024


class Attempt(msgspec.Struct, kw_only=True):
    """One request that came in, and what became of it.

    `time` is Unix seconds; `started`, `ended` and `client_closed_at` are the event loop's time.
    `key` is the last four characters of the key. `hung`: it has been left open without a word.
    `client_closed`: the client left before the answer was whole.
    """

    n: int
    time: float
    started: float
    method: str
    path: str
    body_size: int
    dialect: str | None = None
    model: str | None = None
    stream: bool = False
    #: It asked for the rest of an answer.
    continues: bool = False
    key: str = ""
    status: int | None = None
    fault: str | None = None
    where: Where | None = None
    #: Tokens of the prompt, and those that had been produced of the answer when it ended: all of
    #: a whole answer, those in the events that were written of a streamed one.
    input_tokens: int = 0
    output_tokens: int = 0
    hung: bool = False
    ended: float | None = None
    client_closed: bool = False
    client_closed_at: float | None = None
    #: Only kept where the board keeps bodies.
    body: bytes | None = None


class Board:
    """Rules, pace, keys, limits, capacity and the log of one stand-in."""

    def __init__(self, *, pace: Pace | None = None, keep_bodies: bool = False) -> None:
        self.keep_bodies = keep_bodies
        #: What has been spent of the limits.
        self.spent = Limits()
        #: There are limits, or a capacity.
        self.is_limited = False
        self._capacity: Capacity | None = None
        #: Requests that are being answered.
        self.in_flight = 0
        self._pace = pace or Pace()
        self._rules: list[tuple[FaultRule, Counter]] = []
        self._named: OrderedDict[str, Counter] = OrderedDict()
        self._attempts: deque[Attempt] = deque(maxlen=_ATTEMPTS)
        self._count = 0
        self._revoked: frozenset[str] = frozenset()
        self._waiting: list[tuple[Callable[[], bool], asyncio.Future[None]]] = []

    # -- the verbs

    @property
    def faults(self) -> tuple[FaultRule, ...]:
        """The rules, the first that matches is played."""
        return tuple(rule for rule, _ in self._rules)

    def put_faults(self, rules: Iterable[FaultRule]) -> None:
        """Play these rules from now on, counting from the start."""
        self._rules = [(rule, Counter()) for rule in rules]

    def delete_faults(self) -> None:
        """Nothing goes wrong any more."""
        self._rules = []
        self._named.clear()

    @property
    def pace(self) -> Pace:
        """How fast answers come."""
        return self._pace

    def put_pace(self, pace: Pace) -> None:
        """Answers that begin from now on come at this pace."""
        self._pace = pace

    @property
    def revoked(self) -> frozenset[str]:
        """Ends of the keys that are refused."""
        return self._revoked

    def put_revoked(self, keys: Iterable[str]) -> None:
        """Refuse the keys that end so, and no others."""
        self._revoked = frozenset(key for key in keys if key)

    @property
    def limits(self) -> tuple[Limit, ...]:
        """What keys may ask for in a minute; the first that means a request holds."""
        return self.spent.all

    def put_limits(self, limits: Iterable[Limit]) -> None:
        """Enforce these from now on, and no others; nothing has been spent of them."""
        self.spent = Limits(limits)
        self._note_limits()

    @property
    def capacity(self) -> Capacity | None:
        """How much it can do at once; None: all that is asked."""
        return self._capacity

    def put_capacity(self, capacity: Capacity | None) -> None:
        """Requests that come from now on find this capacity; None: any."""
        self._capacity = capacity
        self._note_limits()

    def _note_limits(self) -> None:
        self.is_limited = bool(self.spent.all) or self._capacity is not None

    @property
    def attempts(self) -> tuple[Attempt, ...]:
        """The requests that came, the oldest first."""
        return tuple(self._attempts)

    def delete_attempts(self) -> None:
        """Forget the requests that came; their numbers go on."""
        self._attempts.clear()

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait until `condition` holds; it is looked at whenever an attempt changes."""
        if condition():
            return
        waiter = asyncio.get_running_loop().create_future()
        self._waiting.append((condition, waiter))
        await waiter

    # -- for the stand-in

    def is_revoked(self, key: str) -> bool:
        """Whether the key is refused."""
        return any(key.endswith(end) for end in self._revoked)

    def opened(self, attempt: Attempt) -> None:
        """Take an attempt into the log."""
        self.in_flight += 1
        self._attempts.append(attempt)
        self.changed()

    def closed(self) -> None:
        """An attempt is over."""
        self.in_flight -= 1
        self.changed()

    def number(self) -> int:
        """The number of the next attempt, from 1."""
        self._count += 1
        return self._count

    def matching(self, path: str, model: str, key: str) -> Iterable[tuple[FaultRule, Counter]]:
        """The rules that mean this request, in order."""
        return [held for held in self._rules if held[0].matches(path, model, key)]

    def named(self, text: str) -> Counter:
        """The counter of a fault that requests name themselves."""
        counter = self._named.pop(text, None) or Counter()
        self._named[text] = counter
        if len(self._named) > _NAMED:
            self._named.popitem(last=False)
        return counter

    def changed(self) -> None:
        """Something about an attempt is new."""
        if not self._waiting:
            return
        held = self._waiting
        self._waiting = []
        for condition, waiter in held:
            if waiter.done():
                continue
            if condition():
                waiter.set_result(None)
            else:
                self._waiting.append((condition, waiter))


class Watch:
    """Writes into an attempt what becomes of its connection."""

    __slots__ = ("_attempt", "_board")

    def __init__(self, board: Board, attempt: Attempt) -> None:
        self._board = board
        self._attempt = attempt

    def hung(self) -> None:
        """The answer has been left hanging."""
        self._attempt.hung = True
        self._board.changed()

    def ended(self, at: float) -> None:
        """The stand-in is done with it."""
        self._attempt.ended = at
        self._board.closed()

    def left(self, at: float) -> None:
        """The client has left before that."""
        self._attempt.client_closed = True
        self._attempt.client_closed_at = at
        self._attempt.ended = at
        self._board.closed()
