"""One request in the words of each target that is asked: readdressed, translated, or extended by
what a broken answer already said.
"""

from __future__ import annotations

import msgspec

from understudy.core.conversation import InexpressibleError, Request
from understudy.core.faults import Remedy
from understudy.core.transcript import Transcript
from understudy.dialects.base import EFFORT, PREFILL, THINKING, Envelope
from understudy.policy.continuation import remaining_tokens, turns
from understudy.policy.targets import Target
from understudy.relay.order import Order
from understudy.relay.runtime import DIALECTS, Destination

__all__ = ["Worded", "Wording"]


class Worded(msgspec.Struct):
    """A body for one target.

    `adapted` names what was changed to fit it; `prefilled`: it ends with the answer's beginning as
    a turn of the assistant's.
    """

    body: bytes
    adapted: list[str]
    prefilled: bool = False


class Wording:
    """The request of one order. Raises BadRequestError and InexpressibleError where it is asked
    for what cannot be said.
    """

    __slots__ = ("_forgets", "_order", "_parsed")

    def __init__(self, order: Order) -> None:
        self._order = order
        self._parsed: Request | None = None
        #: Past thinking is left out from here on.
        self._forgets = False

    def mend(
        self, remedy: Remedy, target: Target, destination: Destination, *, prefilled: bool
    ) -> bool:
        """From here on, do without what a target has refused.

        Returns:
            Whether that makes it another request: `prefilled`, it ended with a prefill of ours.
        """
        order = self._order
        if remedy is Remedy.WITHOUT_PREFILL:
            destination.takes_no_prefill(target.model)
            return prefilled or bool(order.envelope.delicate & PREFILL)
        forget = DIALECTS[order.operation].forget_thinking
        if self._forgets or forget is None or forget(order.request.body) is order.request.body:
            return False
        self._forgets = True
        self._parsed = None
        return True

    def fresh(self, destination: Destination, wire: str, model: str) -> Worded:
        """The request as it came, for this target."""
        order = self._order
        return self._worded(order.envelope, self._remembered(), destination, wire, model)

    def further(
        self, destination: Destination, wire: str, model: str, transcript: Transcript
    ) -> Worded:
        """The request to go on with what the caller has already."""
        order, text = self._order, transcript.text
        dialect = DIALECTS[order.operation]
        thinks = bool(order.envelope.delicate & (THINKING | EFFORT))
        # Models that think do not take a prefill beside it (platform.claude.com, extended thinking,
        # "Feature compatibility").
        prefill = destination.traits(model).prefill and not thinks
        more = turns(text, prefill=prefill)
        if not more:
            # Nothing but thinking stands there: the question is simply asked again.
            return self.fresh(destination, wire, model)
        limit = remaining_tokens(order.envelope.max_tokens, text)
        body = dialect.extend(self._remembered(), more, limit)
        worded = self._worded(dialect.read_envelope(body), body, destination, wire, model)
        worded.prefilled = prefill
        return worded

    def request(self) -> Request:
        """The caller's request in the core's words, for a writer of its answer.

        One that the core has no words for can only be answered in its own dialect: its writer needs
        no more than what every request has.
        """
        order = self._order
        if self._parsed is None:
            try:
                self._parsed = DIALECTS[order.operation].parse_request(order.request.body)
            except InexpressibleError:
                return Request(model=order.envelope.model, messages=(), stream=True)
        return self._parsed

    def _remembered(self) -> bytes:
        order = self._order
        forget = DIALECTS[order.operation].forget_thinking if self._forgets else None
        return forget(order.request.body) if forget is not None else order.request.body

    def _worded(
        self, envelope: Envelope, body: bytes, destination: Destination, wire: str, model: str
    ) -> Worded:
        """Readdressed in the same dialect, else translated."""
        order = self._order
        if wire == order.operation:
            # A model that the caller named gets the caller's parameters as they are.
            traits = None if model == order.place.model else destination.traits(model)
            if self._forgets:
                envelope = DIALECTS[wire].read_envelope(body)
            return Worded(*DIALECTS[wire].readdress(envelope, model, traits))
        if body is order.request.body:
            if self._parsed is None:
                self._parsed = DIALECTS[order.operation].parse_request(body)
            parsed = self._parsed
        else:
            parsed = DIALECTS[order.operation].parse_request(body)
        return Worded(*DIALECTS[wire].render_request(parsed, model, destination.traits(model)))
