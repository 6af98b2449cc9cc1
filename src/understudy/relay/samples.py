"""Which answers are read for their content, and the reading of them.

Reading an answer costs a millisecond or less; so one a second is read of each model, more while
little is known of it or something is amiss, and never more than so many a second in all. Its text
is looked at and let go: what stays is a handful of counts.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from understudy.core.conversation import (
    Answer,
    BadRequestError,
    Document,
    Part,
    Refusal,
    Request,
    Text,
    Thinking,
    ToolResult,
    ToolUse,
)
from understudy.core.faults import FaultError
from understudy.core.outcomes import Attempt
from understudy.core.transcript import Transcript
from understudy.policy.quality import Asked, Quality, Said, needs_request, read
from understudy.policy.quality.quality import PROBE
from understudy.policy.quality.scripts import scripts_of
from understudy.relay.order import Order
from understudy.relay.runtime import DIALECTS
from understudy.services.logs import Log

if TYPE_CHECKING:
    from understudy.policy.plans import Target

__all__ = ["Samples", "requester"]

#: Seconds between two samples of one model, half as much again at most: what comes in step with a
#: clock is not always met at the same place. While every answer is worth a look; and of all models.
GAP_SECONDS: Final = 1.0
KEEN_SECONDS: Final = 0.1
ALL_SECONDS: Final = 0.05
#: Bytes of a request, or of a whole answer, that is read.
LARGEST: Final = 256 * 1024
#: Models whose last sample is remembered.
MODELS_KEPT: Final = 1024
#: What a probe's answer must hold.
PROBE_WORD: Final = "ok"


class Samples:
    """Takes samples of answers for `quality`.

    Args:
        quality: who judges them.
        log: where changes are told.
        draw: gives a number in [0, 1).
    """

    def __init__(self, quality: Quality, log: Log, draw: Callable[[], float]) -> None:
        self._quality = quality
        self._log = log
        self._draw = draw
        #: Model → when the next sample of it may be taken; asked on the path before all else.
        self.due: dict[str, float] = {}
        self._any_due = 0.0

    def wants(self, order: Order, target: Target, attempt: Attempt, now: float) -> bool:
        """Whether the whole answer that just ended is to be handed over. One that goes on where
        another target's broke off is not: it is not one model's.
        """
        if now < self._any_due or now < self.due.get(target.name, 0.0):
            return False
        envelope = order.envelope
        if attempt.from_char or order.operation == "count_tokens" or envelope.choices > 1:
            return False
        feature = _feature(order)
        keen = order.is_probe or self._quality.is_keen(target.name, feature)
        if len(self.due) >= MODELS_KEPT:
            self.due.clear()
        gap = KEEN_SECONDS if keen else GAP_SECONDS
        self.due[target.name] = now + gap * (0.5 + self._draw())
        self._any_due = now + ALL_SECONDS
        return True

    def streamed(self, order: Order, target: Target, sent: Transcript, now: float) -> None:
        """A wanted answer, as its caller was sent it in a stream."""
        if sent.finished is None or sent.foreign:
            return
        blocks = sent.blocks
        said = Said(
            text=sent.text,
            calls=tuple((b.tool_name, b.text) for b in blocks if b.kind == "tool_use"),
            stop=sent.finished.stop,
            refused=any(block.kind == "refusal" for block in blocks),
        )
        self._take(order, target, said, now)

    def whole(self, order: Order, target: Target, body: bytes, now: float) -> None:
        """A wanted answer, as its caller got it: whole, in the caller's dialect."""
        if len(body) > LARGEST:
            return
        try:
            answer = DIALECTS[order.operation].parse_answer(body)
        except FaultError:
            return
        self._take(order, target, _said(answer), now)

    def sweep(self, now: float) -> None:
        """Once a second: reckon with what was counted, and tell what has changed."""
        self._quality.settle(now)
        for change in self._quality.changes():
            self._log.quality(change)

    def _take(self, order: Order, target: Target, said: Said, now: float) -> None:
        signs = read(said, self._asked(order, said))
        self._quality.sampled(target.name, _feature(order), signs, now, requester(order))

    def _asked(self, order: Order, said: Said) -> Asked:
        """The request, where the answer cannot be judged without, and as far as it is read."""
        if order.is_probe:
            return Asked(scripts=frozenset(), word=PROBE_WORD)
        envelope = order.envelope
        structured = envelope.structured
        if not needs_request(said, structured=structured) or len(envelope.body) > LARGEST:
            return Asked(structured=structured)
        try:
            return _asked(DIALECTS[order.operation].parse_request(envelope.body), structured)
        except BadRequestError:
            return Asked(structured=structured)


def requester(order: Order) -> str | None:
    """What tells those apart who ask, as far as it is known."""
    caller = order.request.caller
    return order.user or order.place.tenant or (None if caller is None else caller.name)


def _feature(order: Order) -> str:
    return PROBE if order.is_probe else order.place.route.feature.name


def _said(answer: Answer) -> Said:
    parts = answer.parts
    return Said(
        text="".join([part.text for part in parts if isinstance(part, Text)]),
        calls=tuple((part.name, part.arguments) for part in parts if isinstance(part, ToolUse)),
        stop=answer.stop,
        refused=any(isinstance(part, Refusal) for part in parts),
    )


def _asked(request: Request, structured: bool) -> Asked:
    texts = [text.text for text in request.system]
    unread = False
    for message in request.messages:
        for part in message.parts:
            words = _words(part)
            unread = unread or words is None
            texts.append(words or "")
    form = request.json_format
    return Asked(
        scripts=None if unread else scripts_of("\n".join(texts)),
        structured=structured or form is not None,
        schema=bytes(form.schema) if form is not None and form.schema is not None else None,
        tools={tool.name: bytes(tool.schema) for tool in request.tools},
    )


def _words(part: Part) -> str | None:
    """What it says in letters; None for what is not read, such as an image of a page in Thai."""
    match part:
        case Text() | Refusal() | Thinking():
            return part.text
        case ToolUse():
            return part.arguments
        case ToolResult():
            inside = [_words(piece) for piece in part.content]
            return None if None in inside else "\n".join([words or "" for words in inside])
        case Document():
            return part.text
        case _:
            return None
