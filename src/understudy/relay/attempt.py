"""One attempt at one target: what was asked, what comes back, and how far it has come.

It hears the provider (`understudy.relay.upstream.Sink`), lets a carrier read and turn what comes,
and tells the exchange that it belongs to: something for the caller, the end, or a fault.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING

from msgspec.structs import replace

from understudy.core.conversation import Usage
from understudy.core.faults import Fault, Kind, Scope
from understudy.core.transcript import Transcript
from understudy.dialects.base import truncated_fault
from understudy.dialects.stream_glance import StreamGlance
from understudy.policy.continuation import estimated_usage
from understudy.policy.decisions import Start
from understudy.providers.base import Reply
from understudy.relay.runtime import Destination
from understudy.relay.upstream import Call

if TYPE_CHECKING:
    from understudy.relay.exchange import Exchange

__all__ = ["LiveAttempt", "misfit"]

_NO_HEADERS: Mapping[str, str] = MappingProxyType({})
#: An error's body at most.
MAX_ERROR_BYTES = 1024 * 1024
#: Bytes of an event that carries one token: Anthropic's are about 110, OpenAI's 150 to 250.
EVENT_BYTES = 150
#: What may be held back of an answer before its first content.
MAX_HELD_BYTES = 256 * 1024


class LiveAttempt:
    """One attempt under way.

    Args:
        exchange: the request that it belongs to.
        start: the decision that it carries out.
        destination: who is asked.
        wire: in which dialect's operation.
        streamed: whether a stream was asked for.
        clock: the loop's.
        wall: Unix seconds minus the loop's clock.
    """

    __slots__ = (
        "_clock",
        "_exchange",
        "_held",
        "_held_bytes",
        "_streamed",
        "_wall",
        "asked_bytes",
        "call",
        "carrier",
        "destination",
        "error",
        "headers",
        "heard_at",
        "is_sending",
        "mark",
        "prefilled",
        "progress",
        "progressed_at",
        "start",
        "status",
        "wire",
    )

    def __init__(
        self,
        exchange: Exchange,
        start: Start,
        destination: Destination,
        wire: str,
        streamed: bool,
        clock: Callable[[], float],
        wall: float,
    ) -> None:
        self._exchange = exchange
        self._streamed = streamed
        self._clock = clock
        self._wall = wall
        #: What came before the first content.
        self._held: list[bytes] = []
        self._held_bytes = 0
        self.start = start
        self.destination = destination
        self.wire = wire
        self.call: Call | None = None
        self.carrier: StreamGlance | None = None
        #: At its target's gate: see `understudy.policy.allowance`.
        self.mark = 0
        self.status = 0
        self.headers = _NO_HEADERS
        #: The body of a reply that is no answer.
        self.error = b""
        #: The size of the body that was sent.
        self.asked_bytes = 0
        self.prefilled = False
        #: Its bytes go to the caller.
        self.is_sending = False
        self.heard_at = start.began
        self.progressed_at = start.began
        self.progress = 0

    @property
    def provider_id(self) -> str | None:
        """The provider's own id of the request: Anthropic's header, or OpenAI's."""
        return self.headers.get("request-id") or self.headers.get("x-request-id")

    @property
    def usage(self) -> Usage | None:
        """What the provider has said of it so far."""
        return self.carrier.usage if self.carrier is not None else None

    def standing(self) -> int | None:
        """How many characters of the answer the caller has: see `Stream`."""
        return self._exchange.standing()

    def estimated(self, written: str) -> Usage:
        """What it used, where the provider has not said it: by the text that it wrote, where
        somebody has read that, else by the size of its events.
        """
        used = estimated_usage(self.usage, written, prompt_bytes=self.asked_bytes)
        carrier = self.carrier
        size = self.progress or (len(carrier.tail) if carrier is not None else 0)
        if written or not size:
            return used
        return replace(used, output=max(used.output, -(-size // EVENT_BYTES)))

    def used(self, stands: Transcript | None) -> Usage:
        """The same of one that broke off. `stands`: the answer as the caller has it; None where
        nothing of this attempt was sent.
        """
        if stands is None:
            return self.estimated("")
        thoughts = "".join([block.text for block in stands.blocks if block.kind == "thinking"])
        return self.estimated(stands.text[self.start.attempt.from_char :] + thoughts)

    @property
    def shows_content(self) -> bool:
        """It is under way, and its content has begun."""
        attempt = self.start.attempt
        return attempt.result is None and attempt.first_content_ms is not None

    @property
    def holds_back(self) -> bool:
        """Its content is held back: what else there is of the answer waits with it."""
        return self.carrier is not None and self.carrier.held > 0

    def keep(self, out: bytes) -> None:
        """Keep what is not to be sent yet."""
        if out:
            self._held.append(out)
            self._held_bytes += len(out)

    def take_held(self) -> bytes:
        """What was held back before the first content; nothing the next time."""
        held, self._held = self._held, []
        self._held_bytes = 0
        return held[0] if len(held) == 1 else b"".join(held)

    def drop(self) -> None:
        """Nothing more is wanted: the provider is to stop at once."""
        call, self.call = self.call, None
        # It may hold a method of ours; a cycle would wait for the garbage collector, and its rounds
        # were a seventh of the path's CPU time.
        self.carrier = None
        if call is not None:
            call.abandon()

    def release(self) -> None:
        """The answer is whole; the connection may be kept if its message ends soon."""
        call, self.call = self.call, None
        if call is not None:
            call.release()

    # -- Sink ---------------------------------------------------------------------------------

    def on_head(self, status: int, headers: Mapping[str, str]) -> None:
        """See `Sink`."""
        self.heard_at = self._clock()
        self.status = status
        self.headers = headers
        self._exchange.heard(self)
        if 200 <= status < 300 and self._is_answer(headers):
            self.carrier = self._exchange.make_carrier(self)

    def _is_answer(self, headers: Mapping[str, str]) -> bool:
        """Whether a 2xx's headers can be those of an answer to what was asked.

        Anything else is read whole and classified: an error under 200, an edge's page.
        """
        coding = headers.get("content-encoding")
        if coding and coding.lower() != "identity":
            return False
        kind = headers.get("content-type", "")
        wanted = "text/event-stream" if self._streamed else "application/json"
        if kind.startswith(wanted):
            return True
        kind = kind.partition(";")[0].strip().lower()
        return kind == wanted or (not kind and not self._streamed)

    def on_data(self, data: bytes) -> None:
        """See `Sink`."""
        now = self.heard_at = self._clock()
        carrier = self.carrier
        if carrier is None:
            self._keep_error(data)
            return
        try:
            out = carrier.feed(data)
        except Exception as error:  # noqa: BLE001 - a reader's bug must not take the caller down
            self._exchange.blundered(self, "reading the answer", error)
            return
        if carrier.progress != self.progress:
            self.progress = carrier.progress
            self.progressed_at = now
        if carrier.has_content:
            self._exchange.came(self, out)
        elif out:
            self._hold(out, carrier)
        if carrier.fault is not None:
            self._exchange.failed(self, carrier.fault)
        elif carrier.ended:
            # The answer is whole; whatever the provider still sends changes nothing.
            self.release()
            self._exchange.whole(self)

    def _keep_error(self, data: bytes) -> None:
        """A reply that is no answer is read whole, within bounds, to be classified."""
        self.error += data
        if len(self.error) > MAX_ERROR_BYTES:
            self._exchange.failed(self, self.classify(self.error))

    def _hold(self, out: bytes, carrier: StreamGlance) -> None:
        """Held back until there is content."""
        self.keep(out)
        if self._held_bytes > MAX_HELD_BYTES:
            carrier.fault = Fault(
                kind=Kind.MALFORMED,
                scope=Scope.MODEL,
                status=200,
                code="no_content",
                message=f"{MAX_HELD_BYTES} bytes without any content",
            )

    def on_end(self) -> None:
        """See `Sink`."""
        self.call = None
        carrier = self.carrier
        if carrier is None:
            self._exchange.failed(self, self.classify(self.error))
            return
        try:
            fault = carrier.finish()
        except Exception as error:  # noqa: BLE001 - as in `on_data`
            self._exchange.blundered(self, "reading the answer", error)
            return
        if fault is not None:
            self._exchange.failed(self, fault)
            return
        self._exchange.whole(self)

    def on_lost(self, fault: Fault) -> None:
        """See `Sink`."""
        self.call = None
        if self.carrier is not None and self.carrier.has_content and fault.kind is Kind.OUTAGE:
            fault = truncated_fault(fault.message)
        self._exchange.failed(self, fault)

    def classify(self, body: bytes) -> Fault:
        """What a reply that is no answer means, by its provider's table."""
        reply = Reply(
            status=self.status, headers=self.headers, body=body, now=self.heard_at + self._wall
        )
        return self.destination.manners.read_fault(reply)


def misfit(kind: Kind, code: str, message: str) -> Fault:
    """The fault of a request that was not sent, because it cannot be."""
    return Fault(kind=kind, scope=Scope.REQUEST, status=400, code=code, message=message)
