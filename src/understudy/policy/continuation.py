"""Going on with a broken answer at another target: what is asked, and what becomes of the reply.

    transcript ──▶ why_not ──▶ turns, remaining_tokens ──▶ the extended request
    its stream ──▶ `Continuation` ──▶ events that go on from the transcript

Sources: Anthropic's streaming guide, "Error recovery" (text goes on by a prefill, or by a user's
turn where models take none; tool calls and thinking cannot be taken up in their middle), and its
guide to prefilling (a prefill must not end in white space).
"""

from __future__ import annotations

from collections.abc import Iterable

from understudy.core.conversation import Usage
from understudy.core.events import (
    BlockStarted,
    BlockStopped,
    Ended,
    Event,
    Failed,
    Finished,
    Pinged,
    RefusalDelta,
    SignatureDelta,
    Started,
    TextDelta,
    ThinkingDelta,
    ToolDelta,
    UsageSeen,
)
from understudy.core.transcript import Transcript
from understudy.policy.seam import Seam, anchor, whole_characters

__all__ = [
    "Continuation",
    "can_continue",
    "estimated_tokens",
    "estimated_usage",
    "looks_finished",
    "remaining_tokens",
    "turns",
    "why_not",
]

#: UTF-8 bytes of a token at least. Anthropic's glossary says 3.5 English characters, its models
#: page 2.5 Unicode characters of the tokenizer since Opus 4.7, OpenAI's help pages four; the least
#: of them, so that a caller's limit is not exceeded. Bytes, since letters beyond ASCII cost more:
#: of three bytes each, Chinese and Japanese come to 1.2 tokens a character.
BYTES_PER_TOKEN = 2.5
#: Bytes of the request in which words are looked up.
ASKED_MOST = 16_000
#: How much of the end is quoted to the model that goes on.
QUOTE_MOST = 200

_INSTRUCTION = """\
Your previous message was interrupted by a technical fault before it was complete. It stopped \
right after these characters:

<interrupted_end>
{quote}
</interrupted_end>

Continue it exactly from there, as one uninterrupted text. To mark the place, begin your reply by \
repeating exactly these last characters, letter by letter and without the tags, and go straight on \
from them:

<repeat_first>
{anchor}
</repeat_first>

If the last word is unfinished, finish it. Keep to the same language, tone and format. Write \
nothing else: no introduction, no apology, no remark about the interruption, no new start from the \
top, and no new code fence where one is open already."""

#: What no answer ends in.
_UNFINISHED = frozenset(",;:-–—(/&+=")
#: Blocks of reasoning: about the interruption, where text stands already.
_THINKING = frozenset({"thinking", "redacted_thinking"})


def turns(partial: str, *, prefill: bool) -> tuple[tuple[str, str], ...]:
    """The turns, (role, text), that a request is extended by so that its answer goes on.

    `partial` is the text that the caller has; none of it, no turns: the request is made again.
    """
    stands = whole_characters(partial).rstrip()
    if not stands:
        return ()
    if prefill:
        return (("assistant", stands),)
    instruction = _INSTRUCTION.format(quote=_quote(stands), anchor=anchor(stands))
    return ("assistant", stands), ("user", instruction)


