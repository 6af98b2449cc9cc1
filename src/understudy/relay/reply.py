"""What one caller gets to see: the head, the answer or the error, in the caller's dialect.

Nothing is sent before the answer has content (the commit point): what comes earlier (opening
events, pings) is held back here, and forgotten if another target must answer instead.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from understudy.core.outcomes import Attempt
from understudy.dialects.base import ErrorView
from understudy.policy.verdict import Verdict
from understudy.relay.errors import error_headers, provider_error, verdict_error
from understudy.relay.http import Responder
from understudy.relay.order import Order
from understudy.relay.runtime import DIALECTS

__all__ = ["MAX_HELD_BYTES", "CallerReply"]

#: What may be held back before the first content.
MAX_HELD_BYTES = 256 * 1024

_STREAM = "text/event-stream; charset=utf-8"
_JSON = "application/json"


class CallerReply:
    """The reply to one request.

    Args:
        order: what was asked.
        responder: the caller's connection.
        attempts: the journal of what was tried, as it grows.
    """

    __slots__ = ("_attempts", "_committed", "_held", "_order", "_responder", "held_bytes")

    def __init__(self, order: Order, responder: Responder, attempts: Sequence[Attempt]) -> None:
        self._order = order
        self._responder = responder
        self._attempts = attempts
        self._held: list[bytes] = []
        self.held_bytes = 0
        self._committed = False

    @property
    def paused(self) -> bool:
        """The caller does not keep up."""
        return self._responder.paused

    def hold(self, data: bytes) -> None:
        """Keep what came before the first content."""
        self._held.append(data)
        self.held_bytes += len(data)

    def forget(self) -> None:
        """Another target answers: nothing was ever sent of what is held."""
        self._held.clear()
        self.held_bytes = 0

    def commit(self, date: str, provider_id: str | None) -> Callable[[bytes], None]:
        """Send the head and what was held: from here on this answer is the caller's.

        Returns:
            What sends the rest of it, piece by piece.
        """
        self._committed = True
        self._responder.begin(200, self._answer_head(_STREAM, date, provider_id))
        self._send_held(b"")
        return self._responder.send

    def finish(self, date: str, provider_id: str | None, tail: bytes) -> None:
        """The answer is whole. `tail`: the whole of a whole answer, or a stream's last bytes."""
        responder = self._responder
        if not self._order.envelope.stream:
            responder.respond(200, self._answer_head(_JSON, date, provider_id), tail)
            return
        if not self._committed:
            # A rightful answer without content (a token limit, a stop sequence).
            responder.begin(200, self._answer_head(_STREAM, date, provider_id))
        self._send_held(tail)
        responder.end()

    def refuse(
        self, date: str, verdict: Verdict, *, provider_body: bytes | None, field: str | None
    ) -> None:
        """Nothing has been sent: an error. `provider_body`: the last provider's own words, if it
        speaks the caller's dialect. `field`: the path of what is wrong in the caller's body.
        """
        order = self._order
        body: bytes | None = None
        words = verdict.is_callers and verdict.fault is self._attempts[-1].fault
        if words and provider_body is not None:
            body = provider_error(
                verdict, provider_body, feature=order.place.route.feature.name, request_id=order.id
            )
        if body is None:
            param = field if verdict.is_callers else None
            body = DIALECTS[order.operation].render_error(self._view(verdict, param))
        head = self._head(_JSON, date) + error_headers(verdict.retry_after)
        self._responder.respond(verdict.status, head.encode("latin-1"), body)

    def break_off(self, verdict: Verdict) -> None:
        """Content has been sent: the dialect's in-stream error, and no terminal event."""
        event = DIALECTS[self._order.operation].render_stream_error(self._view(verdict, None))
        self._responder.send(event)
        self._responder.end()

    def _send_held(self, tail: bytes) -> None:
        rest = b"".join((*self._held, tail))
        self._held.clear()
        if rest:
            self._responder.send(rest)

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
            f"x-understudy-attempts: {len(self._attempts)}\r\n"
        )

    def _answer_head(self, content_type: str, date: str, provider_id: str | None) -> bytes:
        """Header lines of an answer: who gave it."""
        attempt = self._attempts[-1]
        head = (
            f"{self._head(content_type, date)}"
            f"x-understudy-target: {attempt.target}\r\nx-understudy-tier: {attempt.tier}\r\n"
        )
        if provider_id is not None:
            head += f"x-understudy-provider-request-id: {provider_id}\r\n"
        if self._order.envelope.stream:
            head += "cache-control: no-cache\r\n"
        return head.encode("latin-1")
