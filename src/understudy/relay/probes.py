"""Asks targets questions of our own: the probes that `understudy.policy.probing` decides on.

A probe is a request like any other: the same words on the wire, the same watchdogs, the same
machine. Only that nobody waits for its answer, that it goes to the one target it is meant for, and
that it stands in no journal of callers' requests.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from understudy.core.conversation import Message, Request, Text
from understudy.core.settings import Feature
from understudy.policy.decisions import Limits
from understudy.policy.plans import Plan, Target
from understudy.relay.http import Incoming
from understudy.relay.order import Order
from understudy.relay.places import Place, Route
from understudy.relay.runtime import DIALECTS, Destination

if TYPE_CHECKING:
    from understudy.relay.relay import Relay

__all__ = ["Prober"]

#: Seconds within which a probe must be answered.
ANSWER_SECONDS = 10.0
#: Seconds after a failure within which what follows from it is decided.
SOON_SECONDS = 0.05
#: What is asked. So few tokens that it costs next to nothing; a reasoning model that spends them on
#: thought ends with a token limit, which is an answer too. OpenAI's Responses take 16 at least.
QUESTION = "Reply with the word: ok"
MAX_TOKENS = 16

_FEATURE = Feature(name="probe", title="Probe", targets=())


class Prober:
    """Sends the probes of one relay.

    Args:
        relay: where they go through.
    """

    def __init__(self, relay: Relay) -> None:
        self._relay = relay
        self._looks_at = float("-inf")

    def look(self, now: float) -> None:
        """Send what is due."""
        relay = self._relay
        if relay.draining:
            return
        for target, _ in relay.probing.due(relay.targets(), now, relay.fleet.share):
            self._ask(target, now)

    def soon(self, now: float) -> None:
        """Look again at once: something has failed."""
        if now < self._looks_at:
            return
        self._looks_at = now + SOON_SECONDS
        self._relay.call_later(SOON_SECONDS, self._look_now)

    def _look_now(self) -> None:
        self.look(self._relay.now())

    def _ask(self, target: Target, now: float) -> None:
        relay = self._relay
        relay.probing.began(target, now)
        relay.deliver(self._order(target, now), _Nobody(self, target))

    def _order(self, target: Target, now: float) -> Order:
        relay = self._relay
        runtime = relay.runtime
        destination = runtime.destinations[target.account_key]
        operation = _spoken(destination)
        asked = Request(
            model=target.model,
            messages=(Message(role="user", parts=(Text(text=QUESTION),)),),
            max_tokens=MAX_TOKENS,
            stream=True,
        )
        dialect = DIALECTS[operation]
        body, _ = dialect.render_request(asked, target.model, destination.traits(target.model))
        envelope = dialect.read_envelope(body)
        return Order(
            request_id=relay.new_id(),
            operation=operation,
            request=Incoming(
                method="POST",
                path="",
                query="",
                headers={},
                own={},
                body=body,
                caller=None,
                arrived=now,
                operation=operation,
            ),
            envelope=envelope,
            place=Place(
                route=Route(feature=_FEATURE, targets=(target,)),
                plan=Plan(targets=(target,)),
                model=target.model,
                tenant=None,
            ),
            runtime=runtime,
            limits=Limits(
                deadline=now + ANSWER_SECONDS,
                first_token=ANSWER_SECONDS,
                idle=ANSWER_SECONDS,
                attempts=1,
                stream=True,
                max_tokens=MAX_TOKENS,
            ),
            is_probe=True,
        )

    def done(self, target: Target) -> None:
        """A probe has ended."""
        self._relay.probing.ended(target, self._relay.now())


class _Nobody:
    """Takes an answer that nobody waits for: see `understudy.relay.http.Responder`."""

    def __init__(self, prober: Prober, target: Target) -> None:
        self.paused = False
        self._prober = prober
        self._target = target

    def respond(self, status: int, headers: bytes, body: bytes) -> None:
        self._prober.done(self._target)

    def begin(self, status: int, headers: bytes) -> None:
        pass

    def send(self, data: bytes) -> None:
        pass

    def end(self) -> None:
        self._prober.done(self._target)

    def cut(self) -> None:
        self._prober.done(self._target)


def _spoken(destination: Destination) -> str:
    """An operation that the destination is asked for without translation."""
    for operation, wire in destination.wires.items():
        if wire == operation and operation != "count_tokens":
            return operation
    raise LookupError("a destination speaks no dialect")