def estimated_tokens(text: str) -> int:
    """How many tokens `text` has, rather too many than too few."""
    size = len(text) if text.isascii() else len(text.encode("utf-8", "replace"))
    return -int(-size // BYTES_PER_TOKEN)


def remaining_tokens(limit: int | None, partial: str) -> int | None:
    """What is left of the caller's limit of output tokens, at least 1; None where there is none."""
    return None if limit is None else max(1, limit - estimated_tokens(partial))


def estimated_usage(known: Usage | None, written: str, *, prompt_bytes: int = 0) -> Usage:
    """The usage of an attempt that broke before it told it.

    Args:
        known: what it told so far (messages: the input, and a first count of the output).
        written: all that it wrote, reasoning and tool calls too.
        prompt_bytes: the size of what it was sent, for streams that tell nothing until their end.
    """
    told = known or Usage()
    return Usage(
        input=told.input or -int(-prompt_bytes // BYTES_PER_TOKEN),
        output=max(told.output, estimated_tokens(written)),
        cache_read=told.cache_read,
        cache_write=told.cache_write,
        reasoning=told.reasoning,
    )


def why_not(transcript: Transcript) -> str | None:
    """Why an answer cannot be gone on with, in a few words; None where it can.

    Text can be gone on with. Where there is none, only thinking or nothing at all, the request is
    made again.
    """
    if transcript.finished is not None:
        return "it had finished"
    if transcript.foreign:
        return "something that only its vendor knows was sent"
    kinds = {block.kind for block in transcript.blocks}
    if "tool_use" in kinds:
        return "a tool call was sent"
    if "refusal" in kinds:
        return "a refusal was sent"
    other = kinds - _THINKING - {"text"}
    return f"a block of kind {min(other)} was sent" if other else None


def looks_finished(text: str) -> bool:
    """Whether an answer may end so. Of one that broke off elsewhere, a next target that has nothing
    to add has not understood it.
    """
    said = text.rstrip()
    return not said or not (said[-1].isalnum() or said[-1] in _UNFINISHED)


def can_continue(transcript: Transcript) -> bool:
    """Whether another target can go on with this answer: see `why_not`."""
    return why_not(transcript) is None


class Continuation:
    """Turns the events of the next attempt into those that go on from `transcript`.

    The first text of the attempt passes the seam and adds to the text block that is open, or opens
    a block of its own as soon as there is some. Thinking passes, as new blocks, only where no text
    stands; else it is dropped. What `take` drops still shows that the attempt is alive: judge that
    by what goes in.

    Args:
        transcript: what the caller has. It is read at once, and not changed.
        prefilled: how the attempt was asked: see `turns`.
        asked: the caller's request, or enough of it to show which words the answer may use.
        before: the usage of all attempts before, to which this one's is added.
    """

    __slots__ = (
        "_before",
        "_dropping",
        "_has_text",
        "_next",
        "_open",
        "_open_kind",
        "_seam",
        "_seam_index",
        "_told",
        "_usage",
    )

    def __init__(
        self, transcript: Transcript, *, prefilled: bool, before: Usage, asked: bytes = b""
    ) -> None:
        text = transcript.text
        self._has_text = bool(text.strip())
        #: For the first text block; None once that is whole.
        self._seam: Seam | None = Seam(text, prefilled=prefilled, asked=_words_asked(asked))
        #: The attempt's own index of its first text block.
        self._seam_index = -1
        self._next = len(transcript.blocks)
        #: The caller's open block.
        block = transcript.open_block
        self._open = self._next - 1 if block is not None else -1
        self._open_kind = block.kind if block is not None else ""
        #: The attempt's own index of the block that is dropped.
        self._dropping = -1
        self._before = before
        self._usage: Usage | None = None
        self._told = False

    @property
    def seam_broken(self) -> bool:
        """No clean seam can be had: another answer came. Nothing more of its text is returned."""
        return self._seam is not None and self._seam.broken

    @property
    def usage(self) -> Usage:
        """Of all attempts, so far as this one told its own."""
        return self._before if self._usage is None else self._before.plus(self._usage)

    def take(self, events: Iterable[Event]) -> list[Event]:
        """The events that the caller is to have for these, in order."""
        out: list[Event] = []
        for event in events:
            if self.seam_broken:
                break
            self._take(event, out)
        return out

    def _take(self, event: Event, out: list[Event]) -> None:
        match event:
            case TextDelta() | ThinkingDelta() | SignatureDelta() | ToolDelta() | RefusalDelta():
                self._take_delta(event, out)
            case BlockStarted():
                self._take_start(event, out)
            case BlockStopped():
                self._take_stop(event.index, out)
            case Started():
                self._usage = event.usage
            case UsageSeen():
                self._usage = event.usage
                self._told = True
                out.append(UsageSeen(self.usage))
            case Finished() | Ended():
                self._take_end(event, out)
            case Pinged() | Failed():
                out.append(event)

    def _take_start(self, event: BlockStarted, out: list[Event]) -> None:
        if event.kind == "text" and self._seam is not None:
            self._seam_index = event.index
        elif event.kind in _THINKING and self._has_text:
            self._dropping = event.index
        else:
            self._start(event, out)

    def _take_delta(
        self,
        event: TextDelta | ThinkingDelta | SignatureDelta | ToolDelta | RefusalDelta,
        out: list[Event],
    ) -> None:
        if event.index == self._dropping:
            return
        if event.index == self._seam_index and self._seam is not None:
            if isinstance(event, TextDelta):
                self._add(self._seam.feed(event.text), out)
            return
        out.append(_moved(event, self._open))

    def _take_stop(self, index: int, out: list[Event]) -> None:
        if index == self._dropping:
            self._dropping = -1
            return
        if index == self._seam_index:
            self._flush(out)
            if self.seam_broken:
                return
            self._seam = None
            self._seam_index = -1
        self._stop(out)

    def _take_end(self, event: Finished | Ended, out: list[Event]) -> None:
        self._flush(out)
        if self.seam_broken:
            return
        self._stop(out)
        if isinstance(event, Ended) and not self._told and self.usage != Usage():
            out.append(UsageSeen(self.usage))
            self._told = True
        out.append(event)

    def _flush(self, out: list[Event]) -> None:
        if self._seam is not None and self._seam_index >= 0:
            self._add(self._seam.finish(), out)

    def _add(self, text: str, out: list[Event]) -> None:
        """Text that passed the seam, to the open text block or to one of its own."""
        if not text:
            return
        if self._open_kind != "text":
            self._start(BlockStarted(index=0, kind="text"), out)
        out.append(TextDelta(self._open, text))

    def _start(self, event: BlockStarted, out: list[Event]) -> None:
        self._stop(out)
        self._open = self._next
        self._open_kind = event.kind
        self._next += 1
        out.append(
            BlockStarted(
                index=self._open,
                kind=event.kind,
                tool_id=event.tool_id,
                tool_name=event.tool_name,
                data=event.data,
            )
        )

    def _stop(self, out: list[Event]) -> None:
        """Close the caller's open block, if one is."""
        if self._open >= 0:
            out.append(BlockStopped(self._open))
        self._open = -1
        self._open_kind = ""


def _words_asked(body: bytes) -> str:
    """The end of a request's JSON as something to find words in."""
    text = body[-ASKED_MOST:].decode("utf-8", "ignore")
    return text.replace("\\n", " ").replace("\\t", " ")


def _quote(text: str) -> str:
    """The last words of `text`, from the beginning of a word on."""
    quote = text[-QUOTE_MOST:]
    if len(quote) < len(text) and not text[-QUOTE_MOST - 1].isspace():
        rest = quote.split(maxsplit=1)[-1]
        quote = rest if rest.endswith(anchor(text)) else quote
    return quote


def _moved(
    event: TextDelta | ThinkingDelta | SignatureDelta | ToolDelta | RefusalDelta, index: int
) -> Event:
    """The same for the caller's block `index`."""
    if event.index == index:
        return event
    match event:
        case TextDelta():
            return TextDelta(index, event.text)
        case ThinkingDelta():
            return ThinkingDelta(index, event.text)
        case SignatureDelta():
            return SignatureDelta(index, event.signature)
        case ToolDelta():
            return ToolDelta(index, event.json)
        case RefusalDelta():
            return RefusalDelta(index, event.text)
