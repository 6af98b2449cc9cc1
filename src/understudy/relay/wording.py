"""One request in the words of each target that is asked: readdressed, translated, or extended by
what a broken answer already said.
"""

from __future__ import annotations

import msgspec

from understudy.core.conversation import InexpressibleError, Request
from understudy.core.faults import Remedy
from understudy.core.transcript import Transcript
from understudy.dialects.base import EFFORT, PREFILL, THINKING, Dialect, Envelope
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

    __slots__ = ("_envelope", "_order", "_parsed")

    def __init__(self, order: Order) -> None:
        self._order = order
        #: The request as it came, or without what a target has refused.
        self._envelope = order.envelope
        #: The same in the core's words, once somebody needs them.
        self._parsed: Request | None = None

    def mend(
        self, remedy: Remedy, target: Target, destination: Destination, *, prefilled: bool
    ) -> bool:
        """From here on, do without what a target has refused.

        Returns:
            Whether that makes it another request: `prefilled`, it ended with a prefill of ours.
        """
        if remedy is Remedy.WITHOUT_PREFILL:
            destination.takes_no_prefill(target.model)
            return prefilled or bool(self._envelope.delicate & PREFILL)
        dialect, body = self._dialect, self._envelope.body
        if dialect.forget_thinking is None:
            return False
        forgetful = dialect.forget_thinking(body)
        if forgetful is body:
            return False
        self._envelope = dialect.read_envelope(forgetful)
        self._parsed = None
        return True

    def fresh(self, destination: Destination, wire: str, model: str) -> Worded:
        """The request as it came, for this target."""
        return self._worded(self._envelope, destination, wire, model)

    def further(
        self, destination: Destination, wire: str, model: str, transcript: Transcript
    ) -> Worded:
        """The request to go on with what the caller has already."""
        envelope, text, dialect = self._envelope, transcript.text, self._dialect
        thinks = bool(envelope.delicate & (THINKING | EFFORT))
        # Models that think do not take a prefill beside it (platform.claude.com, extended thinking,
        # "Feature compatibility").
        prefill = destination.traits(model).prefill and not thinks
        more = turns(text, prefill=prefill)
        if not more:
            # Nothing but thinking stands there: the question is simply asked again.
            return self.fresh(destination, wire, model)
        limit = remaining_tokens(envelope.max_tokens, text)
        extended = dialect.read_envelope(dialect.extend(envelope.body, more, limit))
        worded = self._worded(extended, destination, wire, model)
        worded.prefilled = prefill
        return worded

    def request(self) -> Request:
        """The caller's request in the core's words, for a writer of its answer.

        One that the core has no words for can only be answered in its own dialect: its writer needs
        no more than what every request has.
        """
        try:
            return self._parse(self._envelope)
        except InexpressibleError:
            return Request(model=self._envelope.model, messages=(), stream=True)

    @property
    def _dialect(self) -> Dialect:
        """The caller's."""
        return DIALECTS[self._order.operation]

    def _parse(self, envelope: Envelope) -> Request:
        """In the core's words; the caller's own request is read once."""
        if envelope is not self._envelope:
            return self._dialect.parse_request(envelope.body)
        if self._parsed is None:
            self._parsed = self._dialect.parse_request(envelope.body)
        return self._parsed

    def _worded(
        self, envelope: Envelope, destination: Destination, wire: str, model: str
    ) -> Worded:
        """Readdressed in the same dialect, else translated."""
        order = self._order
        if wire == order.operation:
            # A model that the caller named gets the caller's parameters as they are.
            traits = None if model == order.place.model else destination.traits(model)
            return Worded(*DIALECTS[wire].readdress(envelope, model, traits))
        parsed = self._parse(envelope)
        return Worded(*DIALECTS[wire].render_request(parsed, model, destination.traits(model)))
