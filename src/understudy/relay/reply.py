"""What one caller gets to see: the head, the answer or the error, in the caller's dialect.

Nothing is sent before the answer has content (the commit point): what comes earlier (opening
events, pings) is held back by its attempt, and forgotten if another target must answer instead.
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec.structs import replace

from understudy.core.outcomes import Attempt
from understudy.dialects.base import ErrorView
from understudy.policy.verdict import Verdict
from understudy.relay.errors import error_headers, provider_error, verdict_error
from understudy.relay.http import Responder
from understudy.relay.order import Order
from understudy.relay.runtime import DIALECTS

__all__ = ["CallerReply"]

_STREAM = "text/event-stream; charset=utf-8"
_JSON = "application/json"


class CallerReply:
    """The reply to one request.

    Args:
        order: what was asked.
        responder: the caller's connection.
        attempts: the journal of what was tried, as it grows.
    """

    __slots__ = ("_attempts", "_order", "_responder", "is_open", "names")

    def __init__(self, order: Order, responder: Responder, attempts: Sequence[Attempt]) -> None:
        self._order = order
        self._responder = responder
        self._attempts = attempts
        #: The head of a stream has been sent.
        self.is_open = False
        #: Who answers has been said, in the head or after it.
        self.names = False

    @property
    def paused(self) -> bool:
        """The caller does not keep up."""
        return self._responder.paused

    def open(self, date: str, attempt: Attempt, provider_id: str | None) -> None:
        """Send the head of a stream: from here on `attempt`'s answer is the caller's. Where a head
        without a name went out before, a comment says the name.
        """
        self.names = True
        if self.is_open:
            said = f": understudy answered by {attempt.target}, tier {attempt.tier}\n\n"
            self._responder.send(said.encode("latin-1", "replace"))
            return
        self.is_open = True
        self._responder.begin(200, self._answer_head(_STREAM, date, attempt, provider_id))

    def open_unanswered(self, date: str) -> None:
        """Send the head of a stream that nobody answers yet: its caller is kept."""
        self.is_open = True
        head = f"{self._head(_STREAM, date)}cache-control: no-cache\r\n"
        self._responder.begin(200, head.encode("latin-1"))

    def send(self, data: bytes) -> None:
        """A piece of an open stream."""
        self._responder.send(data)

    def finish(self, date: str, attempt: Attempt, provider_id: str | None, tail: bytes) -> None:
        """The answer is whole. `tail`: the whole of a whole answer, or a stream's last bytes."""
        responder = self._responder
        if not self._order.envelope.stream:
            head = self._answer_head(_JSON, date, attempt, provider_id)
            responder.respond(200, head, tail)
            return
        if not self.names:
            # A rightful answer without content (a token limit, a stop sequence).
            self.open(date, attempt, provider_id)
        if tail:
            responder.send(tail)
        responder.end()

    def refuse(
        self, date: str, verdict: Verdict, words: bytes | None, *, field: str | None
    ) -> None:
        """Nothing has been sent: an error. `words`: the body in which a provider that speaks the
        caller's dialect said so itself. `field`: the path of what is wrong in the caller's body.
        """
        order = self._order
        body: bytes | None = None
        if words is not None:
            body = provider_error(
                verdict, words, feature=order.place.route.feature.name, request_id=order.id
            )
        if body is None:
            param = field if verdict.is_callers else None
            body = DIALECTS[order.operation].render_error(self._view(verdict, param))
        head = self._head(_JSON, date) + error_headers(verdict.retry_after)
        self._responder.respond(verdict.status, head.encode("latin-1"), body)

    def break_off(self, verdict: Verdict, number: int) -> None:
        """Content has been sent: the dialect's in-stream error, and no terminal event.

        `number`: the event's, in a dialect that numbers them.
        """
        view = replace(self._view(verdict, None), number=number)
        event = DIALECTS[self._order.operation].render_stream_error(view)
        self._responder.send(event)
        self._responder.end()

    def _view(self, verdict: Verdict, param: str | None) -> ErrorView:
        order = self._order
        return verdict_error(
            verdict,
            feature=order.place.route.feature.name,
            request_id=order.id,
            attempts=self._attempts,
            param=param,
        )

    def _head(self, content_type: str, date: str) -> str:
        """Header lines that every response carries."""
        order = self._order
        return (
            f"date: {date}\r\ncontent-type: {content_type}\r\n"
            f"x-request-id: {order.id}\r\nrequest-id: {order.id}\r\n"
            f"x-understudy-feature: {order.place.route.feature.name}\r\n"
            f"x-understudy-attempts: {len(self._attempts)}\r\n{order.quota_lines}"
        )

    def _answer_head(
        self, content_type: str, date: str, attempt: Attempt, provider_id: str | None
    ) -> bytes:
        """Header lines of an answer: who gives it, or its beginning."""
        head = (
            f"{self._head(content_type, date)}"
            f"x-understudy-target: {attempt.target}\r\nx-understudy-tier: {attempt.tier}\r\n"
        )
        if provider_id is not None:
            head += f"x-understudy-provider-request-id: {provider_id}\r\n"
        if self._order.envelope.stream:
            head += "cache-control: no-cache\r\n"
        return head.encode("latin-1")
